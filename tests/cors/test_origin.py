"""Origins as values, and what a person is told who wrote something else."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from corsproxy.cors.origin import Origin, parse_origin
from corsproxy.cors.serialized import split_origin
from corsproxy.errors import InvalidOrigin

ORIGINS = [
    ("https://example.com", Origin("https", "example.com", None)),
    ("http://localhost:3000", Origin("http", "localhost", 3000)),
    ("http://[::1]:3000", Origin("http", "[::1]", 3000)),
    ("https://xn--bcher-kva.example", Origin("https", "xn--bcher-kva.example", None)),
    ("http://127.0.0.1", Origin("http", "127.0.0.1", None)),
]


@pytest.mark.parametrize(("text", "origin"), ORIGINS)
def test_origins_are_parsed_and_serialized(text, origin):
    assert parse_origin(text) == origin
    assert str(origin) == text


WRONG = [
    # text, what the message says of it, correction (research: cors-engines.md section 1, what jub0bs/cors validates)
    ("https://example.com/", "a trailing slash", "https://example.com"),  # sync_gateway #998, apollo router #1471
    ("https://example.com/app", "a path, query or fragment", "https://example.com"),
    ("https://example.com?q", "a path, query or fragment", "https://example.com"),
    ("https://example.com#f", "a path, query or fragment", "https://example.com"),
    ("https://example.com\\", "a path, query or fragment", "https://example.com"),
    ("https://example.com:443", "the default port of its scheme", "https://example.com"),
    ("http://example.com:80", "the default port of its scheme", "http://example.com"),
    ("http://example.com:080", "the default port of its scheme", "http://example.com"),
    ("https://Example.COM", "upper-case letters", "https://example.com"),
    ("HTTPS://example.com", "upper-case letters", "https://example.com"),
    ("https://Example.com.", "upper-case letters and a trailing dot", "https://example.com"),
    (
        "https://bücher.example",
        "letters beyond ASCII, which browsers send as Punycode",
        "https://xn--bcher-kva.example",
    ),
    ("https://Bücher.Example:8443", "beyond ASCII", "https://xn--bcher-kva.example:8443"),
    ("https://faß.example", "beyond ASCII", "https://xn--fa-hia.example"),  # UTS 46, non-transitional as in browsers
    ("https://例え.テスト", "beyond ASCII", "https://xn--r8jz45g.xn--zckzah"),
    ("https://\U0001f4a9\u200d", "beyond ASCII", ""),
    ("https://user@example.com", "user information", ""),
    ("https://@example.com", "user information", "https://example.com"),
    ("https://user:pw@example.com:8443", "user information", ""),
    (" https://example.com\t", "white space around it", "https://example.com"),
    ("https://example.com https://b.example", "list each origin as an entry of its own", ""),
    ("https://a.example,https://b.example", "list each origin as an entry of its own", ""),
    ("https://a.example;https://b.example", "list each origin as an entry of its own", ""),
    ("https://a.ex\x00ample", "without white space", ""),
    ("", "write one as browsers send it", ""),
    ("   ", "write one as browsers send it", ""),
    ("https://", "no host", ""),
    ("https:///path", "no host", ""),
    ("https://:8080", "no host", ""),
    ("https://.", "characters that no host has", ""),
    ("example.com", "no scheme", "https://example.com"),
    ("//example.com", "no scheme", "https://example.com"),
    ("example.com:8443", "no scheme", "https://example.com:8443"),
    ("localhost:3000", "no scheme", "http://localhost:3000"),
    ("127.0.0.1:3000", "no scheme", "http://127.0.0.1:3000"),
    ("[::1]:80", "no scheme and the default port", "http://[::1]"),
    ("1http://example.com", "a malformed scheme", ""),
    ("ht tp://example.com", "without white space", ""),
    ("hättps://example.com", "a malformed scheme", ""),
    ("a" * 65 + "://example.com", "a malformed scheme", ""),
    ("wss://example.com", "a WebSocket's scheme", "https://example.com"),
    ("WS://example.com:80", "a WebSocket's scheme", "http://example.com"),
    ("file:///home/me/index.html", "such pages send the origin null", ""),
    ("file://", "such pages send the origin null", ""),
    ("data:text/html,x", "list each origin", ""),
    ("blob:https://example.com/1", "such pages send the origin null", ""),
    ("NULL", "the opaque origin is written null", "null"),
    (" null", "the opaque origin is written null", "null"),
    ("null", "no scheme and no host", ""),
    ("https://example.com.", "a trailing dot", "https://example.com"),
    ("https://a..example.com", "characters that no host has", ""),
    ("https://exa%6dple.com", "characters that no host has", ""),
    ("https://example.com:", "a colon without a port", "https://example.com"),
    ("https://example.com:0", "a port that is not between 1 and 65535", ""),
    ("https://example.com:000", "a port that is not between 1 and 65535", ""),
    ("https://example.com:65536", "a port that is not between 1 and 65535", ""),
    ("https://example.com:" + "9" * 5000, "a port that is not between 1 and 65535", ""),
    ("https://example.com:http", "a port that is not between 1 and 65535", ""),
    ("https://example.com:²", "a port that is not between 1 and 65535", ""),
    ("https://example.com:08443", "a leading zero in its port", "https://example.com:8443"),
    ("https://256.0.0.1", "a malformed IPv4 address", ""),
    ("https://127.1", "a malformed IPv4 address", ""),
    ("https://010.0.0.1", "a malformed IPv4 address", ""),  # octal to a browser, decimal to a person
    ("https://" + "a" * 64 + ".example", "more than 63", ""),
    ("https://" + "a." * 126 + "abc", "more than 253", ""),
    ("https://[2001:DB8::1]", "not in its compressed form", "https://[2001:db8::1]"),
    ("https://[0:0:0:0:0:0:0:1]", "not in its compressed form", "https://[::1]"),
    ("https://[::ffff:192.0.2.1]:8443", "an IPv4 address written as IPv6", "https://192.0.2.1:8443"),
    ("https://[::ffff:c000:201]", "an IPv4 address written as IPv6", "https://192.0.2.1"),
    ("https://[fe80::1%eth0]", "an IPv6 zone", "https://[fe80::1]"),
    ("https://[::1", "a malformed IPv6 address", ""),
    ("https://[example.com]", "a malformed IPv6 address", ""),
    ("https://::1", "no host", ""),
    (
        "HTTPS://Example.com:443/",
        "upper-case letters and the default port of its scheme and a trailing slash",
        "https://example.com",
    ),
]


@pytest.mark.parametrize(("text", "reason", "correction"), WRONG)
def test_everything_else_is_refused_with_its_reason_and_a_correction(text, reason, correction):
    with pytest.raises(InvalidOrigin) as caught:
        parse_origin(text)
    assert str(caught.value).startswith(repr(text))
    assert reason in str(caught.value)
    assert caught.value.correction == correction


TEXTS = st.text(max_size=40) | st.from_regex(
    r"\A[ ]?(?:[hH]ttps?|wss?|null|file|x)?(?::?//)?(?:[a-zA-Zé0-9.*\[\]:%@_-]{0,20})(?::[0-9*²]{0,6})?[/?#\\ ]?\Z"
)


@given(TEXTS)
@example("\ud800")  # a lone surrogate cannot be encoded
@example("https://\u3002")
@example("https://xn--\u00e9")
def test_any_text_is_parsed_or_refused_with_a_correction_that_holds(text):
    corrected = text
    try:
        origin = parse_origin(text)
    except InvalidOrigin as error:
        corrected = "https://example.com" if error.correction in {"", "null"} else error.correction
        origin = parse_origin(corrected)
    assert str(origin) == corrected
    assert split_origin(corrected.encode()) is not None


@given(
    st.from_regex(r"\A[a-z][a-z0-9+.-]{0,10}\Z"),
    st.from_regex(r"\A[a-z0-9_-]{1,10}(\.[a-z_-]{1,10}){0,5}\Z")
    | st.ip_addresses().map(lambda ip: f"[{ip}]" if ip.version == 6 else str(ip)),
    st.none() | st.integers(1, 65535),
)
def test_an_origin_is_what_its_text_says(scheme, host, port):
    origin = Origin(scheme, host, port)
    assume(split_origin(str(origin).encode()) is not None)
    assert parse_origin(str(origin)) == origin
