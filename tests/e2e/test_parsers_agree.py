"""What this proxy forwards, other servers read alike: h11, gunicorn, aiohttp's own parser in Python, http.server.

The oracle is outside of this project.  For any bytes that a client may send, the exact bytes that reach the upstream
are given to the four parsers; each must see the same messages as the others, or refuse.  And where two of them disagree
about the client's own bytes, this proxy must refuse these.
"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.parsers import PARSERS, readings
from tests.e2e.rig import ORIGIN, RawUpstream, ServerWire, TransferError, answer, between, chunked, request
from tests.e2e.test_mutations import EDITS, damaged
from tests.e2e.test_obfuscations import HOSTS, LENGTHS, START_LINES, TRANSFER_ENCODINGS

LIMITS = {"request_head_timeout": 0.03, "request_body_timeout": 0.03, "keepalive_timeout": 0.03}
CHUNKED = b"Transfer-Encoding: chunked"


async def answers_all(wire: ServerWire) -> None:
    while True:
        await wire.request()
        await wire.send(answer(b"200 OK"))


async def forwarded(sent: bytes) -> list[list[bytes]]:
    """The exact bytes of every whole request that reached the upstream, by connection."""
    async with between(answers_all, limits=LIMITS) as (upstream, proxy):
        client = await proxy.send(sent)
        await client.until_ended()
        async with asyncio.timeout(20):
            for wire in upstream.connections:
                await settled(wire)
        return [[bytes(wire.received[: wire.taken])] for wire in upstream.connections if whole(wire, upstream)]


async def settled(wire: ServerWire) -> None:
    """Wait until the script has read what came."""
    await wire.until(lambda: wire.ended or wire.taken == len(wire.received))


def whole(wire: ServerWire, upstream: RawUpstream) -> bool:
    """Whether nothing on it is half a message: that one is for nobody."""
    return wire.taken == len(wire.received) and bool(upstream.requests)


async def agree(sent: bytes) -> int:
    """Assert that everybody reads alike what came of these bytes; the number of messages is returned."""
    count = 0
    for (data,) in await forwarded(sent):
        seen = readings(data)
        assert "h11" in seen, f"h11 refuses what was forwarded: {data!r}"
        for name, messages in seen.items():
            assert messages == seen["h11"], f"{name} and h11 disagree about {data!r}"
        count += len(seen["h11"])
    return count


HONEST = {
    "GET": request(b"GET /x?y=1", ORIGIN, b"Cookie: a=b"),
    "names and values of every kind": request(
        b"GET /x", b"X!#$%&'*+-.^_`|~9: a", b"X-Obs: \x80\x85\xa0\xff", b"X-Empty:", b"X-Tab: a\tb", b"X-Colon: a:b: c"
    ),
    "what splits lines elsewhere": request(
        b"GET /x", b"X-A: a\x85b", "X-B: a\u2028b\u2029c".encode(), b"X-C: \xc2\x85"
    ),
    "target of every kind": request(b"GET /a%2Fb;c=d/!$&'()*+,=:@-._~?q=/?%20&\"{|}<>"),
    "absolute": request(b"GET http://localhost:80/x?y HTTP/1.1".removesuffix(b" HTTP/1.1")),
    "two slashes": request(b"GET //evil/x"),
    "POST with a length": request(b"POST /x", body=b"hello"),
    "POST with chunks": request(b"POST /x", CHUNKED) + chunked(b"hel", b"lo", trailers=(b"X-Sum: 1",)),
    "GET with a body": request(b"GET /x", body=b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    "no body that is said": request(b"POST /x", b"Content-Length: 0"),
    "expectation": request(b"POST /x", b"Expect: 100-continue", body=b"hello"),
    "upgrade": request(b"GET /ws", b"Connection: keep-alive, Upgrade", b"Upgrade: h2c, websocket"),
    "trailers wanted": request(b"GET /x", b"TE: trailers, gzip"),
    "pipelined": request(b"GET /1") + request(b"POST /2", body=b"two") + request(b"GET /3"),
}


@pytest.mark.parametrize("sent", HONEST.values(), ids=HONEST.keys())
async def test_what_is_forwarded_is_read_alike(sent):
    assert await agree(sent) >= 1


POST = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"
BEHIND = b"GET /behind HTTP/1.1\r\nHost: localhost\r\n\r\n"
LISTED = [
    *(POST + line + b"\r\n\r\n" + chunked(b"hello") + BEHIND for line in TRANSFER_ENCODINGS),
    *(POST + line + b"\r\n\r\nhello" + BEHIND for line in LENGTHS if b"4294967301" not in line),
    *(line + b"Host: localhost\r\n\r\n" + BEHIND for line in START_LINES),
    *(b"GET /x HTTP/1.1\r\nHost: " + host + b"\r\n\r\n" + BEHIND for host in HOSTS),
]


async def test_listed_head_is_refused_wherever_two_parsers_disagree():
    """What this proxy accepts, everybody who takes the client's own bytes reads as the same two requests.

    Of the heads that it refuses, some are read by others in different ways, and that is why; all others are ours being
    stricter.  And what reached the upstream is read alike by everybody.
    """
    disputed = 0
    async with between(answers_all, limits=LIMITS) as (upstream, proxy):
        for sent in LISTED:
            client = await proxy.send(sent)
            accepted = (await client.response()).status == 200
            await client.until_ended()
            seen = [[message._replace(fields=()) for message in messages] for messages in readings(sent).values()]
            alike = all(messages == seen[0] for messages in seen)
            assert alike or not accepted, f"disputed, and accepted: {sent!r}"
            assert not accepted or [message.target for message in seen[0]] == [b"/x", b"/behind"]
            disputed += not alike
        forwarded = [bytes(wire.received[: wire.taken]) for wire in upstream.connections]
    assert disputed, "nothing in the table is what servers disagree on"
    for data in forwarded:
        read = readings(data)
        assert len(read) >= 2
        assert all(messages == read["h11"] for messages in read.values())


@given(
    whole=st.sampled_from(
        [HONEST["GET"], HONEST["POST with chunks"], HONEST["POST with a length"], HONEST["pipelined"]]
    ),
    edits=EDITS,
)
async def test_damaged_heads_are_refused_or_read_alike(whole, edits):
    try:
        await agree(damaged(whole, edits))
    except TransferError:
        return  # the client's connection was reset, and nothing whole came of it


TOKENS = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=12).map(str.encode)
VALUES = st.binary(max_size=12).map(
    lambda value: bytes(byte for byte in value if byte == 9 or (byte >= 0x20 and byte != 0x7F))
)


@given(
    fields=st.lists(st.tuples(TOKENS, VALUES), max_size=8),
    path=st.text("!$&'()*+,-./:;=@_~09azAZ%[]|{}^`\"<>", max_size=20).map(str.encode),
    body=st.binary(max_size=40),
    sizes=st.one_of(st.none(), st.lists(st.integers(1, 9), min_size=1)),
)
async def test_generated_requests_are_refused_or_read_alike(fields, path, body, sizes):
    lines = [name + b": " + value for name, value in fields if name.lower() not in {b"host", b"content-length"}]
    if sizes is None:
        sent = request(b"PUT /" + path, *lines, body=body)
    else:
        pieces, rest = [], body
        for size in sizes:
            piece, rest = rest[:size], rest[size:]
            pieces += [piece] if piece else []
        sent = request(b"PUT /" + path, *lines, CHUNKED) + chunked(*pieces, *([rest] if rest else []))
    await agree(sent)


def test_every_parser_is_asked():
    """The oracle can fail: each parser sees an ordinary request, and refuses one that is none."""
    assert set(readings(HONEST["POST with a length"])) == set(PARSERS)
    assert {len(messages) for messages in readings(HONEST["pipelined"]).values()} == {3}
    assert readings(b"GET /x\x00y HTTP/1.1\r\nHost : a\r\n\r\n").keys() <= {"http.server"}
