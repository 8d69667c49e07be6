"""Paths of rules and of cookies; those of upstreams and sockets are in test_addresses.py, as parts of URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.paths import parse_cookie_path, parse_rule_path
from corsproxy.config.written import Unusable
from corsproxy.http.target import parse_target


@pytest.mark.parametrize("text", ["/", "/orders", "/orders/v1", "/a-b_c.d~e", "/a%20b", "/%C3%BC", "/a:b@c", "/a(1)"])
def test_a_rule_has_a_path(text):
    assert parse_rule_path(text) == text


@given(st.text(alphabet="abü/%2eE.~*?#;\\ -:", max_size=12))
def test_a_path_is_spelt_as_requests_are_looked_up(text):
    """What is accepted is its own key, and so is what a few corrections lead to."""
    for _ in range(12):
        try:
            path = parse_rule_path(text)
        except Unusable as unusable:
            text = unusable.correction
        else:
            target = parse_target(path.encode())
            assert target.key == target.lenient == path
            return
    assert not text


@pytest.mark.parametrize(
    ("text", "message", "correction"),
    [
        ("", "'' does not begin with a slash", "/"),
        ("orders", "'orders' does not begin with a slash", "/orders"),
        ("/orders/", "'/orders/' ends in a slash; a path is a prefix in whole segments", "/orders"),
        ("/orders/*", "'/orders/*' ends in a *; a path is a prefix already", "/orders"),
        ("/*", "'/*' ends in a *; a path is a prefix already", "/"),
        ("/orders?x=1", "'/orders?x=1' has a query or fragment; rules look at the path alone", "/orders"),
        ("/orders#x", "'/orders#x' has a query or fragment; rules look at the path alone", "/orders"),
        ("https://a/orders", "'https://a/orders' is a URL; write its path here, and its host under host", ""),
        ("/%7eme", "'/%7eme' is not spelt as paths are compared", "/~me"),
        ("/%c3%bc", "'/%c3%bc' is not spelt as paths are compared", "/%C3%BC"),
        ("/größe", "'/größe' is not spelt as paths are compared", "/gr%C3%B6%C3%9Fe"),
        ("/a b", "'/a b' is not spelt as paths are compared", "/a%20b"),
        ("/a//b", "'/a//b' is read in two ways by servers, so requests for it are refused", "/a/b"),
        ("/a%2Fb", "'/a%2Fb' is read in two ways by servers, so requests for it are refused", "/a/b"),
        ("/a;b=1", "'/a;b=1' is read in two ways by servers, so requests for it are refused", "/a"),
        ("/a/../b", "'/a/../b' is never forwarded: the path has dot segments", ""),
        ("/%2e%2e/b", "'/%2e%2e/b' is never forwarded: the path has dot segments", ""),
        ("/a%00", "'/a%00' is never forwarded: the path has an encoded NUL", ""),
    ],
)
def test_what_is_no_path_of_a_rule(text, message, correction):
    with pytest.raises(Unusable) as caught:
        parse_rule_path(text)
    assert str(caught.value).startswith(message)
    assert caught.value.correction == correction


def test_a_cookie_has_a_path():
    assert parse_cookie_path("/orders/v1") == "/orders/v1"


@pytest.mark.parametrize("text", ["", "orders", "/a;b", "/a b", "/ü", "/a\n"])
def test_what_is_no_path_of_a_cookie(text):
    with pytest.raises(Unusable, match="is no path of a cookie; begin it with a slash"):
        parse_cookie_path(text)
