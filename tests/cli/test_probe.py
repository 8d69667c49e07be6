"""``corsproxy probe``: what people and programs read, the exit codes, and watching."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli
from corsproxy.config.load import load_config
from tests.cli.running import ran, running
from tests.e2e.messages import answer
from tests.e2e.upstreams import RawUpstream, answering, refusing
from tests.e2e.upstreams import silent as silent_server
from tests.e2e.wire import PATIENCE
from tests.tools.probed import always, conducted, letting_in, silent

OPEN = answering(answer(b"200 OK", b"Access-Control-Allow-Origin: *"))
CLOSED = answering(answer(b"200 OK"))


@pytest.fixture
def run(monkeypatch):
    """Run the command on an API that is a function: 200 requests on sockets would show nothing more."""

    def run(api, *words, env=None):
        monkeypatch.setattr("corsproxy.tools.probing.asking.probe", lambda target: conducted(api, target))
        return CliRunner().invoke(cli, ["probe", "https://api.example.com/orders?token=secret", *words], env=env)

    return run


def anyone(origin):
    return True


def test_who_is_at_risk_is_said_and_exits_with_1(run):
    result = run(letting_in(anyone))
    assert result.exit_code == 1
    assert result.stdout.startswith(
        "at risk   https://api.example.com/orders?token=***  (11 requests)\n\nhigh    it lets"
    )
    assert "\n        risk   a page of any site can read what it answers to a logged-in user\n" in result.stdout
    assert (
        "\n        sent   GET https://api.example.com/orders?token=***\n               Origin: https://cors"
        in result.stdout
    )
    assert (
        "\n        got    200\n               Vary: Origin\n               Access-Control-Allow-Origin" in result.stdout
    )
    assert "\n        cure   allow_origins names the pages that are meant\n" in result.stdout


def test_nobody_at_risk_exits_with_0_and_notes_are_short(run):
    result = run(silent)
    assert result.exit_code == 0
    assert result.stdout.startswith("no risk found   https://api.example.com/")
    assert "sent" not in result.stdout
    assert (
        "\nnote    it sends no CORS headers, whichever origin was tried  [no-cors]\n        means  no" in result.stdout
    )


def test_what_an_api_sends_is_escaped(run):
    result = run(always("Access-Control-Allow-Origin: \x1b[31mred"))
    assert "\x1b" not in result.stdout
    assert "\\x1b[31mred" in result.stdout


def test_the_rule_is_printed_as_it_may_stand_in_a_file(run):
    result = run(letting_in(anyone), "--fix", "--origin", "https://app.example.com")
    comment, _, rule = result.stdout.partition("\n# ")[2].partition("\n\n")
    assert comment.startswith("corsproxy check")
    (only,) = load_config(rule, "config.yaml", {}).table.rules
    assert only.policy.spec.allow_origins == ("https://app.example.com",)
    assert only.policy.spec.allow_methods == ("GET", "PUT")


def test_json_has_everything(run):
    result = run(letting_in(anyone, vary=False), "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["at_risk"] is True
    assert report["url"] == "https://api.example.com/orders?token=***"
    assert report["requests"] == 11
    assert "access-control-allow-origin" in report["cors_headers"]
    assert report["rule"].startswith("policies:\n")
    first = report["findings"][0]
    assert list(first) == ["id", "severity", "what", "risk", "cure", "subject", "evidence"]
    assert (first["id"], first["severity"], first["subject"]) == (
        "any-origin",
        "high",
        "https://corsproxy-probe.example",
    )
    assert first["evidence"][0] == {
        "request": ["GET https://api.example.com/orders?token=***", "Origin: https://corsproxy-probe.example"],
        "status": 200,
        "headers": [
            ["Access-Control-Allow-Origin", "https://corsproxy-probe.example"],
            ["Access-Control-Allow-Credentials", "true"],
        ],
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["api.example.com"], "is no URL; write it like http://host:port"),
        (["ftp://api.example.com/"], "an upstream speaks http or https"),
        (["https://user:secret@api.example.com/"], "it must hold no user name or password; give --header"),
        (["https://api.example.com:99999/"], "99999"),
        (["https://[::1/"], "Invalid IPv6 URL"),
        (["https://api.example.com/a b"], "it holds what no URL can"),
        (["https://api.example.com/", "--origin", "https://app.example.com/"], "write https://app.example.com"),
        (["https://api.example.com/", "--origin", "null"], "'null'"),
        (["https://api.example.com/", "--method", "POST"], "'POST' is not one of 'GET', 'HEAD'"),
        (["https://api.example.com/", "--header", "X-A"], "write it like 'Name: value'"),
        (["https://api.example.com/", "--header", "X-A: a\r\nX-B: b"], "write it like 'Name: value'"),
        (["https://api.example.com/", "--header", "Origin: https://a.example"], "Origin is the probe's own to send"),
        (["https://api.example.com/", "--watch", "soon"], "soon"),
        ([], "Missing argument 'URL'"),
    ],
)
def test_wrong_usage(words, message):
    result = CliRunner().invoke(cli, ["probe", *words])
    assert result.exit_code == 2
    assert message in result.stderr
    assert "secret" not in result.stderr


def test_every_option_has_its_variable(run):
    """A log-in in a variable is in no list of processes; a header holds blanks, and a variable several headers."""
    seen = []

    def api(asked):
        seen.append(dict(asked.headers))
        return letting_in(anyone)(asked)

    variables = {"ORIGIN": "https://a.example,https://b.example", "HEADER": "Authorization: Bearer x\nX-A: b c"}
    variables |= {"JSON": "1", "METHOD": "HEAD"}
    result = run(api, env={f"CORSPROXY_PROBE_{name}": value for name, value in variables.items()})
    assert json.loads(result.stdout)["findings"][0]["evidence"][0]["request"][0].startswith("HEAD ")
    assert (seen[0][b"Authorization"], seen[0][b"X-A"]) == (b"Bearer x", b"b c")
    assert {b"https://a.example", b"https://b.example"} <= {headers.get(b"Origin") for headers in seen}
    assert "Bearer" not in result.stdout


async def test_nobody_there_exits_with_1():
    with refusing() as url:
        ended = await ran("probe", url)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"{url} gave no answer (Connect call failed")


async def until(command, part):
    """Read lines up to one that holds this, empty ones too."""
    async with asyncio.timeout(PATIENCE):
        async for line in command.process.stdout:
            if part in line.decode():
                return
    raise AssertionError(part)


async def test_watching_tells_when_the_api_starts_to_send_headers_of_its_own():
    async with RawUpstream(CLOSED) as upstream, running("probe", upstream.url, "--watch", "1ms") as command:
        await until(command, "[no-cors]")
        upstream.script = OPEN
        await until(command, "it sends Access-Control-Allow-Origin of its own now")
        await until(command, "new: note it lets any origin in [any-origin]")
        await until(command, "gone: note it sends no CORS headers")
        upstream.script = CLOSED
        await until(command, "it sends Access-Control-Allow-Origin no more")
        assert (await command.ended(signal.SIGINT)).code == 0


async def test_watching_for_programs_is_an_object_a_line():
    async with RawUpstream(CLOSED) as upstream, running("probe", upstream.url, "--watch", "1ms", "--json") as command:
        first = json.loads(await command.line("{"))
        assert first["changes"] == []
        assert first["report"]["cors_headers"] == []
        upstream.script = OPEN
        changed = json.loads(await command.line("header-came"))
        assert changed["changes"][0] == {"change": "header-came", "subject": "Access-Control-Allow-Origin"}
        assert (await command.ended(signal.SIGTERM)).code == 0


async def test_who_was_at_risk_last_decides_how_watching_ends():
    risky = answering(answer(b"200 OK", b"Access-Control-Allow-Origin: null"))
    async with RawUpstream(CLOSED) as upstream, running("probe", upstream.url, "--watch", "1ms") as command:
        await until(command, "[no-cors]")
        upstream.script = risky
        await until(command, "new: medium it lets the origin null in")
        assert (await command.ended(signal.SIGINT)).code == 1


async def test_interrupted_before_anything_is_known():
    async with RawUpstream(silent_server) as upstream, running("probe", upstream.url, "--watch") as command:
        await upstream.connection()
        assert (await command.ended(signal.SIGINT)).code == 1
