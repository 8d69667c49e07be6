"""A probe on real sockets: what it sends, to whom, and where it stops; and this proxy, probed."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme

from corsproxy.tools.probing.asking import Unreachable, probe
from corsproxy.tools.probing.questions import Method, Target
from tests.e2e.rig import (
    APP,
    PATIENCE,
    RawUpstream,
    ServerWire,
    answer,
    answering,
    answering_then_close,
    between,
    refusing,
    silent,
)
from tests.tools.probed import severities

DOUBLED = answer(
    b"200 OK",
    b"Access-Control-Allow-Origin: https://app.example.com",
    b"Access-Control-Allow-Origin: https://app.example.com",
    b"Set-Cookie: a=b",
    body=b"hi",
)


async def test_doubled_lines_are_seen_as_they_came():
    async with RawUpstream(answering(DOUBLED)) as upstream:
        report = await probe(Target(f"{upstream.url}/orders?a=%7E"))
    assert severities(report)["multiple-values"] == "low"
    assert [answered.status for answered in report.answers] == [200] * len(report.answers.all)


async def test_what_is_sent_is_harmless_and_goes_on_a_connection_of_its_own():
    async with RawUpstream(answering(DOUBLED)) as upstream:
        await probe(Target(f"{upstream.url}/orders?a=%7E", (APP,), headers=((b"X-Key", b"secret"),)))
        assert len(upstream.connections) == len(upstream.requests) <= 31
        for request in upstream.requests:
            method = request.start.partition(b" ")[0]
            assert request.start == method + b" /orders?a=%7E HTTP/1.1"
            assert method in {b"GET", b"OPTIONS"}
            assert request.all(b"X-Key") == ([b"secret"] if method == b"GET" else [])
            assert request.all(b"User-Agent") == [b"corsproxy-probe"]
            assert request.all(b"Cookie") == []
            assert request.body == b""


async def test_a_redirect_is_reported_and_not_followed():
    async with RawUpstream(answering(DOUBLED)) as elsewhere:
        moved = answer(b"302 Found", b"Location: %b/x" % elsewhere.url.encode())
        async with RawUpstream(answering(moved)) as upstream:
            report = await probe(Target(f"{upstream.url}/"))
        assert elsewhere.connections == []
    assert severities(report) == {"no-cors": "note", "preflight-redirect": "note", "redirect": "note"}
    assert {finding.subject for finding in report.findings} == {"", f"{elsewhere.url}/x"}


async def test_no_proxy_of_the_environment_is_asked(monkeypatch):
    with refusing() as nobody:
        monkeypatch.setenv("HTTP_PROXY", nobody)
        monkeypatch.setenv("http_proxy", nobody)
        async with RawUpstream(answering(answer(b"200 OK"))) as upstream:
            await probe(Target(f"{upstream.url}/", method=Method.HEAD))
            assert upstream.requests[0].start == b"HEAD / HTTP/1.1"


async def endless(wire: ServerWire) -> None:
    """Answers at once, and never ends its body."""
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\nx")
    await wire.until_ended()


async def test_a_body_is_not_waited_for():
    async with RawUpstream(endless) as upstream:
        report = await probe(Target(f"{upstream.url}/"))
    assert set(severities(report)) == {"no-cors", "preflight-unanswered"}


async def trickling(wire: ServerWire) -> None:
    """Begins a head and never ends it."""
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\nX-A: ")
    await wire.until_ended()


@pytest.mark.parametrize("script", [silent, trickling])
async def test_a_server_that_does_not_answer_costs_the_time_limit(script):
    async with RawUpstream(script) as upstream:
        with pytest.raises(Unreachable, match=rf"{upstream.url} gave no answer in 0.05 s; is it running"):
            await probe(Target(f"{upstream.url}/"), seconds=0.05)
        assert len(upstream.connections) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Server disconnected"),
        (b"hello\r\n\r\n", "Bad status line"),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n", "65536"),
    ],
)
async def test_what_is_no_answer_is_said(data, words):
    async with RawUpstream(answering_then_close(data)) as upstream:
        with pytest.raises(Unreachable, match=words):
            await probe(Target(f"{upstream.url}/"), seconds=PATIENCE)


async def test_nobody_there():
    with refusing() as url, pytest.raises(Unreachable, match=rf"{url} gave no answer \(Connect call failed.*; is it "):
        await probe(Target(f"{url}/"))


async def not_tls(wire: ServerWire) -> None:
    """Speaks first, and no TLS."""
    await wire.send(b"220 mail.example.com\r\n")


async def test_no_secure_connection():
    async with RawUpstream(not_tls) as upstream:
        url = upstream.url.replace("http:", "https:")
        with pytest.raises(Unreachable, match=f"there is no secure connection to {url}"):
            await probe(Target(f"{url}/"))


async def test_a_certificate_that_nobody_trusts():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        with pytest.raises(Unreachable, match=f"there is no secure connection to {url} .*unable to get local issuer"):
            await probe(Target(f"{url}/"))
    finally:
        server.close()


async def hanging_up_on_options(wire: ServerWire) -> None:
    """Knows no OPTIONS at all."""
    request = await wire.request()
    if not request.start.startswith(b"OPTIONS"):
        await wire.send(answer(b"200 OK", b"Access-Control-Allow-Origin: *"))
    wire.close()


async def test_a_server_that_hangs_up_on_preflights_is_found_out():
    async with RawUpstream(hanging_up_on_options) as upstream:
        report = await probe(Target(f"{upstream.url}/"))
    assert severities(report) == {"any-origin": "note", "preflight-unanswered": "low"}
    (finding, _) = report.findings
    assert finding.what == "it does not grant preflights (status none)"


async def test_this_proxy_is_clean_whatever_stands_behind_it():
    """The same API that lets any page in, before and after."""

    async def reflecting(wire: ServerWire) -> None:
        while True:
            request = await wire.request()
            origin = (request.all(b"Origin") or [b"*"])[0]
            await wire.send(
                answer(b"200 OK", b"Access-Control-Allow-Origin: " + origin, b"Access-Control-Allow-Credentials: true")
            )

    async with between(reflecting) as (upstream, proxy):
        before = await probe(Target(f"{upstream.url}/", (APP,)))
        upstream.requests.clear()
        after = await probe(Target(f"http://{proxy.host}:{proxy.port}/", (APP,)))
        assert not [request for request in upstream.requests if request.start.startswith(b"OPTIONS")]
    assert severities(before) == {"any-origin": "high", "missing-vary": "medium", "wildcard-credentials": "low"}
    assert severities(after) == {}
