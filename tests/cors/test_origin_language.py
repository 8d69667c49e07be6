"""Sets of origins: held against the compiled policy, and the origins to show against both."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corsproxy.cors.origin_language import EVERYTHING, Entry, OriginLanguage, witness
from corsproxy.cors.pattern import parse_pattern
from tests.cors.meaning import ANY_PORT, BOTH, EXACT, ORIGINS, PATTERN, SUBDOMAINS
from tests.cors.specs import compiled

EXPRESSIONS = [
    PATTERN,
    r"https://([a-z0-9-]+\.)+example\.com",
    r"https://[a-z]+\.example\.com",
    r"https://(app|www)\.example\.com(:[0-9]+)?",
    r"https?://app\.example\.com",
    r"http://localhost:[0-9]{4}",
]
LISTS = st.lists(EXACT.map(str) | ANY_PORT.map(str) | SUBDOMAINS.map(str) | BOTH.map(str) | st.just("null"), max_size=4)
SETS = st.one_of(
    st.just((("*",), None)),
    st.tuples(
        LISTS.map(lambda texts: tuple(dict.fromkeys(texts))), st.one_of(st.none(), st.sampled_from(EXPRESSIONS))
    ).filter(any),
)
STRANGE = st.sampled_from(
    [b"https://x!y.example", b"https://a..example.com", b"\xff", b"", b"https://a.com/", b"file://a"]
)


@given(SETS, ORIGINS)
def test_a_set_has_what_the_policy_allows(written, origin):
    texts, expression = written
    policy = compiled(allow_origins=texts, allow_origin_regex=expression, dangerously_allow_null=True)
    language = OriginLanguage(texts, expression)
    for value in (origin.encode(), origin.encode() + b".", b"https://a.example.com:3000"):
        assert language.contains(value) is policy.allows_origin(value)
        assert language.contains(value) is any(entry.covers(value) for entry in language.entries)


@given(SETS, STRANGE)
def test_what_is_no_origin_is_in_no_set_but_that_of_all(written, value):
    assert OriginLanguage(*written).contains(value) is (written[0] == ("*",))


@settings(max_examples=40, deadline=None)
@given(SETS, SETS, SETS, st.lists(ORIGINS, max_size=20))
def test_a_witness_is_one_and_without_one_there_is_none(first, second, third, origins):
    entries, within, without = OriginLanguage(*first), OriginLanguage(*second), OriginLanguage(*third)
    for entry in (*entries.entries, EVERYTHING):
        for inside, groups in (((within,), ()), ((), ((without,),)), ((within,), ((without,), (entries, within)))):

            def fits(origin, entry=entry, inside=inside, groups=groups):
                return (
                    entry.covers(origin)
                    and all(language.contains(origin) for language in inside)
                    and not any(all(language.contains(origin) for language in group) for group in groups)
                )

            found = witness(entry, inside, groups)
            if found is None:
                assert not any(fits(origin.encode()) for origin in origins)
            else:
                assert fits(found.encode())


@pytest.mark.parametrize(
    ("entry", "without", "found"),
    [
        ("https://*.example.com", [], "https://a.example.com"),
        ("https://*.example.com", ["https://a.example.com"], "https://b.example.com"),
        ("https://*.example.com", ["https://*.example.com:*"], None),
        ("https://*.a.example.com", ["https://*.example.com"], None),
        ("https://a.example.com", ["https://*.example.com"], None),
        ("https://a.example.com:*", ["https://*.example.com"], "https://a.example.com:3000"),
        ("https://*.example.com", ["https://a.example.com:*", "https://*.b.example.com"], "https://b.example.com"),
        ("http://localhost:*", [], "http://localhost:3000"),
        ("http://localhost:*", ["http://localhost"], "http://localhost:3000"),
        ("*", ["https://stranger.example"], "https://other.example"),
        ("null", [], "null"),
        ("null", ["null"], None),
        ("https://example.com", ["https://*.example.com"], "https://example.com"),
    ],
)
def test_witnesses_are_readable(entry, without, found):
    assert witness(Entry(entry, parse_pattern(entry)), (), ((OriginLanguage(without),),)) == found


@pytest.mark.parametrize(
    ("expression", "without", "found"),
    [
        (PATTERN, None, "https://pr-1.example.com"),
        (PATTERN, r"https://[a-z0-9-]+\.example\.com", None),
        (r"https://[a-z]+\.example\.com", PATTERN, "https://a.example.com"),
        (r"https://[a-z]+\.example\.com", r"https://a?\.example\.com", "https://b.example.com"),  # found by search
    ],
)
def test_witnesses_of_expressions(expression, without, found):
    assert witness(Entry(expression, None), (), ((OriginLanguage((), without),),)) == found


def test_a_list_is_covered_by_an_expression_that_spells_it_out():
    """What no look at the two tells, only a search."""
    entry = Entry("https://*.example.com", parse_pattern("https://*.example.com"))
    assert witness(entry, (), ((OriginLanguage((), r"https://([a-z0-9_-]+\.)+example\.com"),),)) is None
    assert witness(entry, (OriginLanguage(["https://b.example.org"]),)) is None


def test_what_nobody_would_try_first_is_found():
    entry = Entry("https://*.example.com", parse_pattern("https://*.example.com"))
    usual = OriginLanguage(["https://*.a.example.com"], r"https://(a|b|app|www)\.example\.com")
    assert witness(entry, (), ((usual,),)) == "https://c.example.com"


PATTERNS = st.one_of(EXACT, ANY_PORT, SUBDOMAINS, BOTH).map(str).map(lambda text: Entry(text, parse_pattern(text)))


@given(PATTERNS, PATTERNS)
def test_entries_with_an_origin_in_common_meet(first, second):
    """Otherwise a search would leave one of them out."""
    shared = [text for entry in (first, second) for text in entry.examples() if first.covers(text.encode())]
    if any(second.covers(text.encode()) for text in shared):
        assert first.meets(second)
        assert second.meets(first)


def test_ports_that_any_port_covers_are_searched():
    entry = Entry("https://*.example.com:8443", parse_pattern("https://*.example.com:8443"))
    usual = OriginLanguage(["https://*.example.com:*"])
    assert entry.meets(usual.entries[0])
    assert usual.entries[0].meets(entry)
    assert not entry.meets(Entry("https://*.example.com:3000", parse_pattern("https://*.example.com:3000")))
