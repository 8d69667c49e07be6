"""Upstreams that misbehave: before the head the page gets a 502 or 504 it may read, after it a broken transfer."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    STRANGER,
    NotHTTPError,
    ServerWire,
    TransferError,
    answer,
    answering,
    answering_then_close,
    answering_then_reset,
    assert_readable_failure,
    between,
    config,
    refusing,
    request,
    running_proxy,
    silent,
    unreachable,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


async def test_refused_connection_is_502():
    with refusing() as url:
        async with running_proxy(config(url)) as proxy:
            assert_readable_failure(await proxy.ask(b"GET /x", ORIGIN), 502)
            assert_readable_failure(await proxy.ask(b"POST /x", ORIGIN, body=b"hello"), 502)


async def test_name_that_does_not_resolve_is_502():
    async with running_proxy(config("http://api.invalid:8000")) as proxy:  # RFC 6761: never resolves
        assert_readable_failure(await proxy.ask(b"GET /x", ORIGIN), 502)


async def test_missing_unix_socket_is_502(tmp_path):
    async with running_proxy(config(f"unix:{tmp_path}/nobody.sock")) as proxy:
        assert_readable_failure(await proxy.ask(b"GET /x", ORIGIN), 502)


MALFORMED_HEADS = {
    "no HTTP at all": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "HTTP/0.9": b"<html>hello</html>\r\n\r\n",
    "another protocol": b"ICY 200 OK\r\n\r\n",
    "version 2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "two digits": b"HTTP/1.1 20 Short\r\nContent-Length: 0\r\n\r\n",
    "four digits": b"HTTP/1.1 2000 Long\r\nContent-Length: 0\r\n\r\n",
    "status with a letter": b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
    "control byte in the reason": b"HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n",
    # https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    "length and chunked": OK + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked and length": OK + CHUNKED + b"Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "two lengths in one line": OK + b"Content-Length: 5, 6\r\n\r\nhello!",
    "length with a sign": OK + b"Content-Length: +5\r\n\r\nhello",
    "negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "length in hex": OK + b"Content-Length: 0x5\r\n\r\nhello",
    "empty length": OK + b"Content-Length:\r\n\r\nhello",
    "length beyond 64 bits": OK + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "unknown transfer coding": OK + b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "coding before chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked not last": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n",
    # https://www.rfc-editor.org/rfc/rfc9112#section-5
    "space before the colon": OK + b"X-A : b\r\nContent-Length: 0\r\n\r\n",
    "folded line": OK + b"X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "folded first line": OK + b" X-A: b\r\nContent-Length: 0\r\n\r\n",
    "no colon": OK + b"X-A\r\nContent-Length: 0\r\n\r\n",
    "empty name": OK + b": b\r\nContent-Length: 0\r\n\r\n",
    "name with a control byte": OK + b"X\x01A: b\r\nContent-Length: 0\r\n\r\n",
    "control byte in a value": OK + b"X-A: a\x01b\r\nContent-Length: 0\r\n\r\n",
    "NUL in a value": OK + b"X-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "DEL in a value": OK + b"X-A: a\x7fb\r\nContent-Length: 0\r\n\r\n",
    "bare CR in a value": OK + b"X-A: a\rb\r\nContent-Length: 0\r\n\r\n",
    "upgrade that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "endless line": OK + b"X-A: " + b"a" * 2_000_000 + b"\r\n\r\n",
    "endless head": OK + b"X-A: aaaaaaaaaaaaaaaaaaaaa\r\n" * 100_000 + b"\r\n",
}


@pytest.mark.parametrize("head", MALFORMED_HEADS.values(), ids=MALFORMED_HEADS.keys())
async def test_malformed_head_is_502(head):
    async with between(answering(head)) as (upstream, proxy):
        assert_readable_failure(await proxy.ask(b"GET /x", ORIGIN), 502)
        assert await (await upstream.connection()).until_ended()  # and nobody talks to that connection again


@pytest.mark.parametrize("head", [b"", b"H", b"HTTP/1.1 2", OK[:-1], OK, OK + b"X-A: b", OK + b"X-A: b\r\n"])
@pytest.mark.parametrize("end", [answering_then_close, answering_then_reset])
@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_connection_that_ends_before_the_head_does_is_502(head, end, method):
    async with between(end(head)) as (_, proxy):
        assert_readable_failure(await proxy.ask(method + b" /x", ORIGIN, body=b""), 502)


async def test_connection_that_ends_before_the_request_is_read_is_502():
    async def script(wire: ServerWire) -> None:
        wire.reset()

    async with between(script) as (_, proxy):
        assert_readable_failure(await proxy.ask(b"POST /x", ORIGIN, body=b"hello" * 100_000), 502)


async def test_failure_tells_a_denied_origin_nothing():
    with refusing() as url:
        async with running_proxy(config(url)) as proxy:
            response = await proxy.ask(b"GET /x", STRANGER)
    assert (response.status, response.cors, response.vary) == (502, [], [b"origin"])


async def test_interim_answer_then_nothing_is_502():
    async with between(answering_then_close(b"HTTP/1.1 103 Early Hints\r\n\r\n")) as (_, proxy):
        client = await proxy.connect()
        assert (await client.ask(b"GET /x", ORIGIN)).status == 103
        assert_readable_failure(await client.response(), 502)


async def test_next_request_after_a_fault_is_served():
    async with between(answering(OK + b"Content-Length: x\r\n\r\n")) as (upstream, proxy):
        client = await proxy.connect()
        assert_readable_failure(await client.ask(b"GET /x", ORIGIN), 502)
        upstream.script = answering(answer(b"200 OK", body=b"well again"))
        assert (await client.ask(b"GET /x", ORIGIN)).body == b"well again"


@pytest.mark.parametrize("lines", [b"Content-Length: 5\r\nContent-Length: 5\r\n", b"Content-Length: 5, 5\r\n"])
async def test_length_that_is_said_twice_is_said_once_or_refused(lines):
    """https://www.rfc-editor.org/rfc/rfc9112#section-6.3-2.5 allows both; the reader here refuses two lines."""
    async with between(answering(OK + lines + b"\r\nhello")) as (_, proxy):
        response = await proxy.ask(b"GET /x", ORIGIN)
    assert (response.status, response.body[:5]) in {(200, b"hello"), (502, b"corsp")}
    assert response.cors == GRANT


async def endless(wire: ServerWire, head: bytes, piece: bytes) -> None:
    """Sends the same for ever, until the proxy has had enough."""
    await wire.request()
    await wire.send(head)
    for _ in range(200):  # about 13 MB
        if wire.ended:
            return
        await wire.send(piece * (65_536 // len(piece)))
    pytest.fail("the proxy took everything")


async def test_endless_interim_answers_are_cut():
    async def script(wire: ServerWire) -> None:
        await endless(wire, b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN))
        while (response := await client.response()).status == 103:
            pass
        assert_readable_failure(response, 502)
        await upstream.scripts_done()


async def test_endless_trailers_are_cut():
    async def script(wire: ServerWire) -> None:
        await endless(wire, OK + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n", b"X-A: b\r\n")

    async with between(script) as (upstream, proxy):
        with pytest.raises(TransferError):
            await proxy.ask(b"GET /x", ORIGIN, b"TE: trailers")
        await upstream.scripts_done()


# Time-outs.


async def test_connect_that_does_not_come_about_is_504():
    with unreachable() as url:
        async with running_proxy(config(url, timeouts={"connect": 0.1})) as proxy:
            assert_readable_failure(await proxy.ask(b"GET /x", ORIGIN), 504)


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nX-A: b\r\n"])
async def test_head_that_does_not_come_is_504(part):
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(part)
        await wire.until_ended()

    async with between(script, timeouts={"response": 0.1}) as (upstream, proxy):
        assert_readable_failure(await proxy.ask(b"GET /x", ORIGIN), 504)
        await (await upstream.connection()).until_ended()


async def test_interim_answers_do_not_feed_the_time_out_for_ever():
    """ "From the whole request sent to the response's head": an interim answer is not that head."""
    async with between(answering(b"HTTP/1.1 103 Early Hints\r\n\r\n"), timeouts={"response": 0.1}) as (_, proxy):
        client = await proxy.connect()
        assert (await client.ask(b"GET /x", ORIGIN)).status == 103
        assert_readable_failure(await client.response(), 504)


async def test_body_that_trickles_is_not_silent():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(OK + b"Content-Length: 8\r\n\r\n")
        for _ in range(8):
            await asyncio.sleep(0.2)  # what is under test is a time limit
            await wire.send(b"x")

    async with between(script, timeouts={"response": 1, "idle": 1}) as (_, proxy):
        assert (await proxy.ask(b"GET /x")).body == b"x" * 8


async def test_failure_after_an_upload_began_is_502():
    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        await wire.read_sized(5)
        wire.reset()

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, b"Content-Length: 1000000") + b"hello")
        assert_readable_failure(await client.response(), 502)


async def test_rubbish_of_the_upstream_never_reaches_the_client():
    """CR and LF in what is echoed: CVE-2026-34519."""
    for bad in (b"Location: /x\rSet-Cookie: a=b", b"Set-Cookie: a\x00b", b"Access-Control-Allow-Origin: *\x01"):
        async with between(answering(answer(b"302 Found", bad))) as (_, proxy):
            try:
                response = await proxy.ask(b"GET /x", ORIGIN)
            except NotHTTPError as leaked:
                pytest.fail(str(leaked))
        assert_readable_failure(response, 502)


async def test_silent_upstream_is_told_when_the_proxy_stops():
    async with between(silent) as (upstream, proxy):
        await proxy.send(request(b"GET /x"))
        wire = await upstream.connection()
        await wire.until(lambda: upstream.requests)
    assert wire.ended or await wire.until_ended()
