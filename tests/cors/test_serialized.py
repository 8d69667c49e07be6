"""The grammar of a serialized origin."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corsproxy.cors.serialized import ends_in_number, is_ipv4, is_loopback, split_origin

LONG_LABEL = b"a" * 63
LONG_HOST = b".".join([LONG_LABEL, LONG_LABEL, LONG_LABEL, b"a" * 61])

SERIALIZED = [
    # origin, scheme, host, port; source
    (b"https://example.com", b"https", b"example.com", b""),  # HTML, ASCII serialisation of an origin
    (b"http://example.com:8080", b"http", b"example.com", b"8080"),
    (b"http://example.com:443", b"http", b"example.com", b"443"),  # another scheme's default
    (b"https://example.com:65535", b"https", b"example.com", b"65535"),
    (b"https://xn--bcher-kva.example", b"https", b"xn--bcher-kva.example", b""),
    (b"http://localhost", b"http", b"localhost", b""),
    (b"http://my_service-:1", b"http", b"my_service-", b"1"),  # URL, forbidden domain code points: neither is
    (b"http://127.0.0.1:3000", b"http", b"127.0.0.1", b"3000"),
    (b"http://[::1]:3000", b"http", b"[::1]", b"3000"),
    (b"http://[2001:db8::1:0:0:1]", b"http", b"[2001:db8::1:0:0:1]", b""),
    (b"https://" + LONG_HOST, b"https", LONG_HOST, b""),  # RFC 1035 2.3.4
    (b"https://1.2.3.4.example", b"https", b"1.2.3.4.example", b""),
    (b"https://face", b"https", b"face", b""),  # ends like a hexadecimal number
    (b"https://0x7g", b"https", b"0x7g", b""),
    (b"chrome-extension://abcdefghijklmnop", b"chrome-extension", b"abcdefghijklmnop", b""),
    (
        b"moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
        b"moz-extension",
        b"2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
        b"",
    ),
    (b"capacitor://localhost", b"capacitor", b"localhost", b""),
    (b"a" * 64 + b"://x", b"a" * 64, b"x", b""),
]

NOT_SERIALIZED = [
    # value; what is wrong with it
    b"",
    b"null",  # an origin, but no tuple origin
    b"*",
    b"example.com",
    b"https:example.com",
    b"https:/example.com",
    b"https://",
    b"://example.com",
    b"https://example.com/",
    b"https://example.com/path",
    b"https://example.com?",
    b"https://example.com#",
    b"https://user@example.com",
    b"https://@example.com",
    b"https://user:pw@example.com",
    b" https://example.com",
    b"https://example.com ",
    b"https://example.com\n",
    b"https://example.com\r\nX: y",
    b"https://example.com\x00",
    b"https://example.com, https://example.com",
    b"HTTPS://example.com",
    b"https://Example.com",
    b"https://example.com.",
    b"https://.example.com",
    b"https://a..example.com",
    b"https://b\xc3\xbccher.example",
    b"https://\xff",
    b"https://%s",  # quarkus #48823
    b"https://*@:;",  # spring #33682
    b"https://*.example.com",
    b"https://example.com{.evil.example",  # a host that Safari let through
    b"https://example.com`.evil.example",
    b"https://example.com!evil.example",
    b"https://example.com:",
    b"https://example.com:*",
    b"https://example.com:0",
    b"https://example.com:080",
    b"https://example.com:65536",
    b"https://example.com:99999",
    b"https://example.com:123456",
    b"https://example.com:+80",
    b"https://example.com:443",  # the scheme's default
    b"http://example.com:80",
    b"https://" + b"a" * 64,
    b"https://" + LONG_HOST + b"a",
    b"https://" + b"a." * 127 + b"a",
    b"https://1.2.3",  # URL, ends-in-a-number checker
    b"https://1.2.3.4.5",
    b"https://256.1.1.1",
    b"https://01.2.3.4",
    b"https://0x7f.0.0.1",
    b"https://127.0.0.0x1",
    b"https://example.0x",
    b"https://example.1",
    b"https://2130706433",
    b"https://[::1",
    b"https://::1",
    b"https://[]",
    b"https://[::0]",
    b"https://[0:0:0:0:0:0:0:1]",
    b"https://[::A]",
    b"https://[::ffff:102:304]",  # IPv4-mapped: an IPv4 host under a second name
    b"https://[::ffff:1.2.3.4]",
    b"https://[fe80::1%eth0]",
    b"https://[:::]",
    b"a" * 65 + b"://x",
    b"1x://x",
    b"ht*tp://x",
    b"file://x",  # opaque
    b"data://x",
    b"blob://x",
    b"ws://example.com",  # the Origin of a handshake is its page's
    b"wss://example.com",
]


@pytest.mark.parametrize(("origin", "scheme", "host", "port"), SERIALIZED)
def test_serialized_origins_are_split(origin, scheme, host, port):
    assert split_origin(origin) == (scheme, host, port)


@pytest.mark.parametrize("value", NOT_SERIALIZED)
def test_anything_else_is_no_origin(value):
    assert split_origin(value) is None


@given(st.binary() | st.text("htps:/[]0123456789abcdefx.-_*@%", max_size=40).map(str.encode))
@example(b"https://\xc2\xb2")  # a digit beyond ASCII
def test_arbitrary_bytes_are_judged_without_an_exception_and_only_whole(value):
    parts = split_origin(value)
    if parts is not None:
        scheme, host, port = parts
        assert value == scheme + b"://" + host + (b":" + port if port else b"")


def test_a_long_value_costs_no_more_than_its_length():
    """A header of 64 KiB that nearly is an origin: the grammar bounds what is looked at."""
    for unit in (b"a.", b"a", b"1.", b"0x."):
        assert split_origin(b"https://" + unit * 32768) is None


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "a.b.localhost", "127.0.0.1", "127.255.0.9", "[::1]"])
def test_loopback_hosts(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "localhost.attacker.com",  # decocms #3757
        "evillocalhost",
        "localhost.",
        "127.0.0.1.evil.example",
        "127.evil.example",
        "127.1",
        "128.0.0.1",
        "0.0.0.0",
        "[::2]",
        "[::]",
        "",
    ],
)
def test_hosts_that_only_look_like_loopback(host):
    assert not is_loopback(host)


def test_addresses_are_told_from_names():
    assert ends_in_number("1.2.3.4")
    assert ends_in_number("example.0x1f")
    assert not ends_in_number("1.example")
    assert is_ipv4("192.0.2.1")
    assert not is_ipv4("192.0.2")
