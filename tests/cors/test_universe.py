"""The serialized origins as a set: held against ``split_origin``."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corsproxy.cors.automaton import automaton
from corsproxy.cors.serialized import split_origin
from corsproxy.cors.universe import search

LABELS = ["a", "0", "00", "1", "255", "256", "0x", "0xf", "0xg", "0a", "-", "_", "z1", "x" * 62, "x" * 63, "x" * 64]
NAMES = st.lists(st.sampled_from(LABELS), min_size=1, max_size=6).map(".".join)
GROUPS = st.lists(st.sampled_from([0, 0, 0, 1, 0xFFFE, 0xFFFF, 0xF00]), min_size=8, max_size=8)
ADDRESSES = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map("[{}]".format),
    GROUPS.map(lambda groups: b"".join(group.to_bytes(2, "big") for group in groups))
    .map(ipaddress.IPv6Address)
    .map("[{}]".format),
    st.lists(st.sampled_from(["0", "1", "ffff", "f", "", "00"]), min_size=1, max_size=9)
    .map(":".join)
    .map("[{}]".format),
)
SCHEMES = st.sampled_from(
    ["http", "https", "ws", "wss", "file", "a", "a+b", "chrome-extension", "x" * 64, "x" * 65, "1a", "httpsx", "blob"]
)
PORTS = st.sampled_from(["", "", ":80", ":443", ":0", ":08", ":65535", ":65536", ":8080", ":99999", ":60000"])


@settings(max_examples=60)
@given(st.builds("{}://{}{}".format, SCHEMES, NAMES | ADDRESSES, PORTS))
@example("https://" + ".".join(["x" * 62] * 4) + ".x")  # 253 characters
@example("https://" + ".".join(["x" * 62] * 4) + ".xx")
@example("https://[::ffff:0:1]")
@example("https://[::fffe:0:1]")
@example("https://[1::1:0:0:1]")
@example("https://[1:0:0:1::1]")
def test_exactly_the_serialized_origins_are_found(text):
    escaped = "".join(f"\\{char}" if char in ".-+[]" else char for char in text)
    expected = text if split_origin(text.encode()) else None
    assert search([automaton(escaped)], []) == expected


@pytest.mark.parametrize(
    ("inside", "outside", "found"),
    [
        (r"https://[a-z.]+\.example\.com", r"https://([a-z]+\.)+example\.com", None),  # no label is empty
        (r"https://[a-z]+\.example\.com", r"https://[a-z]{1,63}\.example\.com", None),  # or longer
        (r"https://[a-z]+\.example\.com", r"https://[a-z]{1,62}\.example\.com", f"https://{'a' * 63}.example.com"),
        (r"https://[a-z]+\.a:8443", r"https://[a-z]{1,63}\.a:8443", None),
        (r"[a-z]+://a", r"[a-z]{1,64}://a", None),
        (r"(wss?|file)://.*", "x", None),
        ("https://a:4?43", "x", "https://a:43"),
        ("https://[0-9.]+", r"https://0\..*", "https://1.0.0.0"),
        (r"https://\[.*\]", r"https://\[::.*\]", "https://[a::]"),
    ],
)
def test_nothing_is_found_that_no_page_sends(inside, outside, found):
    assert search([automaton(inside)], [[automaton(outside)]]) == found
