"""Requests whose framing is in doubt: 4xx, the connection is closed, and nothing reaches the upstream.

Each row is followed by a smuggled request that must never be seen.
"""

from __future__ import annotations

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    RawUpstream,
    Request,
    Response,
    TransferError,
    answer,
    answering,
    between,
    chunked,
    request,
)

OK = answer(b"200 OK", body=b"ok")
HOST = b"Host: localhost\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\n" + HOST
CHUNKS = chunked(b"hello")

ATTACKS = {
    # https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    "length and chunked": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKS,
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "two lengths in one line": POST + b"Content-Length: 5, 6\r\n\r\nhello!",
    "length with a plus": POST + b"Content-Length: +5\r\n\r\nhello",
    "negative length": POST + b"Content-Length: -5\r\n\r\nhello",
    "length in hex": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "length with an underscore": POST + b"Content-Length: 1_0\r\n\r\nhellohello",
    "length with a blank inside": POST + b"Content-Length: 1 0\r\n\r\nhellohello",
    "empty length": POST + b"Content-Length:\r\n\r\nhello",
    "length beyond 64 bits": POST + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "length in other digits": POST + "Content-Length: \u0665\r\n\r\nhello".encode(),
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "chunked, identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS,
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "chunked with a control byte": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "chunked in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + CHUNKS,
    "gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "identity": POST + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
    "chunked in HTTP/1.0": b"POST /x HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "space before the colon": POST + b"Content-Length : 5\r\n\r\nhello",
    "folded line": POST + b"X-A: b\r\n Content-Length: 5\r\n\r\nhello",
    "folded first line": b"POST /x HTTP/1.1\r\n X-A: b\r\n" + HOST + b"\r\n",
    "bare LF in a head": b"GET /x HTTP/1.1\n" + HOST + b"\r\n",
    "bare LF between lines": b"GET /x HTTP/1.1\r\nHost: localhost\nX-A: b\r\n\r\n",
    "bare CR in a value": b"GET /x HTTP/1.1\r\n" + HOST + b"X-A: a\rContent-Length: 5\r\n\r\nhello",
    "empty name": b"GET /x HTTP/1.1\r\n" + HOST + b": a\r\n\r\n",
    "name with a blank": b"GET /x HTTP/1.1\r\n" + HOST + b"User Agent: x\r\n\r\n",
    "line without a colon": b"GET /x HTTP/1.1\r\n" + HOST + b"X-A\r\n\r\n",
    "control byte in a value": b"GET /x HTTP/1.1\r\n" + HOST + b"X-A: a\x01b\r\n\r\n",
    "NUL in a value": b"GET /x HTTP/1.1\r\n" + HOST + b"X-A: a\x00b\r\n\r\n",
    "no host": b"GET /x HTTP/1.1\r\nX-A: b\r\n\r\n",
    "two hosts": b"GET /x HTTP/1.1\r\n" + HOST + b"Host: evil.example.net\r\n\r\n",
    "two hosts that agree": b"GET /x HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "empty host": b"GET /x HTTP/1.1\r\nHost:\r\n\r\n",
    "host with a path": b"GET /x HTTP/1.1\r\nHost: localhost/../b\r\n\r\n",
    "host with userinfo": b"GET /x HTTP/1.1\r\nHost: a@localhost\r\n\r\n",
    "host list": b"GET /x HTTP/1.1\r\nHost: localhost, evil.example.net\r\n\r\n",
    "version 2": b"GET /x HTTP/2.0\r\n" + HOST + b"\r\n",
    "version 0.9": b"GET /x\r\n",
    "no version": b"GET /x HTTP/\r\n" + HOST + b"\r\n",
    "blank in the target": b"GET /x y HTTP/1.1\r\n" + HOST + b"\r\n",
    "tab in the request line": b"GET\t/x\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "empty target": b"GET  HTTP/1.1\r\n" + HOST + b"\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50 + b"\r\n\r\n",
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


async def refused(sent: bytes, upstream: RawUpstream, proxy) -> Response:
    """The answer to an attack, after which the connection was closed and the upstream saw nothing of it."""
    client = await proxy.send(sent + SMUGGLED)
    response = await client.response()
    assert response.status >= 400
    await client.until_ended()
    assert client.pending == b"", "something else was answered too"
    assert all(b"smuggled" not in wire.received for wire in upstream.connections)
    return response


@pytest.mark.parametrize("sent", ATTACKS.values(), ids=ATTACKS.keys())
async def test_head_in_doubt_is_refused_and_reaches_nobody(sent):
    async with between(answering(OK)) as (upstream, proxy):
        response = await refused(sent, upstream, proxy)
    assert response.status in {400, 501, 505}
    assert b"close" in response.members(b"connection")
    assert b"Traceback" not in response.body
    assert upstream.connections == []


BAD_CHUNKS = {
    "size in words": b"five\r\nhello\r\n0\r\n\r\n",
    "size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size beyond 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "empty size": b"\r\nhello\r\n0\r\n\r\n",
    "too long data": b"5\r\nhelloXX\r\n0\r\n\r\n",
    "bare LF after the size": b"5\nhello\r\n0\r\n\r\n",
    "bare LF after the data": b"5\r\nhello\n0\r\n\r\n",
    "bare CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "bare LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
async def test_chunk_in_doubt_never_completes_a_request(body):
    """The head may have left already; then its connection is broken, so that the upstream sees no whole request."""
    async with between(answering(OK)) as (upstream, proxy):
        response = await refused(request(b"POST /x", ORIGIN, b"Transfer-Encoding: chunked") + body, upstream, proxy)
        for wire in upstream.connections:
            await wire.until_ended()
    assert response.status == 400
    assert response.cors in ([], GRANT)
    assert all(not bytes(wire.received).endswith(b"0\r\n\r\n") for wire in upstream.connections)


TRAVERSALS = [
    b"/api/../admin",
    b"/api/./x",
    b"/api/%2e%2e/admin",
    b"/api/%2E./admin",
    b"/api/.%2e/admin",
    b"/api/..%2fadmin",
    b"/api/%2e%2e%2Fadmin",
    b"/api\\..\\admin",
    b"/api/..\\admin",
    b"/api/..%5cadmin",
    b"/api/%2e%5c..%5Cadmin",
    b"/..",
    b"/api/..",
    b"/api/..;x=1/admin",
    b"/api/%00/admin",
    b"/api/a%00",
    b"/x#y",  # the fragment would be dropped (HAProxy CVE-2023-45539)
    b"/x?y#z",
    b"x",
    b"ftp://localhost/x",
    b"http://user:pass@localhost/x",
    b"http:///x",
    b"//",
    b"/caf\xe9",
    b"/x\x7f",
]


@pytest.mark.parametrize("target", [target for target in TRAVERSALS if target != b"//"], ids=repr)
async def test_target_in_doubt_is_refused_and_reaches_nobody(target):
    """One view for match and forward: what two servers may read in two ways is forwarded by none."""
    async with between(answering(OK), rule={"path": "/"}) as (upstream, proxy):
        response = await proxy.ask(b"GET " + target)
    assert response.status == 400
    assert upstream.connections == []


@pytest.mark.parametrize("target", [b"/api/%2e%2e/admin", b"/api/..%2fadmin", b"/api/../admin", b"/api\\..\\admin"])
async def test_rule_of_one_path_gives_no_way_to_another(target):
    """Flask-CORS 3.0.9: the path is judged as it is forwarded."""
    async with between(answering(OK), rule={"path": "/api", "strip_prefix": True}) as (upstream, proxy):
        assert (await proxy.ask(b"GET " + target)).status == 400
    assert upstream.connections == []


async def test_rest_of_a_refused_request_is_no_request():
    """A body that is not read must not be taken for the next request: the classic smuggling."""
    async with between(answering(OK), rule={"path": "/api"}) as (upstream, proxy):
        body = SMUGGLED.replace(b"/smuggled", b"/api/smuggled")
        client = await proxy.send(request(b"POST /elsewhere", body=body))
        assert (await client.response()).status == 404
        if not client.ended:
            await client.send(request(b"GET /api/honest"))
            try:
                assert (await client.response()).body == b"ok"
            except TransferError:
                assert client.pending == b""
    assert {received.target for received in upstream.requests} <= {b"/api/honest"}


@pytest.mark.parametrize("status", [413, 417])
async def test_rest_of_a_request_that_is_refused_early_is_no_request(status):
    lines = {413: (), 417: (b"Expect: miracles",)}[status]
    async with between(answering(OK), limits={"max_request_body": 10 if status == 413 else 1000}) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", *lines, body=SMUGGLED))
        assert (await client.response()).status == status
        await client.until_ended()
        assert client.pending == b""
    assert upstream.connections == []


async def test_empty_lines_before_a_request_are_forgiven():
    """https://www.rfc-editor.org/rfc/rfc9112#section-2.2-6."""
    async with between(answering(OK)) as (upstream, proxy):
        client = await proxy.send(b"\r\n" + request(b"GET /x"))
        assert (await client.response()).status in {200, 400}
    assert len(upstream.requests) <= 1


async def test_what_is_legal_but_strange_passes_as_one_request():
    """The other side of refusing: legal requests arrive whole, and as one."""
    strange = [
        request(b"POST /x", b"Content-Length: 005") + b"hello",
        request(b"POST /x", b"TRANSFER-ENCODING: Chunked") + chunked(b"hello"),
        request(b"POST /x", b"Transfer-Encoding: chunked") + b"00005\r\nhello\r\n000\r\n\r\n",
        request(b"POST /x", b"Transfer-Encoding:chunked") + b'5;a=b;c="d"\r\nhello\r\n0\r\n\r\n',
    ]
    for sent in strange:
        async with between(answering(OK)) as (upstream, proxy):
            client = await proxy.send(sent)
            response = await client.response()
        assert response.status in {200, 400}
        bodies: list[Request] = upstream.requests if response.status == 200 else []
        assert all(received.body == b"hello" for received in bodies)
