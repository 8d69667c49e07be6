"""Failures after the head has left: the transfer breaks, so that a truncated body never looks complete."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    ClientWire,
    ServerWire,
    TransferError,
    answering,
    answering_then_close,
    answering_then_reset,
    assert_readable_failure,
    between,
    request,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


async def test_silence_inside_a_body_breaks_the_transfer():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(OK + b"Content-Length: 10\r\n\r\nhello")
        await wire.until_ended()

    async with between(script, timeouts={"idle": 0.1}) as (upstream, proxy):
        with pytest.raises(TransferError) as caught:
            await proxy.ask(b"GET /x", ORIGIN)
        await (await upstream.connection()).until_ended()
    assert caught.value.body == b"hello"


TRUNCATED = {
    "length": OK + b"Content-Length: 10\r\n\r\nhello",
    "chunk": OK + CHUNKED + b"\r\n5\r\nhello\r\na\r\nwor",
    "between chunks": OK + CHUNKED + b"\r\n5\r\nhello\r\n",
    "last chunk": OK + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n",
    "inside trailers": OK + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nX-A: b",
}


@pytest.mark.parametrize("sent", TRUNCATED.values(), ids=TRUNCATED.keys())
@pytest.mark.parametrize("end", ["close", "reset"])
async def test_truncated_body_breaks_the_transfer(sent, end):
    """https://www.rfc-editor.org/rfc/rfc9112#section-8: an incomplete message."""
    seen = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(sent)
        await seen.wait()
        if end == "close":
            wire.close()
        else:
            wire.reset()

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN))
        assert (await client.response_head()).cors == GRANT
        await client.until(lambda: b"hello" in client.received)
        seen.set()
        with pytest.raises(TransferError):
            await read_body(client, sent)


async def read_body(client: ClientWire, sent: bytes) -> None:
    if CHUNKED in sent:
        await client.read_chunks()
        await client.read_trailers()
    else:
        await client.read_sized(10)


@pytest.mark.parametrize("sent", TRUNCATED.values(), ids=TRUNCATED.keys())
async def test_truncated_body_is_a_reset_where_only_the_end_would_tell(sent):
    """An HTTP/1.0 client reads to the end of the connection, so an orderly end would be a lie."""
    async with between(answering_then_close(sent)) as (_, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN, version=b"1.0"))
        await client.response_head()
        how = await client.until_ended()
        whole = b"content-length" in bytes(client.received).lower()
    assert how == "reset" or whole


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_close_delimited_body_that_is_reset_never_looks_complete(version):
    seen = asyncio.Event()
    async with between(answering_then_reset(OK + b"\r\nhello", seen)) as (_, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN, version=version))
        head = await client.response_head()
        await client.until(lambda: b"hello" in client.received)
        seen.set()
        how = await client.until_ended()
    if head.all(b"transfer-encoding"):
        assert not client.pending.endswith(b"0\r\n\r\n")
    else:
        assert how == "reset"


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"x\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\nHTTP",
        b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
    ],
)
async def test_broken_chunk_is_a_failure_or_a_broken_transfer(body):
    """Which of the two depends on whether the head has left; a complete answer it never is."""
    async with between(answering(OK + CHUNKED + b"\r\n" + body)) as (upstream, proxy):
        client = await proxy.connect()
        try:
            assert_readable_failure(await client.ask(b"GET /x", ORIGIN), 502)
        except TransferError as broken:
            assert len(broken.body) <= 5  # noqa: PT017 - either outcome is right
        await (await upstream.connection()).until_ended()
