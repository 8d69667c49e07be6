"""The end of the process: idle connections at once, exchanges under way to their end, and nothing for ever."""

from __future__ import annotations

import asyncio

from tests.e2e.rig import (
    APP,
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


async def test_request_that_comes_during_the_drain_is_refused_readably_or_not_taken():
    """A keep-alive connection may carry a request into the drain; its page may read what became of it."""
    async with between(silent) as (upstream, proxy):
        under_way, late = await proxy.send(request(b"GET /1")), await proxy.connect()
        wire = await upstream.connection()
        await wire.until(lambda: upstream.requests)
        stopping = asyncio.ensure_future(proxy.server.stop())
        await asyncio.sleep(0)
        await late.send(request(b"GET /2", ORIGIN))
        await late.until_ended()
        arrived = late.pending
        under_way.close()
        await stopping
    assert not arrived or (arrived.startswith(b"HTTP/1.1 503 ") and APP.encode() in arrived)
    assert [received.target for received in upstream.requests] == [b"/1"]


async def test_request_that_outlives_the_drain_is_broken_off():
    async with between(silent) as (upstream, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN))
        wire = await upstream.connection()
        await wire.until(lambda: upstream.requests)
        await proxy.server.stop(0.05)
        assert await wire.until_ended()
        await client.until_ended()
    assert not client.pending or client.pending.startswith(b"HTTP/1.1 503 ")
