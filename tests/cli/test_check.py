"""``corsproxy check``: the table for people and programs, or everything that is wrong."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli

GOOD = """\
listen: [127.0.0.1:8080, unix:/run/proxy.sock]
admin: 127.0.0.1:9901
policies:
  web-app:
    allow_origins: [https://app.example.com, http://localhost:*]
    allow_methods: [GET, PUT]
    allow_headers: [Content-Type]
    expose_headers: [X-Total-Count]
    allow_credentials: true
    max_age: 10m
    allow_private_network: true
    timing_allow_origins: [https://app.example.com]
    cross_origin_resource_policy: same-site
    on_denied: reject
  unused: {allow_origins: "*"}
rules:
  - upstream: http://127.0.0.1:8000/base
    policy: web-app
  - path: /orders
    host: "*.example.com"
    upstream: https://api.internal
    policy: web-app
    strip_prefix: true
  - path: /raw
    upstream: unix:/run/api.sock
    policy: none
"""

TABLE = """\
listens at 127.0.0.1:8080, unix:/run/proxy.sock, admin at 127.0.0.1:9901

HOST           PATH                UPSTREAM                    POLICY                                LINE
*.example.com  /orders (stripped)  https://api.internal        web-app                               19
any            /raw                unix:/run/api.sock          none: the upstream's own CORS headers  24
any            /                   http://127.0.0.1:8000/base  web-app                               17

policy web-app
  origins      https://app.example.com, http://localhost:*
  methods      GET, PUT
  headers      Content-Type
  exposes      X-Total-Count
  credentials  yes
  max-age      10m
  private net  yes
  timing       https://app.example.com
  embedding    same-site
  if denied    403
"""

BAD = """\
rules:
  - upstream: http://a
    policy:
      allow_origins: https://app.example.com/
      max-age: 5m
"""


def check(text, *arguments, **options):
    return CliRunner().invoke(cli, ["check", "-c", "-", *arguments], input=text, **options)


def test_the_table_that_results():
    result = check(GOOD)
    assert result.exit_code == 0
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        " ".join(line.split()) for line in TABLE.splitlines()
    ]
    assert result.stderr == (
        "standard input:15:3: warning: no rule uses the policy 'unused'; remove it, or name it in a rule\n"
    )


def test_columns_are_aligned():
    lines = check(GOOD).stdout.splitlines()[2:6]
    assert len({line.index(word) for line, word in zip(lines, ["PATH", "/orders", "/raw", "/ "], strict=True)}) == 1


def test_the_smallest_configuration():
    result = check("rules: [{upstream: http://a, policy: {allow_origins: '*'}}]")
    assert result.stdout.startswith("listens at 127.0.0.1:8080\n\n")
    assert "policy / (inline)\n  origins      *\n  methods      GET, HEAD, POST\n  if denied" in result.stdout


def test_a_regular_expression_is_shown_between_slashes():
    pytest.importorskip("re2")
    result = check("rules: [{upstream: http://a, policy: {allow_origin_regex: 'https://a-[0-9]+\\.example\\.com'}}]")
    assert "origins      /https://a-[0-9]+\\.example\\.com/\n" in result.stdout


def test_everything_that_is_wrong():
    result = check(BAD)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "standard input:4:22: 'https://app.example.com/' has a trailing slash;"
        " write it byte for byte as browsers send it\n"
        "    allow_origins: https://app.example.com\n"
        "standard input:5:7: unknown key 'max-age'; did you mean 'max_age'?\n"
        "    max_age:\n"
        "2 problems\n"
    )


def test_json_of_a_good_file():
    result = check(GOOD, "--json")
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert said["valid"] is True
    assert (said["listen"], said["admin"]) == (["127.0.0.1:8080", "unix:/run/proxy.sock"], "127.0.0.1:9901")
    assert said["rules"][0] == {
        "host": "*.example.com",
        "path": "/orders",
        "upstream": "https://api.internal",
        "urls": ["https://api.internal"],
        "policy": "web-app",
        "strip_prefix": True,
        "where": "standard input:19:5",
    }
    assert said["rules"][1]["policy"] is None
    assert said["policies"]["web-app"]["max_age"] == 600
    assert [warning["line"] for warning in said["warnings"]] == [15]


def test_json_of_a_bad_file():
    result = check(BAD, "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["valid"] is False
    assert [(problem["line"], problem["column"]) for problem in said["problems"]] == [(4, 22), (5, 7)]
    assert said["problems"][0]["correction"] == "allow_origins: https://app.example.com"


def test_a_file_is_read_with_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("API", "http://api.internal")
    file = tmp_path / "config.yaml"
    file.write_text("rules: [{upstream: '${API}', policy: none}]")
    result = CliRunner().invoke(cli, ["check", "-c", str(file), "--json"])
    assert json.loads(result.stdout)["rules"][0]["urls"] == ["http://api.internal"]
    assert json.loads(result.stdout)["rules"][0]["where"] == f"{file}:1:9"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the file cannot be read (No such file or directory); name a readable one"),
        (b"rules: \xff", "byte 7 of the file is not UTF-8; save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read(content, message, tmp_path):
    file = tmp_path / "config.yaml"
    if content is not None:
        file.write_bytes(content)
    result = CliRunner().invoke(cli, ["check", "-c", str(file)])
    assert result.exit_code == 1
    assert result.stderr == f"{file}: {message}\n1 problem\n"


def on_a_terminal(text, **environment):
    """What the command prints where standard output and error are a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "corsproxy", "check", "-c", "-"]
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=theirs,
        env=clean | {"TERM": "xterm", "COLUMNS": "200"} | environment,
    )
    os.close(theirs)
    process.communicate(text.encode())
    printed = io.BytesIO()
    try:
        while piece := os.read(ours, 65536):
            printed.write(piece)
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return printed.getvalue().decode()


def test_a_terminal_gets_a_drawn_table_and_colours():
    printed = on_a_terminal(GOOD)
    assert "───" in printed
    assert "\x1b[" in printed


def test_no_color_is_honoured():
    assert "\x1b[" not in on_a_terminal(GOOD, NO_COLOR="1")
    assert "\x1b[" not in on_a_terminal(BAD, NO_COLOR="1")


def test_problems_have_colours_on_a_terminal():
    assert "\x1b[31m'https://app.example.com/' has a trailing slash" in on_a_terminal(BAD)


def test_nothing_in_a_configuration_is_markup():
    printed = on_a_terminal("rules: [{path: '/[red]x', upstream: http://a, policy: none}]", NO_COLOR="1")
    assert "/[red]x" in printed


SHADOWED = """\
shadow: tried.yaml
rules: [{path: /a, upstream: "http://127.0.0.1:8000", policy: {allow_origins: "https://a.test"}}]
"""
TRIED = """\
rules:
  - {upstream: "http://127.0.0.1:8000", policy: {allow_origins: "https://b.test"}}
policies: {unused: {allow_origins: "https://c.test"}}
"""


@pytest.fixture
def shadowed(tmp_path):
    (tmp_path / "config.yaml").write_text(SHADOWED)
    (tmp_path / "tried.yaml").write_text(TRIED)
    return tmp_path


def test_the_shadow_is_shown_too_and_its_warnings(shadowed):
    """The path in the file begins at its folder, wherever the command is run."""
    result = CliRunner().invoke(cli, ["check", "-c", str(shadowed / "config.yaml")])
    assert result.exit_code == 0
    _, _, shown = result.output.partition(f"in the shadow, where it decides nothing: {shadowed}/tried.yaml\n\n")
    assert shown.splitlines()[1].split() == ["any", "/", "http://127.0.0.1:8000", "/", "(inline)", "2"]
    assert "origins      https://b.test" in shown
    assert f"{shadowed}/tried.yaml:3:12: warning: no rule uses the policy 'unused'" in result.stderr


def test_json_of_a_shadow(shadowed):
    found = json.loads(CliRunner().invoke(cli, ["check", "-c", str(shadowed / "config.yaml"), "--json"]).stdout)
    assert found["shadow"]["file"] == f"{shadowed}/tried.yaml"
    assert [rule["path"] for rule in found["shadow"]["rules"]] == ["/"]
    assert found["shadow"]["policies"]["/ (inline)"]["allow_origins"] == ["https://b.test"]
    (shadowed / "own.yaml").write_text(SHADOWED.replace("shadow: tried.yaml", "").replace("}}]", "}, shadow: none}]"))
    own = json.loads(CliRunner().invoke(cli, ["check", "-c", str(shadowed / "own.yaml"), "--json"]).stdout)["shadow"]
    assert (own["file"], [rule["policy"] for rule in own["rules"]]) == (None, [None])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "config.yaml:1:9: the shadow {}/tried.yaml cannot be read (No such file or directory)"),
        ("rules: 5", "tried.yaml:1:8: this must be a list, not 5"),
        (SHADOWED, "tried.yaml:1:1: this configuration is itself tried as a shadow"),
    ],
)
def test_a_shadow_that_is_wrong_is_a_problem_with_its_place(shadowed, content, problem):
    (shadowed / "tried.yaml").unlink() if content is None else (shadowed / "tried.yaml").write_text(content)
    result = CliRunner().invoke(cli, ["check", "-c", str(shadowed / "config.yaml")])
    assert (result.exit_code, f"{shadowed}/{problem.format(shadowed)}" in result.stderr) == (1, True)
