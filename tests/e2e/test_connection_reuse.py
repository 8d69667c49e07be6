"""The pool: connections are kept while they are sound, never trusted, and nothing of one exchange reaches another."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    ServerWire,
    TransferError,
    answer,
    answering,
    between,
    chunked,
    request,
)

OK = answer(b"200 OK", body=b"ok")


@pytest.mark.parametrize(
    "first",
    [
        OK,
        answer(b"200 OK", b"Transfer-Encoding: chunked", body=chunked(b"ok", trailers=(b"X-Sum: 1",))),
        answer(b"204 No Content"),
        answer(b"200 OK", b"Connection: keep-alive", b"Keep-Alive: timeout=60", body=b"ok"),
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
    ],
)
@pytest.mark.parametrize("one_client", [True, False])
async def test_two_requests_use_one_upstream_connection(first, one_client):
    async with between(answering(first, OK)) as (upstream, proxy):
        client = await proxy.connect()
        response = await client.ask(b"GET /1")
        if response.status == 103:
            await client.response()
        client = client if one_client else await proxy.connect()
        assert (await client.ask(b"GET /2")).body == b"ok"
    assert len(upstream.connections) == 1
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("method", [b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS"])
async def test_any_method_leaves_its_connection_for_the_next(method):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    async with between(answering(head if method == b"HEAD" else OK, OK)) as (upstream, proxy):
        await proxy.ask(method + b" /1", body=b"hello")
        assert (await proxy.ask(b"GET /2")).body == b"ok"
    assert len(upstream.connections) == 1


async def test_parallel_requests_use_connections_of_their_own():
    both = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        while True:
            target = (await wire.request()).target
            await both.wait()
            await wire.send(answer(b"200 OK", body=target))

    async with between(script) as (upstream, proxy):
        first, second = await proxy.send(request(b"GET /1")), await proxy.send(request(b"GET /2"))
        await upstream.connection(1)
        both.set()
        assert [(await first.response()).body, (await second.response()).body] == [b"/1", b"/2"]
        assert (await proxy.ask(b"GET /3")).body == b"/3"
    assert len(upstream.connections) == 2


@pytest.mark.parametrize(
    "last",
    [
        answer(b"200 OK", b"Connection: close", body=b"ok"),
        answer(b"200 OK", b"connection: Foo, CLOSE", body=b"ok"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_connection_that_the_upstream_ends_is_not_used_again(last):
    """The upstream says so, and leaves the connection open for a moment longer."""
    async with between(answering(last)) as (upstream, proxy):
        await proxy.ask(b"GET /1")
        await proxy.ask(b"GET /2")
    assert [len(bytes(wire.received).split(b"GET ")) - 1 for wire in upstream.connections] == [1, 1]


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_idle_connection_that_the_upstream_closed_is_noticed(method):
    """Nothing was sent on the dead connection, so any method may go on a new one."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(OK)
        wire.finish()
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        await proxy.ask(b"GET /1")
        await (await upstream.connection()).until_ended()  # the proxy has closed its own side of it
        response = await proxy.ask(method + b" /2", body=b"hello")
    assert response.body == b"ok"
    assert len(upstream.connections) == 2


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"PUT"])
async def test_stale_connection_is_retried_once_when_the_request_is_idempotent(method):
    """https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(answer(b"200 OK") if method == b"HEAD" else OK)
        await wire.request()
        wire.reset()

    async with between(script) as (upstream, proxy):
        await proxy.ask(b"GET /1" if method != b"HEAD" else b"HEAD /1")
        response = await proxy.ask(method + b" /2", ORIGIN)
    assert response.status == 200
    assert response.cors == GRANT
    assert [received.target for received in upstream.requests] == [b"/1", b"/2", b"/2"]
    assert len(upstream.connections) == 2


@pytest.mark.parametrize("method", [b"POST", b"PATCH"])
async def test_stale_connection_is_not_retried_when_the_request_is_not_idempotent(method):
    """It may have been carried out, and nobody knows."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(OK)
        await wire.request()
        wire.reset()

    async with between(script) as (upstream, proxy):
        await proxy.ask(b"GET /1")
        response = await proxy.ask(method + b" /2", ORIGIN, body=b"pay")
    assert response.status == 502
    assert response.cors == GRANT
    assert [received.target for received in upstream.requests] == [b"/1", b"/2"]


async def test_retry_is_made_once():
    async def script(wire: ServerWire) -> None:
        if (await wire.request()).target == b"/1":
            await wire.send(OK)
            await wire.request()
        wire.reset()

    async with between(script) as (upstream, proxy):
        await proxy.ask(b"GET /1")
        response = await proxy.ask(b"GET /2", ORIGIN)
    assert response.status == 502
    assert [received.target for received in upstream.requests] == [b"/1", b"/2", b"/2"]


async def test_nothing_is_retried_once_an_answer_began():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(OK)
        await wire.request()
        await wire.send(b"HTTP/1.1 2")
        wire.reset()

    async with between(script) as (upstream, proxy):
        await proxy.ask(b"GET /1")
        assert (await proxy.ask(b"GET /2", ORIGIN)).status == 502
    assert [received.target for received in upstream.requests] == [b"/1", b"/2"]


async def test_upload_whose_beginning_is_gone_is_not_retried_as_something_else():
    """A retry would need the body again; either it is sent whole or the client is told."""
    body = b"x" * 2_000_000

    async def script(wire: ServerWire) -> None:
        if (await wire.request_head()).target == b"/1":
            await wire.send(OK)
            await wire.request_head()
            await wire.read_sized(1_000_000)
            wire.reset()
        else:
            upstream.requests[-1].body = await wire.read_sized(len(body))
            await wire.send(OK)

    async with between(script) as (upstream, proxy):
        await proxy.ask(b"GET /1")
        response = await proxy.ask(b"PUT /2", ORIGIN, body=body)
    assert response.status == 502 or upstream.requests[-1].body == body


LEAK = answer(b"200 OK", b"Set-Cookie: stolen=1", body=b"for somebody else")


@pytest.mark.parametrize("first", [OK, answer(b"204 No Content"), answer(b"304 Not Modified")])
@pytest.mark.parametrize("extra", [LEAK, b"\r\n", b"x", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_bytes_after_the_end_end_the_connection_and_reach_nobody(first, extra):
    """What came unasked would answer the next request of another user."""
    async with between(answering(first + extra)) as (upstream, proxy):
        one = await proxy.ask(b"GET /1")
        upstream.script = answering(OK)
        two = await proxy.ask(b"GET /2")
    assert b"%d" % one.status in first
    assert one.body in {b"ok", b""}
    assert two.body == b"ok"
    assert (one.all(b"set-cookie"), two.all(b"set-cookie")) == ([], [])
    assert len(upstream.connections) == 2


async def test_bytes_that_come_while_the_connection_is_idle_reach_nobody():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(OK)
        await go_on.wait()
        await wire.send(LEAK)
        await wire.until_ended()

    go_on = asyncio.Event()
    async with between(script) as (upstream, proxy):
        await proxy.ask(b"GET /1")
        go_on.set()
        await (await upstream.connection()).until_ended()  # the proxy hung up on it
        upstream.script = answering(OK)
        response = await proxy.ask(b"GET /2")
    assert response.body == b"ok"
    assert response.all(b"set-cookie") == []


async def test_answer_that_is_longer_than_it_said_is_cut_there():
    async with between(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay, and more")) as (upstream, proxy):
        client = await proxy.connect()
        assert (await client.ask(b"GET /1")).body == b"ok"
        upstream.script = answering(OK)
        assert (await client.ask(b"GET /2")).body == b"ok"
        assert client.pending == b""
    assert len(upstream.connections) == 2


async def test_204_with_a_body_leaks_nothing():
    """Framing rule one: a 204 has no body, whatever it says, so these bytes belong to nothing."""
    lie = b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"
    async with between(answering(lie)) as (upstream, proxy):
        client = await proxy.connect()
        first = await client.ask(b"GET /1", ORIGIN)
        assert first.status in {204, 502}
        assert first.status == 502 or first.all(b"content-length") == []  # RFC 9110 8.6 forbids one
        upstream.script = answering(OK)
        assert (await client.ask(b"GET /2")).body == b"ok"
    assert len(upstream.connections) == 2


async def test_head_answer_with_a_body_leaks_nothing():
    async with between(answering(answer(b"200 OK", body=b"a body where none may be"))) as (upstream, proxy):
        client = await proxy.connect()
        assert (await client.ask(b"HEAD /1")).status in {200, 502}
        upstream.script = answering(OK)
        assert (await client.ask(b"GET /2")).body == b"ok"
    assert len(upstream.connections) == 2


async def test_connection_of_an_abandoned_answer_is_not_used_again():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"GET /1"))
        await client.response_head()
        client.close()
        await (await upstream.connection()).until_ended()
        upstream.script = answering(OK)
        assert (await proxy.ask(b"GET /2")).body == b"ok"
    assert len(upstream.connections) == 2


async def test_one_clients_cookies_are_never_anothers():
    """A cookie jar in the proxy would resend them."""
    async with between(answering(answer(b"200 OK", b"Set-Cookie: sid=alice; Path=/"))) as (upstream, proxy):
        await proxy.ask(b"GET /login", b"Cookie: mine=alice", b"Authorization: Bearer alice")
        await proxy.ask(b"GET /data")
    assert upstream.requests[1].named(b"cookie", b"authorization") == []
    assert len(upstream.connections) == 1


async def test_broken_answer_ends_its_connection():
    broken = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnot a size\r\n"
    async with between(answering(broken)) as (upstream, proxy):
        client = await proxy.send(request(b"GET /1"))
        with pytest.raises((TransferError, AssertionError)):
            assert (await client.response()).status != 502
        upstream.script = answering(OK)
        assert (await proxy.ask(b"GET /2")).body == b"ok"
    assert len(upstream.connections) == 2
