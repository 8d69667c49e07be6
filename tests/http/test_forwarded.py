"""Forwarding fields: whose word is believed, and what the upstream is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.http.fields import is_field_value
from corsproxy.http.forwarded import Forwarding, is_forwarded_field

NOBODY = Forwarding()
TRUSTING = Forwarding.create(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"], "edge-1")
HOST = b"api.example.com"
TOLD = b"X-Forwarded-Proto: HTTPS\r\nX-Forwarded-Host: www.example.com\r\n"
SEEN = b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: api.example.com\r\n"


@pytest.mark.parametrize(
    "name",
    [
        b"x-forwarded-for",  # proxies.md 3.12, CVE-2024-52003, CVE-2026-35051
        b"x-forwarded-proto",
        b"x-forwarded-prefix",
        b"x-forwarded-user",
        b"forwarded",
        b"x-real-ip",
        b"x-client-ip",
        b"x-original-url",  # IIS, Symfony: another path than the one that was matched
        b"x-rewrite-url",
        b"x_forwarded_for",  # proxies.md 3.13, Caddy GHSA-f59h-q822-g45g
        b"x.forwarded.for",
        b"x-forwarded_for",
        b"x!forwarded~for",
        b"x_real-ip",
        b"x_original_url",
    ],
)
def test_forwarded_field(name):
    assert is_forwarded_field(name)


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"x",
        b"from",
        b"via",
        b"host",
        b"x-requested-with",
        b"x-forwarded",
        b"xx-forwarded-for",
        b"cf-connecting-ip",
    ],
)
def test_no_forwarded_field(name):
    assert not is_forwarded_field(name)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("10.1.2.3", True),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("11.0.0.1", False),
        ("::ffff:10.1.2.3", True),  # IPv4 on a dual-stack listener
        ("::ffff:11.0.0.1", False),
        ("2001:db8::5", True),
        ("2001:db9::5", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        (None, False),  # a unix socket has no address
        ("", False),
        ("localhost", False),
    ],
)
def test_trusts(peer, expected):
    assert TRUSTING.trusts(peer) is expected
    assert TRUSTING.trusts(peer) is expected  # remembered
    assert NOBODY.trusts(peer) is False


def test_zones_belong_to_the_listener_not_to_the_network():
    assert Forwarding.create(["fe80::/10"], "p").trusts("fe80::1%eth0")


@pytest.mark.parametrize(
    ("trusted", "pseudonym"),
    [(["10.0.0.1/8"], "p"), (["intranet"], "p"), (["10.0.0.0/33"], "p"), ([], ""), ([], "a b"), ([], "é")],
)
def test_what_is_no_network_or_pseudonym_is_refused(trusted, pseudonym):
    with pytest.raises(ValueError, match=r".+"):
        Forwarding.create(trusted, pseudonym)


@pytest.mark.parametrize(
    ("peer", "tls", "host", "received", "expected"),
    [
        (
            "203.0.113.9",
            False,
            HOST,
            [],
            b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: api.example.com\r\n",
        ),
        (
            "2001:DB9:0::1",
            True,
            b"[::1]:8080",
            [],
            b"X-Forwarded-For: 2001:db9::1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: [::1]:8080\r\n",
        ),
        ("::ffff:203.0.113.9", False, b"", [], b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\n"),
        ("fe80::1%eth0", False, b"", [], b"X-Forwarded-For: fe80::1\r\nX-Forwarded-Proto: http\r\n"),
        (None, False, HOST, [], b"X-Forwarded-Proto: http\r\nX-Forwarded-Host: api.example.com\r\n"),
        # an untrusted peer is not believed: proxies.md 3.12
        (
            "203.0.113.9",
            False,
            HOST,
            [
                (b"X-Forwarded-For", b"127.0.0.1"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"evil.example"),
                (b"X-Forwarded-Port", b"443"),
            ],
            b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: api.example.com\r\n",
        ),
        # a trusted one is: its list is continued
        (
            "10.0.0.1",
            False,
            HOST,
            [
                (b"Accept", b"*/*"),
                (b"x-forwarded-for", b"198.51.100.4,, 2001:db8::9"),
                (b"X-FORWARDED-FOR", b"unknown"),
                (b"X-Forwarded-Proto", b"HTTPS"),
                (b"X-Forwarded-Host", b"www.example.com"),
            ],
            b"X-Forwarded-For: 198.51.100.4, 2001:db8::9, unknown, 10.0.0.1\r\n" + TOLD,
        ),
        # what it says else about the client passes, look-alikes do not
        (
            "10.0.0.1",
            False,
            HOST,
            [(b"X-Real-IP", b"198.51.100.4"), (b"X_Forwarded_Port", b"1"), (b"X-Forwarded-Port", b"443")],
            SEEN + b"X-Real-IP: 198.51.100.4\r\nX-Forwarded-Port: 443\r\n",
        ),
        # but only what is well-formed, and unambiguous
        (
            "10.0.0.1",
            True,
            HOST,
            [
                (b"X-Forwarded-For", b"1.2.3.4\r\nX: y"),
                (b"X-Forwarded-Proto", b"https, http"),
                (b"X-Forwarded-Host", b"a/../b"),
                (b"X-Forwarded-Port", b"\x00"),
            ],
            b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: api.example.com\r\n",
        ),
        (
            "10.0.0.1",
            False,
            HOST,
            [
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Proto", b"http"),
                (b"X-Forwarded-Host", b"a"),
                (b"X-Forwarded-Host", b"b"),
            ],
            SEEN,
        ),
        (
            "10.0.0.1",
            False,
            b"",
            [(b"X-Forwarded-Proto", b"gopher")],
            b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\n",
        ),
        (
            "10.0.0.1",
            False,
            HOST,
            [],
            SEEN,
        ),
    ],
)
def test_lines(peer, tls, host, received, expected):
    assert TRUSTING.lines(peer, tls, host, received, b"1.1") == expected + b"Via: 1.1 edge-1\r\n"


def test_via_names_the_version_that_was_received():
    """RFC 9110 7.6.3"""
    assert NOBODY.lines(None, False, b"", (), b"1.0").endswith(b"Via: 1.0 corsproxy\r\n")


@pytest.mark.parametrize(
    ("peer", "tls", "proto", "expected"),
    [
        ("10.0.0.1", False, [b"https"], "https"),
        ("10.0.0.1", True, [b"http"], "http"),
        ("10.0.0.1", False, [b"WSS"], "https"),  # Traefik, of WebSockets
        ("10.0.0.1", True, [b"ws"], "http"),
        ("10.0.0.1", False, [b"https", b"https"], "http"),
        ("10.0.0.1", True, [b"spdy"], "https"),
        ("10.0.0.1", False, [], "http"),
        ("203.0.113.9", False, [b"https"], "http"),
        (None, True, [b"http"], "https"),
    ],
)
def test_scheme(peer, tls, proto, expected):
    assert TRUSTING.scheme(peer, tls, [(b"X-Forwarded-Proto", value) for value in proto]) == expected


@pytest.mark.parametrize(
    ("peer", "hops", "expected"),
    [
        ("203.0.113.9", [b"198.51.100.4"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.4"], "198.51.100.4"),
        ("10.0.0.1", [b"127.0.0.1, 198.51.100.4, 10.0.0.2"], "198.51.100.4"),  # the first is the client's own word
        ("10.0.0.1", [b"127.0.0.1", b"198.51.100.4", b"10.0.0.2"], "198.51.100.4"),
        ("10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [b"198.51.100.4, unknown"], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.4:5000"], "198.51.100.4"),
        ("10.0.0.1", [b"[2001:db9::1]:5000"], "2001:db9::1"),
        ("10.0.0.1", [b"2001:DB9::1"], "2001:db9::1"),
        ("10.0.0.1", [b"\xff"], "10.0.0.1"),
        (None, [b"198.51.100.4"], ""),
    ],
)
def test_client(peer, hops, expected):
    assert TRUSTING.client(peer, [(b"x-forwarded-for", hop) for hop in hops]) == expected


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        ([], False),
        ([b"1.1 edge-1"], True),  # proxies.md 3.23
        ([b"1.0 fred, HTTP/1.1 edge-1 (Debian)"], True),
        ([b"1.0 fred", b"1.1 edge-1"], True),
        ([b"1.1 edge-10"], False),
        ([b"1.1 other (edge-1)"], False),
        ([b"edge-1"], False),
        ([b""], False),
    ],
)
def test_loops(via, expected):
    assert TRUSTING.loops(via) is expected


@pytest.mark.parametrize(
    ("peer", "hosts", "expected"),
    [
        ("10.0.0.1", (), b"proxy.internal"),
        ("10.0.0.1", (b"api.example.com",), b"api.example.com"),
        ("10.0.0.1", (b"api.example.com", b"other.example"), b"proxy.internal"),
        ("10.0.0.1", (b"a b",), b"proxy.internal"),
        ("203.0.113.9", (b"evil.example",), b"proxy.internal"),
    ],
)
def test_the_host_that_the_client_addressed_is_a_trusted_peers_word(peer, hosts, expected):
    received = [(b"x-forwarded-host", host) for host in hosts]
    assert TRUSTING.host(peer, b"proxy.internal", received) == expected


def test_its_own_via_is_recognised():
    line = TRUSTING.lines("203.0.113.9", False, HOST, (), b"1.1").split(b"\r\n")[-2]
    assert TRUSTING.loops([line.removeprefix(b"Via: ")])


def test_few_peers_are_remembered(monkeypatch):
    """A scan from many addresses must not grow the process."""
    monkeypatch.setattr("corsproxy.http.forwarded._PEERS_REMEMBERED", 2)
    forwarding = Forwarding.create(["10.0.0.0/8"], "p")
    assert [forwarding.trusts(f"10.0.0.{last}") for last in range(5)] == [True] * 5
    assert len(forwarding._peers) <= 2
    for host in (b"a", b"b", b"c", b"a"):
        assert b"X-Forwarded-Host: " + host in forwarding.lines("192.0.2.1", False, host, (), b"1.1")
    assert len(forwarding._plain) <= 2


@given(
    st.lists(
        st.tuples(st.sampled_from([b"X-Forwarded-For", b"x-forwarded-host", b"Forwarded"]), st.binary(max_size=12))
    ),
    st.sampled_from(["10.0.0.1", "203.0.113.9", None, "2001:db8::1"]),
)
def test_only_clean_lines_are_told(received, peer):
    """Nothing that a peer says can begin a line of its own."""
    lines = TRUSTING.lines(peer, False, HOST, received, b"1.1").split(b"\r\n")
    assert lines.pop() == b""
    for line in lines:
        name, _, value = line.partition(b": ")
        assert is_forwarded_field(name.lower()) or name == b"Via"
        assert is_field_value(value)
