"""Safe compile: hostile origins made from a policy's own patterns."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.cors.hostile import filled, hostile_to_list, hostile_to_regex, tricks
from corsproxy.cors.origin import parse_origin
from corsproxy.cors.pattern import compile_patterns, parse_pattern
from corsproxy.cors.samples import read_samples, spelled
from corsproxy.cors.serialized import split_origin
from corsproxy.cors.suffixes import owner_part, suffix_part

SENT = {text for text, _ in tricks(parse_origin("https://app.example.com:8443"))}


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com.evil.example:8443",  # suffix
        "https://app.example.comx:8443",
        "https://evilapp.example.com:8443",  # prefix
        "https://evilexample.com:8443",  # on the registrable domain
        "https://evil-example.com:8443",
        "http://app.example.com:8443",  # scheme
        "https://app.example.com:4444",  # port
        "https://app.example.com",
        "https://appxexample.com:8443",  # dot replaced
        "https://app.examplexcom:8443",
        "https://app.example.com.:8443",  # trailing dot
        "HTTPS://APP.EXAMPLE.COM:8443",  # upper case
        "null",
        "https://example.com:8443",  # parent domain
        "https://com:8443",
        "https://evil.example.com:8443",  # sibling
        "https://evil.com:8443",  # sibling under the public suffix
        "https://evil.app.example.com:8443",  # subdomain
        "https://evil.example/app.example.com:8443",
        "https://evil.example#app.example.com:8443",
        "https://app.example.com:8443@evil.example",
    ],
)
def test_what_an_attacker_sends(origin):
    assert origin in SENT


def test_no_trick_is_the_origin_itself():
    for text in ("https://a.example", "http://localhost:3000", "http://[::1]", "chrome-extension://abc"):
        assert text not in {trick for trick, _ in tricks(parse_origin(text))}


def listed(*texts):
    return dict(enumerate(map(parse_pattern, texts)))


def loosely(expression):
    """A matcher as engines with known bugs have it."""
    compiled = re.compile(expression.encode())
    return lambda origin: compiled.match(origin) is not None


BROKEN = [
    # the list, a matcher with a bug, the origin that proves it; source
    (["https://x.com"], loosely("https://x.com"), "https://xxcom"),  # unescaped dot: APISIX docs
    (["https://x.com"], loosely(r"https://x\.com"), "https://x.com.evil.example"),  # CVE-2026-37737 sanic-cors
    (["https://*.x.com"], loosely(r".*x\.com$"), "https://evilx.com"),  # expressjs PR #412
    (["https://x.com"], loosely(r"https?://x\.com$"), "http://x.com"),
    (["https://x.com"], loosely(r"https://x\.com(:\d+)?$"), "https://x.com:4444"),
    (["https://x.com"], loosely(r"https://x\.com\.?$"), "https://x.com."),
    (["https://x.com"], loosely(r"(?i)https://x\.com$"), "HTTPS://X.COM"),
    (["https://x.com"], loosely(r"https://x\.com$|null$"), "null"),
    (["https://*.x.com"], loosely(r"https://(.*\.)?x\.com$"), "https://x.com"),  # overlap of prefix and suffix
    (["https://a.x.com"], loosely(r"https://.*\.x\.com$"), "https://evila.x.com"),
    (["https://x.com"], loosely(r"https://(x\.)?com$"), "https://com"),
    (["https://x.com"], loosely(r".*[/#.]x\.com$"), "https://evil.x.com"),
    (["https://x.com"], loosely(r"https://(x\.com|.*[/#]x\.com$)$"), "https://evil.example/x.com"),
    (["http://*.localhost:*"], loosely("http://a?.?localhost"), "http://localhost.evil.example"),  # decocms #3757
    (["null", "https://x.com"], loosely("null|https://x.com"), "https://xxcom"),
]


@pytest.mark.parametrize(("texts", "accepts", "proof"), BROKEN)
def test_a_broken_matcher_is_found_out(texts, accepts, proof):
    problem = next(hostile_to_list("allow_origins", listed(*texts), accepts))
    assert f"would let in {proof}: " in problem.message
    assert problem.field == "allow_origins"


def test_one_proof_for_each_entry_is_enough():
    patterns = listed("https://a.example", "https://*.b.example", "https://c.example:*")
    problems = list(hostile_to_list("allow_origins", patterns, lambda _: True))
    assert [problem.index for problem in problems] == [0, 1, 2]


MEANT = [
    ["https://example.com", "http://example.com", "https://example.com:4444"],
    ["https://app.example.com", "https://example.com", "https://evil.example.com", "null"],
    ["https://app.example.com", "https://*.example.com", "https://evil.app.example.com"],
    ["https://*.example.com", "https://*.example.com:*", "https://a.b.example.com", "http://*.example.com"],
    ["http://localhost:*", "http://*.localhost:*", "https://localhost"],
    ["https://evil.example", "https://example.evil.example"],
    ["*"],
    ["null"],
    ["http://[::1]:*", "http://127.0.0.1:*", "chrome-extension://abcdef"],
]


@pytest.mark.parametrize("texts", MEANT)
def test_what_another_entry_lists_is_not_hostile(texts):
    patterns = listed(*texts)
    assert list(hostile_to_list("allow_origins", patterns, compile_patterns(patterns.values()).match)) == []


PATTERNS = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["", "*."]),
    st.lists(st.sampled_from(["a", "evil", "example", "com", "localhost"]), min_size=1, max_size=4).map(".".join),
    st.sampled_from(["", ":*", ":4444", ":8443"]),
)


@given(st.lists(PATTERNS, max_size=6))
def test_no_list_accepts_what_is_hostile_to_it(texts):
    patterns = listed(*texts)
    assert list(hostile_to_list("allow_origins", patterns, compile_patterns(patterns.values()).match)) == []


@pytest.mark.parametrize("shape", ["https://tenant-{}.example.com", "https://*.tenant-{}.example.com"])
def test_a_list_of_ten_thousand_is_tried_evenly(shape):
    """The work is counted, so that no clock is needed: it stays that of a thousand entries."""
    patterns = listed(*(shape.format(number) for number in range(10_000)))
    asked = []
    assert list(hostile_to_list("allow_origins", patterns, asked.append)) == []
    assert 20_000 < len(asked) < 100_000
    assert {0, 11, 9999} <= {int(number) for text in asked for number in re.findall(rb"tenant-(\d+)\.", text)}


def judged(expression, part=owner_part):
    accepts = re.compile(expression.encode()).fullmatch
    return hostile_to_regex(
        read_samples(expression).samples, lambda text: bool(split_origin(text) and accepts(text)), part
    )


HARMLESS = [
    r"https://example\.com",
    r"^https://example\.com$",
    r"https?://(a|b)\.example\.(com|org)(:[0-9]+)?",
    r"https://([a-z0-9-]+\.)*example\.com",
    r"https://.*\.example\.com",  # within the registrable domain, whatever is free
    r"https://pr-\d+\.preview\.example\.co\.uk",
    r"https://shop[12]\.com",  # enumerated
    r"https://shop(1|2)?\.com(:8443|:9443)?",
    r"http://localhost:\d+",
    r"https?://([a-z]+\.)?localhost(:\d+)?",
    r"http://127\.0\.0\.1(:\d+)?",
    r"http://192\.168\.\d+\.\d+:3000",  # the private network is spelled out
    r"http://\[::1\]:\d+",
    r"chrome-extension://abcdefgh",
    r"https://a\.b\.github\.io",
    r"https://[a-z]+\.me\.github\.io",
    r"(https://)?example\.com",
]


@pytest.mark.parametrize("expression", HARMLESS)
def test_expressions_that_spell_out_their_owners(expression):
    assert judged(expression) is None


HOSTILE = [
    # expression, the origin that proves it, its cause; source
    (r"https://www.example\.com", "https://wwwxexample.com", "unescaped dot"),  # bug 5
    (r"https://www\.example.com", "https://www.examplexcom", "unescaped dot"),
    (r".*\.test.com$", "https://evil.test.com", "free"),  # APISIX docs
    (r"https://x\.com.*", "https://x.com.evil.example", "nothing ends the host"),  # CVE-2019-25211
    (r"https://x\.com[^/]+", "https://x.com.evil.example", "free"),
    (r"https://x\.co.?", "https://x.cox", "nothing ends the host"),
    (r"https://.*example\.com", "https://evilexample.com", "sets the domain off"),  # expressjs PR #412
    (r"https://[^.]+example\.com", "https://evilexample.com", "free"),
    (r"https://([a-z-]+)?example\.com", "https://evilexample.com", "sets the domain off"),
    (r"https://[a-z]+\.com", "https://evil.com", "free"),
    (r"https://example\.[a-z]+", "https://example.evil", "free"),
    (r"https://shop\d\.com", "https://shop1.com", "free"),
    (r"https://[a-z]+\.github\.io", "https://evil.github.io", "free"),
    (r"https://[a-z]+\.co\.uk", "https://evil.co.uk", "free"),
    (r"https://.*", "https://evil", "free"),
    (r".*", "https://evil", "free"),
    (r"[a-z]+://example\.com", "evil://example.com", "free"),
    (r"http://\d+\.0\.0\.1", "http://1.0.0.1", "free"),
    (r"http://192\.\d+\.0\.1", "http://192.1.0.1", "free"),
    (r"http://localhost:?[0-9]*", "http://localhost1", "free"),
    (r"http://localhost.*", "http://localhost.evil.example", "nothing ends the host"),  # decocms #3757
    (r"https://example\.com|https://[a-z]+\.net", "https://evil.net", "free"),
]


@pytest.mark.parametrize(("expression", "proof", "cause"), HOSTILE)
def test_expressions_that_leave_their_owners_open(expression, proof, cause):
    origin, reason = judged(expression)
    assert (origin, cause in reason) == (proof, True), reason


def test_with_the_flag_a_public_suffix_is_enough():
    assert judged(r"https://[a-z]+\.github\.io", suffix_part) is None
    assert judged(r"https://[a-z]+\.github\.io.*", suffix_part) is not None
    assert judged(r"https://.*", suffix_part) is not None


def test_what_no_browser_sends_is_hostile_to_any_expression():
    samples = read_samples(r"https://example\.com").samples
    assert hostile_to_regex(samples, lambda text: split_origin(text) is None, owner_part) is not None


def test_samples_are_spelled_and_filled():
    (sample,) = read_samples(r"https://[a-z]+[0-9]\.x\.[a-z]{2}").samples
    assert spelled(sample) == "https://a1.x.aa"
    assert filled(sample, "evil") == "https://evil.x.evil"
