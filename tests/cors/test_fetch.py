"""The values of the Fetch standard, and how a header list is read."""

from __future__ import annotations

import pytest

from corsproxy.cors.fetch import get, is_token, members, origin_of, token_list, values_of, without

HEADERS = ((b"A", b" 1 "), (b"b", b"2"), (b"a", b"\t3"))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        # https://url.spec.whatwg.org/#concept-url-origin
        ("https://api.example/x?y#z", b"https://api.example"),
        ("https://api.example:443/", b"https://api.example"),
        ("http://api.example:80/", b"http://api.example"),
        ("http://api.example:443/", b"http://api.example:443"),
        ("https://api.example:8443/", b"https://api.example:8443"),
        ("http://[::1]:3000/", b"http://[::1]:3000"),
        ("http://user:secret@api.example/", b"http://api.example"),
    ],
)
def test_the_origin_of_a_url(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize("url", ["http://[::1", "http://x:99999/", "http://ü.example/"])
def test_what_is_no_url_is_a_value_error(url):
    with pytest.raises(ValueError, match=r".+"):
        origin_of(url)


def test_names_are_compared_without_case_and_values_lose_their_white_space():
    assert values_of(HEADERS, b"a") == [b"1", b"3"]


def test_get_combines_all_lines():
    """https://fetch.spec.whatwg.org/#concept-header-list-get."""
    assert get(HEADERS, b"a") == b"1, 3"
    assert get(HEADERS, b"b") == b"2"
    assert get(HEADERS, b"c") is None


def test_without_deletes_every_header_of_a_name():
    assert without(HEADERS, [b"a"]) == ((b"b", b"2"),)


def test_members_keep_the_empty_ones():
    """https://fetch.spec.whatwg.org/#example-header-list-get-decode-split."""
    assert members(b"x / x,,,1") == [b"x / x", b"", b"", b"1"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"X-A", True), (b"*", True), (b"a1!#$%&'*+-.^_`|~", True), (b"", False), (b"a b", False), (b"a:", False)],
)
def test_tokens(value, expected):
    assert is_token(value) is expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        ([b""], []),
        ([b"a, b"], [b"a", b"b"]),
        ([b"a", b"b"], [b"a", b"b"]),
        # https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1.2
        ([b",, a ,\tb,"], [b"a", b"b"]),
        ([b"a b"], None),
        ([b"a", b"b;"], None),
    ],
)
def test_lists_of_tokens(lines, expected):
    """https://fetch.spec.whatwg.org/#extract-header-list-values."""
    assert token_list(tuple((b"List", line) for line in lines), b"list") == expected
