"""Hosts of rules, of Host headers and of cookies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.hosts import parse_domain, parse_literal_host, parse_rule_host
from corsproxy.config.written import Unusable
from corsproxy.http.target import parse_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("api.example.com", "api.example.com"),
        ("*.example.com", "*.example.com"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("api.example.com.", "api.example.com"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("my_service", "my_service"),
    ],
)
def test_a_rule_has_a_host(text, host):
    assert parse_rule_host(text) == host


@given(
    st.one_of(
        st.ip_addresses(v=4).map(str),
        st.ip_addresses(v=6).map("[{}]".format),
        st.from_regex(r"[a-z0-9-]{1,9}", fullmatch=True),
    )
)
def test_a_host_is_spelt_as_requests_are_looked_up(text):
    """What the configuration accepts is what http.target reads from a Host header."""
    try:
        host = parse_rule_host(text)
    except Unusable:
        return
    assert parse_host(text.encode())[0] == host


@pytest.mark.parametrize(
    ("text", "message", "correction"),
    [
        ("*", "any host is meant where host is left out; remove this key", ""),
        (
            "API.example.com",
            "'API.example.com' has upper-case letters; hosts are compared in lower case",
            "api.example.com",
        ),
        ("*.Example.com", "'*.Example.com' has upper-case letters", "*.example.com"),
        (
            "api.example.com:8080",
            "'api.example.com:8080' has a port; a rule takes a host's requests at every port",
            "api.example.com",
        ),
        ("*.example.com:80", "'*.example.com:80' has a port", "*.example.com"),
        ("https://api.example.com:80/x", "'https://api.example.com:80/x' is more than a host", "api.example.com"),
        ("api.example.com/x", "'api.example.com/x' is more than a host", ""),
        ("api.*.com", "'api.*.com' has a * where none can stand; a wildcard is *. and a host name", ""),
        ("*api.example.com", "'*api.example.com' has a * where none can stand", ""),
        ("*.*.com", "'*.*.com' has a * where none can stand", ""),
        ("*.127.0.0.1", "'*.127.0.0.1' is a wildcard of an address; only names have subdomains", ""),
        ("*.[::1]", "'*.[::1]' is a wildcard of an address; only names have subdomains", ""),
        ("*.", "'*.' has no host", ""),
        ("::1", "'::1' has an IPv6 address without brackets", ""),
        (
            "bücher.example",
            "'bücher.example' has a host that is not ASCII; write it in Punycode",
            "xn--bcher-kva.example",
        ),
        ("a b", "'a b' has no valid host; write a host name or an IP address", ""),
        ("a..b", "'a..b' has no valid host", ""),
        ("1.2.3", "'1.2.3' has no valid host", ""),
    ],
)
def test_what_is_no_host_of_a_rule(text, message, correction):
    with pytest.raises(Unusable) as caught:
        parse_rule_host(text)
    assert str(caught.value).startswith(message)
    assert caught.value.correction == correction
    if correction:
        assert parse_rule_host(correction) == correction


@pytest.mark.parametrize("text", ["api.example.com", "API.example.com:8080", "[::1]:80", "127.0.0.1"])
def test_a_literal_host_is_sent_as_it_is_written(text):
    assert parse_literal_host(text) == text.encode()


@pytest.mark.parametrize(
    ("text", "message", "correction"),
    [
        ("https://api.example.com/", "'https://api.example.com/' is more than a host", "api.example.com"),
        ("a/b", "'a/b' is more than a host", ""),
        ("a:0", "'0' is no port; write a number from 1 to 65535", ""),
        ("a:", "'' is no port", ""),
        ("a\r\nb", "'a\\r\\nb' has no valid host", ""),
        ("user@a", "'user@a' has no valid host", ""),
        ("", "'' has no host", ""),
    ],
)
def test_what_is_no_literal_host(text, message, correction):
    with pytest.raises(Unusable) as caught:
        parse_literal_host(text)
    assert str(caught.value).startswith(message)
    assert caught.value.correction == correction


def test_a_cookie_has_a_domain():
    assert parse_domain("example.com") == "example.com"


@pytest.mark.parametrize(
    ("text", "message", "correction"),
    [
        (".example.com", "'.example.com' begins with a dot, which has meant nothing since RFC 6265", "example.com"),
        ("example.com:80", "'example.com:80' has a port; cookies belong to hosts", "example.com"),
        ("a; Secure", "'a; Secure' has no valid host", ""),
    ],
)
def test_what_is_no_domain_of_a_cookie(text, message, correction):
    with pytest.raises(Unusable) as caught:
        parse_domain(text)
    assert str(caught.value).startswith(message)
    assert caught.value.correction == correction
