"""The PROXY protocol: the examples and rules of its specification, versions 1 and 2.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt; sections in the rows.
"""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.errors import MalformedPreamble
from corsproxy.http.proxy_protocol import MOST, Preamble, read_preamble

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"  # 2.2


def v2(command=0x21, family=0x11, body=b"\x01\x02\x03\x04\x05\x06\x07\x08\x12\x34\x00\x50", length=None):
    size = len(body) if length is None else length
    return SIGNATURE + bytes([command, family]) + size.to_bytes(2, "big") + body


IPV6 = ipaddress.ip_address("2001:db8::7").packed + ipaddress.ip_address("2001:db8::1").packed + b"\x12\x34\x00\x50"
TLV = b"\x04\x00\x02\x00\x00"  # 2.2.7: PP2_TYPE_NOOP


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1"),  # 2.1
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),  # 2.1, the longest
        (b"PROXY TCP6 ::1 ::2 1 0\r\n", "::1"),
        (b"PROXY TCP6 2001:DB8:0::7 2001:db8::1 56324 443\r\n", "2001:db8::7"),
        (b"PROXY TCP6 ffff:f...f:ffff".replace(b"f...f", b":".join([b"ffff"] * 6)) + b" ::1 65535 65535\r\n", "f" * 4),
        (b"PROXY UNKNOWN\r\n", None),  # 2.1, the short form
        (b"PROXY UNKNOWN ffff:: whatever 1\r\n", None),  # 2.1: "must ignore anything presented before the CRLF"
        (v2(), "1.2.3.4"),  # 2.2
        (v2(family=0x21, body=IPV6), "2001:db8::7"),
        (v2(body=b"\x01\x02\x03\x04\x05\x06\x07\x08\x12\x34\x00\x50" + TLV), "1.2.3.4"),  # 2.2: TLVs are skipped
        (v2(command=0x20), None),  # 2.2: LOCAL, whatever is said of addresses
        (v2(command=0x20, family=0x00, body=b""), None),
        (v2(command=0x20, family=0xFF, body=b""), None),
        (v2(family=0x00, body=b""), None),  # 2.2: UNSPEC
        (v2(family=0x31, body=bytes(216)), None),  # 2.2: UNIX_STREAM
        (v2(family=0x00, body=bytes(MOST - 16)), None),
    ],
)
def test_a_preamble_names_its_source_and_ends_where_it_ends(data, source):
    read = read_preamble(data)
    assert read is not None
    assert read.length == len(data)
    assert read.source == source or (source == "ffff" and read.source == ":".join(["ffff"] * 8))
    assert read_preamble(data + b"GET / HTTP/1.1\r\n") == read
    for end in range(len(data)):
        assert read_preamble(data[:end]) is None


LINE = "the line of the PROXY protocol is malformed"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GET / HTTP/1.1\r\n", "the connection does not begin with the PROXY protocol"),
        (b"\x16\x03\x01", "the connection does not begin with the PROXY protocol"),
        (b"proxy tcp4 1.2.3.4 1.2.3.4 1 1\r\n", "the connection does not begin with the PROXY protocol"),
        (b" PROXY UNKNOWN\r\n", "the connection does not begin with the PROXY protocol"),
        (SIGNATURE[:11] + b"X", "the connection does not begin with the PROXY protocol"),
        (b"PROXY \r\n", LINE),
        (b"PROXY UNKNOWN\n", LINE),
        (b"PROXY UNKNOWN\r\r\n", LINE),
        (b"PROXY UNKNOWNX\r\n", LINE),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n", LINE),
        (b"PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n", LINE),  # 2.1: "exactly one space"
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", LINE),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n", LINE),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n", LINE),
        (b"PROXY TCP4\t1.2.3.4 1.2.3.4 1 1\r\n", LINE),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n", LINE),  # 2.1: "no leading zero"
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n", LINE),
        (b"PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n", LINE),
        (b"PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n", LINE),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n", LINE),
        (b"PROXY TCP4 evil.example 1.2.3.4 1 1\r\n", LINE),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "a port of the PROXY protocol is larger than 65535"),
        (b"PROXY TCP4 99999 1.2.3.4 1 1\r\n", "an address of the PROXY protocol is no TCP4 address"),
        (b"PROXY TCP4 01.2.3.4 1.2.3.4 1 1\r\n", "an address of the PROXY protocol is no TCP4 address"),
        (b"PROXY TCP4 ::1 ::1 1 1\r\n", "an address of the PROXY protocol is no TCP4 address"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.400 1 1\r\n", "an address of the PROXY protocol is no TCP4 address"),
        (b"PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n", "an address of the PROXY protocol is no TCP6 address"),
        (b"PROXY UNKNOWN" + b" " * 94, "the line of the PROXY protocol does not end"),  # 2.1: 107 bytes
        (v2(command=0x11), "the PROXY protocol has another version or command than 2.0, LOCAL or PROXY"),
        (v2(command=0x22), "the PROXY protocol has another version or command than 2.0, LOCAL or PROXY"),
        (v2(family=0x12), "the PROXY protocol names no family of a stream"),  # a datagram
        (v2(family=0x01), "the PROXY protocol names no family of a stream"),
        (v2(family=0x41), "the PROXY protocol names no family of a stream"),
        (v2(length=11), "the PROXY protocol's addresses are cut short"),
        (v2(family=0x21, length=35), "the PROXY protocol's addresses are cut short"),
        (v2(length=MOST - 15), f"the PROXY protocol's preamble is longer than {MOST} bytes"),
    ],
)
def test_what_is_not_exactly_one_is_refused(data, message):
    with pytest.raises(MalformedPreamble) as refused:
        read_preamble(data)
    assert str(refused.value) == message


@given(
    st.binary(max_size=64)
    | st.binary(max_size=64).map(b"PROXY ".__add__)
    | st.binary(max_size=64).map(SIGNATURE.__add__)
)
def test_whatever_comes_is_read_refused_or_waited_for(data):
    try:
        read = read_preamble(data)
    except MalformedPreamble:
        return
    assert read is None or read.length <= len(data)


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_both_versions_say_the_same(address, port):
    line = f"PROXY TCP4 {address} 127.0.0.1 {port} 80\r\n".encode()
    packed = v2(body=address.packed + b"\x7f\x00\x00\x01" + port.to_bytes(2, "big") + b"\x00\x50")
    assert read_preamble(line) == Preamble(len(line), str(address))
    assert read_preamble(packed) == Preamble(len(packed), str(address))
