"""The end of the process: idle connections at once, exchanges under way to their end, and nothing for ever."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    PATIENCE,
    ServerWire,
    answer,
    answering,
    between,
    request,
    silent,
)

OK = answer(b"200 OK", body=b"ok")


async def test_stop_is_immediate_when_nothing_is_under_way():
    async with between(answering(OK)) as (_, proxy):
        idle, silent_one = await proxy.connect(), await proxy.connect()
        await idle.ask(b"GET /x")
        async with asyncio.timeout(PATIENCE):
            await proxy.server.stop(10 * PATIENCE)  # what it would wait, if it waited
        assert await idle.until_ended()
        assert await silent_one.until_ended()


async def test_request_under_way_is_answered_during_the_drain():
    go_on = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await go_on.wait()
        await wire.send(OK)

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN))
        wire = await upstream.connection()
        await wire.until(lambda: upstream.requests)
        stopping = asyncio.ensure_future(proxy.server.stop())
        await asyncio.sleep(0)
        go_on.set()
        response = await client.response()
        await client.until_ended()
        await stopping
    assert (response.status, response.body, response.cors, response.vary) == (200, b"ok", GRANT, [b"origin"])


async def test_connection_that_was_kept_open_takes_no_request_once_the_proxy_has_stopped_listening():
    async def script(wire: ServerWire) -> None:
        while (await wire.request()).target != b"/slow":
            await wire.send(OK)
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        kept, under_way = await proxy.connect(), await proxy.connect()
        await kept.ask(b"GET /1")
        await under_way.send(request(b"GET /slow"))
        wire = await upstream.connection()
        await wire.until(lambda: len(upstream.requests) == 2)
        stopping = asyncio.ensure_future(proxy.server.stop())
        assert await kept.until_ended() == "closed"
        under_way.close()
        await stopping
    assert kept.pending == b""


async def test_request_that_came_while_the_process_did_not_look_is_answered():
    """A loop looks at its clock before its sockets: what is to happen now, happens before anything is read."""
    loop = asyncio.get_running_loop()
    async with between(answering(OK)) as (_, proxy):
        with socket.create_connection((proxy.host, proxy.port)) as kept:
            kept.setblocking(False)
            kept.sendall(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b" 200 OK" in await loop.sock_recv(kept, 65536)
            kept.sendall(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            await proxy.server.stop()
            answered = await loop.sock_recv(kept, 65536)
    assert b" 200 OK" in answered
    assert b"Connection: close" in answered


async def test_request_that_a_new_connection_was_made_for_is_answered():
    """It was in the queue of the listening socket, from where only this process could take it."""
    async with between(answering(OK)) as (_, proxy):
        client = await proxy.connect()
        stopping = asyncio.ensure_future(proxy.server.stop())
        await asyncio.sleep(0)
        response = await client.ask(b"GET /x", ORIGIN)
        assert (response.body, response.one(b"connection")) == (b"ok", b"close")
        await stopping


async def test_winding_down_serves_on_and_ends_each_connection_with_its_next_answer():
    """So that a client which keeps a connection open never sends a request into its end."""
    async with between(answering(OK), admin="127.0.0.1:0") as (_, proxy):
        kept = await proxy.connect()
        assert (await kept.ask(b"GET /1")).all(b"connection") == []
        winding_down = asyncio.ensure_future(proxy.server.wind_down(3600))
        await asyncio.sleep(0)
        response = await kept.ask(b"GET /2")
        assert (response.status, response.one(b"connection")) == (200, b"close")
        assert await kept.until_ended() == "closed"
        late = await proxy.connect()
        assert (await late.ask(b"GET /3")).one(b"connection") == b"close"
        winding_down.cancel()


async def test_answer_that_promised_to_keep_the_connection_keeps_it_while_winding_down():
    """Its client sends the next request where it was told that it could."""
    go_on = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        await go_on.wait()
        await wire.send(b"k")
        await wire.request()
        await wire.send(OK)

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"GET /x"))
        await client.until(lambda: client.pending.endswith(b"o"))
        winding_down = asyncio.ensure_future(proxy.server.wind_down(3600))
        await asyncio.sleep(0)
        go_on.set()
        assert (await client.response()).all(b"connection") == []
        assert (await client.ask(b"GET /y")).one(b"connection") == b"close"
        winding_down.cancel()


async def test_answer_that_promised_to_keep_the_connection_ends_it_once_the_proxy_ends():
    go_on = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        await go_on.wait()
        await wire.send(b"k")

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"GET /x"))
        await client.until(lambda: client.pending.endswith(b"o"))
        stopping = asyncio.ensure_future(proxy.server.stop(3600))
        await asyncio.sleep(0)
        go_on.set()
        response = await client.response()
        assert await client.until_ended() == "closed"
        await stopping
    assert (response.body, response.all(b"connection")) == (b"ok", [])


@pytest.mark.parametrize("framing", ["chunked", "until the end"])
async def test_event_stream_is_ended_in_an_orderly_way(framing):
    """The page connects again, to whoever is there by then; nothing else would end it before the time is over."""
    event, chunk = b"data: 1\n\n", b"9\r\ndata: 1\n\n\r\n"

    async def script(wire: ServerWire) -> None:
        await wire.request()
        lines = b"Transfer-Encoding: chunked\r\n\r\n" + chunk if framing == "chunked" else b"\r\n" + event
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + lines)
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"GET /events", ORIGIN))
        await client.until(lambda: b"data: 1" in client.pending)
        async with asyncio.timeout(PATIENCE):
            await proxy.server.stop(10 * PATIENCE)
        response = await client.response()
        assert (response.body, response.cors) == (b"data: 1\n\n", GRANT)
        assert await client.until_ended() == "closed"
        assert await upstream.connections[0].until_ended()
        (record,) = await proxy.recorded()
    assert (record.status, record.failure) == (200, "")


async def test_tunnel_is_closed_on_both_sides():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.connect()
        assert (await client.ask(b"GET /ws", b"Connection: Upgrade", b"Upgrade: websocket")).status == 101
        async with asyncio.timeout(PATIENCE):
            await proxy.server.stop(10 * PATIENCE)
        assert await client.until_ended() == "closed"
        assert await upstream.connections[0].until_ended() == "closed"


async def test_request_that_outlives_the_drain_is_broken_off():
    async with between(silent) as (upstream, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN))
        wire = await upstream.connection()
        await wire.until(lambda: upstream.requests)
        await proxy.server.stop(0.05)
        assert await wire.until_ended()
        await client.until_ended()
    assert not client.pending or client.pending.startswith(b"HTTP/1.1 503 ")
