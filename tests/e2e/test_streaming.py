"""Nothing waits for more: what has arrived leaves at once, both ways, and no faster than the other side reads."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    ServerWire,
    answer,
    between,
    chunked,
    request,
)

CHUNKED = b"Transfer-Encoding: chunked"


def paced(head: bytes, pieces: list[bytes], steps: list[asyncio.Event], end: bytes = b""):
    """An upstream that sends each piece only when the step before it was seen at the other end."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(head)
        for piece, step in zip(pieces, steps, strict=True):
            await step.wait()
            await wire.send(piece)
        if end:
            await wire.send(end)
        else:
            wire.close()

    return script


EVENTS = [b"event: tick\ndata: %d\n\n" % index for index in range(5)]


@pytest.mark.parametrize("framing", ["chunked", "until close", "length"])
async def test_server_sent_events_arrive_one_by_one(framing):
    """Each is sent only after the one before it was read, so a proxy that waits for more would never see the next."""
    steps = [asyncio.Event() for _ in EVENTS]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    pieces = EVENTS
    if framing == "chunked":
        head += CHUNKED + b"\r\n"
        pieces = [b"%x\r\n%b\r\n" % (len(event), event) for event in EVENTS]
    elif framing == "length":
        head += b"Content-Length: %d\r\n" % sum(map(len, EVENTS))
    async with between(paced(head + b"\r\n", pieces, steps)) as (_, proxy):
        client = await proxy.send(request(b"GET /events", ORIGIN, b"Accept: text/event-stream"))
        response = await client.response_head()  # it leaves before there is any event
        assert (response.status, response.cors) == (200, GRANT)
        for event, step in zip(EVENTS, steps, strict=True):
            step.set()
            await client.read_until(event)


async def test_pieces_of_an_upload_arrive_one_by_one():
    pieces = [b"piece %d;" % index for index in range(5)]
    arrived = [asyncio.Event() for _ in pieces]

    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        for piece, event in zip(pieces, arrived, strict=True):
            assert await wire.read_exactly(len(piece)) == piece
            event.set()
        await wire.send(answer(b"200 OK"))

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"POST /x", b"Content-Length: %d" % len(b"".join(pieces))))
        for piece, event in zip(pieces, arrived, strict=True):
            await client.send(piece)
            await event.wait()
        assert (await client.response()).status == 200


async def test_chunks_of_an_upload_arrive_one_by_one_and_the_answer_streams_meanwhile():
    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        await wire.send(answer(b"200 OK", CHUNKED))
        while chunk := await wire.read_chunk():
            await wire.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await wire.read_trailers()
        await wire.send(b"0\r\n\r\n")

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, CHUNKED))
        assert (await client.response_head()).status == 200
        for index in range(20):
            data = b"message %d" % index
            await client.send(b"%x\r\n%b\r\n" % (len(data), data))
            assert await client.read_chunk() == data
        await client.send(chunked())
        assert await client.read_chunks() == b""


async def test_head_of_the_request_leaves_before_its_body_begins():
    seen = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        seen.set()
        assert await wire.read_exactly(5) == b"hello"
        await wire.send(answer(b"200 OK"))

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"POST /x", b"Content-Length: 5"))
        await seen.wait()
        await client.send(b"hello")
        assert (await client.response()).status == 200


# Far more than all buffers of two loopback connections and the proxy: where Linux may let a receive buffer grow to
# 32 MiB, they took 40 MB.
ENOUGH = 128 * 1024 * 1024


async def test_slow_client_slows_the_upstream_down():
    """The upstream is stopped long before it has sent everything, and the client still gets it all."""
    stopped = asyncio.Event()
    sent = 0
    piece = bytes(256 * 1024)

    async def script(wire: ServerWire) -> None:
        nonlocal sent
        await wire.request()
        await wire.send(answer(b"200 OK", b"Content-Length: %d" % ENOUGH))
        while sent < ENOUGH:
            task = asyncio.ensure_future(wire.send(piece))
            _, waiting = await asyncio.wait([task], timeout=0.5)
            if waiting:
                stopped.set()
            await task
            sent += len(piece)

    async with between(script) as (_, proxy):
        client = await proxy.connect()
        client.pause()
        await client.send(request(b"GET /x"))
        await stopped.wait()
        assert sent < ENOUGH / 2
        client.resume()
        assert len((await client.response()).body) == ENOUGH


async def test_slow_upstream_slows_the_client_down():
    """The client is stopped long before it has sent everything, and the upstream still gets it all."""
    piece = bytes(256 * 1024)
    go_on = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        wire.pause()
        await go_on.wait()
        wire.resume()
        await wire.read_sized(ENOUGH)
        await wire.send(answer(b"200 OK", body=b"got it"))

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"POST /x", b"Content-Length: %d" % ENOUGH))
        sent = 0
        while sent < ENOUGH:
            task = asyncio.ensure_future(client.send(piece))
            _, waiting = await asyncio.wait([task], timeout=0.5)
            if waiting and not go_on.is_set():
                assert sent < ENOUGH / 2
                go_on.set()
            await task
            sent += len(piece)
        assert go_on.is_set()
        assert (await client.response()).body == b"got it"
