"""Certificates on both sides: an upstream that cannot prove who it is gets nothing, and clients are served over TLS."""

import contextlib
import http.client
import ssl
import threading
from http.server import ThreadingHTTPServer

import pytest
import trustme

from corsproxy.conformance.engines import free_port, running
from corsproxy.tools.exporting.features import Feature
from corsproxy.tools.exporting.targets import TARGETS, export
from corsproxy.tools.written_config import WrittenConfig
from tests.engines import installed
from tests.tools.exporting.alike import Upstream

TABLE = """
listen: {listen}
upstreams:
  good: {{url: "https://localhost:{port}", tls: {{ca: {ca}, server_name: api.internal}}}}
  stranger: {{url: "https://localhost:{port}", tls: {{ca: {other}, server_name: api.internal}}}}
  renamed: {{url: "https://localhost:{port}", tls: {{ca: {ca}, server_name: other.internal}}}}
  certified: {{url: "https://localhost:{port}", tls: {{ca: {ca}, server_name: api.internal, cert: {cert}}}}}
  unverified: {{url: "https://localhost:{port}", tls: {{verify: false}}}}
rules:
  - {{path: /good, upstream: good, policy: none}}
  - {{path: /stranger, upstream: stranger, policy: none}}
  - {{path: /renamed, upstream: renamed, policy: none}}
  - {{path: /certified, upstream: certified, policy: none}}
  - {{path: /unverified, upstream: unverified, policy: none}}
"""


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    folder.chmod(0o755)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "other.pem"))
    own = authority.issue_cert("proxy.internal", "127.0.0.1")
    own.private_key_and_cert_chain_pem.write_to_path(str(folder / "own.pem"))
    return {"ca": folder / "ca.pem", "other": folder / "other.pem", "cert": folder / "own.pem"}


@pytest.fixture(scope="module")
def secure(authority):
    """An https upstream by the name api.internal; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.internal").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # a client that does not trust it breaks off
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy", "envoy"])
def test_an_upstream_has_to_prove_who_it_is(name, files, secure, tmp_path):
    engine, port, target = installed(name), free_port(), TARGETS[name]
    serves_tls = Feature.LISTEN_TLS in target.kept
    own = f"{{address: '127.0.0.1:{port}', tls: {{cert: {files['cert']}, key: {files['cert']}}}}}"
    text = TABLE.format(listen=own if serves_tls else f"127.0.0.1:{port}", port=secure, **files)
    result = export(WrittenConfig.read(text, "config.yaml", {}), target)
    assert result.differences == ()
    trusting = ssl.create_default_context(cafile=str(files["ca"])) if serves_tls else None
    with running(engine, result.text, ("127.0.0.1", port), tmp_path):
        found = {
            path: status(port, path, trusting) for path in ("good", "stranger", "renamed", "certified", "unverified")
        }
    assert {path for path, code in found.items() if code == 200} == {"good", "certified", "unverified"}
    assert {code for code in found.values() if code != 200} <= {502, 503}


def status(port, path, trusting):
    if trusting is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=trusting)
    with contextlib.closing(connection):
        connection.request("GET", f"/{path}")
        return connection.getresponse().status
