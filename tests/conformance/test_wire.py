"""Messages as they stand on the wire: what is read, and what is no HTTP."""

from __future__ import annotations

import asyncio

import pytest

from corsproxy.conformance.wire import LIMIT, NotHttp, Response, read_request, read_response


def reader(data: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader(limit=LIMIT)
    stream.feed_data(data)
    stream.feed_eof()
    return stream


READ = [
    (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", Response(204, ())),
    (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "GET", Response(200, ((b"Content-Length", b"2"),), b"ok")),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HEAD", Response(200, ((b"Content-Length", b"2"),))),
    (b"HTTP/1.0 200 OK\r\n\r\nto the end", "GET", Response(200, (), b"to the end")),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n",
        "GET",
        Response(200, ((b"Transfer-Encoding", b"chunked"),), b"ok"),
    ),
    (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
        "GET",
        Response(200, ((b"Content-Length", b"9"),), b"cut", whole=False),
    ),
    (
        b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 N\r\n\r\n",
        "GET",
        Response(204, (), interim=(Response(103, ((b"Link", b"x"),)),)),
    ),
    (b"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n\x81", "GET", Response(101, ((b"Upgrade", b"x"),))),
    (b"", "GET", None),
]  # fmt: skip


@pytest.mark.parametrize(("data", "method", "response"), READ)
async def test_answers(data, method, response):
    assert await read_response(reader(data), method) == response


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * LIMIT * 2 + b"\r\n\r\n",
    ],
    ids=range(9),
)
async def test_what_is_no_answer(data):
    with pytest.raises(NotHttp):
        await read_response(reader(data), "GET")


async def test_requests():
    stream = reader(b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /y HTTP/1.1\r\n\r\n")
    first, second, third = [await read_request(stream) for _ in range(3)]
    assert (first.method, first.target, first.body) == ("POST", "/x", b"hi")
    assert (second.method, second.target, second.all("host")) == ("GET", "/y", [])
    assert third is None
