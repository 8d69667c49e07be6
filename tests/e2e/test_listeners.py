"""Where the proxy listens and how it reaches upstreams: families, sockets, TLS, and a table that is replaced."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
import trustme

from corsproxy.config.load import load_config
from corsproxy.server.process import Server
from tests.e2e.rig import (
    EVIL,
    GRANT,
    ORIGIN,
    STRANGER,
    ClientWire,
    RawUpstream,
    ServerWire,
    answer,
    answering,
    between,
    config,
    request,
    running_proxy,
)

OK = answer(b"200 OK", body=b"ok")


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback here")


async def test_every_listener_serves_the_same_table(tmp_path):
    listen = ["127.0.0.1:0", "127.0.0.1:0", f"unix:{tmp_path}/proxy.sock"]
    async with between(answering(OK), listen=listen) as (_, proxy):
        for index in range(2):
            client = await proxy.connect(index)
            assert (await client.ask(b"GET /x", ORIGIN)).cors == GRANT
        loop = asyncio.get_running_loop()
        _, client = await loop.create_unix_connection(ClientWire, f"{tmp_path}/proxy.sock")
        assert (await client.ask(b"GET /x", ORIGIN)).cors == GRANT
        client.close()
        assert len(proxy.server.addresses) == 2
    assert list(tmp_path.iterdir()) == []  # the socket is gone with the process


@needs_ipv6
async def test_localhost_is_both_families_on_one_port():
    """HPM PR #783, Vite #23312: a page on localhost may arrive by either."""
    async with between(answering(OK), listen="localhost:0") as (_, proxy):
        hosts = {host for host, _ in proxy.server.addresses}
        ports = {port for _, port in proxy.server.addresses}
        for index in range(len(proxy.server.addresses)):
            assert (await (await proxy.connect(index)).ask(b"GET /x")).body == b"ok"
    assert hosts == {"127.0.0.1", "::1"}
    assert len(ports) == 1


@needs_ipv6
async def test_ipv6_listener():
    async with between(answering(OK), listen="[::1]:0") as (upstream, proxy):
        client = await proxy.connect()
        assert (await client.ask(b"GET /x", b"Host: [::1]:%d" % proxy.port)).body == b"ok"
    assert b"::1" in upstream.requests[0].one(b"x-forwarded-for")


async def test_upstream_on_localhost_is_found_whichever_family_it_listens_on():
    async with RawUpstream(answering(OK)) as upstream, running_proxy(config(upstream.named("localhost"))) as proxy:
        assert (await proxy.ask(b"GET /x")).body == b"ok"
    assert upstream.requests[0].one(b"host") == b"localhost:%d" % upstream.port


async def test_address_in_use_is_an_oserror_that_leaves_nothing_open():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        listen = ["127.0.0.1:0", f"127.0.0.1:{port}"]
        server = Server(load_config(config("http://127.0.0.1:1", listen=listen), "config.yaml", {}))
        with pytest.raises(OSError, match=str(port)):
            await server.start()
    assert server.addresses == []


async def test_proxy_can_be_stopped_twice():
    async with between(answering(OK)) as (_, proxy):
        await proxy.server.stop()
        await proxy.server.stop()


async def test_new_table_serves_new_requests_and_the_old_one_those_under_way():
    """``table`` is read once for each request, so no answer mixes two configurations."""
    go_on = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        while True:
            if (await wire.request()).target == b"/slow":
                await go_on.wait()
            await wire.send(OK)

    async with between(script) as (upstream, proxy):
        slow, kept = await proxy.send(request(b"GET /slow", ORIGIN)), await proxy.connect()
        assert (await kept.ask(b"GET /x", ORIGIN)).cors == GRANT
        await (await upstream.connection()).until(lambda: upstream.requests)
        new = load_config(config(upstream.url, policy={"allow_origins": [EVIL]}), "config.yaml", {})
        proxy.server.table = new.table
        assert (await kept.ask(b"GET /x", ORIGIN)).cors == []
        assert (await kept.ask(b"GET /x", STRANGER)).cors == [(b"access-control-allow-origin", EVIL.encode())]
        go_on.set()
        assert (await slow.response()).cors == GRANT


# TLS; what upstreams show and ask for is in test_upstream_tls.py.


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    """The authority is one that this machine trusts."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


class TLSUpstream(RawUpstream):
    """An upstream that speaks TLS with a certificate for these names."""

    def __init__(self, script, authority, *names: str) -> None:
        super().__init__(script)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self.context)

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self


async def test_tls_upstream_is_verified_and_asked_by_its_name(authority, trusted):
    async with (
        TLSUpstream(answering(OK), authority, "localhost") as upstream,
        running_proxy(config(upstream.named("localhost", "https"))) as proxy,
    ):
        assert (await proxy.ask(b"GET /x", ORIGIN)).body == b"ok"
        assert (await proxy.ask(b"GET /y", ORIGIN)).body == b"ok"
    assert len(upstream.connections) == 1
    assert upstream.requests[0].one(b"host") == b"localhost:%d" % upstream.port


async def test_plain_upstream_that_is_asked_for_tls_is_502():
    async def script(wire: ServerWire) -> None:
        await wire.until(lambda: wire.received)  # a ClientHello, to which an HTTP server says:
        await wire.send(answer(b"400 Bad Request", b"Connection: close"))
        wire.close()

    async with RawUpstream(script) as upstream, running_proxy(config(upstream.named("127.0.0.1", "https"))) as proxy:
        response = await proxy.ask(b"GET /x", ORIGIN)
    assert (response.status, response.cors) == (502, GRANT)


async def test_tls_listener(authority, tmp_path):
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(tmp_path / "cert.pem"), append=True)
    tls = {"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with between(answering(OK), listen={"address": "127.0.0.1:0", "tls": tls}) as (upstream, proxy):
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(
            ClientWire, "127.0.0.1", proxy.port, ssl=context, server_hostname="localhost"
        )
        host = b"Host: localhost:%d" % proxy.port
        response = await client.ask(b"GET /x", host, ORIGIN)
        same = await client.ask(b"POST /x", host, b"Origin: https://localhost:%d" % proxy.port, body=b"")
        client.close()
        await client.until_ended()
    assert (response.body, response.cors, same.status) == (b"ok", GRANT, 200)
    assert upstream.requests[0].one(b"x-forwarded-proto") == b"https"
