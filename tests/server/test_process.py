"""The server: what it opens, what it leaves behind, and how it ends."""

from __future__ import annotations

import asyncio
import socket

import pytest
import trustme

from corsproxy.config.load import load_config
from corsproxy.errors import UnusableCertificate
from corsproxy.server import listening, process
from corsproxy.server.process import Server
from tests.e2e.rig import (
    ORIGIN,
    ClientWire,
    RunningProxy,
    ServerWire,
    TransferError,
    answer,
    answering,
    between,
    config,
    no_surprises,
    request,
    running_proxy,
    silent,
)

OK = answer(b"200 OK", body=b"hello")
NOBODY = "http://127.0.0.1:1"


def server(**settings) -> Server:
    return Server(load_config(config(NOBODY, **settings), "config.yaml", {}))


@pytest.fixture
def opened(monkeypatch):
    """Every socket that a server has opened."""
    sockets: list[socket.socket] = []
    open_sockets = listening.open_sockets

    def recorded(listen, files):
        found = open_sockets(listen, files)
        sockets.extend(found)
        return found

    monkeypatch.setattr(listening, "open_sockets", recorded)
    return sockets


# The start.


@pytest.mark.parametrize("where", ["second", "admin"])
async def test_a_start_that_fails_leaves_nothing_open(opened, tmp_path, where):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        listen = ["127.0.0.1:0", "localhost:0", f"unix:{tmp_path}/proxy.sock"]
        failing = server(listen=[*listen, address]) if where == "second" else server(listen=listen, admin=address)
        with pytest.raises(OSError, match=f"{address}: Address already in use"):
            await failing.start()
    assert len(opened) >= 3
    assert all(sock.fileno() == -1 for sock in opened)
    assert list(tmp_path.iterdir()) == []
    assert (failing.addresses, failing.names) == ([], [])


async def test_a_start_that_fails_leaves_another_process_alone(tmp_path):
    """Two with the same file: the second must not take the first one's unix socket away."""
    path = f"{tmp_path}/proxy.sock"
    async with running_proxy(config(NOBODY, listen=["127.0.0.1:0", f"unix:{path}"])) as proxy:
        address = f"127.0.0.1:{proxy.port}"
        for listen in ([address, f"unix:{path}"], [f"unix:{path}", address]):
            with pytest.raises(OSError, match="Address already in use"):
                await server(listen=listen).start()
        _, client = await asyncio.get_running_loop().create_unix_connection(ClientWire, path)
        assert (await client.ask(b"OPTIONS *")).status == 204
        client.close()


async def test_a_certificate_that_cannot_be_loaded_leaves_nothing_open(opened):
    tls = {"cert": "/missing/cert.pem", "key": "/missing/key.pem"}
    failing = server(listen=["127.0.0.1:0", {"address": "127.0.0.1:0", "tls": tls}])
    with pytest.raises(UnusableCertificate, match=r"0: the certificate /missing/cert.pem or its key cannot be loaded"):
        await failing.start()
    assert [sock.fileno() for sock in opened] == [-1, -1]


async def test_its_names_are_what_one_can_click_on(tmp_path):
    tls = {"cert": f"{tmp_path}/cert.pem", "key": f"{tmp_path}/cert.pem"}
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tls["cert"])
    path = f"unix:{tmp_path}/proxy.sock"
    listen = ["localhost:0", path, {"address": "127.0.0.1:0", "tls": tls}]
    async with running_proxy(config(NOBODY, listen=listen, admin="127.0.0.1:0")) as proxy:
        *local, last = proxy.server.addresses
        shown = [f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}" for host, port in local]
        assert proxy.server.names == [*shown, path, f"https://127.0.0.1:{last[1]}"]
        assert proxy.server.admin_names == [f"http://127.0.0.1:{proxy.server.admin_addresses[0][1]}"]


async def test_nobody_has_to_watch():
    quiet = server(listen="127.0.0.1:0")
    await quiet.start()
    _, client = await asyncio.get_running_loop().create_connection(ClientWire, *quiet.addresses[0])
    assert (await client.ask(b"OPTIONS *")).status == 204
    client.close()
    await quiet.stop()


# The table.


async def test_another_table_is_for_new_requests_alone():
    go_on = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        while True:
            if (await wire.request()).target == b"/slow":
                await go_on.wait()
            await wire.send(OK)

    async with between(script) as (upstream, proxy):
        slow = await proxy.send(request(b"GET /slow", ORIGIN))
        await (await upstream.connection()).until(lambda: upstream.requests)
        other = load_config(config(upstream.url, rule={"path": "/new"}), "config.yaml", {}).table
        proxy.server.table = other
        assert proxy.server.table is other
        assert (await proxy.ask(b"GET /x", ORIGIN)).status == 404
        assert (await proxy.ask(b"GET /new", ORIGIN)).body == b"hello"
        go_on.set()
        response = await slow.response()
    assert (response.body, [name for name, _ in response.cors]) == (b"hello", [b"access-control-allow-origin"])


# The end.


async def stopped(proxy: RunningProxy, drain: float) -> None:
    """Stop well before the patience of tests is over."""
    async with asyncio.timeout(process.DRAIN_SECONDS):
        await proxy.server.stop(drain)


async def test_at_once_when_idle():
    """A connection between two requests, one that never sent any, and one in the middle of a head."""
    async with between(answering(OK)) as (_, proxy):
        kept, unused = await proxy.connect(), await proxy.connect()
        await kept.ask(b"GET /x")
        begun = await proxy.send(b"GET / HT")
        await proxy.ask(b"GET /x")  # by now it has read what was sent before
        await stopped(proxy, 3600)
        for client in (kept, unused, begun):
            assert await client.until_ended() == "closed"
            assert client.pending == b""


async def test_what_is_in_flight_is_finished_and_nothing_more_is_taken():
    go_on = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await go_on.wait()
        await wire.send(OK)

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"GET /first") + request(b"GET /second"))
        await (await upstream.connection()).until(lambda: upstream.requests)
        stopping = asyncio.ensure_future(proxy.server.stop())
        await asyncio.sleep(0)  # it begins
        with pytest.raises(ConnectionRefusedError):
            await asyncio.get_running_loop().create_connection(ClientWire, proxy.host, proxy.port)
        go_on.set()
        assert (await client.response()).one(b"connection") == b"close"
        assert await client.until_ended() == "closed"
        await stopping
    assert [asked.target for asked in upstream.requests] == [b"/first"]


@pytest.mark.parametrize("drain", [0, 0.01])
async def test_what_takes_longer_is_broken_off(drain):
    async with between(silent) as (upstream, proxy):
        client = await proxy.send(request(b"GET /slow"))
        await (await upstream.connection()).until(lambda: upstream.requests)
        await stopped(proxy, drain)
        with pytest.raises(TransferError):
            await client.response()
        (record,) = proxy.exchanges
        assert record.failure
        await upstream.connections[0].until_ended()


async def test_a_tunnel_is_broken_off_too():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        await wire.until_ended()

    async with between(script) as (_, proxy):
        client = await proxy.connect()
        assert (await client.ask(b"GET /ws", b"Connection: Upgrade", b"Upgrade: websocket")).status == 101
        await stopped(proxy, 0)
        await client.until_ended()


async def test_idle_connections_to_the_upstream_are_closed():
    async with between(answering(OK)) as (upstream, proxy):
        await proxy.ask(b"GET /x")
        await stopped(proxy, 0)
        await upstream.connections[0].until_ended()


async def test_a_server_that_never_started_can_be_stopped():
    with no_surprises():
        await server().stop()


# TLS.


async def test_a_tls_handshake_that_does_not_come_is_ended_like_a_head_that_does_not(tmp_path):
    """The loop's own limit would let a silent client hold its connection for a minute."""
    tls = {"cert": f"{tmp_path}/cert.pem", "key": f"{tmp_path}/cert.pem"}
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tls["cert"])
    settings = {"listen": {"address": "127.0.0.1:0", "tls": tls}, "limits": {"request_head_timeout": 0.05}}
    async with running_proxy(config(NOBODY, **settings)) as proxy:
        client = await proxy.connect()
        assert await client.until_ended()
        assert proxy.exchanges == []
