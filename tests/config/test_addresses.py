"""Listen addresses, upstream URLs and networks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.addresses import Listen, is_upstream_url, parse_endpoint, parse_listen, parse_network
from corsproxy.config.table import Endpoint
from corsproxy.config.written import Unusable


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:8080", Listen("127.0.0.1", 8080)),
        ("0.0.0.0:80", Listen("0.0.0.0", 80)),
        ("localhost:0", Listen("localhost", 0)),
        ("[::1]:8080", Listen("::1", 8080)),
        ("[0:0::1]:8080", Listen("::1", 8080)),
        ("[fe80::1%eth0]:80", Listen("fe80::1%eth0", 80)),
        ("unix:/run/a.sock", Listen(unix_path="/run/a.sock")),
        ("unix:///run/a.sock", Listen(unix_path="/run/a.sock")),
        ("systemd", Listen(passed="*")),
        ("systemd:web-1.socket", Listen(passed="web-1.socket")),
    ],
)
def test_a_listener_has_an_address(text, listen):
    assert parse_listen(text) == listen


@pytest.mark.parametrize(
    ("text", "message", "correction"),
    [
        (":8080", "':8080' is every interface of this machine; say so, or name one", "0.0.0.0:8080"),
        ("*:8080", "'*:8080' is every interface of this machine; say so, or name one", "0.0.0.0:8080"),
        ("127.0.0.1", "'127.0.0.1' has no port; write host:port", ""),
        ("8080", "8080 is only a port; say on which address", "127.0.0.1:8080"),
        ("", "'' has no port; write host:port", ""),
        ("::1:8080", "'::1:8080' has an IPv6 address without brackets; write it like [::1]:8080", ""),
        ("[::g]:80", "'[::g]:80' has no IPv6 address inside its brackets", ""),
        ("[::1]80", "'[::1]80' has no port; write host:port", ""),
        ("http://127.0.0.1:80/", "'http://127.0.0.1:80/' is a URL; a listener has only an address", "127.0.0.1:80"),
        ("localhost:http", "'http' is no port; write a number from 0 to 65535", ""),
        ("localhost:65536", "'65536' is no port; write a number from 0 to 65535", ""),
        ("localhost:" + "9" * 5000, f"'{'9' * 5000}' is no port", ""),
        ("localhost:²", "'²' is no port; write a number from 0 to 65535", ""),
        ("localhost:", "'' is no port; write a number from 0 to 65535", ""),
        ("256.0.0.1:80", "'256.0.0.1:80' has no valid host; write a host name or an IP address", ""),
        ("a b:80", "'a b:80' has no valid host; write a host name or an IP address", ""),
        ("systemd:", "'' is no name of a socket; write the FileDescriptorName of its unit, as in systemd:web", ""),
        ("systemd:a:b", "'a:b' is no name of a socket; write the FileDescriptorName", ""),
        ("unix:run/a.sock", "'unix:run/a.sock' has no absolute path; write it like unix:/run/name.sock", ""),
        ("unix:", "'unix:' has no absolute path; write it like unix:/run/name.sock", ""),
        (f"unix:/{'x' * 107}", f"'unix:/{'x' * 107}' is longer than the 107 bytes", ""),
    ],
)
def test_what_is_no_listen_address(text, message, correction):
    with pytest.raises(Unusable) as caught:
        parse_listen(text)
    assert str(caught.value).startswith(message)
    assert caught.value.correction == correction


@given(st.ip_addresses(), st.integers(0, 65535))
def test_a_listen_address_is_shown_as_it_is_written(address, port):
    listen = Listen(str(address), port)
    assert parse_listen(str(listen)) == listen


def test_a_socket_is_shown_as_it_is_written():
    assert str(parse_listen("unix:/a")) == "unix:/a"


@pytest.mark.parametrize(
    ("text", "host", "port", "tls", "authority", "base"),
    [
        ("http://api.example.com", "api.example.com", 80, False, b"api.example.com", b""),
        ("https://api.example.com/", "api.example.com", 443, True, b"api.example.com", b""),
        ("http://api.example.com:80/v1/", "api.example.com", 80, False, b"api.example.com", b"/v1"),
        ("https://api.example.com:80/v1/x", "api.example.com", 80, True, b"api.example.com:80", b"/v1/x"),
        ("http://my_service:8000", "my_service", 8000, False, b"my_service:8000", b""),
        ("http://10.0.0.7:8000//x//", "10.0.0.7", 8000, False, b"10.0.0.7:8000", b"//x"),
        ("http://[::1]:8000", "::1", 8000, False, b"[::1]:8000", b""),
        ("http://[fe80::1%eth0]", "fe80::1%eth0", 80, False, b"[fe80::1]", b""),
        ("http://a:", "a", 80, False, b"a", b""),
        ("http://a/%7Eb;c=1/~d", "a", 80, False, b"a", b"/%7Eb;c=1/~d"),
    ],
)
def test_an_upstream_has_a_url(text, host, port, tls, authority, base):
    endpoint = Endpoint(tls=tls, host=host, port=port, unix_path="", authority=authority)
    assert parse_endpoint(text) == (endpoint, base)
    assert is_upstream_url(text)


def test_an_upstream_may_be_a_socket():
    endpoint, base = parse_endpoint("unix:/run/api.sock")
    assert (endpoint.unix_path, endpoint.host, endpoint.authority, base) == ("/run/api.sock", "", b"localhost", b"")
    assert str(endpoint) == "unix:/run/api.sock"
    assert is_upstream_url("unix:/run/api.sock")


@pytest.mark.parametrize("text", ["orders", "orders.internal:8000", "localhost", ""])
def test_a_name_is_no_url(text):
    assert not is_upstream_url(text)


@pytest.mark.parametrize(
    ("text", "message", "correction"),
    [
        ("api.example.com", "'api.example.com' is no URL; write it like http://host:port", ""),
        ("://a", "'://a' is no URL", ""),
        ("ftp://a", "'ftp://a' has the scheme ftp; an upstream speaks http or https", ""),
        ("ws://a/b", "'ws://a/b' has the scheme ws; write http, WebSockets included", "http://a/b"),
        ("WSS://a", "'WSS://a' has the scheme WSS; write https, WebSockets included", "https://a"),
        ("HTTP://a", "'HTTP://a' has the scheme HTTP; write http", "http://a"),
        (
            "https://user:secret@a",
            "a URL must hold no user name or password; set Authorization under headers.request of the rule",
            "",
        ),
        ("http://a?b=c", "'http://a?b=c' has a query or fragment; requests bring their own", "http://a"),
        ("http://a/b#c", "'http://a/b#c' has a query or fragment; requests bring their own", "http://a/b"),
        ("http://", "'http://' has no host", ""),
        ("http://:80", "'http://:80' has no host", ""),
        ("http://a:0", "'0' is no port; write a number from 1 to 65535", ""),
        ("http://a:b", "'b' is no port", ""),
        ("http://a b", "'http://a b' has no valid host", ""),
        ("http://*.a.com", "'http://*.a.com' has no valid host", ""),
        ("http://a..b", "'http://a..b' has no valid host", ""),
        ("http://-a", "'http://-a' has no valid host", ""),
        (f"http://{'a.' * 127}a", f"'http://{'a.' * 127}a' has no valid host", ""),
        (
            "http://münchen.example/a",
            "'http://münchen.example/a' has a host that is not ASCII",
            "http://xn--mnchen-3ya.example/a",
        ),
        ("http://ü\u0301\u200d\u0378.x", "'http://ü\u0301\\u200d\\u0378.x' has no valid host", ""),
        ("http://a/../b", "'/../b' is never forwarded: the path has dot segments", ""),
        ("http://a/%2e%2e", "'/%2e%2e' is never forwarded: the path has dot segments", ""),
        ("http://a/b c", "the path '/b c' has characters that must be escaped", "/b%20c"),
        ("http://a/ü/", "the path '/ü' has characters that must be escaped", "/%C3%BC"),
    ],
)
def test_what_is_no_upstream_url(text, message, correction):
    with pytest.raises(Unusable) as caught:
        parse_endpoint(text)
    assert str(caught.value).startswith(message)
    assert caught.value.correction == correction
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("10.1.2.3/32", "10.1.2.3/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("fd00::/8", "fd00::/8"),
        ("FD00:0::/8", "fd00::/8"),
        ("::1", "::1/128"),
    ],
)
def test_a_network_is_trusted(text, network):
    assert parse_network(text) == network


@pytest.mark.parametrize(
    ("text", "message", "correction"),
    [
        ("10.0.0.1/8", "'10.0.0.1/8' is an address inside a network", "10.0.0.0/8"),
        ("fd00::1/8", "'fd00::1/8' is an address inside a network", "fd00::/8"),
        ("10.0.0.0/33", "'10.0.0.0/33' is no network; write it like 10.0.0.0/8 or 10.1.2.3", ""),
        ("proxy.internal", "'proxy.internal' is no network", ""),
        ("10.0.0", "'10.0.0' is no network", ""),
        ("*", "'*' is no network", ""),
        ("", "'' is no network", ""),
    ],
)
def test_what_is_no_network(text, message, correction):
    with pytest.raises(Unusable) as caught:
        parse_network(text)
    assert str(caught.value).startswith(message)
    assert caught.value.correction == correction
