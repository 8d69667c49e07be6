"""``corsproxy serve`` as its user meets it: what it prints, whom it serves, what ends it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import sys
import types
from pathlib import Path

import pytest
import trustme

from corsproxy.cli.exchange_lines import ExchangePrinter
from corsproxy.cli.main import main
from corsproxy.cli.observing import observed, wanted_spans
from corsproxy.server.process import DRAIN_SECONDS
from tests.cli.running import ran, running
from tests.e2e.rig import (
    ACAO,
    APP,
    ORIGIN,
    STRANGER,
    WEB_APP,
    ClientWire,
    RawUpstream,
    ServerWire,
    TransferError,
    answer,
    answering,
    config,
    request,
    silent,
)

OK = answer(b"200 OK", body=b"hello")
ENDINGS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])


@contextlib.asynccontextmanager
async def serving(tmp_path, script=None, *flags, environment=None, **settings):
    """A scripted upstream and the process in front of it: (process, port, upstream); port 0 on a unix socket."""
    file = tmp_path / "config.yaml"
    async with RawUpstream(script or answering(OK)) as upstream:
        file.write_text(config(upstream.url, **settings))
        async with running("serve", "-c", file, *flags, environment=environment) as process:
            started = await process.line("listening on ")
            port = int(started.rpartition(":")[2]) if "://" in started else 0
            yield process, port, upstream


class Gate:
    """An upstream whose answer waits until a test opens it."""

    def __init__(self):
        self.open = asyncio.Event()

    async def __call__(self, wire: ServerWire) -> None:
        while True:
            asked = await wire.request()
            if asked.target == b"/slow":
                await self.open.wait()
            await wire.send(OK)


# Serving, and its end.


@ENDINGS
async def test_says_where_it_listens_serves_and_ends(tmp_path, number):
    async with serving(tmp_path) as (process, port, upstream):
        assert process.lines == [f"listening on http://127.0.0.1:{port}"]
        response = await (await process.connect(port)).ask(b"GET /data", ORIGIN)
        assert (response.status, response.body, response.one(ACAO)) == (200, b"hello", APP.encode())
        assert [asked.target for asked in upstream.requests] == [b"/data"]
        printed = await process.line("/data")
        assert "allowed" in printed
        assert "200" in printed
        assert await process.ended(number) == (0, "", "")


@ENDINGS
async def test_ends_at_once_when_idle_with_open_connections_too(tmp_path, number):
    """One connection waits for its next request, another has never sent any."""
    async with serving(tmp_path) as (process, port, _):
        kept, silent_one = await process.connect(port), await process.connect(port)
        assert (await kept.ask(b"GET /x")).status == 200
        async with asyncio.timeout(DRAIN_SECONDS):
            assert (await process.ended(number)).code == 0
        assert await kept.until_ended() == "closed"
        assert await silent_one.until_ended() == "closed"


async def test_a_request_in_flight_is_finished_before_the_end(tmp_path):
    gate = Gate()
    async with serving(tmp_path, gate) as (process, port, upstream):
        idle = await process.connect(port)
        await idle.ask(b"GET /x")
        client = await (await process.connect(port)).send(request(b"GET /slow", ORIGIN))
        await (await upstream.connection()).until(lambda: len(upstream.requests) == 2)
        process.process.send_signal(signal.SIGTERM)
        await idle.until_ended()  # so it has begun to drain
        with pytest.raises(OSError):  # noqa: PT011  # refused, or reset in the moment of the end
            await process.connect(port)
        gate.open.set()
        response = await client.response()
        assert (response.body, response.one(ACAO), response.one(b"connection")) == (b"hello", APP.encode(), b"close")
        assert await client.until_ended() == "closed"
        assert (await process.ended()).code == 0


@ENDINGS
async def test_a_second_signal_breaks_off_what_is_in_flight(tmp_path, number):
    async with serving(tmp_path, silent) as (process, port, upstream):
        idle = await process.connect(port)
        client = await (await process.connect(port)).send(request(b"GET /slow"))
        await (await upstream.connection()).until(lambda: upstream.requests)
        process.process.send_signal(signal.SIGTERM)
        await idle.until_ended()
        process.process.send_signal(number)
        with pytest.raises(TransferError):
            await client.response()
        async with asyncio.timeout(DRAIN_SECONDS):
            ended = await process.ended()
        assert ended.code == 0
        assert ended.err == "waiting up to 10s for 1 exchange in flight (a second signal ends it at once)\n"
        assert "the client went away" in ended.out


# What it prints.


async def test_s2_the_log_names_the_sentence_of_the_browser_the_rule_and_the_fix(tmp_path):
    """Scenario S2: the 200 comes back without CORS headers, and the log says what the console of the page says."""
    async with serving(tmp_path, policy="web-app", policies={"web-app": dict(WEB_APP)}) as (process, port, _):
        client = await process.connect(port)
        response = await client.ask(b"GET /data", b"Host: api.example.com", STRANGER)
        assert (response.status, response.body, response.cors) == (200, b"hello", [])
        assert "blocked: the origin is not allowed" in await process.line("/data")
        said = await process.line("browser:")
        rule = await process.line("rule:")
        fix = await process.line("fix:")
        text = (tmp_path / "config.yaml").read_text().splitlines()
        line = next(index for index, line in enumerate(text, 1) if line.startswith("- path: /"))
        ended = await process.ended(signal.SIGTERM)
    assert said.split(maxsplit=1)[1] == (
        "Access to fetch at 'http://api.example.com/data' from origin 'https://evil.example.net' has been blocked by "
        "CORS policy: No 'Access-Control-Allow-Origin' header is present on the requested resource."
    )
    policy = next(index for index, line in enumerate(text, 1) if line.startswith("  web-app:"))
    assert rule.split(maxsplit=1)[1] == (
        f"/ ({tmp_path}/config.yaml:{line}:3), policy web-app ({tmp_path}/config.yaml:{policy}:3)"
    )
    assert fix.split(maxsplit=1)[1] == "add `- https://evil.example.net` to allow_origins of policy web-app"
    assert ended == (0, "", "")


async def test_without_a_file_the_fix_is_a_flag():
    async with RawUpstream(answering(OK)) as upstream:
        flags = ("--upstream", upstream.url, "--allow-origin", "https://app.example.com", "--listen", "127.0.0.1:0")
        async with running("serve", *flags) as process:
            client = await process.connect(int((await process.line("listening on ")).rpartition(":")[2]))
            await client.ask(b"GET /data", STRANGER)
            fix = await process.line("fix:")
    assert fix.split(maxsplit=1)[1] == "start it again with `--allow-origin https://evil.example.net` as well"


@pytest.mark.parametrize(
    ("flags", "environment"), [(["--access-log", "off"], {}), ([], {"CORSPROXY_ACCESS_LOG": "off"})]
)
async def test_without_access_log_denials_are_printed_once_for_each_cause(tmp_path, flags, environment):
    async with serving(tmp_path, None, *flags, environment=environment) as (process, port, _):
        client = await process.connect(port)
        for line, origin in [(b"GET /1", ORIGIN), (b"GET /2", STRANGER), (b"GET /3", STRANGER), (b"GET /4", ORIGIN)]:
            await client.ask(line, origin)
        await client.ask(b"OPTIONS /5", ORIGIN, b"Access-Control-Request-Method: PUT")
        ended = await process.ended(signal.SIGTERM)
    lines = ended.out.splitlines()
    assert [line.split()[:1] for line in lines[1:4]] == [["browser:"], ["rule:"], ["fix:"]]
    assert [line.split()[2] for line in lines if not line.startswith(" ")] == ["/2", "/5"]
    assert len(lines) == 8


async def test_a_reader_of_the_log_that_has_left_is_no_reason_to_fail_those_who_are_served(tmp_path):
    """``corsproxy serve -c config.yaml | head -1``."""
    reader, writer = os.pipe()
    file = tmp_path / "config.yaml"
    async with RawUpstream(answering(OK)) as upstream:
        file.write_text(config(upstream.url))
        async with running("serve", "-c", file, stdout=writer) as process:
            os.close(writer)
            with os.fdopen(reader) as log:
                port = int((await asyncio.to_thread(log.readline)).rpartition(":")[2])
            client = await process.connect(port)
            for _ in range(3):
                assert (await client.ask(b"GET /x", STRANGER)).body == b"hello"
            assert await process.ended(signal.SIGTERM) == (0, "", "")


async def test_the_log_can_be_json_from_the_first_line_to_the_last(tmp_path):
    flags = ("--access-log", "json", "--access-log-sample", "0")
    file = tmp_path / "config.yaml"
    async with RawUpstream(answering(OK)) as upstream:
        file.write_text(config(upstream.url, admin="127.0.0.1:0"))
        async with running("serve", "-c", file, *flags) as process:
            port = int(json.loads(await process.line("listening on"))["message"].rpartition(":")[2])
            client = await process.connect(port)
            for line, *lines in ((b"GET /1", ORIGIN), (b"GET /2", STRANGER), (b"GET /3", STRANGER), (b"FOO /4",)):
                await client.ask(line, *lines)
            ended = await process.ended(signal.SIGTERM)
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert [line["event"] for line in lines] == ["message", "request", "denied", "request", "request"]
    assert [line["path"] for line in lines if line["event"] == "request"] == ["/2", "/3", "/4"]
    assert ended.err == ""


async def test_a_log_that_nobody_reads_holds_up_nobody(tmp_path):
    """Its pipe is full long before the last request; the end does not wait for a reader either."""
    reader, writer = os.pipe()
    file = tmp_path / "config.yaml"
    async with RawUpstream(answering(OK)) as upstream:
        file.write_text(config(upstream.url))
        async with running("serve", "-c", file, "--access-log", "json", stdout=writer) as process:
            os.close(writer)
            started = json.loads(await asyncio.to_thread(os.read, reader, 4096))
            client = await process.connect(int(started["message"].rpartition(":")[2]))
            for _ in range(400):
                assert (await client.ask(b"GET /" + b"x" * 400, ORIGIN)).status == 200
            assert (await process.ended(signal.SIGTERM)).code == 0
    with os.fdopen(reader, "rb") as log:
        assert len(log.read()) > 0


def test_spans_need_the_extra(monkeypatch, capsys):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setitem(sys.modules, "corsproxy.server.tracing", None)
    assert wanted_spans() is None
    assert capsys.readouterr().err == "OTEL_* is set, and nothing is exported without: pip install 'corsproxy[otel]'\n"


def test_spans_are_made_beside_the_log(monkeypatch):
    made, ended = [], []
    fake = types.SimpleNamespace(Spans=lambda: Spy(made, ended))
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setitem(sys.modules, "corsproxy.server.tracing", fake)
    logged = []
    monkeypatch.setattr(ExchangePrinter, "__call__", lambda _, exchange: logged.append(exchange))
    with observed("text", 1, wanted_spans()) as observe:
        observe("exchange")
    assert (logged, made, ended) == (["exchange"], ["exchange"], [True])


class Spy:
    def __init__(self, made, ended):
        self.made, self.ended = made, ended

    def __call__(self, exchange):
        self.made.append(exchange)

    def close(self):
        self.ended.append(True)


async def test_warnings_stop_nothing(tmp_path):
    async with serving(tmp_path, policies={"unused": dict(WEB_APP)}) as (process, port, _):
        assert (await (await process.connect(port)).ask(b"GET /x")).status == 200
        ended = await process.ended(signal.SIGTERM)
    assert ended.code == 0
    assert ended.err == (
        f"{tmp_path}/config.yaml:12:3: warning: no rule uses the policy 'unused'; remove it, or name it in a rule\n"
    )


async def test_the_admin_listener_is_named_too(tmp_path):
    async with serving(tmp_path, admin="127.0.0.1:0") as (process, _, _):
        admin = await process.line("admin on http://127.0.0.1:")
        client = await process.connect(int(admin.rpartition(":")[2]))
        assert (await client.ask(b"GET /readyz")).body == b"ok\n"
        async with asyncio.timeout(DRAIN_SECONDS):
            assert (await process.ended(signal.SIGTERM)).code == 0


async def test_rubbish_on_any_listener_leaves_no_trace(tmp_path, certificate):
    """aiohttp would log one for each; ``Running.ended`` looks for it."""
    listen = ["127.0.0.1:0", {"address": "127.0.0.1:0", "tls": certificate}]
    async with serving(tmp_path, listen=listen, admin="127.0.0.1:0") as (process, _, _):
        addresses = [*process.lines[0].removeprefix("listening on ").split(", "), await process.line("admin on ")]
        for address in addresses:
            for rubbish in (b"\xff\x03\x01 no HTTP\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"):
                client = await process.connect(int(address.rpartition(":")[2]))
                await (await client.send(rubbish)).until_ended()
        ended = await process.ended(signal.SIGTERM)
    assert (ended.code, ended.err) == (0, "")


# Where the configuration comes from.


async def test_the_file_may_be_named_by_the_environment(tmp_path):
    (tmp_path / "config.yaml").write_text(config("http://127.0.0.1:1"))
    async with running("serve", environment={"CORSPROXY_CONFIG": f"{tmp_path}/config.yaml"}) as process:
        await process.line("listening on http://127.0.0.1:")
        assert (await process.ended(signal.SIGTERM)).code == 0


async def test_an_invalid_file_starts_nothing_and_every_problem_is_printed(tmp_path):
    """Its address is in use, and was not even tried."""
    file = tmp_path / "config.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        file.write_text(
            f"""\
listen: 127.0.0.1:{taken.getsockname()[1]}
polices: {{}}
rules:
  - upstream: http://a
    policy: {{allow_origins: https://app.example.com/}}
"""
        )
        ended = await ran("serve", "-c", file)
    assert (ended.code, ended.out) == (1, "")
    first, second, count = [line for line in ended.err.splitlines() if not line.startswith(" ")]
    assert first == f"{file}:2:1: unknown key 'polices'; did you mean 'policies'?"
    assert second.startswith(f"{file}:5:29: 'https://app.example.com/' has a trailing slash")
    assert count == "2 problems"


async def test_a_file_that_cannot_be_read_is_a_plain_message(tmp_path):
    ended = await ran("serve", "-c", tmp_path / "missing.yaml")
    words = "the file cannot be read (No such file or directory); name a readable one"
    assert ended == (1, "", f"{tmp_path}/missing.yaml: {words}\n1 problem\n")


# Where it listens.


@pytest.fixture
def failed_start(tmp_path, monkeypatch, capsys):
    """What is said of a start that must fail; in this process, since that is quicker."""

    def start(**settings):
        file = tmp_path / "config.yaml"
        file.write_text(config("http://127.0.0.1:1", **settings))
        monkeypatch.setattr(sys, "argv", ["corsproxy", "serve", "-c", str(file)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert (ended.value.code, printed.out) == (1, "")
        return printed.err

    return start


async def test_an_address_in_use_is_a_plain_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "config.yaml").write_text(config("http://127.0.0.1:1", listen=address))
        ended = await ran("serve", "-c", tmp_path / "config.yaml")
    remedy = "stop what listens there, or choose another address"
    assert ended == (1, "", f"cannot listen: {address}: Address already in use; {remedy}\n")


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ("192.0.2.1:80", "192.0.2.1:80: Cannot assign requested address; choose an address of this machine\n"),
        ("[2001:db8::1]:80", "[2001:db8::1]:80: Cannot assign requested address; choose an address of this machine\n"),
        ("unix:/missing/proxy.sock", "unix:/missing/proxy.sock: No such file or directory\n"),
    ],
)
def test_an_address_that_cannot_be_had_is_a_plain_line(failed_start, listen, said):
    assert failed_start(listen=listen) == f"cannot listen: {said}"


def test_the_admin_address_is_named_when_it_is_the_one_in_use(failed_start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert failed_start(admin=address).startswith(f"cannot listen: {address}: Address already in use; ")


async def test_a_unix_socket_is_removed_at_the_end(tmp_path):
    path = tmp_path / "proxy.sock"
    async with serving(tmp_path, listen=f"unix:{path}") as (process, _, _):
        assert process.lines == [f"listening on unix:{path}"]
        _, client = await asyncio.get_running_loop().create_unix_connection(ClientWire, str(path))
        assert (await client.ask(b"GET /x", ORIGIN)).one(ACAO) == APP.encode()
        client.close()
        assert (await process.ended(signal.SIGTERM)).code == 0
    assert not path.exists()


# TLS.


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def certificate(authority, tmp_path):
    """The listener's `tls` mapping for a certificate of localhost."""
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(tmp_path / "cert.pem"), append=True)
    return {"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}


async def test_https(tmp_path, authority, certificate):
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with serving(tmp_path, listen={"address": "127.0.0.1:0", "tls": certificate}) as (process, port, _):
        assert process.lines == [f"listening on https://127.0.0.1:{port}"]
        _, client = await asyncio.get_running_loop().create_connection(
            ClientWire, "127.0.0.1", port, ssl=trusting, server_hostname="localhost"
        )
        assert (await client.ask(b"GET /x", ORIGIN)).one(ACAO) == APP.encode()
        client.close()
        await client.until_ended()
        assert await process.line("/x")
        assert (await process.ended(signal.SIGTERM)).err == ""


def test_a_missing_certificate_is_a_plain_message(failed_start):
    tls = {"cert": "/missing/cert.pem", "key": "/missing/key.pem"}
    assert failed_start(listen={"address": "127.0.0.1:0", "tls": tls}) == (
        "127.0.0.1:0: the certificate /missing/cert.pem or its key cannot be loaded "
        "([Errno 2] No such file or directory)\n"
    )


def test_a_certificate_that_is_none_is_a_plain_message(failed_start, certificate):
    tls = {**certificate, "cert": certificate["key"]}
    said = failed_start(listen={"address": "127.0.0.1:0", "tls": tls})
    assert said.startswith(f"127.0.0.1:0: the certificate {certificate['key']} or its key cannot be ")


def test_a_key_with_a_password_is_refused_and_not_asked_for(failed_start, certificate):
    """OpenSSL asks the terminal, and a process that waits for its operator never starts."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    key = serialization.load_pem_private_key(Path(certificate["key"]).read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    Path(certificate["key"]).write_bytes(locked)
    assert "or its key cannot be loaded" in failed_start(listen={"address": "127.0.0.1:0", "tls": certificate})
