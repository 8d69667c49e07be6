"""``corsproxy learn``, and learning while ``serve`` and ``dev`` run: what is printed, written, and exited with."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest
import yaml
from click.testing import CliRunner

from corsproxy.cli.main import cli
from corsproxy.config.load import load_config
from tests.cli.running import running
from tests.e2e.rig import PATIENCE, RawUpstream, answer, answering, running_proxy

APP, EVIL = "https://app.example.com", "https://app.example.com.evil.test"
SEEN = "seen once by 1 client, 2026-11-22 12:00 UTC, access.jsonl"
LINE = {
    "time": "2026-11-22T12:00:00.000Z",
    "event": "request",
    "method": "GET",
    "path": "/orders/7",
    "status": 200,
    "origin": APP,
    "cors": "denied-origin",
    "host": "api.test",
    "client": "10.0.0.1",
    "mode": "cors",
}
CONFIG = """\
# ours
policies:
  web-app:
    allow_origins:
      - https://shop.test   # reviewed
rules:
  - path: /orders
    upstream: http://127.0.0.1:9000
    policy: web-app
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG, "utf-8")
    (tmp_path / "access.jsonl").write_text(json.dumps(LINE), "utf-8")
    return tmp_path


def learn(*arguments, stdin=None):
    return CliRunner().invoke(cli, ["learn", *arguments], input=stdin)


def test_a_change_is_shown_and_not_made(folder):
    result = learn("-c", "config.yaml", "access.jsonl")
    assert result.output.splitlines() == [
        "--- config.yaml",
        "+++ config.yaml",
        "@@ -4,4 +4,5 @@",
        "     allow_origins:",
        "       - https://shop.test   # reviewed",
        f"+      - {APP}  # {SEEN}",
        " rules:",
        "   - path: /orders",
        "",
        f"opens     pages of {APP} may read the answers: /orders ({SEEN})",
        "unused    allow_origins: https://shop.test of policy web-app",
        "",
        "nothing was written; --write puts this change into the file",
    ]
    assert result.exit_code == 1
    assert (folder / "config.yaml").read_text("utf-8") == CONFIG


def test_a_change_is_written_once(folder):
    result = learn("-c", "config.yaml", "--write", "access.jsonl")
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "written to config.yaml")
    text = (folder / "config.yaml").read_text("utf-8")
    assert set(CONFIG.splitlines()) < set(text.splitlines())
    assert load_config(text, "config.yaml", {}).table.rules[0].policy.allows_origin(APP.encode())
    again = learn("-c", "config.yaml", "--write", "access.jsonl")
    assert (again.exit_code, again.output.splitlines()[-1]) == (0, "nothing to change")


def test_a_new_table_is_printed_alone(folder):
    result = learn("--upstream", "http://127.0.0.1:9000", "-", stdin=json.dumps(LINE))
    assert result.exit_code == 0
    table = yaml.safe_load(result.stdout)
    assert table["rules"] == [{"path": "/orders", "upstream": "http://127.0.0.1:9000", "policy": "orders"}]
    assert "opens     pages of" in result.stderr


def test_a_new_table_is_written_where_there_is_none(folder):
    arguments = ("-c", "new.yaml", "--upstream", "http://127.0.0.1:9000")
    assert learn(*arguments, "access.jsonl").exit_code == 1
    assert learn(*arguments, "--write", "access.jsonl").exit_code == 0
    load_config((folder / "new.yaml").read_text("utf-8"), "new.yaml", {})


def test_sources_are_mixed_and_suspects_left_out(folder):
    sent = [{"name": name, "value": value} for name, value in (("Origin", EVIL), ("Sec-Fetch-Mode", "cors"))]
    url = "https://api.test/orders/8"
    entry = {
        "startedDateTime": LINE["time"],
        "request": {"method": "PUT", "url": url, "headers": sent},
        "response": {"status": 200, "headers": []},
    }
    (folder / "page.har").write_text(json.dumps({"log": {"entries": [entry]}}), "utf-8")
    result = learn("-c", "config.yaml", "page.har", "access.jsonl", "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (said["file"], said["changed"], said["written"], said["notes"]) == ("config.yaml", True, False, [])
    assert said["opens"] == [
        {
            "key": "allow_origins",
            "value": APP,
            "rules": ["/orders"],
            "seen": {
                "count": 1,
                "clients": 1,
                "first": "2026-11-22T12:00:00+00:00",
                "last": "2026-11-22T12:00:00+00:00",
                "sources": ["access.jsonl"],
            },
        }
    ]
    ((what, reason),) = [(one["what"], one["reason"]) for one in said["left_out"]]
    assert (what, reason) == (EVIL, f"it resembles {APP}")
    assert said["diff"].startswith("--- config.yaml\n")
    load_config(said["config"], "config.yaml", {})
    trusted = json.loads(learn("-c", "config.yaml", "page.har", "--trust", EVIL, "--json").stdout)
    assert [one["value"] for one in trusted["opens"]] == [EVIL, "PUT"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument"),
        (("access.jsonl",), "give -c FILE, or --upstream URL"),
        (("-c", "-", "-"), "standard input can be read once"),
        (("-c", "-", "--write", "access.jsonl"), "there is no file to write to"),
        (("--upstream", "http://a", "--write", "access.jsonl"), "there is no file to write to"),
        (("-c", "config.yaml", "missing.har"), "missing.har cannot be read"),
        (("-c", "config.yaml", "config.yaml"), "neither an access log"),
        (("-c", "config.yaml", "--trust", "https://*.*", "access.jsonl"), "has a wildcard"),
    ],
)
def test_wrong_usage(folder, arguments, message):
    result = learn(*arguments)
    assert (result.exit_code, message in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("serve", "-c", "config.yaml", "--learn", "x.yaml", "--workers", "2"), "one process can learn"),
        (("serve", "-c", "config.yaml", "--learn", "./config.yaml"), "does not go into the file that is served"),
        (("serve", "-c", "-", "--learn", "x.yaml"), "standard input cannot be read again"),
        (("serve", "-c", "config.yaml", "--trust", "null"), "give --learn"),
    ],
)
def test_wrong_usage_of_a_proxy_that_learns(folder, command, message):
    result = CliRunner().invoke(cli, command, input=CONFIG)
    assert (result.exit_code, message in result.output) == (2, True), result.output


# What a page sends: a preflight, its request with cookies, and an attack.
ORIGIN = f"Origin: {APP}".encode()
PREFLIGHT = (
    b"OPTIONS /orders/7",
    ORIGIN,
    b"Access-Control-Request-Method: PUT",
    b"Access-Control-Request-Headers: x-key",
)
ACTUAL = (b"PUT /orders/7", ORIGIN, b"X-Key: k", b"Cookie: id=1")
ATTACK = (b"GET /orders/7", f"Origin: {EVIL}".encode())
ANSWER = answering(answer(b"200 OK", b"X-Total-Count: 7", b"Server: x", body=b"[]"))


async def served(text):
    """What the page and the attacker get under a table: Access-Control-* of each, and whether the API was asked."""
    text = text.replace("policies:", "listen: 127.0.0.1:0\npolicies:", 1)
    async with running_proxy(text) as proxy:
        return [await proxy.ask(*request) for request in (PREFLIGHT, ACTUAL, ATTACK)]


def assert_page_works_and_attack_does_not(preflight, actual, attack):
    granted = dict(preflight.cors)
    assert preflight.status == 204
    assert granted[b"access-control-allow-origin"] == dict(actual.cors)[b"access-control-allow-origin"] == APP.encode()
    assert b"PUT" in granted[b"access-control-allow-methods"]
    assert granted[b"access-control-allow-headers"] == b"x-key"
    assert dict(actual.cors)[b"access-control-allow-credentials"] == b"true"
    assert dict(actual.cors)[b"access-control-expose-headers"] == b"x-total-count"
    assert attack.cors == []


async def test_dev_learns_a_table_under_which_the_same_page_works(tmp_path):
    async with RawUpstream(ANSWER) as upstream:
        file = tmp_path / "learnt.yaml"
        arguments = ("--listen", "127.0.0.1:0", "--allow-origin", APP, "--learn", file)
        async with running("dev", upstream.url, *arguments) as dev:
            port = await dev.port()
            for request in (PREFLIGHT, ACTUAL, ATTACK):
                client = await dev.connect(port)
                await client.ask(*request, b"Host: localhost")
            ended = await dev.ended(signal.SIGINT)
        assert f"left out  {EVIL}: it resembles {APP}" in ended.err
        assert f"what was learnt is in {file}; review it" in ended.err
        text = file.read_text("utf-8")
        assert f"- {APP}  # seen 2 times by 1 client" in text
        assert "*" not in text
        assert_page_works_and_attack_does_not(*await served(text))


async def test_serve_learns_when_asked_and_at_the_end(tmp_path):
    async with RawUpstream(ANSWER) as upstream:
        config, file = tmp_path / "config.yaml", tmp_path / "learnt.yaml"
        present = CONFIG.replace("http://127.0.0.1:9000", upstream.url)
        config.write_text(f"listen: 127.0.0.1:0\n{present}", "utf-8")
        async with running("serve", "-c", config, "--learn", file) as serve:
            port = await serve.port()
            client = await serve.connect(port)
            await client.ask(*PREFLIGHT)  # is denied, and says all the same what the page wants
            await serve.line("/orders/7")
            serve.process.send_signal(signal.SIGUSR1)
            async with asyncio.timeout(PATIENCE):
                while "what was learnt is in" not in (said := (await serve.process.stderr.readline()).decode()):
                    assert said
            asked = file.read_text("utf-8")
            for request in (ACTUAL, ATTACK):
                await (await serve.connect(port)).ask(*request)
            ended = await serve.ended(signal.SIGTERM)
        assert ended.code == 0
        assert "allow_credentials" not in asked
        assert "- https://shop.test   # reviewed" in asked
        assert config.read_text("utf-8") == f"listen: 127.0.0.1:0\n{present}"
        text = file.read_text("utf-8").removeprefix("listen: 127.0.0.1:0\n")
        assert_page_works_and_attack_does_not(*await served(text))
