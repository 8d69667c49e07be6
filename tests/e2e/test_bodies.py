"""Bodies pass as they came: every framing, both ways, never decoded, and never longer or shorter than they were."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    Response,
    ServerWire,
    TransferError,
    answer,
    answering,
    between,
    chunked,
    echoing,
    request,
)

CHUNKED = b"Transfer-Encoding: chunked"
NOISE = hashlib.shake_128(b"noise").digest(3_000_000)
SIZES = [0, 1, 2, 1023, 16_384, 65_535, 65_536, 65_537, 262_144, 3_000_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_bodies_of_any_size_arrive_as_they_were_sent(size, framing):
    body = NOISE[:size]
    pieces = [body[start : start + 70_000] for start in range(0, size, 70_000)]
    sent = request(b"POST /x", body=body)
    if framing == "chunked":
        sent = request(b"POST /x", CHUNKED) + chunked(*pieces)
    async with between(echoing) as (upstream, proxy):
        response = await (await proxy.send(sent)).response()
    assert upstream.requests[0].body == body
    assert response.body == body


@pytest.mark.parametrize("size", SIZES)
async def test_chunked_and_close_delimited_answers_of_any_size(size):
    body = NOISE[:size]
    pieces = [body[start : start + 70_000] for start in range(0, size, 70_000)]

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(answer(b"200 OK", CHUNKED, body=chunked(*pieces)))
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\n" + body)
        wire.close()

    async with between(script) as (_, proxy):
        client = await proxy.connect()
        assert (await client.ask(b"GET /chunked")).body == body
        assert (await client.ask(b"GET /until-close")).body == body


async def test_everything_arrives_byte_by_byte():
    """A head and a chunked body, both ways, cut wherever they can be cut."""

    async def script(wire: ServerWire) -> None:
        received = await wire.request()
        body = chunked(received.body, b"!", trailers=(b"X-Sum: 1",))
        await wire.send_bytewise(answer(b"200 OK", b"X-A: 1", CHUNKED, body=body))

    async with between(script) as (_, proxy):
        client = await proxy.connect()
        await client.send_bytewise(request(b"POST /x?y", ORIGIN, CHUNKED) + chunked(b"hel", b"lo"))
        response = await client.response()
    assert (response.status, response.body) == (200, b"hello!")
    assert response.cors == GRANT


async def test_body_of_the_request_keeps_its_framing():
    """Legacy servers know no chunked requests, so a length stays a length."""
    async with between(echoing) as (upstream, proxy):
        client = await proxy.connect()
        await client.ask(b"POST /length", body=b"hello")
        await client.ask(b"POST /empty", body=b"")
        await client.send(request(b"POST /chunked", CHUNKED) + chunked(b"hello"))
        await client.response()
        await client.ask(b"GET /none")
        await client.ask(b"GET /strange-but-legal", body=b"hello")
    length, empty, pieces, none, strange = upstream.requests
    assert length.one(b"content-length") == b"5"
    assert empty.one(b"content-length") == b"0"
    assert pieces.one(b"transfer-encoding") == b"chunked"
    assert none.named(b"content-length", b"transfer-encoding") == []
    assert strange.body == b"hello"


async def test_framing_of_the_answer_is_kept_where_it_can_be():
    async with between(answering(answer(b"200 OK", body=b"hello"), answer(b"200 OK", CHUNKED, body=chunked(b"x")))) as (
        _,
        proxy,
    ):
        client = await proxy.connect()
        length, pieces = await client.ask(b"GET /1"), await client.ask(b"GET /2")
    assert length.one(b"content-length") == b"5"
    assert pieces.one(b"transfer-encoding") == b"chunked"


async def test_compressed_bodies_pass_both_ways_undecoded():
    packed = gzip.compress(b"hello " * 1000)
    async with between(answering(answer(b"200 OK", b"Content-Encoding: gzip", body=packed))) as (upstream, proxy):
        response = await proxy.ask(b"POST /x", b"Content-Encoding: gzip", body=packed)
    assert upstream.requests[0].body == packed
    assert upstream.requests[0].one(b"content-encoding") == b"gzip"
    assert (response.body, response.one(b"content-encoding")) == (packed, b"gzip")


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip"])
async def test_body_that_only_claims_to_be_compressed_passes_too(coding):
    """Neither decoded nor checked; a bomb would pass unexploded."""
    line = b"Content-Encoding: " + coding
    async with between(answering(answer(b"200 OK", line, body=b"not really"))) as (upstream, proxy):
        response = await proxy.ask(b"POST /x", line, body=b"neither")
    assert upstream.requests[0].body == b"neither"
    assert response.body == b"not really"


@pytest.mark.parametrize(
    "head",
    [
        answer(b"200 OK", b"Content-Length: 1234"),
        answer(b"200 OK", CHUNKED),
        b"HTTP/1.1 200 OK\r\nX-Framing: none\r\n\r\n",
        answer(b"404 Not Found", b"Content-Length: 1234"),
    ],
)
async def test_head_has_no_body_and_the_connection_goes_on(head):
    """https://www.rfc-editor.org/rfc/rfc9112#section-6.3: the first rule of message body length."""
    async with between(answering(head, answer(b"200 OK", body=b"next"))) as (upstream, proxy):
        client = await proxy.connect()
        response = await client.ask(b"HEAD /x", ORIGIN)
        following = await client.ask(b"GET /x")
    if b"1234" in head:
        assert response.one(b"content-length") == b"1234"
    assert following.body == b"next"
    assert response.cors == GRANT
    assert len(upstream.connections) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: x\r\n\r\n",
    ],
)
async def test_204_and_304_have_no_body_and_the_connection_goes_on(head):
    async with between(answering(head, answer(b"200 OK", body=b"next"))) as (upstream, proxy):
        client = await proxy.connect()
        response = await client.ask(b"GET /x", ORIGIN, b"If-None-Match: x")
        following = await client.ask(b"GET /x")
    assert b"%d" % response.status in head
    assert response.all(b"transfer-encoding") == []
    assert following.body == b"next"
    assert response.cors == GRANT
    assert response.vary == [b"origin"]
    assert len(upstream.connections) == 1


async def test_trailers_of_the_answer_are_forwarded_to_who_asks_for_them():
    """https://www.rfc-editor.org/rfc/rfc9110#section-6.5."""
    body = chunked(b"hello", trailers=(b"X-Checksum: 7", b"Server-Timing: db;dur=53"))
    whole = answer(b"200 OK", b"Trailer: X-Checksum", CHUNKED, body=body)
    async with between(answering(whole)) as (_, proxy):
        response = await proxy.ask(b"GET /x", b"TE: trailers", b"Connection: TE")
    assert response.body == b"hello"
    assert response.trailers == [(b"X-Checksum", b"7"), (b"Server-Timing", b"db;dur=53")]


@pytest.mark.parametrize(
    "line",
    [
        b"Access-Control-Allow-Origin: *",
        b"access-control-allow-credentials: true",
        b"Vary: Cookie",
        b"Connection: close",
    ],
)
async def test_trailers_carry_no_grant(line):
    """What may not stand in a trailer is dropped: https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1."""
    response = await trailed_by(line)
    assert response.body == b"hello"
    assert response.trailers == [(b"X-Ok", b"1")]


@pytest.mark.parametrize("line", [b"Content-Length: 3", b"Transfer-Encoding: chunked"])
async def test_trailers_carry_no_framing(line):
    """They are dropped, or the answer is not taken; passed on they are never."""
    try:
        response = await trailed_by(line)
    except TransferError:
        return
    assert response.trailers == [(b"X-Ok", b"1")] or response.status == 502


async def trailed_by(line: bytes) -> Response:
    """A chunked answer whose trailers begin with this line, as a client sees it that wants trailers."""
    whole = answer(b"200 OK", CHUNKED, body=chunked(b"hello", trailers=(line, b"X-Ok: 1")))
    async with between(answering(whole)) as (_, proxy):
        return await proxy.ask(b"GET /x", b"TE: trailers", b"Connection: TE")


async def test_trailers_of_the_request_are_dropped():
    async with between(echoing) as (upstream, proxy):
        client = await proxy.connect()
        await client.send(
            request(b"POST /x", b"Trailer: X-Late", CHUNKED) + chunked(b"hello", trailers=(b"X-Late: 1",))
        )
        assert (await client.response()).body == b"hello"
        assert (await client.ask(b"POST /y", body=b"next")).body == b"next"
    assert upstream.requests[0].body == b"hello"
    assert upstream.requests[0].trailers == []
    assert upstream.requests[0].all(b"x-late") == []


async def test_trailer_header_on_a_get_is_no_crash():
    async with between(echoing) as (_, proxy):
        assert (await proxy.ask(b"GET /x", b"Trailer: X-Late")).status == 200


async def test_chunk_extensions_end_here():
    """https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1: they are hop by hop."""
    async with between(echoing) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", CHUNKED) + b"5;name=value\r\nhello\r\n0;last\r\n\r\n")
        assert (await client.response()).body == b"hello"
    assert b"name=value" not in upstream.connections[0].received


async def test_pipelined_requests_are_answered_in_order():
    async with between(echoing) as (_, proxy):
        client = await proxy.send(b"".join(request(b"POST /x", body=b"%d" % index) for index in range(20)))
        bodies = [(await client.response()).body for _ in range(20)]
    assert bodies == [b"%d" % index for index in range(20)]
