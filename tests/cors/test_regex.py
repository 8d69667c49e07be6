"""``allow_origin_regex``: RE2, the whole origin, serialized origins only."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.cors.regex import compile_regex
from corsproxy.cors.serialized import split_origin
from corsproxy.errors import InvalidOrigin

MATCHES = [
    # expression, origin, whether it matches; source
    (r"https://pr-[0-9]+\.example\.com", "https://pr-12.example.com", True),
    (r"https://pr-[0-9]+\.example\.com", "https://pr-x.example.com", False),
    (r"https://x\.com", "https://x.com.evil.io", False),  # CVE-2026-37737; starlette #800; flask-cors #209
    (r"https://x\.com", "xhttps://x.com", False),
    (r"https://x\.com|https://y\.com", "https://y.com.evil.io", False),  # alternation binds the anchors, too
    (r"^https://x\.com$", "https://x.com", True),
    (r"https://x\.com$", "https://x.com\n", False),  # where $ would match before a newline
    (r"https://.*\.x\.com", "https://evil.io/.x.com", False),  # no serialized origin
    (r"https://.*\.x\.com", "https://evil.io#.x.com", False),
    (r"https://.*\.x\.com", "https://user@a.x.com", False),
    (r"https://.*\.x\.com", "https://a.b.x.com", True),
    (r".*", "null", False),  # never by an expression
    (r"(?i)https://x\.com", "HTTPS://X.COM", False),
]


@pytest.mark.parametrize(("text", "origin", "matches"), MATCHES)
def test_the_whole_of_a_serialized_origin_is_matched(text, origin, matches):
    assert compile_regex(text).match(origin.encode()) is matches


@given(st.binary())
def test_arbitrary_bytes_are_matched_without_an_exception(value):
    assert compile_regex(".*").match(value) is (split_origin(value) is not None)


def test_time_is_linear():
    """Where a backtracking engine would take years: https://swtch.com/~rsc/regexp/regexp1.html."""
    assert not compile_regex(r"https://((a+)+)+\.example\.com").match(b"https://" + b"a" * 60 + b".example.net")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(", "missing )"),
        (r"a(?=b)", "invalid perl operator"),  # look-around
        (r"(a)\1", "invalid escape"),  # back-references
        ("a{2000}", "invalid repetition"),
        ("a**", "bad repetition"),
        ("https://bücher.example", "ASCII"),
        ("\ud800", "ASCII"),
        ("a" * 10_001, "at most 10000"),
    ],
)
def test_what_re2_refuses_is_refused(text, reason):
    with pytest.raises(InvalidOrigin, match="; "):
        compile_regex(text)
    with pytest.raises(InvalidOrigin) as caught:
        compile_regex(text)
    assert reason in str(caught.value)


def test_without_re2_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(InvalidOrigin, match=r"pip install 'corsproxy\[re2\]'"):
        compile_regex("https://x")
