"""The upgrade itself, byte by byte: what passes in the handshake, what is tunnelled, and what is no upgrade at all."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.rig import (
    EVIL,
    GRANT,
    ORIGIN,
    STRANGER,
    ServerWire,
    answer,
    answering,
    between,
    request,
)

HANDSHAKE = (
    b"Connection: keep-alive, Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Extra: 1\r\n\r\n"
)


async def test_rule_without_a_policy_leaves_the_origin_to_the_upstream():
    async with between(answering(SWITCH), policy="none") as (upstream, proxy):
        client = await proxy.connect()
        assert (await client.ask(b"GET /ws", STRANGER, *HANDSHAKE)).status == 101
    assert upstream.requests[0].one(b"origin") == EVIL.encode()


async def test_any_origin_means_any():
    async with between(answering(SWITCH), policy={"allow_origins": ["*"]}) as (_, proxy):
        assert (await (await proxy.connect()).ask(b"GET /ws", STRANGER, *HANDSHAKE)).status == 101


async def test_two_origins_are_nobodys():
    async with between(answering(SWITCH)) as (upstream, proxy):
        assert (await proxy.ask(b"GET /ws", ORIGIN, ORIGIN, *HANDSHAKE)).status == 403
    assert upstream.connections == []


async def test_upstream_that_refuses_the_upgrade_is_relayed():
    refusal = answer(b"401 Unauthorized", b"WWW-Authenticate: Bearer", b"X-Why: token", body=b"no token")
    async with between(answering(refusal)) as (_, proxy):
        client = await proxy.connect()
        response = await client.ask(b"GET /ws", ORIGIN, *HANDSHAKE)
        assert (response.status, response.body, response.one(b"x-why")) == (401, b"no token", b"token")
        assert response.cors == GRANT
        if b"close" not in response.members(b"connection"):
            assert (await client.ask(b"GET /ws", ORIGIN, *HANDSHAKE)).status == 401


async def test_upstream_that_ignores_the_upgrade_is_relayed():
    async with between(answering(answer(b"200 OK", body=b"plain"))) as (_, proxy):
        response = await proxy.ask(b"GET /ws", ORIGIN, *HANDSHAKE)
    assert (response.status, response.body, response.cors) == (200, b"plain", GRANT)


async def test_handshake_heads_pass_and_the_tunnel_is_bytes():
    """What either side sends with its head, or right after it, belongs to the tunnel."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(SWITCH + b"server speaks first;")
        assert await wire.read_exactly(12) == b"client talks"
        await wire.send(b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\x00\xff")
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.connect()
        response = await client.ask(b"GET /ws", ORIGIN, *HANDSHAKE)
        await client.send(b"client talks")
        tunnel = await client.read_until(b"\x00\xff")
        client.close()
        await (await upstream.connection()).until_ended()
    assert response.status == 101
    assert response.members(b"upgrade") == [b"websocket"]
    assert response.members(b"connection") == [b"upgrade"]
    assert response.one(b"x-extra") == b"1"
    assert tunnel == b"server speaks first;\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\x00\xff"
    arrived = upstream.requests[0]
    assert arrived.members(b"upgrade") == [b"websocket"]
    assert b"upgrade" in arrived.members(b"connection")
    assert arrived.one(b"sec-websocket-key") == b"dGhlIHNhbXBsZSBub25jZQ=="


async def test_client_that_talks_before_the_switch_is_heard_after_it():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        assert wire.pending == b""  # not before the upstream agreed to switch
        await wire.send(SWITCH)
        assert await wire.read_exactly(5) == b"early"
        await wire.send(b"heard")
        await wire.until_ended()

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"GET /ws", ORIGIN, *HANDSHAKE) + b"early")
        assert (await client.response()).status == 101
        assert await client.read_exactly(5) == b"heard"


async def test_what_follows_a_refused_handshake_is_no_tunnel():
    """Bytes sent in hope of a switch are read as a request, or not at all; the upstream's next request is honest."""
    early = request(b"GET /smuggled").replace(b"GET", b"\x81GET")
    async with between(answering(answer(b"401 Unauthorized", body=b"no"))) as (upstream, proxy):
        client = await proxy.send(request(b"GET /ws", ORIGIN, *HANDSHAKE) + early)
        assert (await client.response()).status == 401
        await client.until_ended()
        assert not client.pending or client.pending.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    assert [received.target for received in upstream.requests] == [b"/ws"]


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_end_of_either_side_ends_the_other(end):
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(SWITCH)
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        for index, leaver in enumerate(("client", "upstream")):
            client = await proxy.connect()
            await client.ask(b"GET /ws", *HANDSHAKE)
            wire = await upstream.connection(index)
            one, other = (client, wire) if leaver == "client" else (wire, client)
            getattr(one, end)()
            await other.until_ended()


async def test_tunnel_has_no_idle_limit_of_the_request_path():
    """Silence is normal in a WebSocket; limits of heads and keep-alive do not apply to it."""
    limits = {"keepalive_timeout": 0.4, "request_head_timeout": 0.4, "request_body_timeout": 0.4}

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(SWITCH)
        await asyncio.sleep(1)  # what is under test is that no time limit strikes
        await wire.send(b"still here")
        await wire.until_ended()

    async with between(script, limits=limits, timeouts={"response": 0.4, "idle": 0.4}) as (_, proxy):
        client = await proxy.connect()
        await client.ask(b"GET /ws", *HANDSHAKE)
        assert await client.read_exactly(10) == b"still here"


@pytest.mark.parametrize(
    "lines",
    [
        (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        (b"Connection: Upgrade", b"Upgrade: TLS/1.0"),
        (b"Upgrade: websocket",),  # not named in Connection, so not meant for the next hop
        (b"Connection: Upgrade",),
    ],
)
async def test_no_other_upgrade_is_forwarded(lines):
    """h2c smuggling: after a switch, requests would pass unseen."""
    async with between(answering(answer(b"200 OK", body=b"ok"))) as (upstream, proxy):
        response = await proxy.ask(b"GET /x", ORIGIN, *lines)
    assert response.body == b"ok"
    assert upstream.requests[0].named(b"upgrade", b"http2-settings") == []
    assert b"upgrade" not in upstream.requests[0].members(b"connection")


@pytest.mark.parametrize(
    "head", [request(b"POST /ws", *HANDSHAKE, body=b""), request(b"GET /ws", *HANDSHAKE, version=b"1.0")]
)
async def test_handshake_must_be_a_get_of_http_1_1(head):
    """https://www.rfc-editor.org/rfc/rfc6455#section-4.1; HTTP/1.0 has no Upgrade (RFC 9110 7.8)."""
    async with between(answering(answer(b"200 OK", body=b"ok"))) as (upstream, proxy):
        client = await proxy.send(head)
        assert (await client.response()).status in {200, 400}
    assert all(arrived.named(b"upgrade") == [] for arrived in upstream.requests)


async def test_switch_to_something_else_than_was_asked_is_502():
    other = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    async with between(answering(other)) as (_, proxy):
        response = await proxy.ask(b"GET /ws", ORIGIN, *HANDSHAKE)
    assert (response.status, response.cors) == (502, GRANT)


async def test_failures_before_the_switch_are_answers():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        wire.reset()

    async with between(script) as (_, proxy):
        response = await proxy.ask(b"GET /ws", ORIGIN, *HANDSHAKE)
    assert (response.status, response.cors) == (502, GRANT)


async def test_connections_after_a_tunnel_are_new_ones():
    async def script(wire: ServerWire) -> None:
        if (await wire.request()).named(b"upgrade"):
            await wire.send(SWITCH)
            await wire.until_ended()
        await wire.send(answer(b"200 OK", body=b"ok"))

    async with between(script) as (upstream, proxy):
        client = await proxy.connect()
        await client.ask(b"GET /ws", *HANDSHAKE)
        client.close()
        await (await upstream.connection()).until_ended()
        assert (await proxy.ask(b"GET /x")).body == b"ok"
    assert len(upstream.connections) == 2
