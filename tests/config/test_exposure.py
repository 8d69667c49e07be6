"""What a configuration may not give away: the proxy to itself, its admin address, and credentials of its own."""

from __future__ import annotations

import pytest

from corsproxy.config.load import load_config
from corsproxy.errors import InvalidConfig


def judged(text):
    """What is refused, and what is warned of."""
    try:
        compiled = load_config(text, "c", {})
    except InvalidConfig as invalid:
        return [str(problem) for problem in invalid.problems], []
    return [], [str(warning) for warning in compiled.warnings]


SELF, PROBABLY, ADMIN = "where this proxy itself listens", "probably this proxy itself", "the admin address"


@pytest.mark.parametrize(
    ("listen", "upstream", "said"),
    [
        ("127.0.0.1:80", "http://127.0.0.1", SELF),
        ("127.0.0.1:443", "https://127.0.0.1/base", SELF),
        ("'[::1]:80'", "http://[::1]", SELF),
        ("'[::1]:80'", "http://[0:0:0:0:0:0:0:1]", SELF),
        ("0.0.0.0:80", "http://127.0.0.1", SELF),
        ("0.0.0.0:80", "http://0.0.0.0", SELF),
        ("'[::]:80'", "http://127.0.0.1", SELF),
        ("'[::]:80'", "http://[::1]", SELF),
        ("'[::]:80'", "http://localhost", SELF),
        ("localhost:80", "http://localhost", SELF),
        ("localhost:80", "http://LOCALHOST", SELF),
        ("localhost:80", "http://[::1]", SELF),
        ("10.0.0.1:80", "http://10.0.0.1", SELF),
        ("unix:/run/a.sock", "unix:/run/a.sock", SELF),
        ("127.0.0.1:80", "http://localhost", PROBABLY),  # or what listens at ::1
        ("0.0.0.0:80", "http://localhost", PROBABLY),
        ("127.0.0.1:80", "http://127.0.0.1:81", ""),
        ("127.0.0.1:80", "http://127.0.0.2", ""),
        ("127.0.0.1:80", "http://[::1]", ""),
        ("0.0.0.0:80", "http://10.0.0.1", ""),  # of this machine, or of another
        ("0.0.0.0:80", "http://api", ""),
        ("api:80", "http://api", ""),  # a name may have many addresses
        ("127.0.0.1:0", "http://127.0.0.1", ""),
        ("unix:/run/a.sock", "unix:/run/b.sock", ""),
        ("unix:/run/a.sock", "http://127.0.0.1", ""),
    ],
)
def test_an_upstream_that_is_the_proxy_itself(listen, upstream, said):
    text = f"listen: {listen}\nrules: [{{upstream: '{upstream}', policy: none}}]\n"
    problems, warnings = judged(text)
    found = warnings if said == PROBABLY else problems
    assert [said in text for text in problems + warnings] == ([True] if said else [])
    assert len(found) == bool(said)
    assert all(line.startswith("c:2:") for line in found)


def test_an_upstream_that_is_the_admin_address():
    problems, _ = judged("admin: 127.0.0.1:9901\nrules: [{upstream: 'http://127.0.0.1:9901', policy: none}]\n")
    assert len(problems) == 1
    assert ADMIN in problems[0]


def test_each_url_of_an_upstream_is_looked_at():
    problems, _ = judged(
        "listen: 127.0.0.1:80\n"
        "upstreams: {a: {urls: ['http://10.0.0.1', 'http://127.0.0.1']}}\n"
        "rules: [{upstream: a, policy: none}]\n"
    )
    assert [problem.partition(" is where")[0] for problem in problems] == ["c:2:43: http://127.0.0.1"]


ANYBODY = "{allow_origins: '*'}"
LISTED = "{allow_origins: https://app.example.com}"


def rule(policy, edits="", more=""):
    headers = f", headers: {{request: {{{edits}}}}}" if edits else ""
    return f"rules: [{{upstream: 'http://a', policy: {policy}{headers}{more}}}]\n"


@pytest.mark.parametrize(
    "edits",
    [
        "set: {Authorization: Bearer abc}",
        "add: {authorization: Basic abc}",
        "set: {Cookie: a=b}",
        "set: {X-Api-Key: abc}",
        "set: {X-Auth-Token: abc}",
        "set: {ApiKey: abc}",
        "set: {X-Session: abc}",
    ],
)
def test_credentials_of_the_rule_are_not_shared_with_every_page(edits):
    problems, _ = judged(rule(ANYBODY, edits))
    assert len(problems) == 1
    assert "any origin may use this rule" in problems[0]
    assert judged(rule(LISTED, edits)) == ([], [])
    assert judged(rule("none", edits)) == ([], [])
    assert judged(rule(ANYBODY, edits, ", dangerously_share_credentials: true")) == ([], [])


@pytest.mark.parametrize("edits", ["set: {X-Route: a}", "set: {X-Author: a}", "remove: [Cookie, Authorization]", ""])
def test_what_is_no_credential_may_go_along(edits):
    assert judged(rule(ANYBODY, edits)) == ([], [])


def test_a_client_certificate_is_a_credential():
    text = (
        f"upstreams: {{a: {{url: 'https://a', tls: {{cert: c.pem}}}}}}\nrules: [{{upstream: a, policy: {ANYBODY}}}]\n"
    )
    problems, _ = judged(text)
    assert len(problems) == 1
    assert "the client certificate" in problems[0]


# Health checks.


def test_a_check_of_an_only_url_is_warned_of():
    _, warnings = judged("upstreams: {a: {url: 'http://a', health_check: {}}}\nrules: [{upstream: a, policy: none}]\n")
    assert ["changes nothing" in warning for warning in warnings] == [True]


def test_an_unusable_url_leaves_nothing_to_check():
    problems, _ = judged("upstreams: {a: {url: 'a', health_check: {}}}\nrules: [{upstream: a, policy: none}]\n")
    assert len(problems) == 1


def test_a_check_is_compiled():
    check = "{path: '/h?a=b', interval: 1m, timeout: 500ms}"
    upstreams = f"upstreams: {{a: {{urls: ['http://a', 'http://b'], health_check: {check}}}}}\n"
    text = upstreams + "rules: [{upstream: a, policy: none}]\n"
    found = load_config(text, "c", {}).table.rules[0].upstream.health_check
    assert (found.target, found.interval, found.timeout) == (b"/h?a=b", 60.0, 0.5)


@pytest.mark.parametrize("path", ["h", "'/a b'", "/ä", "'/a#b'", "'http://a/'"])
def test_a_path_that_cannot_be_asked_for(path):
    problems, _ = judged(
        f"upstreams: {{a: {{urls: ['http://a', 'http://b'], health_check: {{path: {path}}}}}}}\n"
        "rules: [{upstream: a, policy: none}]\n"
    )
    assert len(problems) == 1
    assert "no path to ask for" in problems[0]


@pytest.mark.parametrize("value", ["0", "-1", "true", "1.5", "many", "'5'"])
def test_a_number_of_connections(value):
    problems, _ = judged(f"limits: {{max_connections_per_client: {value}}}\n" + rule("none"))
    assert len(problems) == 1
    assert "no number of connections" in problems[0]
