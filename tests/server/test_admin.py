"""The admin listener: health, on an address of its own."""

from __future__ import annotations

import asyncio
import json

import pytest

from corsproxy.config.load import load_config
from corsproxy.server.admin import Admin
from corsproxy.server.colleagues import Alone, Gathered, State
from corsproxy.server.sockets import bound
from tests.e2e.rig import (
    ORIGIN,
    ClientWire,
    RunningProxy,
    ServerWire,
    answer,
    answering,
    between,
    config,
    request,
)

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
    admin = Admin([bound("127.0.0.1", 0)], ["admin"], Alone(), dict)
    await admin.start()
    _, client = await asyncio.get_running_loop().create_connection(ClientWire, *admin.addresses[0])
    assert (await client.ask(b"GET /livez")).status == 500
    client.close()
    await admin.stop()
    assert "planted" in caplog.text


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS"])
async def test_it_is_read_only(method):
    async with between(answering(OK), admin="127.0.0.1:0") as (_, proxy):
        client = await admin_client(proxy)
        for path in (b"/livez", b"/readyz", b"/metrics", b"/config"):
            response = await client.ask(method + b" " + path, ORIGIN, b"Access-Control-Request-Method: GET")
            assert response.status == 405
            assert not any(name.startswith(b"access-control-") for name, _ in response.cors)
            assert response.one(b"allow") == b"GET,HEAD"


@pytest.mark.parametrize("path", [b"/livez", b"/readyz", b"/metrics", b"/config", b"/missing"])
async def test_no_page_can_read_frame_or_keep_it(path):
    async with between(answering(OK), admin="127.0.0.1:0") as (_, proxy):
        client = await admin_client(proxy)
        response = await client.ask(b"GET " + path, ORIGIN)
        assert [name for name, _ in response.cors] == [b"cross-origin-resource-policy"]
        assert response.one(b"cache-control") == b"no-store"
        assert response.one(b"x-content-type-options") == b"nosniff"
        assert response.one(b"content-security-policy") == b"default-src 'none'; frame-ancestors 'none'"
        assert response.one(b"cross-origin-resource-policy") == b"same-origin"
        assert response.one(b"server") == b"corsproxy"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"127.0.0.1:9901", 200),
        (b"localhost", 200),
        (b"[::1]:9901", 200),
        (b"10.1.2.3:9901", 200),
        (b"corsproxy:9901", 200),
        (b"evil.test:9901", 421),
        (b"127.0.0.1.nip.io", 421),
        (b"user@localhost", 421),
    ],
)
async def test_a_name_that_anybody_may_point_here_is_misdirected(host, status):
    """DNS rebinding: the page of such a name would be same-origin with the metrics."""
    async with between(answering(OK), admin="127.0.0.1:0") as (_, proxy):
        client = await admin_client(proxy)
        for path in (b"/livez", b"/config"):
            assert (await client.ask(b"GET " + path, b"Host: " + host)).status == status


async def test_readiness_tells_more_to_who_asks():
    async with between(answering(OK), admin="127.0.0.1:0") as (_, proxy):
        client = await admin_client(proxy)
        verbose = await client.ask(b"GET /readyz?verbose")
        assert verbose.body.splitlines()[:3] == [b"ready: yes", b"reasons: none", b"workers: 1"]
        report = json.loads((await client.ask(b"GET /readyz", b"Accept: application/json")).body)
        assert (report["ready"], report["reasons"], report["workers"]) == (True, [], 1)


async def test_a_refused_file_is_told_and_takes_nothing_out_of_service():
    class Refusing(Alone):
        async def gather(self):
            return Gathered(State(refused=("config.yaml:1:1: no",)), ())

    admin = Admin([bound("127.0.0.1", 0)], ["admin"], Refusing(), dict)
    await admin.start()
    _, client = await asyncio.get_running_loop().create_connection(ClientWire, *admin.addresses[0])
    said = await client.ask(b"GET /readyz?verbose")
    client.close()
    await admin.stop()
    assert said.status == 200
    assert b"refused_config: config.yaml:1:1: no\n" in said.body


async def test_while_it_drains_it_says_so_in_json_too():
    admin = Admin([bound("127.0.0.1", 0)], ["admin"], Alone(), dict)
    await admin.start()
    admin.draining = True
    _, client = await asyncio.get_running_loop().create_connection(ClientWire, *admin.addresses[0])
    said = await client.ask(b"GET /readyz", b"Accept: application/json")
    client.close()
    await admin.stop()
    assert (said.status, json.loads(said.body)["reasons"]) == (503, ["draining"])


async def test_the_configuration_is_shown_without_its_secrets():
    rule = {
        "headers": {"request": {"set": {"X-Api-Key": "s3cret"}, "remove": ["X-Debug"]}},
        "cookies": {"domain": "remove"},
        "forward_host": "preserve",
        "forward_origin": "https://api.example.com",
    }
    async with between(answering(OK), admin="127.0.0.1:0", rule=rule) as (upstream, proxy):
        client = await admin_client(proxy)
        body = (await client.ask(b"GET /config")).body
        assert b"s3cret" not in body
        shown = json.loads(body)
        (rule,) = shown["rules"]
        assert rule["headers"]["request"] == {"removed": ["x-api-key", "x-debug"], "added": ["X-Api-Key: ***"]}
        assert (rule["forward_host"], rule["forward_origin"]) == ("preserve", "https://api.example.com")
        assert rule["upstream"]["endpoints"] == [upstream.url]
        assert rule["policy"]["allow_origins"] == ["https://app.example.com"]
        other = load_config(config(upstream.url, policy="none", rule={"path": "/new"}), "config.yaml", {}).table
        proxy.server.table = other
        (rule,) = json.loads((await client.ask(b"GET /config")).body)["rules"]
        assert (rule["path"], rule["policy"], rule["forward_host"]) == ("/new", "none", "upstream")
