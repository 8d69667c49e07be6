"""The admin listener: health, on an address of its own."""

from __future__ import annotations

import asyncio

import pytest

from corsproxy.server.admin import Admin
from corsproxy.server.colleagues import Alone
from corsproxy.server.sockets import bound
from tests.e2e.rig import ClientWire, RunningProxy, ServerWire, answer, answering, between, request

OK = answer(b"200 OK", body=b"the upstream's")


async def admin_client(proxy: RunningProxy) -> ClientWire:
    """A connection to the admin listener; it is closed with the proxy."""
    host, port = proxy.server.admin_addresses[0]
    _, client = await asyncio.get_running_loop().create_connection(ClientWire, host, port)
    proxy._clients.append(client)
    return client


@pytest.mark.parametrize("path", [b"/livez", b"/readyz"])
async def test_a_process_that_serves_is_alive_and_ready(path):
    async with between(answering(OK), admin="127.0.0.1:0") as (_, proxy):
        client = await admin_client(proxy)
        response = await client.ask(b"GET " + path)
        assert (response.status, response.body) == (200, b"ok\n")
        assert (await client.ask(b"GET /other")).status == 404


async def test_the_proxied_address_shows_nothing_of_it_and_the_other_way_round():
    async with between(answering(OK), admin="127.0.0.1:0") as (_, proxy):
        assert (await proxy.ask(b"GET /readyz")).body == b"the upstream's"
        client = await admin_client(proxy)
        await client.ask(b"GET /livez")
        assert [record.target for record in await proxy.recorded()] == [b"/readyz"]


async def test_while_it_drains_it_lives_and_is_not_ready():
    go_on = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await go_on.wait()
        await wire.send(OK)

    async with between(script, admin="127.0.0.1:0") as (upstream, proxy):
        admin, slow = await admin_client(proxy), await proxy.send(request(b"GET /slow"))
        await (await upstream.connection()).until(lambda: upstream.requests)
        stopping = asyncio.ensure_future(proxy.server.stop())
        await asyncio.sleep(0)  # it begins
        ready, alive = await admin.ask(b"GET /readyz"), await admin.ask(b"GET /livez")
        assert (ready.status, ready.body) == (503, b"draining\n")
        assert alive.status == 200
        go_on.set()
        assert (await slow.response()).status == 200
        await stopping
        assert await admin.until_ended()  # an idle connection to it does not hold up the end


async def test_without_it_there_is_no_address():
    async with between(answering(OK)) as (_, proxy):
        assert proxy.server.admin_addresses == []
        assert proxy.server.admin_names == []


async def test_localhost_is_both_families_here_too():
    async with between(answering(OK), admin="localhost:0") as (_, proxy):
        addresses = proxy.server.admin_addresses
        assert len({port for _, port in addresses}) == 1
        assert proxy.server.admin_names[0] == f"http://127.0.0.1:{addresses[0][1]}"
        assert len(proxy.server.admin_names) == len(addresses)


async def test_on_a_unix_socket(tmp_path):
    path = f"{tmp_path}/admin.sock"
    async with between(answering(OK), admin=f"unix:{path}") as (_, proxy):
        assert (proxy.server.admin_addresses, proxy.server.admin_names) == ([], [f"unix:{path}"])
        _, client = await asyncio.get_running_loop().create_unix_connection(ClientWire, path)
        assert (await client.ask(b"GET /readyz")).body == b"ok\n"
        client.close()
    assert list(tmp_path.iterdir()) == []


async def test_what_is_no_http_leaves_no_trace_in_the_log(caplog):
    """aiohttp logs a stack trace for each; a port scan must not fill a disk."""
    async with between(answering(OK), admin="127.0.0.1:0") as (_, proxy):
        for rubbish in (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"\xff\xff\r\n\r\n"):
            client = await admin_client(proxy)
            await (await client.send(rubbish)).until_ended()
    assert caplog.records == []


async def test_a_bug_of_its_own_is_logged(monkeypatch, caplog):
    async def broken(self, request):
        raise RuntimeError("planted")

    monkeypatch.setattr(Admin, "_live", broken)
    admin = Admin([bound("127.0.0.1", 0)], ["admin"], Alone())
    await admin.start()
    _, client = await asyncio.get_running_loop().create_connection(ClientWire, *admin.addresses[0])
    assert (await client.ask(b"GET /livez")).status == 500
    client.close()
    await admin.stop()
    assert "planted" in caplog.text
