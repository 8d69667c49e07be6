"""WebSockets: a byte tunnel after the handshake, and a handshake that obeys the rule's origins."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.e2e.rig import (
    APP,
    EVIL,
    PATIENCE,
    config,
    running_proxy,
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


async def echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


@contextlib.asynccontextmanager
async def conversation(handler=echo, *, origin: str | None = APP, path: str = "/ws?room=1", **options):
    """A client of the websockets package, through the proxy, to a server of the websockets package."""
    async with serve(handler, "127.0.0.1", 0, ping_interval=None, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with running_proxy(config(f"http://127.0.0.1:{port}")) as proxy, asyncio.timeout(PATIENCE):
            url = f"ws://127.0.0.1:{proxy.port}{path}"
            async with connect(
                url, origin=Origin(origin) if origin else None, ping_interval=None, max_size=None, proxy=None, **options
            ) as client:
                yield client


async def test_text_and_binary_messages_pass_both_ways():
    async with conversation() as client:
        for message in ("hello", "häßlich \N{GRINNING FACE}", b"\x00\xff" * 10, "", b""):
            await client.send(message)
            assert await client.recv() == message


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_large_messages_pass(compression):
    """No limit and no re-framing of the proxy's own; extensions are between the two ends."""
    message = bytes(range(256)) * 20_000
    async with conversation(compression=compression) as client:
        await client.send(message)
        assert await client.recv() == message


async def test_ping_reaches_the_other_end():
    async with conversation() as client:
        await (await client.ping(b"data"))


async def test_close_codes_pass_both_ways():
    closed: asyncio.Future[tuple[int | None, str]] = asyncio.get_running_loop().create_future()

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()
        closed.set_result((connection.close_code, connection.close_reason or ""))

    async with conversation(handler) as client:
        await client.close(4001, "enough")
        assert await closed == (4001, "enough")


async def test_close_code_of_the_server_reaches_the_client():
    async def handler(connection: ServerConnection) -> None:
        await connection.close(1008, "policy")

    async with conversation(handler) as client:
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1008, "policy")


async def test_subprotocol_path_and_query_are_the_upstreams_business():
    seen: list[tuple[str, str | None]] = []

    async def handler(connection: ServerConnection) -> None:
        assert connection.request
        seen.append((connection.request.path, connection.request.headers.get("Origin")))

    async with serve(handler, "127.0.0.1", 0, subprotocols=["chat.v2"]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with running_proxy(config(f"http://127.0.0.1:{port}")) as proxy:
            url = f"ws://127.0.0.1:{proxy.port}/ws?a=%20b"
            async with connect(url, origin=Origin(APP), subprotocols=["chat.v1", "chat.v2"], proxy=None) as client:
                assert client.subprotocol == "chat.v2"
    assert seen == [("/ws?a=%20b", APP)]


async def test_many_messages_under_backpressure():
    count = 2_000

    async def handler(connection: ServerConnection) -> None:
        for index in range(count):
            await connection.send(b"%08d" % index * 100)
        await connection.recv()

    async with conversation(handler) as client:
        received = [await client.recv() for _ in range(count)]
        await client.send("done")
    assert received == [b"%08d" % index * 100 for index in range(count)]


async def refused(origin: str | None, **settings) -> tuple[InvalidStatus, int]:
    """How a handshake is refused, and how many connections the upstream saw."""
    reached: list[ServerConnection] = []

    async def handler(connection: ServerConnection) -> None:
        reached.append(connection)

    async with serve(handler, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with running_proxy(config(f"http://127.0.0.1:{port}", **settings)) as proxy:
            with pytest.raises(InvalidStatus) as caught:
                await connect(f"ws://127.0.0.1:{proxy.port}/ws", origin=Origin(origin) if origin else None, proxy=None)
    return caught.value, len(reached)


@pytest.mark.parametrize("origin", [EVIL, "null", "https://app.example.com.evil.net", "http://app.example.com"])
@pytest.mark.parametrize("on_denied", ["forward", "reject"])
async def test_denied_origin_is_403_and_the_upstream_never_sees_it(origin, on_denied):
    """Cross-site WebSocket hijacking: browsers apply no CORS to handshakes, so this proxy must."""
    error, reached = await refused(origin, policy={"allow_origins": [APP], "on_denied": on_denied})
    assert error.response.status_code == 403
    assert not [name for name, _ in error.response.headers.raw_items() if name.lower().startswith("access-control")]
    assert reached == 0


async def test_client_without_an_origin_is_no_page():
    async with conversation(origin=None) as client:
        await client.send("hello")
        assert await client.recv() == "hello"
