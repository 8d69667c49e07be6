"""docs/exit-codes.md: every command, and that it ends as is said there.

What ``serve`` does on signals is tried in tests/cli/test_serve.py and tests/server/test_reload.py.
"""

from __future__ import annotations

import json
import socket
from contextlib import closing

import pytest

from corsproxy.cli.main import COMMANDS, main
from tests.documents import ROOT, Document, codes

PAGE = Document(ROOT / "docs" / "exit-codes.md")
TABLE = "Exit codes"

GOOD = """\
policies: {web-app: {allow_origins: [https://app.example.com]}}
rules: [{upstream: http://a, policy: web-app}]
tests: [{origin: https://app.example.com}]
"""
ASK = "explain -c good.yaml https://api.example.com/ --origin"


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """How a command line ends.  TAKEN is a port that somebody listens on, and LOST one that nobody does."""
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "wrong.yaml").write_text(GOOD.replace("policy: web-app", "policy: web"))
    (tmp_path / "seen.jsonl").write_text(json.dumps(SEEN | {"origin": "https://b.example"}))
    (tmp_path / "known.jsonl").write_text(json.dumps(SEEN | {"origin": "https://app.example.com"}))
    (tmp_path / "wider.yaml").write_text(GOOD.replace("[https://app", "[https://*.app"))
    (tmp_path / "failing.yaml").write_text(GOOD.replace("tests: [", "tests: [{origin: https://evil.example}, "))
    monkeypatch.chdir(tmp_path)

    def run(line):
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            with closing(socket.create_server(("127.0.0.1", 0))) as closed:
                lost = closed.getsockname()[1]
            words = line.replace("TAKEN", str(server.getsockname()[1])).replace("LOST", str(lost)).split()
            monkeypatch.setattr("sys.argv", ["corsproxy", *words])
            with pytest.raises(SystemExit) as exited:
                main()
        return int(exited.value.code or 0)

    return run


def test_the_table_has_every_command():
    assert sorted(codes(row[0])[0] for row in PAGE.table(TABLE)) == sorted(COMMANDS)


WELL = {
    "explain": [f"{ASK} https://app.example.com"],
    "check": ["check good.yaml", "check -c good.yaml --format sarif"],
    "learn": ["learn -c good.yaml known.jsonl", "learn --upstream http://a seen.jsonl"],
    "diff": ["diff good.yaml good.yaml", "diff good.yaml good.yaml --json"],
    "schema": ["schema", "schema --tests"],
}  # the others serve until a signal ends them, or ask one that does


@pytest.mark.parametrize("line", [line for lines in WELL.values() for line in lines])
def test_well_is_0(line, ended):
    assert ended(line) == 0


SEEN = {"event": "request", "method": "GET", "path": "/", "host": "a", "status": 200, "mode": "cors"}

NO = {
    "demo": ["demo --port TAKEN"],
    "dev": ["dev http://127.0.0.1:9 --listen 127.0.0.1:TAKEN", "dev http://a --cert no.pem --key no.pem"],
    "serve": [
        "serve -c wrong.yaml",
        "serve -c none.yaml",
        "serve --upstream http://a --allow-origin https://b --listen 127.0.0.1:TAKEN",
        "serve --upstream http://a --allow-origin https://b/",
    ],
    "explain": [f"{ASK} https://evil.example", f"{ASK} https://app.example.com -c wrong.yaml", "explain what"],
    "check": [
        "check wrong.yaml",
        "check good.yaml wrong.yaml",
        "check wrong.yaml --format sarif",
        "check wrong.yaml --json",
        "check failing.yaml --format github",
        "check good.yaml --junit no/where.xml",
    ],
    "learn": ["learn -c good.yaml seen.jsonl", "learn -c no/where.yaml --upstream http://a --write seen.jsonl"],
    "probe": ["probe http://127.0.0.1:LOST"],
    "conformance": ["conformance --url http://127.0.0.1:LOST --allow-origin https://a.example --vector origin-listed"],
    "export": ["export --to nginx -c wrong.yaml", "export --to nginx -c good.yaml -o no/where.conf"],
    "import": [
        "import --from gateway-api good.yaml -o no/where.yaml",
        "import --from nginx good.yaml",
        "import --from gateway-api none.yaml",
    ],
    "diff": ["diff good.yaml wider.yaml", "diff good.yaml wider.yaml --json"],
    "schema": [],
    "healthcheck": [
        "healthcheck --upstream http://a --allow-origin https://b --listen 127.0.0.1:LOST",
        "healthcheck -c wrong.yaml",
    ],
}


def test_every_command_is_asked_for_a_no():
    assert sorted(NO) == sorted(COMMANDS)
    never = [name for name, lines in NO.items() if not lines]
    assert [codes(row[0])[0] for row in PAGE.table(TABLE) if row[2] == "never"] == never


@pytest.mark.parametrize("line", [line for lines in NO.values() for line in lines])
def test_no_is_1(line, ended):
    assert ended(line) == 1


WRONG = [
    "chek",
    "--nothing",
    *(f"{name} --no-such-option" for name in COMMANDS),
    *(f"{name} --help=1" for name in COMMANDS),
    "demo --port http",
    "dev",
    "dev not-a-url",
    "learn -c wrong.yaml seen.jsonl",
    "learn -c good.yaml good.yaml",
    "learn seen.jsonl",
    "dev http://a --cert only.pem",
    "serve",
    "serve -c good.yaml --upstream http://a",
    "serve --workers none -c good.yaml",
    "explain --header",
    "probe",
    "probe not-a-url",
    "probe http://a --origin null",
    "check",
    "check -c good.yaml good.yaml",
    "check good.yaml --format xml",
    "diff good.yaml",
    "diff good.yaml wrong.yaml",
    "diff none.yaml good.yaml",
    "diff - -",
    "import good.yaml",
    "import --from flask-cors good.yaml",
    "schema config.yaml",
    "healthcheck --timeout 0 -c good.yaml",
]


@pytest.mark.parametrize("line", WRONG)
def test_wrong_usage_is_2_and_said_on_standard_error(line, ended, capsys):
    assert ended(line) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err
