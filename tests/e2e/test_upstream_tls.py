"""TLS towards upstreams: whom the proxy believes, what it shows, and what a page and the log hear when that fails."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest
import trustme
import yaml

from corsproxy.config.load import load_config
from corsproxy.errors import UnusableCertificate
from corsproxy.server.process import Server
from tests.e2e.rig import APP, ORIGIN, RawUpstream, answer, answering, running_proxy

OK = answer(b"200 OK", body=b"ok")
GRANT = [(b"access-control-allow-origin", APP.encode())]


class TLSUpstream(RawUpstream):
    """An upstream with a certificate for these names; ``clients`` is the authority of those that it lets in."""

    def __init__(self, authority: trustme.CA, *names: str, clients: trustme.CA | None = None) -> None:
        super().__init__(answering(OK))
        self.asked_for: list[str | None] = []  # by SNI
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.sni_callback = lambda _, name, __: self.asked_for.append(name)
        authority.issue_cert(*names).configure_cert(self.context)
        if clients is not None:
            clients.configure_trust(self.context)
            self.context.verify_mode = ssl.CERT_REQUIRED

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path):
    """The authority's own file, and those of a client that it vouches for."""
    client = authority.issue_cert("client.internal")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    client.private_key_pem.write_to_path(tmp_path / "key.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    return tmp_path


def config(url: str, **tls: Any) -> str:
    rule = {"upstream": "api", "policy": {"allow_origins": [APP]}}
    return yaml.safe_dump({"listen": "127.0.0.1:0", "upstreams": {"api": {"url": url, "tls": tls}}, "rules": [rule]})


async def ask(upstream: RawUpstream, **tls: Any):
    """One request of an allowed page, its answer, and what the log is told."""
    async with running_proxy(config(upstream.named("localhost", "https"), **tls)) as proxy:
        response = await proxy.ask(b"GET /x", ORIGIN)
        (exchange,) = await proxy.recorded()
    return response, exchange.failure


async def test_a_private_authority_is_believed(authority, files):
    async with TLSUpstream(authority, "localhost") as upstream:
        response, failure = await ask(upstream, ca=str(files / "ca.pem"))
    assert (response.body, response.cors, failure) == (b"ok", GRANT, "")
    assert upstream.asked_for == ["localhost"]


async def test_with_an_authority_of_its_own_no_other_is_believed(authority, files, monkeypatch):
    """Not even those of the operating system."""
    other = trustme.CA()
    other.cert_pem.write_to_path(files / "system.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(files / "system.pem"))
    async with TLSUpstream(other, "localhost") as upstream:
        response, failure = await ask(upstream, ca=str(files / "ca.pem"))
    assert (response.status, response.cors) == (502, GRANT)
    assert "unable to get local issuer certificate" in failure


async def test_an_unknown_authority_is_502_that_a_page_can_read_and_the_log_explains(authority):
    async with TLSUpstream(authority, "localhost") as upstream:
        response, failure = await ask(upstream)
    assert (response.status, response.cors) == (502, GRANT)
    assert response.body.endswith(b"its certificate is not accepted\n")
    assert f"(https://localhost:{upstream.port}: unable to get local issuer certificate)" in failure
    assert upstream.requests == []


async def test_the_name_of_the_certificate_may_be_another_than_the_urls(authority, files):
    async with TLSUpstream(authority, "orders.internal") as upstream:
        response, _ = await ask(upstream, ca=str(files / "ca.pem"), server_name="orders.internal")
        refused, failure = await ask(upstream, ca=str(files / "ca.pem"))
    assert (response.body, refused.status) == (b"ok", 502)
    assert upstream.asked_for == ["orders.internal", "localhost"]
    assert upstream.requests[0].one(b"host") == b"localhost:%d" % upstream.port
    assert "Hostname mismatch, certificate is not valid for 'localhost'" in failure


async def test_without_verification_anybody_may_pose_as_the_upstream():
    async with TLSUpstream(trustme.CA(), "elsewhere.example") as upstream:
        response, _ = await ask(upstream, verify=False)
    assert response.body == b"ok"


@pytest.mark.parametrize("shown", [{"cert": "client.pem"}, {"cert": "cert.pem", "key": "key.pem"}])
async def test_an_upstream_may_ask_for_a_certificate(authority, files, shown):
    paths = {key: str(files / name) for key, name in shown.items()}
    async with TLSUpstream(authority, "localhost", clients=authority) as upstream:
        response, _ = await ask(upstream, ca=str(files / "ca.pem"), **paths)
        assert response.body == b"ok"


async def test_an_upstream_that_misses_the_certificate_is_502_and_the_log_says_so(authority, files):
    """OpenSSL's own socket tells the client why; asyncio's server just closes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    def refuse(listening: socket.socket) -> None:
        accepted, _ = listening.accept()
        with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as secured:
            with pytest.raises(ssl.SSLError):
                secured.do_handshake()
            while socket.socket.recv(secured, 4096):  # to close now would reset the connection, and the reason with it
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://localhost:{listening.getsockname()[1]}"
        async with running_proxy(config(url, ca=str(files / "ca.pem"))) as proxy:
            refusing = asyncio.ensure_future(asyncio.to_thread(refuse, listening))
            response = await proxy.ask(b"GET /x", ORIGIN)
            await refusing
            (exchange,) = await proxy.recorded()
    assert (response.status, response.cors) == (502, GRANT)
    assert "certificate required" in exchange.failure


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ({"ca": "nowhere.pem"}, "the upstream api: the authorities in nowhere.pem cannot be loaded ("),
        ({"ca": "nonsense.pem"}, "the upstream api: the authorities in nonsense.pem cannot be loaded ("),
        ({"cert": "nowhere.pem"}, "the upstream api: the certificate nowhere.pem or its key cannot be loaded ("),
        ({"cert": "cert.pem"}, "the upstream api: the certificate cert.pem or its key cannot be loaded ("),
    ],
)
async def test_files_that_cannot_be_used_are_told_before_anything_listens(files, monkeypatch, tls, said):
    (files / "nonsense.pem").write_text("nonsense")
    monkeypatch.chdir(files)
    server = Server(load_config(config("https://api.internal", **tls), "config.yaml", {}))
    with pytest.raises(UnusableCertificate) as raised:
        await server.start()
    assert str(raised.value).startswith(said)
    assert server.addresses == []
