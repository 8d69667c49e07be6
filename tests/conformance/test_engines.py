"""Engines as processes: found, started, judged by their own parsers, and ended with all that they started."""

import os
import socket

import pytest

from corsproxy.conformance.engines import ENGINES, Engine, free_port, running
from corsproxy.conformance.engines.engine import beside_python, system_program
from corsproxy.conformance.target import Broken
from tests.engines import installed

TEXTS = {  # a configuration of each that answers 418 to everything
    "envoy": (
        "static_resources: {{listeners: [{{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}, "
        "filter_chains: [{{filters: [{{name: hcm, typed_config: {{'@type': type.googleapis.com/envoy.extensions."
        "filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: x, route_config: "
        "{{virtual_hosts: [{{name: x, domains: ['*'], routes: [{{match: {{prefix: /}}, direct_response: "
        "{{status: 418}}}}]}}]}}, http_filters: [{{name: router, typed_config: {{'@type': type.googleapis.com/envoy."
        "extensions.filters.http.router.v3.Router}}}}]}}}}]}}]}}]}}"
    ),
    "nginx": "server {{ listen 127.0.0.1:{port}; return 418; }}",
    "haproxy": (
        "defaults\n  mode http\n  timeout client 5s\nfrontend f\n  bind 127.0.0.1:{port}\n"
        "  http-request return status 418\n"
    ),
    "caddy": (
        '{{"apps": {{"http": {{"servers": {{"s": {{"listen": ["127.0.0.1:{port}"], "routes": '
        '[{{"handle": [{{"handler": "static_response", "status_code": 418}}]}}]}}}}}}}}}}'
    ),
}
names = pytest.mark.parametrize("name", sorted(ENGINES))


@names
def test_an_engine_serves_until_it_is_stopped(name, tmp_path):
    engine, port = installed(name), free_port()
    with (
        running(engine, TEXTS[name].format(port=port), ("127.0.0.1", port), tmp_path),
        socket.create_connection(("127.0.0.1", port), timeout=20) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b" 418 " in client.recv(100)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=20)


@names
def test_its_own_parser_says_what_is_wrong(name, tmp_path):
    engine = installed(name)
    assert engine.complaint(TEXTS[name].format(port=free_port()), tmp_path) == ""
    assert engine.complaint("nonsense {", tmp_path)
    assert any(digit in engine.print_version() for digit in "0123456789")


def test_an_engine_that_ends_at_once_has_last_words(tmp_path):
    engine = installed("nginx")
    with (
        pytest.raises(Broken, match=r"nginx ended with 1: .*nonsense"),
        running(engine, "nonsense;", ("127.0.0.1", free_port()), tmp_path),
    ):
        pass


def test_what_does_not_listen_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("corsproxy.conformance.process._PATIENCE", 0.5)
    deaf = Engine(
        "deaf", "Deaf", lambda: "/bin/sh", "", "x", lambda sh, *_: [sh, "-c", "echo $$; exec sleep 60"], _no, ()
    )
    with pytest.raises(Broken, match="does not listen"), running(deaf, "", ("127.0.0.1", free_port()), tmp_path):
        pass
    pid = int((tmp_path / "Deaf.log").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_is_not_installed_says_how_to_get_it():
    absent = Engine("absent", "Absent", lambda: "", "write it", "x", _no, _no, ())
    assert absent.missing() == "Absent is not installed; write it"
    assert beside_python("no-such-program") == system_program("no-such-program") == ""


def _no(program, file, folder):
    raise AssertionError
