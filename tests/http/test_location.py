"""Location: back into the proxy's paths, and never to another authority than before unless it was the upstream's."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.http.location import LocationRewrite, proxy_path

PLAIN = LocationRewrite.create(["http://up.internal:8000"], "", "")
BASED = LocationRewrite.create(["http://up.internal:8000/base"], "/base", "")
STRIPPED = LocationRewrite.create(["http://up.internal:8000"], "", "/orders")
BOTH = LocationRewrite.create(["http://up.internal:8000/base/", "https://[2001:DB8::1]"], "/base/", "/orders/")

UNTOUCHED = [
    b"",
    b"login",
    b"./login",
    b"../login",
    b"?page=2",
    b"#top",
    b"https://elsewhere.example/base/x",
    b"//elsewhere.example/x",
    b"https://up.internal:8000/base/x",  # another scheme is another server
    b"http://up.internal/base/x",  # another port too
    b"http://up.internal:80000/base/x",
    b"http://up.internal.evil/base/x",
    b"http://up.internal:8000@evil/base/x",  # user information
    b"http://u:p@up.internal:8000/base/x",
    b"http://up.internal:8000\\@evil/base/x",  # https://url.spec.whatwg.org/#authority-state
    b"http://up.internal:8000\\base/x",
    b"http://up.internal:80001\\@evil/base/x",
    b"http:\\\\up.internal:8000\\base\\x",
    b"http:/up.internal:8000/base/x",
    b"http:///up.internal:8000/base/x",
    b"http:up.internal:8000",
    b"/\\evil/x",
    b"\\\\evil/x",
    b"///evil/x",
    b"/\t/evil/base/x",  # https://url.spec.whatwg.org/#concept-basic-url-parser deletes tabs
    b"/base/\tx",
    b"http://up.internal:8000/base/\x01x",
    b"http://up.internal:8000\x7f/base/x",
    b" /base/x",
    b"mailto:a@b",
    b"javascript:alert(1)",
    b"ftp://up.internal:8000/base/x",
    b"/base/x\xff\r\n",
]


@pytest.mark.parametrize("rewrite", [PLAIN, BASED, STRIPPED, BOTH, LocationRewrite()])
@pytest.mark.parametrize("value", UNTOUCHED)
def test_what_leads_elsewhere_is_left_alone(rewrite, value):
    assert rewrite.rewrite(value, b"proxy.example") == value


@pytest.mark.parametrize(
    ("rewrite", "value", "expected"),
    [
        # absolute: HPM #138, #140 (proxies.md 2.4)
        (PLAIN, b"http://up.internal:8000/login?next=/x#top", b"/login?next=/x#top"),
        (PLAIN, b"HTTP://UP.internal:8000/Login", b"/Login"),
        (PLAIN, b"http://up.internal:8000", b"/"),
        (PLAIN, b"http://up.internal:8000?x", b"/?x"),
        (PLAIN, b"http://up.internal:8000#x", b"/#x"),
        (STRIPPED, b"http://up.internal:8000/login", b"/orders/login"),
        (STRIPPED, b"http://up.internal:8000/", b"/orders/"),
        (BASED, b"http://up.internal:8000/base/login", b"/login"),
        (BOTH, b"http://up.internal:8000/base/login", b"/orders/login"),
        (BOTH, b"https://[2001:db8::1]:443/base/x", b"/orders/x"),
        (BOTH, b"https://[2001:DB8::1]/base/x", b"/orders/x"),
        (BOTH, b"https://[2001:db8::1]:/base/x", b"/orders/x"),
        # scheme-relative
        (PLAIN, b"//up.internal:8000/x", b"/x"),
        (BOTH, b"//[2001:db8::1]/base/x", b"/orders/x"),
        # absolute paths
        (PLAIN, b"/x?y", b"/x?y"),
        (PLAIN, b"/a/../x", b"/a/../x"),
        (STRIPPED, b"/", b"/orders/"),
        (STRIPPED, b"/x?y#z", b"/orders/x?y#z"),
        (STRIPPED, b"/x?to=http://up.internal:8000/", b"/orders/x?to=http://up.internal:8000/"),
        (BASED, b"/base", b"/"),
        (BASED, b"/base?x", b"/?x"),
        (BOTH, b"/base", b"/orders"),
        (BOTH, b"/base/", b"/orders/"),
        (BOTH, b"/base/x", b"/orders/x"),
        (BOTH, b"/base/a b/\xe4", b"/orders/a b/\xe4"),  # sloppy, but common
        # outside the base: no path of the proxy leads there
        (BOTH, b"/other", b"/other"),
        (BOTH, b"/baseball", b"/baseball"),
        (BOTH, b"/base\\..\\x", b"/base\\..\\x"),
        (BOTH, b"http://up.internal:8000/other", b"http://up.internal:8000/other"),
        (BOTH, b"http://up.internal:8000", b"http://up.internal:8000"),
        (BOTH, b"/base/../other", b"/base/../other"),
        # dot segments are resolved as a browser does before the base is looked for
        (BOTH, b"/x/../base/y", b"/orders/y"),
        (BOTH, b"/base/a/%2E%2e/b/.", b"/orders/b/"),
        (STRIPPED, b"/../../x", b"/orders/x"),
        (STRIPPED, b"/a/..", b"/orders/"),
        # a path that begins like an authority stays a path
        (PLAIN, b"http://up.internal:8000//evil/x", b"/.//evil/x"),
        (PLAIN, b"http://up.internal:8000/\\evil/x", b"/./\\evil/x"),
        (PLAIN, b"http://up.internal:8000/..//evil/x", b"/..//evil/x"),
        (BASED, b"http://up.internal:8000/../base//evil/x", b"/.//evil/x"),
        (BASED, b"/base//evil/x", b"/.//evil/x"),
        (BASED, b"/base/\\evil/x", b"/./\\evil/x"),
        (BOTH, b"/base//evil/x", b"/orders//evil/x"),
    ],
)
def test_what_leads_to_the_upstream_comes_back(rewrite, value, expected):
    assert rewrite.rewrite(value) == expected


@pytest.mark.parametrize(
    ("rewrite", "value", "expected"),
    [
        (STRIPPED, b"http://proxy.example:8080/x?y", b"http://proxy.example:8080/orders/x?y"),
        (STRIPPED, b"https://Proxy.Example:8080", b"https://Proxy.Example:8080/orders/"),
        (STRIPPED, b"//proxy.example:8080/x", b"//proxy.example:8080/orders/x"),
        (BOTH, b"http://proxy.example:8080/base/x", b"http://proxy.example:8080/orders/x"),
        (BOTH, b"http://proxy.example:8080/other", b"http://proxy.example:8080/other"),
        (BASED, b"http://proxy.example:8080/base/x", b"http://proxy.example:8080/x"),
        (PLAIN, b"http://proxy.example:8080//x", b"http://proxy.example:8080//x"),
        # an upstream that was configured with its public URL has the prefix already
        (STRIPPED, b"http://proxy.example:8080/orders/x", b"http://proxy.example:8080/orders/x"),
        (STRIPPED, b"http://proxy.example:8080/orders?x", b"http://proxy.example:8080/orders?x"),
        (STRIPPED, b"http://proxy.example:8080/orders-old", b"http://proxy.example:8080/orders/orders-old"),
        (STRIPPED, b"http://proxy.example/x", b"http://proxy.example/x"),
    ],
)
def test_an_upstream_that_calls_itself_by_the_proxys_name_lacks_only_the_prefix(rewrite, value, expected):
    assert rewrite.rewrite(value, b"proxy.example:8080") == expected


def test_default_ports_may_be_written_or_not():
    rewrite = LocationRewrite.create(["https://Api.Example.com:443", "http://api.example.com"], "", "")
    for authority in ("https://api.example.com", "https://api.example.com:443", "http://api.example.com:80"):
        assert rewrite.rewrite(f"{authority}/x".encode()) == b"/x"
    assert rewrite.rewrite(b"https://api.example.com:80/x") == b"https://api.example.com:80/x"


def test_upstreams_without_a_host_have_no_urls_to_rewrite():
    assert LocationRewrite.create(["unix:/run/api.sock", "http:///x"], "", "") == LocationRewrite()


@pytest.mark.parametrize(
    ("path", "base", "prefix", "expected"),
    [
        (b"/x", b"", b"", b"/x"),
        (b"/b", b"/b", b"", b"/"),
        (b"/b/", b"/b", b"/p", b"/p/"),
        (b"/bc", b"/b", b"/p", None),
        (b"/", b"/b", b"/p", None),
    ],
)
def test_proxy_path(path, base, prefix, expected):
    assert proxy_path(path, base, prefix) == expected


def authority_in_browser(reference: bytes, own: str = "proxy.example") -> str:
    """Where a browser goes, after https://url.spec.whatwg.org/#concept-basic-url-parser for http URLs."""
    text = reference.decode("latin-1").strip("".join(map(chr, range(33))))
    text = re.sub("[\t\r\n]", "", text)
    if (scheme := re.match("([A-Za-z][A-Za-z0-9+.-]*):", text)) and scheme[1].lower() not in ("http", "https"):
        return text
    absolute = re.match(r"https?:[/\\]*", text, re.IGNORECASE)
    if absolute is None or (absolute[0].lower() == "http:" and not re.match("[/\\\\]", text[5:6])):
        absolute = re.match(r"[/\\]{2,}", text)
    if absolute is None:
        return own
    authority = re.split(r"[/\\?#]", text[absolute.end() :], maxsplit=1)[0]
    return authority.rpartition("@")[2].lower()


STARTS = st.sampled_from([b"http://up.internal:8000", b"//up.internal:8000", b"http://proxy.example", b"/base", b""])
MARKS = st.sampled_from(
    [b"http:", b"//", b"/", b"\\", b"@", b"?", b"#", b":", b"..", b".", b"%2e%2E", b"\t", b" ", b"\x01"]
)
WORDS = st.sampled_from([b"up.internal:8000", b"proxy.example", b"evil", b"base", b"/base", b"orders", b"x", b"\xe4"])
REFERENCES = st.builds(lambda start, pieces: start + b"".join(pieces), STARTS, st.lists(MARKS | WORDS, max_size=7))
REWRITES = st.sampled_from([PLAIN, BASED, STRIPPED, BOTH])
OURS = {"proxy.example", "up.internal:8000", "[2001:db8::1]"}


@given(REFERENCES | st.binary(max_size=20), REWRITES)
def test_a_rewritten_location_goes_nowhere_new(value, rewrite):
    before = authority_in_browser(value)
    after = authority_in_browser(rewrite.rewrite(value, b"proxy.example"))
    assert after == before or (before in OURS and after == "proxy.example")


@given(REFERENCES, REWRITES)
def test_query_and_fragment_are_kept(value, rewrite):
    start = re.search(rb"[?#]", value)
    if start:
        assert rewrite.rewrite(value, b"proxy.example").endswith(value[start.start() :])


@given(st.text("abc/", max_size=8).map(lambda path: "/" + path), REWRITES)
def test_paths_come_back_to_where_the_proxy_forwards_from(path, rewrite):
    """What the proxy would forward (prefix off, base on) leads to the path that the upstream named."""
    named = (rewrite.base.decode() + path).encode()
    here = rewrite.rewrite(b"http://up.internal:8000" + named)
    shown = urlsplit("http://proxy.example" + here.decode()).path.removeprefix("/.")
    assert rewrite.base + shown.encode().removeprefix(rewrite.prefix) == named
