"""Request targets and hosts: what is refused, what is matched, what is forwarded."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corsproxy.errors import MalformedRequest
from corsproxy.http.target import Target, _parse_with_care, forward_path, parse_host, parse_target

TEXTS = st.sampled_from(
    ["a", "b", "%41", "%u0041", "%u002E", "%7e", "%20", "%", "%zz", "%40", "@", "%25", "%00", "é", "h", ":80", "*", " "]
)
MARKS = st.sampled_from(["/", "/", "//", "%2F", "%2f", "%5c", "\\", ".", "..", "%2e", ";", ";x=1", "%3b", "http://"])
PIECES = TEXTS | MARKS | st.sampled_from(["?", "?q=1", "#"])
TARGETS = st.lists(PIECES, max_size=10).map(lambda pieces: "".join(pieces).encode()) | st.binary(max_size=30)
PATHS = TARGETS.map(lambda target: b"/" + target)


def parts(read: Target) -> tuple:
    return read.authority, read.path, read.query, read.key, read.lenient


def parsed(target: bytes) -> Target | None:
    try:
        return parse_target(target)
    except MalformedRequest:
        return None


@pytest.mark.parametrize(
    ("target", "path", "query", "key"),
    [
        (b"/", b"/", b"", "/"),
        (b"/orders/7", b"/orders/7", b"", "/orders/7"),
        (b"/orders/", b"/orders/", b"", "/orders/"),
        (b"/orders?a=1&b=/../x?y", b"/orders", b"?a=1&b=/../x?y", "/orders"),  # RFC 3986 3.4
        (b"/orders?", b"/orders", b"?", "/orders"),  # a bare "?" is kept
        (b"/?%00%2e%2e", b"/", b"?%00%2e%2e", "/"),  # the query is nobody's path
        (b"/API", b"/API", b"", "/API"),  # cors-engines.md 3.13, CVE-2024-6866
        (b"/a+b", b"/a+b", b"", "/a+b"),  # cors-engines.md 3.14, CVE-2024-6844
        (b"/%61pi/%7Eme", b"/%61pi/%7Eme", b"", "/api/~me"),  # RFC 3986 6.2.2.2
        (b"/caf%c3%a9", b"/caf%c3%a9", b"", "/caf%C3%A9"),  # RFC 3986 6.2.2.1
        (b"/a%2fb", b"/a%2fb", b"", "/a%2Fb"),  # no separator of segments
        (b"/100%", b"/100%", b"", "/100%"),  # as legacy APIs know it
        (b"/%zz/%4", b"/%zz/%4", b"", "/%zz/%4"),
        (b"/%2541", b"/%2541", b"", "/%2541"),  # decoded once, never twice
        (b"/%252e%252e/x", b"/%252e%252e/x", b"", "/%252e%252e/x"),
        (b"//evil/x", b"//evil/x", b"", "//evil/x"),  # proxies.md 3.20
        (b"/http://evil/x", b"/http://evil/x", b"", "/http://evil/x"),
        (b"/.well-known/x", b"/.well-known/x", b"", "/.well-known/x"),
        (b"/a/...", b"/a/...", b"", "/a/..."),
        (b"/a..b/c.", b"/a..b/c.", b"", "/a..b/c."),
        (b'/{id}|"x"^', b'/{id}|"x"^', b"", '/{id}|"x"^'),  # no URI, but browsers send it
        (b"/a:b@c!$&'()*,=~_-", b"/a:b@c!$&'()*,=~_-", b"", "/a:b@c!$&'()*,=~_-"),
        (b"/a;v=1", b"/a;v=1", b"", "/a;v=1"),
    ],
)
def test_origin_form(target, path, query, key):
    read = parse_target(target)
    assert parts(read)[:4] == (None, path, query, key)


@pytest.mark.parametrize(
    ("target", "authority", "path", "query"),
    [
        (b"http://evil/x?y", b"evil", b"/x", b"?y"),  # proxies.md 3.20; RFC 9112 3.2.2
        (b"HTTPS://Api.Example.com:8443/x", b"Api.Example.com:8443", b"/x", b""),
        (b"http://[::1]:80/x", b"[::1]:80", b"/x", b""),
        (b"http://h", b"h", b"/", b""),
        (b"http://h?y", b"h", b"/", b"?y"),
        (b"http://h//x", b"h", b"//x", b""),
    ],
)
def test_absolute_form(target, authority, path, query):
    assert parts(parse_target(target))[:3] == (authority, path, query)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (b"", "neither a path nor"),
        (b"x", "neither a path nor"),
        (b"*", "neither a path nor"),  # proxies.md 3.7, the caller answers OPTIONS * before
        (b"evil:443", "neither a path nor"),  # proxies.md 3.6
        (b"?x", "neither a path nor"),
        (b"ftp://h/x", "neither a path nor"),
        (b"http:/h/x", "neither a path nor"),
        (b"http:///x", "no host name"),
        (b"http://u@h/x", "no host name"),  # RFC 9110 4.2.4
        (b"http://a,b/x", "no host name"),
        (b"http://h:x/", "no host name"),
        (b"http://h\\@evil/x", "no URL has"),
        (b"http://h#f", "fragment"),
        (b"/a#b", "fragment"),  # proxies.md 3.8, HAProxy CVE-2023-45539
        (b"/a?b#c", "fragment"),
        (b"/a b", "no URL has"),
        (b"/a\tb", "no URL has"),
        (b"/a\r\nb", "no URL has"),
        (b"/a\x00", "no URL has"),
        (b"/a\x7f", "no URL has"),
        (b"/caf\xc3\xa9", "no URL has"),  # RFC 3986 2: a URI is ASCII
        (b"/?\xe9", "no URL has"),
        (b"/a\n", "no URL has"),
        (b"/a%00b", "encoded NUL"),  # proxies.md 3.21
        (b"/api/../admin", "dot segments"),  # proxies.md 3.21; cors-engines.md 3.16, flask-cors 3.0.9
        (b"/..", "dot segments"),
        (b"/.", "dot segments"),
        (b"/./a", "dot segments"),
        (b"/a/.?x", "dot segments"),
        (b"/%2e%2e/a", "dot segments"),  # proxies.md 3.21
        (b"/a/.%2E/b", "dot segments"),
        (b"/a/%2e/b", "dot segments"),
        (b"/a/..%2fb", "dot segments"),  # proxies.md 3.21
        (b"/a%2F..%2Fb", "dot segments"),
        (b"/a%2f%2e%2e", "dot segments"),
        (b"/a/..\\b", "dot segments"),
        (b"/a\\..\\b", "dot segments"),
        (b"/a%5c..%5Cb", "dot segments"),  # proxies.md 3.21
        (b"/a/%2e%5cb", "dot segments"),
        (b"/a/..;/b", "dot segments"),  # Tomcat cuts path parameters before it resolves
        (b"/a/..;x=1/b", "dot segments"),
        (b"/a/..%3b/b", "dot segments"),
        (b"/a/%u002e%U002E/b", "dot segments"),  # IIS (PercentUAllowed)
        (b"/a%u002f../b", "dot segments"),
        (b"/a/..%u005cb", "dot segments"),
        (b"/a%u0000", "encoded NUL"),
        (b"//../a", "dot segments"),
        (b"http://h/../a", "dot segments"),
    ],
)
def test_malformed_target(target, words):
    with pytest.raises(MalformedRequest, match=words) as refused:
        parse_target(target)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("target", "lenient"),
    [
        (b"/a/b", "/a/b"),
        (b"/a%20b", "/a%20b"),
        (b"/projects/group%2Fproject", "/projects/group/project"),  # GitLab's and npm's way; WSGI decodes it
        (b"/%40scope%2fpkg", "/@scope/pkg"),
        (b"//admin", "/admin"),  # proxies.md 3.21; nginx merges slashes
        (b"/a///b", "/a/b"),
        (b"/a%2F%2Fb", "/a/b"),
        (b"/%u0061dmin%u002fx", "/admin/x"),  # IIS (PercentUAllowed)
        (b"/%u20ac", "/%u20ac"),
        (b"/a%5Cb", "/a/b"),  # proxies.md 3.21; IIS
        (b"/a\\b", "/a/b"),
        (b"/admin;x=1/users", "/admin/users"),  # Tomcat
        (b"/admin%3Bx", "/admin"),
        (b"/a%21%24%26%27%28%29%2A%2B%2C%3A%3D", "/a!$&'()*+,:="),
        (b"/a%22%23%25%3F%3C", "/a%22%23%25%3F%3C"),  # data in every server
    ],
)
def test_lenient_reading(target, lenient):
    """What the most lenient server understands, so that a rule is never chosen by another reading unnoticed."""
    assert parse_target(target).lenient == lenient


def test_an_ordinary_path_has_one_reading():
    read = parse_target(b"/orders/7?x")
    assert read.lenient is read.key


@pytest.mark.parametrize(
    ("target", "strip", "base", "expected"),
    [
        (b"/orders/7?x=1", 0, b"", b"/orders/7?x=1"),
        (b"/orders/7?x=1", 0, b"/base", b"/base/orders/7?x=1"),
        (b"/orders/7?x=1", 1, b"", b"/7?x=1"),
        (b"/orders/7?x=1", 1, b"/base", b"/base/7?x=1"),
        (b"/orders", 1, b"", b"/"),
        (b"/orders?", 1, b"", b"/?"),
        (b"/orders/", 1, b"", b"/"),
        (b"/orders", 1, b"/base", b"/base/"),
        (b"/a/b/c", 2, b"", b"/c"),
        (b"/a/b", 3, b"", b"/"),
        (b"/%6Frders/7", 1, b"", b"/7"),  # the prefix in another spelling
        (b"/or%2Fders/7", 1, b"", b"/7"),  # %2F is no separator
        (b"/api//evil/x", 1, b"", b"//evil/x"),  # proxies.md 3.20: a path like any other
        (b"//evil/x", 0, b"", b"//evil/x"),
        (b"http://evil/x", 0, b"", b"/x"),
        (b"/a%2fb%41%zz;c", 0, b"", b"/a%2fb%41%zz;c"),
    ],
)
def test_forward_path(target, strip, base, expected):
    assert forward_path(parse_target(target), strip, base) == expected


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"api.example.com", "api.example.com"),
        (b"API.Example.com:8080", "api.example.com"),
        (b"localhost:", "localhost"),  # RFC 3986 3.2.3, an empty port
        (b"localhost:65535", "localhost"),
        (b"api.example.com.", "api.example.com"),  # the root's dot
        (b"my_service:80", "my_service"),  # Compose names
        (b"xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        (b"127.0.0.1:9000", "127.0.0.1"),
        (b"[::1]", "::1"),
        (b"[::1]:8080", "::1"),
        (b"[2001:DB8:0:0:0:0:0:1]", "2001:db8::1"),
    ],
)
def test_host(value, name):
    assert parse_host(value) == (name, value)


@pytest.mark.parametrize(
    "value",
    [
        b"",  # proxies.md 3.1
        b"a/../b",
        b"a@b",
        b"a, b",
        b"a b",
        b" a",
        b"a,",
        b"a?b",
        b"a#b",
        b"a\\b",
        b"a%2eb",
        b"..",
        b".a",
        b"a..b",
        b"a.b..",
        b":80",
        b"a:80:81",
        b"a:x",
        b"a:+80",
        b"a:65536",
        b"a:100000",
        b"::1",  # without brackets nobody knows where the port begins
        b"[::1",
        b"[::1]x",
        b"[]",
        b"[fe80::1%25eth0]",  # RFC 6874: zones never leave their machine
        b"[1.2.3.4]",
        b"[::g]",
        b"a\r\nb",
        b"a\n",
        b"\xc3\xa9.de",
        b"a" * 256,
    ],
)
def test_no_host(value):
    with pytest.raises(MalformedRequest, match="no host name") as refused:
        parse_host(value)
    assert refused.value.status == 400


@given(TARGETS)
@example(b"http://[::ffff:1.2.3.4]/")
def test_any_bytes_are_read_or_refused(target):
    """parse_target raises nothing but MalformedRequest."""
    parsed(target)


@given(PATHS)
def test_the_short_way_reads_like_the_long_one(target):
    read = parsed(target)
    if read is not None:
        assert parts(_parse_with_care(target)) == parts(read)


@pytest.mark.parametrize(
    "target", [b"/secret#", b"/secret ", b"/../secret", b"/secret%00", b"secret", b"http://secret@h/"]
)
def test_a_refusal_repeats_nothing_of_the_target(target):
    with pytest.raises(MalformedRequest) as refused:
        parse_target(target)
    assert "secret" not in str(refused.value)


@given(st.binary(max_size=40))
def test_any_host_is_read_or_refused(value):
    try:
        name, whole = parse_host(value)
    except MalformedRequest:
        return
    assert whole == value
    assert name == name.lower()
    assert name


@given(PATHS)
def test_what_is_read_is_what_was_sent(target):
    read = parsed(target)
    if read is not None:
        assert read.path + read.query == target
        assert forward_path(read, 0, b"") == target


@given(PATHS)
def test_key_and_path_have_the_same_segments(target):
    read = parsed(target)
    if read is not None:
        assert read.key.count("/") == read.path.count(b"/")


@given(PATHS)
def test_two_spellings_of_one_path_have_one_key(target):
    """RFC 3986 6.2.2: an unreserved character may be escaped, in either case of the digits."""
    read = parsed(target)
    if read is not None and b"%" not in read.path:
        escaped = re.sub(rb"[a-z]", lambda letter: b"%%%02x" % letter[0][0], read.path)
        assert parse_target(escaped).key == read.key


@given(PATHS, st.integers(0, 4), st.sampled_from([b"", b"/base"]))
def test_stripping_keeps_the_rest_byte_for_byte(target, strip, base):
    read = parsed(target)
    if read is None:
        return
    forwarded = forward_path(read, strip, base)
    assert forwarded.startswith(base + b"/")
    assert forwarded.endswith(read.query)
    path = forwarded[len(base) : len(forwarded) - len(read.query)]
    segments = read.path.split(b"/")[1:][strip:]
    assert path == b"/" + b"/".join(segments)


@given(PATHS)
def test_no_reading_of_an_accepted_path_climbs(target):
    """However a server decodes it once, an accepted path has no dot segments."""
    read = parsed(target)
    if read is None:
        return
    for view in (read.key, read.lenient, re.sub("%2[Ee]", ".", read.lenient)):
        assert not {".", ".."} & set(view.split("/"))
    assert "//" not in read.lenient
    assert "\\" not in read.lenient
