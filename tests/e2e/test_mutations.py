"""Messages cut, and messages damaged, at any place: the other side never sees anything but well-formed HTTP.

The readers of this suite raise ``NotHTTPError`` at the first byte that is none, so most of these tests assert by merely
reading.
"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    STRANGER,
    ClientWire,
    RunningProxy,
    ServerWire,
    TransferError,
    answer,
    between,
    chunked,
    request,
)

CHUNKED = b"Transfer-Encoding: chunked"

ANSWERS = [
    answer(b"200 OK", b"X-A: 1", b"Vary: Accept", body=b"hello"),
    answer(b"200 OK", CHUNKED, body=chunked(b"hel", b"lo", trailers=(b"X-Sum: 1",))),
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(b"200 OK", body=b"hello"),
    b"HTTP/1.1 200 OK\r\n\r\nhello",
    answer(b"204 No Content", b"Access-Control-Allow-Origin: *"),
]
REQUESTS = [
    request(b"GET /x?y=1", ORIGIN, b"Cookie: a=b"),
    request(b"POST /x", ORIGIN, body=b"hello"),
    request(b"POST /x", ORIGIN, CHUNKED, b"Trailer: X-Sum") + chunked(b"hel", b"lo", trailers=(b"X-Sum: 1",)),
    request(b"GET /1") + request(b"GET /2", ORIGIN),
    request(b"OPTIONS /x", ORIGIN, b"Access-Control-Request-Method: GET"),
    request(b"GET /ws", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
]


@pytest.mark.parametrize("whole", ANSWERS, ids=range(len(ANSWERS)))
async def test_answer_cut_at_any_place_is_the_same_answer(whole):
    cut = 0

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(whole[:cut])
        await turns()
        await wire.send(whole[cut:])
        wire.close()

    async with between(script) as (_, proxy):
        for place in range(1, len(whole)):
            cut = place
            client = await proxy.connect()
            response = await client.ask(b"GET /x", ORIGIN)
            if response.status == 103:
                response = await client.response()
            client.close()
            assert response.status in {200, 204}
            assert response.body in {b"hello", b""}
            assert response.cors == GRANT


@pytest.mark.parametrize("whole", REQUESTS[:3], ids=range(3))
async def test_request_cut_at_any_place_is_the_same_request(whole):
    async def script(wire: ServerWire) -> None:
        while True:
            received = await wire.request()
            await wire.send(answer(b"200 OK", body=received.body))

    async with between(script) as (upstream, proxy):
        for cut in range(1, len(whole)):
            client = await proxy.send(whole[:cut])
            await turns()
            await client.send(whole[cut:])
            response = await client.response()
            client.close()
            assert response.status == 200
            assert response.body == upstream.requests[-1].body
            assert upstream.requests[-1].fields == upstream.requests[0].fields
        assert len(upstream.requests) == len(whole) - 1


async def turns() -> None:
    """Some turns of the event loop, so that what was sent is read before more comes."""
    for _ in range(4):
        await asyncio.sleep(0)


# What parsers stumble over.
FRAGMENTS = st.sampled_from(
    [
        *(bytes([byte]) for byte in b"\r\n \t:;,=0159aAf+-_/\\?#%*\"'()<>@[]{}\x00\x01\x0b\x0c\x7f\x80\xff"),
        b"\r\n",
        b"\r\n\r\n",
        b"\n\n",
        b"\r\n ",
        b"0\r\n\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Connection: Access-Control-Allow-Origin\r\n",
        b"Access-Control-Allow-Origin: *\r\n",
        b"Access-Control-Allow-Origin: *\r",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.one_of(FRAGMENTS, st.binary(max_size=2))), min_size=1, max_size=4
)


def damaged(whole: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """The message with some places replaced: each edit is where, how many bytes go, and what comes instead."""
    for where, gone, instead in edits:
        at = int(where * len(whole))
        whole = whole[:at] + instead + whole[at + gone :]
    return whole


@given(whole=st.sampled_from(ANSWERS), edits=EDITS, allowed=st.booleans(), version=st.sampled_from([b"1.1", b"1.0"]))
async def test_damaged_answer_is_an_answer_or_a_failure_or_a_broken_transfer(whole, edits, allowed, version):
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(damaged(whole, edits))
        wire.close()

    async with between(script) as (_, proxy):
        client = await proxy.connect()
        try:
            response = await client.ask(b"GET /x", ORIGIN if allowed else STRANGER, version=version)
            while 100 < response.status < 200:
                assert not [line for line in response.cors if line[1] == b"*"]
                response = await client.response()
        except TransferError:
            return
    assert response.cors == (GRANT if allowed else [])
    assert response.vary.count(b"origin") == 1 or response.vary == [b"*"]


@given(whole=st.sampled_from(REQUESTS), edits=EDITS)
async def test_damaged_request_is_answered_and_reaches_the_upstream_well_formed_or_not_at_all(whole, edits):
    async def script(wire: ServerWire) -> None:
        while True:
            received = await wire.request()
            await wire.send(answer(b"200 OK", body=received.body))

    limits = {"request_head_timeout": 0.03, "request_body_timeout": 0.03, "keepalive_timeout": 0.03}
    async with between(script, limits=limits) as (_, proxy):
        await answers_until_the_end(proxy, damaged(whole, edits))


async def answers_until_the_end(proxy: RunningProxy, sent: bytes) -> None:
    """Every answer to what was sent is well-formed, and then the connection ends, by a limit if by nothing else."""
    client: ClientWire = await proxy.send(sent)
    method = sent.lstrip(b"\r\n").split(b" ")[0]
    try:
        while (await client.response(method)).status:
            method = b"GET"
    except TransferError:
        assert client.ended
