"""A client that goes away ends the upstream request at once, wherever the exchange stands."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.rig import (
    ORIGIN,
    RawUpstream,
    RunningProxy,
    ServerWire,
    answer,
    answering,
    between,
    request,
)

LEAVE = ["close", "reset"]


async def gone(upstream: RawUpstream, proxy: RunningProxy) -> None:
    """The upstream's connection was ended, and the proxy serves the next client."""
    await (await upstream.connection()).until_ended()
    upstream.script = answering(answer(b"200 OK", body=b"next"))
    assert (await proxy.ask(b"GET /next")).body == b"next"


@pytest.mark.parametrize("leave", LEAVE)
async def test_while_the_upstream_thinks(leave):
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN))
        wire = await upstream.connection()
        await wire.until(lambda: upstream.requests)
        getattr(client, leave)()
        await gone(upstream, proxy)


@pytest.mark.parametrize("leave", LEAVE)
@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked", b"Connection: close"])
async def test_while_an_event_stream_is_silent(leave, framing):
    """node-http-proxy #1520, HPM #678: the upstream was never told."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + framing + b"\r\n\r\n")
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"GET /events", ORIGIN))
        await client.response_head()
        getattr(client, leave)()
        await gone(upstream, proxy)


@pytest.mark.parametrize("leave", LEAVE)
async def test_in_the_middle_of_a_flood(leave):
    """Both directions are full, so only the end of the connection itself can tell."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not wire.lost:
            await wire.send(bytes(1_000_000))

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN))
        await client.response_head()
        await client.until(lambda: len(client.received) > 2_000_000)
        getattr(client, leave)()
        await gone(upstream, proxy)


@pytest.mark.parametrize("leave", LEAVE)
@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
async def test_in_the_middle_of_an_upload(leave, framing):
    """A truncated request must never look complete to the upstream."""

    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, framing) + b"5\r\nhello\r\n")
        wire = await upstream.connection()
        await wire.until(lambda: b"hello" in wire.received)
        getattr(client, leave)()
        await wire.until_ended()
        assert not bytes(wire.received).endswith(b"0\r\n\r\n")
        await gone(upstream, proxy)


@pytest.mark.parametrize("leave", ["close", "reset"])
async def test_while_the_upload_is_held_back(leave):
    """The upstream does not read, so the proxy has stopped to read too, and learns of the end by other means."""
    size = 64_000_000

    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        wire.pause()
        await left.wait()
        wire.resume()
        await wire.until_ended()

    left = asyncio.Event()
    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, b"Content-Length: %d" % size))
        await upstream.connection()
        sending = asyncio.ensure_future(client.send(bytes(size // 2)))
        _, waiting = await asyncio.wait([sending], timeout=0.3)
        assert waiting, "nothing was held back"
        getattr(client, leave)()
        if leave == "reset":
            await proxy.recorded()  # before the upstream reads a byte more
        left.set()
        await sending
        await gone(upstream, proxy)


@pytest.mark.parametrize("leave", LEAVE)
async def test_in_the_middle_of_a_head_or_before_it_reaches_nobody(leave):
    async with between(answering(answer(b"200 OK", body=b"next"))) as (upstream, proxy):
        for part in (b"", b"GET", b"GET /x HTTP/1.1\r\nHost: localhost\r\nX-A"):
            client = await proxy.send(part)
            getattr(client, leave)()
        assert (await proxy.ask(b"GET /next")).body == b"next"
    assert [received.target for received in upstream.requests] == [b"/next"]


async def test_while_waiting_for_the_100():
    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", b"Expect: 100-continue", b"Content-Length: 5"))
        wire = await upstream.connection()
        await wire.until(lambda: upstream.requests)
        client.close()
        await gone(upstream, proxy)


async def test_pipelined_requests_of_a_client_that_left_are_dropped():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.send(b"".join(request(b"GET /%d" % index) for index in range(5)))
        wire = await upstream.connection()
        await wire.until(lambda: upstream.requests)
        client.reset()
        await gone(upstream, proxy)
    assert [received.target for received in upstream.requests] == [b"/0", b"/next"]


async def test_every_exchange_is_recorded_even_the_abandoned():
    """Last, always: one record, which also says that the client has gone."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN))
        wire = await upstream.connection()
        await wire.until(lambda: upstream.requests)
        client.reset()
        await gone(upstream, proxy)
    assert [exchange.target for exchange in proxy.exchanges] == [b"/x", b"/next"]
    assert proxy.exchanges[0].failure
