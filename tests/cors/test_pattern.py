"""Origin patterns, and the set in which they are looked up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.cors.origin import Origin, parse_origin
from corsproxy.cors.pattern import ANY, NULL, OriginSet, Pattern, compile_patterns, parse_pattern
from corsproxy.errors import InvalidOrigin

PATTERNS = [
    ("*", ANY),
    ("null", NULL),
    ("https://example.com", Pattern("https", "example.com")),
    ("https://example.com:8443", Pattern("https", "example.com", 8443)),
    ("https://*.example.com", Pattern("https", "example.com", subdomains=True)),
    ("https://*.example.com:8443", Pattern("https", "example.com", 8443, subdomains=True)),
    ("http://localhost:*", Pattern("http", "localhost", any_port=True)),
    ("http://[::1]:*", Pattern("http", "[::1]", any_port=True)),
    ("http://127.0.0.1:*", Pattern("http", "127.0.0.1", any_port=True)),
    ("https://*.example.com:*", Pattern("https", "example.com", subdomains=True, any_port=True)),
]


@pytest.mark.parametrize(("text", "pattern"), PATTERNS)
def test_patterns_are_parsed_and_written_again(text, pattern):
    assert parse_pattern(text) == pattern
    assert str(pattern) == text


def test_a_pattern_knows_whether_it_is_one_origin():
    assert [str(pattern) for _, pattern in PATTERNS if pattern.exact] == [
        "null",
        "https://example.com",
        "https://example.com:8443",
    ]


WRONG = [
    # text, what the message says, correction; source
    ("https://*.example.com/", "a trailing slash", "https://*.example.com"),
    ("https://*.Example.com:443", "upper-case letters and the default port", "https://*.example.com"),
    ("https://*.bücher.example:*", "beyond ASCII", "https://*.xn--bcher-kva.example:*"),
    ("http://localhost:*/", "a trailing slash", "http://localhost:*"),
    ("http://localhost:3000:*", "two ports", ""),
    ("http*://example.com", "a wildcard in its scheme", "https://example.com"),  # rs/cors #197
    ("*://example.com", "a wildcard in its scheme", "https://example.com"),
    ("h*", "no scheme", ""),  # rs/cors #197
    ("*.example.com", "no scheme", "https://*.example.com"),
    ("example.com:*", "no scheme", "https://example.com:*"),
    ("localhost:*", "no scheme", "http://localhost:*"),
    ("https://*", "a wildcard for every host", ""),
    ("https://*:*", "a wildcard for every host", ""),
    ("https://*.", "no host", ""),
    ("https://*.*", "a wildcard for every host", ""),
    ("**", "a wildcard for every host", ""),
    (" *", "a wildcard for every host", ""),
    ("https://example.com*", "covers example.com.evil.example too", "https://example.com"),  # CVE-2019-25211 gin
    ("https://example.*", "covers example.evil.example too", ""),
    ("https://*.example.*", "covers example.evil.example too", ""),
    ("https://*example.com", "a misplaced wildcard", "https://*.example.com"),
    ("https://*.*.example.com", "a misplaced wildcard", "https://*.example.com"),
    ("https://**.example.com", "a misplaced wildcard", "https://*.example.com"),
    ("https://pr-*.example.com", "a wildcard inside", ""),
    ('https://*.a"*".example', "a misplaced wildcard", ""),  # its correction was itself, and corrected for ever
    ("https://a.*.example.com", "a wildcard inside", ""),
    ("https://example.com:80*", "a wildcard inside", ""),
    ("https://192.168.*.*", "a wildcard in an address", ""),
    ("https://192.168.0.*", "a wildcard in an address", ""),
    ("http://[::*]", "a wildcard in an address", ""),
    ("https://*.192.0.2.1", "a wildcard before an address", "https://192.0.2.1"),
    ("https://*.[::1]:*", "a wildcard before an address", "https://[::1]:*"),
    ("https://*.[::1]:8443", "a wildcard before an address", "https://[::1]:8443"),
    ("file://*", "a wildcard for every host", ""),
    ("NULL", "written null", "null"),
]


@pytest.mark.parametrize(("text", "reason", "correction"), WRONG)
def test_everything_else_is_refused_with_its_reason_and_a_correction(text, reason, correction):
    with pytest.raises(InvalidOrigin) as caught:
        parse_pattern(text)
    assert str(caught.value).startswith(repr(text))
    assert reason in str(caught.value)
    assert caught.value.correction == correction


@given(
    st.text(max_size=30)
    | st.text("htps:/*.[]0159axA@-", max_size=30).map("http://".__add__)
    | st.lists(st.sampled_from(["*.", "*", ":*", "a", ".example", '"', "1", "[::1]"]), max_size=8).map(
        lambda parts: "https://" + "".join(parts)
    )
)
def test_any_text_is_parsed_or_refused_with_a_correction_that_holds(text):
    corrected = text
    try:
        pattern = parse_pattern(text)
    except InvalidOrigin as error:
        corrected = error.correction or "null"
        pattern = parse_pattern(corrected)
    assert str(pattern) == corrected


MATCHES = [
    # pattern, origin, whether it is allowed
    ("https://example.com", "https://example.com", True),
    ("https://example.com", "http://example.com", False),  # S9: another scheme
    ("https://example.com", "https://example.com:8443", False),  # S9: another port
    ("https://example.com", "https://www.example.com", False),  # S9: another host
    ("https://example.com", "https://example.com.evil.example", False),  # CVE-2019-25211
    ("https://example.com", "https://evilexample.com", False),
    ("https://example.com", "https://EXAMPLE.com", False),
    ("https://example.com", "https://example.com/", False),
    ("https://example.com", "https://example.com.", False),
    ("https://example.com", "null", False),
    ("https://*.example.com", "https://a.example.com", True),
    ("https://*.example.com", "https://a.b.c.example.com", True),  # one or more labels
    ("https://*.example.com", "https://example.com", False),  # never the bare domain
    ("https://*.example.com", "https://.example.com", False),  # prefix and suffix may not overlap
    ("https://*.example.com", "https://evilexample.com", False),  # expressjs PR #412
    ("https://*.example.com", "https://a.example.com:8443", False),
    ("https://*.example.com", "http://a.example.com", False),
    ("https://*.example.com", "https://a.example.com.evil.example", False),
    ("https://*.example.com", "https://evil.example#a.example.com", False),
    ("https://*.example.com", "https://evil.example/.example.com", False),
    ("https://*.example.com", "https://a@b.example.com", False),
    ("https://*.example.com", "https://A.example.com", False),
    ("https://*.example.com", "https://%61.example.com", False),
    ("https://*.example.com:8443", "https://a.example.com:8443", True),
    ("https://*.example.com:8443", "https://a.example.com", False),
    ("https://*.example.com:8443", "https://a.example.com:84430", False),
    ("http://localhost:*", "http://localhost", True),  # the default port included
    ("http://localhost:*", "http://localhost:3000", True),
    ("http://localhost:*", "http://localhost:65535", True),
    ("http://localhost:*", "http://localhost:80", False),  # no browser sends a default port
    ("http://localhost:*", "http://localhost:0", False),
    ("http://localhost:*", "http://localhost:03000", False),
    ("http://localhost:*", "http://localhost:65536", False),
    ("http://localhost:*", "http://localhost:", False),
    ("http://localhost:*", "http://localhost:*", False),
    ("http://localhost:*", "https://localhost:3000", False),
    ("http://localhost:*", "http://a.localhost:3000", False),
    ("http://localhost:*", "http://localhost.attacker.com", False),  # decocms #3757
    ("http://localhost:*", "http://localhost:3000.attacker.com", False),
    ("http://[::1]:*", "http://[::1]:5173", True),
    ("http://[::1]:*", "http://[::2]:5173", False),
    ("http://127.0.0.1:*", "http://127.0.0.1:5173", True),
    ("http://127.0.0.1:*", "http://127.0.0.1.evil.example:5173", False),
    ("https://*.example.com:*", "https://a.example.com:8443", True),
    ("https://*.example.com:*", "https://a.example.com", True),
    ("https://*.example.com:*", "https://example.com:8443", False),
    ("null", "null", True),
    ("null", "Null", False),
    ("null", "https://null", False),
    ("*", "https://anything.example", True),
    ("*", "null", True),  # https://fetch.spec.whatwg.org/#cors-check: * passes for every origin
]


@pytest.mark.parametrize(("pattern", "origin", "allowed"), MATCHES)
def test_what_a_pattern_allows(pattern, origin, allowed):
    # Beside another pattern of each kind, so that no answer comes from an empty set.
    others = ["https://other.example", "https://*.other.example:9", "http://*.other.example:*"]
    assert compile_patterns(map(parse_pattern, [pattern, *others])).match(origin.encode()) is allowed
    assert compile_patterns([parse_pattern(pattern)]).match(origin.encode()) is allowed


def test_patterns_that_share_a_suffix_are_not_mixed():
    """GHSA-vhxv-fg4m-p2w8: with foo.com and bar.com listed, barfoo.com was let in."""
    origins = compile_patterns(map(parse_pattern, ["https://foo.com", "https://*.foo.com", "https://bar.com"]))
    assert origins.match(b"https://bar.foo.com")
    assert not origins.match(b"https://barfoo.com")
    assert not origins.match(b"https://foobar.com")


def test_ports_of_one_host_add_up_and_any_port_swallows_them():
    listed = ["https://*.example.com", "https://*.example.com:1", "https://*.example.com:2"]
    some = compile_patterns(map(parse_pattern, listed))
    assert [some.match(b"https://a.example.com" + port) for port in (b"", b":1", b":2", b":3")] == [True] * 3 + [False]
    for order in ([*listed, "https://*.example.com:*"], ["https://*.example.com:*", *listed]):
        assert compile_patterns(map(parse_pattern, order)).match(b"https://a.example.com:3")


LABELS = st.sampled_from(["a", "b", "example", "com", "localhost"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PORTS = st.none() | st.sampled_from([1, 8443])
ORIGINS = st.builds(Origin, st.sampled_from(["http", "https"]), HOSTS, PORTS)
LISTS = st.lists(
    st.builds(Pattern, st.sampled_from(["http", "https"]), HOSTS, PORTS, st.booleans(), st.just(False))
    | st.builds(Pattern, st.sampled_from(["http", "https"]), HOSTS, st.none(), st.booleans(), st.just(True)),
    max_size=5,
)


@given(LISTS, ORIGINS)
def test_the_set_allows_what_its_patterns_cover(patterns, origin):
    meant = any(pattern.covers(origin) for pattern in patterns)
    assert compile_patterns(patterns).match(str(origin).encode()) is meant


@given(LISTS, st.binary() | ORIGINS.map(str).map(str.encode).flatmap(lambda text: st.binary().map(text.__add__)))
def test_arbitrary_bytes_are_looked_up_without_an_exception(patterns, value):
    allowed = compile_patterns(patterns).match(value)
    assert not allowed or any(pattern.covers(parse_origin(value.decode())) for pattern in patterns)


class CountingSet(frozenset):
    probes = 0

    def __contains__(self, member):
        CountingSet.probes += 1
        return super().__contains__(member)


class CountingDict(dict):
    probes = 0

    def get(self, *args):
        CountingDict.probes += 1
        return super().get(*args)


def counted(origins: OriginSet, origin: bytes) -> tuple[int, int]:
    """How often the sets and the dictionaries are asked about an origin."""
    CountingSet.probes = CountingDict.probes = 0
    hosts = CountingDict({scheme: CountingDict(names) for scheme, names in origins.hosts.items()})
    replace(origins, exact=CountingSet(origins.exact), hosts=hosts).match(origin)
    return CountingSet.probes, CountingDict.probes


ASKED = [
    b"https://tenant-7.example.com",
    b"https://x.wild-7.example.com:1007",
    b"http://a.b.c.evil.example",
    b"rubbish",
]


@pytest.mark.parametrize("asked", ASKED)
def test_the_work_of_a_look_up_does_not_grow_with_the_list(asked):
    """10,000 origins and patterns are asked as often as 10 are: counted in probes, so that no clock is needed."""

    def listed(count):
        exact = [f"https://tenant-{number}.example.com" for number in range(count)]
        wide = [f"https://*.wild-{number}.example.com:{number + 1000}" for number in range(count)]
        return compile_patterns(map(parse_pattern, exact + wide))

    few, many = counted(listed(10), asked), counted(listed(10_000), asked)
    assert few == many
    assert sum(many) <= 2 + asked.count(b".") + 1
