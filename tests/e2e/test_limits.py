"""What a client may take of the proxy: bytes of head, silence, connections.

Limits that must strike are a tenth of a second, against peers that do nothing, so that a slow machine only makes a test
slower; those that must not strike leave room for a machine that is busy with something else.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    ServerWire,
    TransferError,
    answer,
    answering,
    between,
    echoing,
    request,
    silent,
)

OK = answer(b"200 OK", body=b"ok")


@pytest.mark.parametrize(
    "sent",
    [
        request(b"GET /x", b"X-Large: " + b"a" * 5_000),
        request(b"GET /x", *(b"X-%d: %s" % (index, b"a" * 40) for index in range(100))),
        request(b"GET /x", b"X" * 5_000 + b": a"),
    ],
    ids=["one line", "many lines", "a name"],
)
async def test_431_when_the_head_is_too_large(sent):
    async with between(answering(OK), limits={"max_request_head": "4KiB"}) as (upstream, proxy):
        client = await proxy.send(sent)
        response = await client.response()
        await client.until_ended()
        assert (await proxy.ask(b"GET /x", b"X-Large: " + b"a" * 3_500)).body == b"ok"
    assert response.status == 431
    assert len(upstream.requests) == 1


async def test_target_that_is_too_long_is_refused():
    async with between(answering(OK), limits={"max_request_head": "4KiB"}) as (upstream, proxy):
        client = await proxy.send(request(b"GET /" + b"a" * 5_000))
        response = await client.response()
    assert response.status in {414, 431}
    assert upstream.connections == []


async def test_head_without_an_end_is_refused_before_it_ends():
    """A flood of one endless line: the answer comes while it still flows."""
    async with between(answering(OK), limits={"max_request_head": "4KiB"}) as (upstream, proxy):
        client = await proxy.send(b"GET /x HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 100_000)
        assert (await client.response()).status == 431
    assert upstream.connections == []


async def test_large_head_in_small_pieces_is_counted_as_one():
    async with between(answering(OK), limits={"max_request_head": "4KiB"}) as (upstream, proxy):
        client = await proxy.send(b"GET /x HTTP/1.1\r\nHost: localhost\r\n")
        for index in range(100):
            if client.ended:
                break
            await client.send(b"X-%d: %b\r\n" % (index, b"a" * 60))
            await asyncio.sleep(0)
        assert (await client.response()).status == 431
    assert upstream.connections == []


@pytest.mark.parametrize("part", [b"GET", b"GET /x HTTP/1.1\r\nHost: localhost\r\nX-A: b"])
async def test_408_when_the_head_does_not_end(part):
    """Slowloris: the limit counts from the first byte, so that no trickle prolongs it."""
    async with between(answering(OK), limits={"request_head_timeout": 0.1}) as (upstream, proxy):
        client = await proxy.send(part)
        response = await client.response()
        await client.until_ended()
    assert response.status == 408
    assert b"close" in response.members(b"connection")
    assert upstream.connections == []


async def test_trickling_head_gains_no_time():
    async with between(answering(OK), limits={"request_head_timeout": 0.3}) as (_, proxy):
        client = await proxy.send(b"GET /x HTTP/1.1\r\nHost: localhost\r\n")
        for index in range(1000):
            if client.ended:
                break
            await client.send(b"X-%d: b\r\n" % index)
            await asyncio.sleep(0.02)  # what is under test is a time limit
        assert client.pending.startswith(b"HTTP/1.1 408 ")


async def test_endless_trailers_of_a_request_are_cut():
    async def script(wire: ServerWire) -> None:
        await wire.request()

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, b"Transfer-Encoding: chunked") + b"0\r\n")
        for _ in range(200):  # about 13 MB
            if client.ended:
                break
            await client.send(b"X-A: b\r\n" * 8192)
        await client.until_ended()  # for ever, if the proxy takes everything
        for wire in upstream.connections:
            await wire.until_ended()
            assert wire.requests[0].body == b""


async def test_silent_new_connection_is_closed():
    async with between(answering(OK), limits={"request_head_timeout": 0.1}) as (_, proxy):
        client = await proxy.connect()
        await client.until_ended()
    assert not client.pending or client.pending.startswith(b"HTTP/1.1 408 ")


async def test_idle_connection_is_closed_without_a_word():
    """An answer here would be taken for that of the next request: RFC 9112 9.5 wants a mere close."""
    async with between(answering(OK), limits={"keepalive_timeout": 0.1}) as (_, proxy):
        client = await proxy.connect()
        await client.ask(b"GET /x")
        assert await client.until_ended() == "closed"
        assert client.pending == b""


async def test_head_limit_holds_for_later_requests_of_a_connection_too():
    limits = {"request_head_timeout": 0.4, "keepalive_timeout": 60}
    async with between(answering(OK), limits=limits) as (_, proxy):
        client = await proxy.connect()
        await client.ask(b"GET /x")
        await client.send(b"GET /y HTTP/1.1\r\n")
        assert (await client.response()).status == 408


@pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
async def test_408_when_a_body_falls_silent(framing):
    """The upstream is released, and the page may read why."""

    async def script(wire: ServerWire) -> None:
        await wire.request()

    async with between(script, limits={"request_body_timeout": 0.1}) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, framing) + b"5\r\nhello\r\n"[:5])
        response = await client.response()
        await (await upstream.connection()).until_ended()
        await client.until_ended()
    assert (response.status, response.cors, response.vary) == (408, GRANT, [b"origin"])
    assert upstream.connections[0].requests[0].body == b""


async def test_body_that_trickles_is_not_silent():
    async with between(echoing, limits={"request_body_timeout": 1}) as (_, proxy):
        client = await proxy.send(request(b"POST /x", b"Content-Length: 8"))
        for _ in range(8):
            await asyncio.sleep(0.2)  # what is under test is a time limit
            await client.send(b"x")
        assert (await client.response()).body == b"xxxxxxxx"


async def test_body_limit_does_not_run_while_the_upstream_is_what_is_slow():
    """A client that is held back by backpressure is not silent."""
    go_on = asyncio.Event()
    size = 16_000_000

    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        wire.pause()
        await go_on.wait()
        wire.resume()
        await wire.read_sized(size)
        await wire.send(OK)

    async with between(script, limits={"request_body_timeout": 0.5}) as (_, proxy):
        client = await proxy.send(request(b"POST /x", b"Content-Length: %d" % size))
        sending = asyncio.ensure_future(client.send(bytes(size)))
        await asyncio.sleep(1.2)  # what is under test is that no time limit strikes
        go_on.set()
        await sending
        assert (await client.response()).body == b"ok"


async def test_idle_limit_does_not_run_while_the_client_is_what_is_slow():
    size = 16_000_000
    whole = answer(b"200 OK", body=bytes(size))
    async with between(answering(whole), timeouts={"idle": 0.5}) as (_, proxy):
        client = await proxy.connect()
        client.pause()
        await client.send(request(b"GET /x"))
        await asyncio.sleep(1.2)  # what is under test is that no time limit strikes
        client.resume()
        assert len((await client.response()).body) == size


async def test_keepalive_limit_does_not_cut_an_answer_that_takes_long():
    go_on = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await go_on.wait()
        await wire.send(OK)

    limits = {"keepalive_timeout": 0.4, "request_head_timeout": 0.4, "request_body_timeout": 0.4}
    async with between(script, limits=limits) as (_, proxy):
        client = await proxy.send(request(b"GET /x"))
        await asyncio.sleep(1)  # what is under test is that no time limit strikes
        go_on.set()
        assert (await client.response()).body == b"ok"


async def test_flood_of_pipelined_requests_is_bounded():
    """CVE-2026-54273: one at a time goes to the upstream, and reading pauses."""
    flood = request(b"GET /x", b"X-Pad: " + b"p" * 900) * 60_000  # about 58 MB
    async with between(silent) as (upstream, proxy):
        client = await proxy.connect()
        sending = asyncio.ensure_future(client.send(flood))
        wire = await upstream.connection()
        await wire.until(lambda: upstream.requests)
        _, waiting = await asyncio.wait([sending], timeout=0.5)
        assert waiting, "the proxy read all of it"
        assert len(upstream.requests) == 1
        client.reset()
        await sending
        wire.close()


async def test_connections_beyond_the_limit_do_not_pile_up():
    async with between(answering(OK), limits={"max_connections": 2}) as (upstream, proxy):
        clients = [await proxy.connect() for _ in range(20)]
        refused = []
        for client in clients:
            try:
                refused.append((await client.ask(b"GET /x", ORIGIN)).status)
            except TransferError as error:  # refused without a word is fine too
                refused.append(type(error).__name__)
    assert refused.count(200) == 2
    assert len(upstream.requests) == 2
