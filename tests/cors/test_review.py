"""The expression of a policy, as its problems reach the user."""

from __future__ import annotations

import sys

import pytest

from tests.cors.specs import compiled, problems_of

CREDENTIALS = {"allow_credentials": True}
ROWS = [
    # expression, other keys, what the messages say, the first correction
    (r"https://pr-[0-9]+\.example\.com", {}, [], None),
    (r"https://pr-[0-9]+\.example\.com", CREDENTIALS, [], None),
    (r"http://localhost:\d+", CREDENTIALS, [], None),
    (r"https://www.example\.com", {}, ["it accepts https://wwwxexample.com: an"], r"https://www\.example\.com"),
    (r"https://a.b\.example\.com", {}, ["an unescaped dot matches"], r"https://a\.b\.example\.com"),  # harmless, but
    (r"https://.*example\.com", {}, ["it accepts https://evilexample.com: nothing sets the domain off"], ""),
    (r"https://[a-z]+\.github\.io", {"dangerously_allow_public_suffix_subdomains": True}, [], None),
    (r"https://[a-z]+\.github\.io", {}, ["it accepts https://evil.github.io"], ""),
    (r"http://a\.example\.com", CREDENTIALS, ["it accepts http://a.example.com, which is not encrypted"], ""),
    (r"https?://[a-z]\.example\.com", CREDENTIALS, ["http://a.example.com, which is not encrypted"], ""),
    (r"http://a\.example\.com", {**CREDENTIALS, "dangerously_allow_insecure_origins": True}, [], None),
    (
        r"https://example\.com/",
        {},
        ["it takes 'https://example.com/', which has a trailing slash"],
        r"https://example\.com",
    ),
    (r"https://(EXAMPLE|X)\.com", {}, ["it takes 'https://EXAMPLE.com', which has upper-case"], ""),
    (r"example\.com", {}, ["it takes 'example.com', which has no scheme"], r"https://example\.com"),
    (r"[a-z]+\.example\.com", {}, ["it takes 'a.example.com', which has no scheme"], ""),
    (r"https://(example\.com|\[[0-9a-f:]+\])", {}, ["which has a malformed IPv6 address"], ""),
    (r"https://(example\.com|\[[a-f]\]|\[a\])", {}, ["which has a malformed IPv6 address"], ""),  # a free one hides
    (r"https://example\.com:.*", {}, ["'https://example.com:a', which has a port that"], ""),
    (r".*//example\.com", {}, ["it takes 'a//example.com', which has no scheme"], ""),
    (r"(https://)?example\.com", {}, [], None),  # one branch is no origin, and matches none
    (
        r"/https:\/\/example\.com/",
        {},
        ["it stands between slashes"],
        r"https:\/\/example\.com",
    ),  # pasted from JavaScript
    ("", {}, ["it takes '', which is no origin"], ""),
    ("(", {}, ["is no regular expression of RE2"], ""),
    (r"(?i)https://example\.com", {}, ["cannot be checked for safety"], ""),
    (r"http://.*example\.com", CREDENTIALS, ["http://evilexample.com: nothing sets", "not encrypted"], ""),
]


@pytest.mark.parametrize(("expression", "keys", "reasons", "correction"), ROWS)
def test_each_expression_is_judged(expression, keys, reasons, correction):
    problems = problems_of(allow_origins=(), allow_origin_regex=expression, **keys)
    assert [reason in problem.message for problem, reason in zip(problems, reasons, strict=True)] == [True] * len(
        reasons
    )
    assert all((problem.field, problem.index) == ("allow_origin_regex", None) for problem in problems)
    assert correction is None or problems[0].correction == correction


def test_an_expression_stands_beside_a_list():
    policy = compiled(allow_origin_regex=r"https://pr-[0-9]+\.example\.net")
    assert policy.allows_origin(b"https://pr-1.example.net")
    assert policy.allows_origin(b"https://app.example.com")
    assert not policy.allows_origin(b"https://pr-x.example.net")


def test_without_re2_the_policy_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    (problem,) = problems_of(allow_origin_regex=r"https://x\.example")
    assert "pip install 'corsproxy[re2]'" in problem.message
