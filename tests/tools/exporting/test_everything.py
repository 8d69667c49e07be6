"""What a target says that it keeps, its own parser reads: each piece of a configuration, wherever the target has it."""

import pytest
import trustme

from corsproxy.conformance.engines import free_port
from corsproxy.tools.exporting.features import Feature
from corsproxy.tools.exporting.targets import TARGETS, export
from corsproxy.tools.written_config import WrittenConfig
from tests.engines import installed

# Pieces by what they ask for: rules with their upstreams, and listeners.
RULES = {
    Feature.MANY_URLS: "{urls: ['http://127.0.0.1:1', 'http://127.0.0.1:2']} | forward_host: api.example.com",
    Feature.EACH_AUTHORITY: "{urls: ['http://127.0.0.1:1', 'http://127.0.0.1:2']} | policy: none",
    Feature.UNIX_UPSTREAM: "{url: 'unix:/run/api.sock'} | policy: none",
    Feature.HTTPS_UPSTREAM: "{url: 'https://127.0.0.1:1'} | policy: none",
    Feature.CLIENT_CERTIFICATE: "{url: 'https://localhost:1',"
    " tls: {ca: CERT, cert: CERT, key: CERT, server_name: a}} | policy: p",
    Feature.HEALTH_CHECK: "{url: 'http://[::1]:1',"
    " health_check: {path: '/a?b', interval: 500ms, timeout: 100ms}} | policy: p",
    Feature.TOTAL: "{url: 'http://127.0.0.1:1', timeouts: {total: 1m, connect: none, response: none}} | policy: p",
    Feature.RESPONSE_TIMEOUT: "{url: 'http://127.0.0.1:1', timeouts: {response: 5s}} | policy: p",
    Feature.FORWARD_HOST: "{url: 'http://127.0.0.1:1'} | forward_host: preserve",
    Feature.MAX_REQUEST_BODY: "{url: 'http://127.0.0.1:1'} | limits: {max_request_body: 1MiB}",
    Feature.MAX_RESPONSE_BODY: "{url: 'http://127.0.0.1:1'} | limits: {max_response_body: 1MiB}",
    Feature.ADDED_HEADERS: "{url: 'http://127.0.0.1:1'} |"
    " headers: {request: {add: {X-A: [b, c]}}, response: {add: {X-D: [e, f]}}}",
    Feature.COOKIES: "{url: 'http://127.0.0.1:1'} | cookies: {secure: true}",
    Feature.FORWARD_ORIGIN: "{url: 'http://127.0.0.1:1'} | forward_origin: remove",
    Feature.EXPOSES_ALL: "{url: 'http://127.0.0.1:1'} | policy: {allow_origins: [https://a.b], allow_credentials: true,"
    " expose_headers: '*'}",
    Feature.NO_CACHE: "{url: 'http://127.0.0.1:1'} | policy: {allow_origins: [https://a.b], max_age: 0}",
}
LISTENERS = {
    Feature.LISTEN_UNIX: "unix:FOLDER/proxy.sock",
    Feature.LISTEN_TLS: "{address: '127.0.0.1:PORT', tls: {cert: CERT, key: CERT}}",
    Feature.CLIENT_CA: "{address: '127.0.0.1:PORT', tls: {cert: CERT, key: CERT, client_ca: CERT}}",
}
TOPS = {
    Feature.TRUSTED_PROXIES: "trusted_proxies: [10.0.0.0/8]",
    Feature.REQUEST_ID: "request_id: {header: X-Id}",
}


def together(kept):
    """The listeners that may stand beside each other."""
    found = [feature for feature in LISTENERS if feature in kept]
    if Feature.CLIENT_CA in kept and Feature.DIFFERENT_TLS not in kept:
        found.remove(Feature.LISTEN_TLS)
    if Feature.CLIENT_CA in kept and Feature.MIXED_TLS not in kept:
        found.remove(Feature.LISTEN_UNIX)
    return found


def table(kept):
    """A configuration of everything that is kept."""
    rules, upstreams = [], []
    for feature, piece in RULES.items():
        if feature in kept:
            upstream, rule = piece.split(" | ")
            name = feature.name.lower()
            upstreams.append(f"  {name}: {upstream}")
            policy = "" if rule.startswith("policy:") else "policy: p, "
            rules.append(f"  - {{path: /{name}, upstream: {name}, {policy}{rule}}}")
    listeners = [f"  - {LISTENERS[feature]}" for feature in together(kept)]
    tops = [top for feature, top in TOPS.items() if feature in kept]
    listen = ["listen:", *listeners] if listeners else []
    policies = ["policies:", "  p: {allow_origins: [https://a.b]}"]
    return "\n".join([*listen, *tops, *policies, "upstreams:", *upstreams, "rules:", *rules])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "cert.pem"))
    return str(folder / "cert.pem")


@pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy", "envoy"])
def test_the_parser_reads_everything_that_is_kept(name, certificate, tmp_path):
    engine, target = installed(name), TARGETS[name]
    text = table(target.kept).replace("CERT", certificate).replace("FOLDER", str(tmp_path))
    while "PORT" in text:
        text = text.replace("PORT", str(free_port()), 1)
    result = export(WrittenConfig.read(text, "config.yaml", {}), target)
    assert [str(difference) for difference in result.differences] == []
    assert engine.complaint(result.text, tmp_path) == ""


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_is_not_kept_is_a_difference(name, certificate):
    target = TARGETS[name]
    for feature, piece in RULES.items():
        if feature not in target.kept:
            text = table({feature}).replace("CERT", certificate)
            assert export(WrittenConfig.read(text, "config.yaml", {}), target).differences, piece
