"""1xx answers, Expect: 100-continue, and upstreams that answer before they have the whole request."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    ServerWire,
    answer,
    answering,
    between,
    chunked,
    request,
)

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nLink: </x.js>\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_interim_answers_are_relayed_in_order():
    """https://www.rfc-editor.org/rfc/rfc9110#section-15.2: a proxy forwards 1xx responses."""
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"
    async with between(answering(HINTS + processing + HINTS + answer(b"200 OK", body=b"hello"))) as (_, proxy):
        client = await proxy.connect()
        first = await client.ask(b"GET /x", ORIGIN)
        rest = [await client.response() for _ in range(3)]
    assert [first.status, *(response.status for response in rest)] == [103, 102, 103, 200]
    assert first.all(b"link") == [b"</style.css>; rel=preload", b"</x.js>"]
    assert rest[-1].body == b"hello"
    assert rest[-1].cors == GRANT


async def test_interim_answer_leaves_before_the_final_one_exists():
    seen = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(HINTS)
        await seen.wait()
        await wire.send(answer(b"200 OK", body=b"hello"))

    async with between(script) as (_, proxy):
        client = await proxy.connect()
        assert (await client.ask(b"GET /x")).status == 103
        seen.set()
        assert (await client.response()).body == b"hello"


@pytest.mark.parametrize("origin", [b"Origin: https://app.example.com", b"Origin: https://evil.example.net"])
async def test_interim_answers_leak_no_grant_of_the_upstream(origin):
    leak = b"HTTP/1.1 103 Early Hints\r\nAccess-Control-Allow-Origin: *\r\nLink: </x>\r\n\r\n"
    async with between(answering(leak + answer(b"200 OK"))) as (_, proxy):
        interim = await (await proxy.connect()).ask(b"GET /x", origin)
    assert interim.status == 103
    assert b"*" not in interim.all(b"access-control-allow-origin")


async def test_upstreams_100_is_relayed_and_nobody_elses_is_invented():
    asked, told = asyncio.Event(), asyncio.Event()

    async def script(wire: ServerWire) -> None:
        head = await wire.request_head()
        asked.set()
        await told.wait()
        await wire.send(CONTINUE)
        head.body = await wire.read_sized(5)
        await wire.send(answer(b"200 OK", body=head.body))

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, b"Expect: 100-continue", b"Content-Length: 5"))
        await asked.wait()
        assert client.pending == b""  # no 100 of the proxy's own
        told.set()
        assert (await client.response()).status == 100
        await client.send(b"hello")
        response = await client.response()
    assert (response.status, response.body, response.cors) == (200, b"hello", GRANT)
    assert upstream.requests[0].one(b"expect").lower() == b"100-continue"


async def test_100_works_for_chunked_requests_too():
    async def script(wire: ServerWire) -> None:
        head = await wire.request_head()
        await wire.send(CONTINUE)
        await wire.read_chunked_into(head)
        await wire.send(answer(b"200 OK", body=head.body))

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"POST /x", b"Expect: 100-continue", b"Transfer-Encoding: chunked"))
        assert (await client.response()).status == 100
        await client.send(chunked(b"hel", b"lo"))
        assert (await client.response()).body == b"hello"


async def test_client_that_does_not_wait_for_the_100_is_served():
    """https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1: a client need not wait."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(CONTINUE + answer(b"200 OK", body=b"hello"))

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"POST /x", b"Expect: 100-continue", body=b"early"))
        statuses = [(await client.response()).status]
        if statuses == [100]:
            statuses.append((await client.response()).status)
    assert statuses[-1] == 200


async def test_final_answer_without_100_is_relayed_and_the_connection_closed():
    """The body may or may not follow, so nobody can tell where the next request would begin."""
    refusal = answer(b"401 Unauthorized", b"WWW-Authenticate: Basic", body=b"who are you?")

    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        await wire.send(refusal)
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, b"Expect: 100-continue", b"Content-Length: 5"))
        response = await client.response()
        await client.until_ended()
        await (await upstream.connection()).until_ended()
    assert (response.status, response.body, response.cors) == (401, b"who are you?", GRANT)
    assert b"close" in response.members(b"connection")


async def test_unsolicited_100_is_no_final_answer():
    async with between(answering(CONTINUE + answer(b"200 OK", body=b"hello"))) as (_, proxy):
        client = await proxy.connect()
        response = await client.ask(b"GET /x")
        if response.status == 100:
            response = await client.response()
    assert (response.status, response.body) == (200, b"hello")


async def test_other_expectation_is_417():
    """https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1."""
    async with between(answering(answer(b"200 OK"))) as (upstream, proxy):
        response = await proxy.ask(b"POST /x", ORIGIN, b"Expect: miracles", body=b"")
    assert response.status == 417
    assert response.cors == GRANT
    assert upstream.requests == []


async def test_expectation_of_http_1_0_is_ignored():
    async with between(answering(answer(b"200 OK", body=b"hello"))) as (upstream, proxy):
        response = await proxy.ask(b"POST /x", b"Expect: 100-continue", body=b"12345", version=b"1.0")
    assert (response.status, response.body) == (200, b"hello")
    assert upstream.requests[0].body == b"12345"


async def test_client_is_not_left_waiting_by_an_upstream_that_knows_no_100(monkeypatch):
    """Many upstreams just wait for the body, and some clients wait for ever: in the end the proxy asks for it."""
    monkeypatch.setattr("corsproxy.proxy.upload.CONTINUE_AFTER", 0.05)
    async with between(answering(answer(b"200 OK", body=b"hello"))) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", b"Expect: 100-continue", b"Content-Length: 5"))
        assert (await client.response()).status == 100
        await client.send(b"world")
        assert (await client.response()).body == b"hello"
    assert upstream.requests[0].body == b"world"


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000", b"Transfer-Encoding: chunked"])
async def test_answer_that_comes_before_the_request_is_complete_is_relayed_at_once(framing):
    """A refused upload: the client hears of it before it has sent everything, and the connection ends."""

    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        await wire.send(answer(b"403 Forbidden", b"Connection: close", body=b"not you"))
        await wire.until_ended()

    piece = b"5\r\nhello\r\n" if b"chunked" in framing else b"hello"
    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, framing) + piece)
        response = await client.response()
        await (await upstream.connection()).until_ended()
        await client.until_ended()
    assert (response.status, response.body, response.cors) == (403, b"not you", GRANT)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_client_whose_upload_is_refused_is_told_that_the_answer_is_complete(version):
    """The proxy ends its own side at once, though it may go on reading, so that no reset destroys the answer.

    https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    """
    async with between(answering(answer(b"200 OK")), limits={"max_request_body": 10}) as (_, proxy):
        client = await proxy.send(request(b"POST /x", b"Content-Length: 11", version=version))
        async with asyncio.timeout(5):  # far below the time for which it may go on reading
            assert await client.until_ended() == "closed"
        assert (await client.response()).status == 413


async def test_early_answer_does_not_stop_an_upload_that_the_upstream_still_wants():
    """An answer may begin while the request still flows; both go on to their ends."""

    async def script(wire: ServerWire) -> None:
        head = await wire.request_head()
        await wire.send(answer(b"200 OK", b"Transfer-Encoding: chunked") + b"5\r\nbegin\r\n")
        await wire.read_chunked_into(head)
        await wire.send(chunked(head.body))

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, b"Transfer-Encoding: chunked"))
        response = await client.response_head()
        assert await client.read_chunk() == b"begin"
        await client.send(chunked(b"hello"))
        assert await client.read_chunks() == b"hello"
    assert (response.status, response.cors) == (200, GRANT)
