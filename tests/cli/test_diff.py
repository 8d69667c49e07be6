"""``corsproxy diff``: what people and programs read."""

import json
import re

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli

POLICY = {"allow_origins": ["https://app.example.com"]}


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """What ``diff`` prints of two configurations, each a list of rules."""
    monkeypatch.chdir(tmp_path)

    def run(old, new, *words):
        for name, rules in (("old.yaml", old), ("new.yaml", new)):
            (tmp_path / name).write_text(json.dumps({"rules": rules}))
        return CliRunner().invoke(cli, ["diff", "old.yaml", "new.yaml", *words])

    return run


def rule(path="/", **keys):
    policy = {**POLICY, **{key: keys.pop(key) for key in list(keys) if key not in {"host", "policy", "upstream"}}}
    return {"path": path, "upstream": "http://one.internal", "policy": policy, **keys}


A = "https://app.example.com"
NEW_DOMAIN = {"allow_origins": [A, "https://*.example.com"]}
NUMBERED = {"allow_origin_regex": r"https://pr-[0-9]+\.example\.org"}
EIGHT = {"allow_origins": [f"https://{letter}.example.com" for letter in "abcdefgh"]}
SAME_SITE, ANYWHERE = ({"cross_origin_resource_policy": word} for word in ("same-site", "cross-origin"))
TIMED, MEASURED = ({"timing_allow_origins": origins} for origins in ([A], "*"))
NONE, TWO = {"policy": "none"}, {"upstream": "http://two.internal"}
CASES = [
    # the keys of the old rule and of the new one, the exit code, and lines of the output; ... stands for anything
    ({}, {"allow_methods": "*"}, 1, ["may       ask with any method but GET, HEAD, POST"]),
    ({}, {"allow_methods": "*"}, 1, [f"try       DELETE https://api.example.com/ from {A}"]),
    ({"allow_methods": "*"}, {"allow_methods": ["PUT"]}, 0, ["may not   ask with any method but GET, HEAD, POST, PUT"]),
    ({}, {"allow_headers": ["X-A"]}, 1, ["may       set X-A", f"try       GET ... from {A}, with X-A: 1"]),
    ({"allow_headers": ["Authorization"]}, {"allow_headers": "*"}, 1, ["may       set any header but Authorization"]),
    ({}, {"allow_headers": "*"}, 1, ["may       set any header", "try       ..., with Authorization: Bearer token"]),
    ({}, {"allow_headers": ["Accept"]}, 1, ["try       ..., with Accept: application/json;v=..."]),
    ({}, {"allow_credentials": True}, 1, ["may       send cookies and ...", "try       ..., with credentials"]),
    ({}, {"expose_headers": "*"}, 1, ["may       read any header but ...", "try       ..., reading X-Total-Count"]),
    (
        {},
        {"allow_private_network": True},
        1,
        ["may       reach a private network", "try       ..., into a private ..."],
    ),
    ({"on_denied": "reject"}, {}, 1, ["newly allowed   pages of any other origin (such as https://stranger.example)"]),
    ({"on_denied": "reject"}, {}, 1, ["may       have simple requests reach the upstream", "try       POST ..."]),
    ({}, TIMED, 1, ["may       see detailed timings of what they read"]),
    ({}, MEASURED, 1, ["may       see detailed timings of what they embed", "try       ..., without asking by CORS"]),
    (SAME_SITE, ANYWHERE, 1, ["may       embed answers, by Cross-Origin-Resource-Policy"]),
    ({}, NEW_DOMAIN, 1, ["newly allowed   pages of https://*.example.com (not all; such as https://a.example.com)"]),
    (
        {},
        NUMBERED,
        1,
        [f"newly allowed   pages of /{NUMBERED['allow_origin_regex']}/ (such as https://pr-1.example.org)"],
    ),
    ({}, EIGHT, 1, ["newly allowed   pages of https://a.example.com, ..., https://f.example.com and 2 more"]),
    ({}, {"allow_origins": [f"{A}:*"]}, 1, [f"... {A}:* (not all; such as {A}:3000)"]),
    ({}, NONE, 1, ["the upstream decides   pages of any origin ...", "which     from now on..."]),
    ({}, NONE, 1, ["try       ... from https://stranger.example, with credentials"]),
    (NONE, {}, 1, ["which     no longer...", f"try       GET ... from {A}", "before    / in old.yaml:... (no policy)"]),
    (NONE, {**NONE, **TWO}, 1, ["which     it did so before..."]),
    (NONE, {"path": "/a"}, 1, ["the upstream decides ...", "rule      none"]),
    (
        {},
        TWO,
        0,
        ["note   requests go to http://two.internal now; they ...", "no page may do more or less than before"],
    ),
    ({}, {"max_age": 600}, 0, ["note   browsers may keep a preflight's answer for 10m now; before, for ..."]),
    ({}, {"path": "/a"}, 0, ["newly denied ...", "at        any host: /* (but /a/*)", "rule      none"]),
    ({}, {"path": "/a"}, 0, ["note   requests are refused now; they went to http://one.internal"]),
    ({"path": "/a"}, {}, 1, ["newly allowed ...", "note   requests are taken now, and go to http://one.internal; ..."]),
    ({}, {"host": "*.example.com"}, 0, ["at        any host (but *.example.com): /*"]),
]


@pytest.mark.parametrize(("old", "new", "code", "lines"), CASES)
def test_what_is_said(compared, old, new, code, lines):
    result = compared([rule(**old)], [rule(**new)])
    assert result.exit_code == code, result.output
    printed = [line.strip() for line in result.stdout.splitlines()]
    for wanted in lines:
        pattern = ".*".join(map(re.escape, wanted.split("...")))
        assert any(re.fullmatch(pattern, line) for line in printed), (wanted, result.stdout)


def test_what_is_the_same_is_not_told(compared):
    """However it is written."""
    old = [rule(), rule("/a")]
    new = [
        rule(policy={"allow_origins": "https://app.example.com", "allow_methods": ["POST", "GET", "HEAD"]}),
        rule("/a"),
    ]
    result = compared(old, new)
    assert (result.exit_code, result.stdout) == (0, "no page may do more or less than before\n")


def test_other_keys_of_a_rule_are_noted(compared):
    headers = {"request": {"set": {"X-Client": "web"}}}
    result = compared([rule()], [{**rule(), "headers": headers, "forward_origin": "remove"}])
    assert result.exit_code == 0
    assert "note   other keys of the rule differ: forward_origin, headers\n" in result.stdout


def test_paths_that_are_read_in_two_ways_are_noted(compared):
    result = compared([rule()], [rule(), rule("/a")])
    assert result.exit_code == 0
    assert "    such as   //a at any host\n" in result.stdout


def test_the_old_table_may_come_by_standard_input(tmp_path):
    text = json.dumps({"rules": [rule()]})
    (tmp_path / "new.yaml").write_text(text)
    result = CliRunner().invoke(cli, ["diff", "-", str(tmp_path / "new.yaml")], input=text)
    assert result.exit_code == 0


def test_what_cannot_be_used_is_told_with_its_file(compared):
    result = compared([rule()], [rule(allow_origins=["https://app.example.com/"])])
    assert result.exit_code == 2
    assert result.stderr.startswith("new.yaml:1:")


def test_programs_get_all_of_it(compared):
    origins = EIGHT["allow_origins"]
    result = compared([rule()], [rule(**EIGHT, allow_methods="*")], "--json")
    found = json.loads(result.stdout)
    assert found["widens"] is True
    (allowed,) = [change for change in found["changes"] if change["verdict"] == "allowed"]
    assert [shown["entry"] for shown in allowed["origins"]] == origins
    assert allowed["abilities"][1] == {"ability": "methods", "all_but": ["GET", "HEAD", "POST"]}
    assert allowed["origins"][1]["witnesses"][1] == {
        "ability": "methods", "url": "https://api.example.com/", "origin": "https://b.example.com", "method": "DELETE",
        "headers": [], "credentials": False, "mode": "cors", "private_network": False, "reads": None,
    }  # fmt: skip
    assert allowed["where"] == [{"hosts": ["*"], "except_hosts": [], "paths": ["/*"], "except_paths": []}]
    assert allowed["rules"][0]["old"]["where"] == "old.yaml:1:12"
