"""Set-Cookie: what a rule changes, and that nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.http.cookies import CookieRewrite

PREFIXED = {"base": b"/base", "prefix": b"/orders"}


@pytest.mark.parametrize(
    ("change", "value", "expected"),
    [
        # nothing named, nothing changed
        ({}, b"a=b;path = /x ;  HTTPONLY;;secure ", b"a=b;path = /x ;  HTTPONLY;;secure "),
        ({}, b"", b""),
        ({}, b'a="b, c"; Expires=Wed, 21 Oct 2026 07:28:00 GMT', b'a="b, c"; Expires=Wed, 21 Oct 2026 07:28:00 GMT'),
        # Domain: HPM #137, #169 (proxies.md 2.2)
        ({"domain": "remove"}, b"a=b; Domain=api.example.com; HttpOnly", b"a=b; HttpOnly"),
        ({"domain": "remove"}, b"a=b; domain = x;DOMAIN=y", b"a=b"),
        ({"domain": "app.example.com"}, b"a=b; Domain=x; HttpOnly", b"a=b; HttpOnly; Domain=app.example.com"),
        ({"domain": "app.example.com"}, b"a=b; HttpOnly", b"a=b; HttpOnly"),  # host-only stays host-only
        # SameSite
        ({"same_site": "lax"}, b"a=b", b"a=b; SameSite=Lax"),
        ({"same_site": "strict"}, b"a=b; samesite=Lax; X", b"a=b; X; SameSite=Strict"),
        ({"same_site": "lax"}, b"a=b; SameSite=None; SameSite=Strict", b"a=b; SameSite=Lax"),
        ({"same_site": "none"}, b"a=b", b"a=b; SameSite=None; Secure"),  # RFC 6265bis 5.7: None needs Secure
        ({"same_site": "none"}, b"a=b; SECURE", b"a=b; SECURE; SameSite=None"),
        # Secure: HPM #477, #237; CRA #4455; mockoon #245 (proxies.md 2.1)
        ({"secure": True}, b"a=b", b"a=b; Secure"),
        ({"secure": True}, b"a=b; secure; Path=/", b"a=b; secure; Path=/"),
        ({"secure": False}, b"a=b; Secure; Path=/", b"a=b; Path=/"),
        ({"secure": False}, b"a=b; Path=/", b"a=b; Path=/"),
        ({"secure": False}, b"a=b; Secure; SameSite=None; Partitioned", b"a=b"),
        ({"secure": False}, b"a=b; Secure; SameSite=Strict", b"a=b; SameSite=Strict"),
        ({"secure": False}, b"a=b; SameSite=None; SameSite=Lax", b"a=b; SameSite=None; SameSite=Lax"),  # last wins
        ({"secure": False, "same_site": "lax"}, b"a=b; Secure; SameSite=None", b"a=b; SameSite=Lax"),
        # Partitioned
        ({"partitioned": True}, b"a=b", b"a=b; Partitioned; Secure"),
        ({"partitioned": True}, b"a=b; partitioned; Secure", b"a=b; partitioned; Secure"),
        ({"partitioned": False}, b"a=b; Partitioned; Secure", b"a=b; Secure"),
        ({"partitioned": False}, b"a=b", b"a=b"),
        (
            {"partitioned": True, "same_site": "none", "secure": True, "domain": "remove"},
            b"a=b; Domain=x; SameSite=Lax",
            b"a=b; SameSite=None; Partitioned; Secure",
        ),
        ({"domain": "remove"}, b"a=b; SameSite=None", b"a=b; SameSite=None"),  # the upstream's own mistake
        # Path
        ({"path": "/"}, b"a=b; path=/x; Path=/y", b"a=b; Path=/"),
        ({"path": "/"}, b"a=b", b"a=b; Path=/"),
        ({"path": "/", **PREFIXED}, b"a=b; Path=/base/x", b"a=b; Path=/"),
        (PREFIXED, b"a=b; Path=/base/x; HttpOnly", b"a=b; Path=/orders/x; HttpOnly"),
        (PREFIXED, b"a=b;path = /base/x ;HttpOnly", b"a=b;path = /orders/x ;HttpOnly"),
        (PREFIXED, b"a=b; Path=/base", b"a=b; Path=/orders"),
        (PREFIXED, b"a=b; Path=/base/", b"a=b; Path=/orders/"),
        (PREFIXED, b"a=b; Path=/", b"a=b; Path=/orders"),  # all that the proxy shows of the upstream, not all of it
        (PREFIXED, b"a=b; Path=/baseball", b"a=b; Path=/baseball"),
        (PREFIXED, b"a=b; Path=/other", b"a=b; Path=/other"),
        (PREFIXED, b"a=b; Path=", b"a=b; Path="),  # RFC 6265bis 5.6.4: the request's directory
        (PREFIXED, b"a=b; Path", b"a=b; Path"),
        (PREFIXED, b"a=b; Path=x", b"a=b; Path=x"),
        (PREFIXED, b"a=b; Path=/x; Path=/base/y", b"a=b; Path=/x; Path=/orders/y"),
        ({"prefix": b"/orders"}, b"a=b; Path=/", b"a=b; Path=/orders"),
        ({"prefix": b"/orders"}, b"a=b; Path=/x", b"a=b; Path=/orders/x"),
        ({"base": b"/v1/base"}, b"a=b; Path=/v1", b"a=b; Path=/"),
        ({"base": b"/v1/base"}, b"a=b; Path=/v1/base/x", b"a=b; Path=/x"),
        # promises of the name (RFC 6265bis 4.1.3) are kept
        ({"secure": False}, b"__Secure-a=b; Secure; SameSite=None", b"__Secure-a=b; Secure; SameSite=None"),
        ({"secure": False}, b"__host-a=b; Secure; Path=/", b"__host-a=b; Secure; Path=/"),
        ({"secure": False}, b"__Http-a=b; Secure; HttpOnly", b"__Http-a=b; Secure; HttpOnly"),
        ({"path": "/x", **PREFIXED}, b"__Host-a=b; Secure; Path=/", b"__Host-a=b; Secure; Path=/"),
        ({"domain": "x.example"}, b"__Host-a=b; Secure; Path=/", b"__Host-a=b; Secure; Path=/"),
        ({"secure": False}, b"a=__Host-b; Secure", b"a=__Host-b"),
        # odd ones
        ({"domain": "remove"}, b"novalue; Domain=x", b"novalue"),
        ({"domain": "remove"}, b"Domain=x; Domain=x", b"Domain=x"),  # the first pair is the cookie itself
        ({"domain": "remove"}, b"a=\xe4\xf6%3B=;Domain=x", b"a=\xe4\xf6%3B="),
        ({"secure": True}, b"a=b;", b"a=b;; Secure"),
    ],
)
def test_rewrite(change, value, expected):
    assert CookieRewrite(**change).rewrite(value) == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"same_site": "None"}, "same_site is not known"),
        ({"same_site": "none", "secure": False}, "browsers refuse"),
        ({"partitioned": True, "secure": False}, "browsers refuse"),
    ],
)
def test_a_rule_that_makes_useless_cookies_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        CookieRewrite(**change)


NAMES = st.sampled_from([b"a", b"__Host-a", b"__SECURE-a", b""])
ATTRIBUTES = st.lists(
    st.sampled_from([b" Secure", b"SECURE ", b" SameSite=None", b"samesite = lax", b" Partitioned", b" HttpOnly"])
    | st.sampled_from([b" Path=/", b"path=/base/x", b" Domain=x", b"", b" Max-Age=0", b" Path=/y"]),
    max_size=6,
)
COOKIES = st.tuples(NAMES, st.binary(max_size=6), ATTRIBUTES).map(
    lambda parts: parts[0] + b"=" + b";".join([parts[1].replace(b";", b""), *parts[2]])
)


def rules(**fixed):
    return st.builds(
        lambda **change: CookieRewrite(**{**change, **fixed}),
        same_site=st.sampled_from([None, "lax", "strict"]),
        secure=st.sampled_from([None, True, False]),
        partitioned=st.sampled_from([None, False]),
        domain=st.sampled_from([None, "remove", "y.example"]),
        path=st.sampled_from([None, "/z"]),
        base=st.sampled_from([b"", b"/base"]),
        prefix=st.sampled_from([b"", b"/orders"]),
    ) | st.sampled_from([CookieRewrite(same_site="none"), CookieRewrite(partitioned=True, secure=True)])


def attributes(value: bytes) -> dict[bytes, bytes]:
    """As a browser stores them: the last of each name (RFC 6265bis 5.7)."""
    parts = [part.partition(b"=") for part in value.split(b";")[1:]]
    return {name.strip().lower(): found.strip() for name, _, found in parts}


def wants_secure(found: dict[bytes, bytes]) -> bool:
    """Whether browsers refuse such a cookie (RFC 6265bis 5.7, CHIPS)."""
    return b"secure" not in found and (b"partitioned" in found or found.get(b"samesite", b"").lower() == b"none")


@given(rules(), COOKIES)
def test_no_cookie_is_made_one_that_browsers_refuse(rule, value):
    assert wants_secure(attributes(value)) or not wants_secure(attributes(rule.rewrite(value)))


@given(rules(), COOKIES)
def test_name_and_value_and_foreign_attributes_never_change(rule, value):
    after = rule.rewrite(value)
    assert after.split(b";")[0] == value.split(b";")[0]
    for name in (b"httponly", b"max-age"):
        assert attributes(after).get(name) == attributes(value).get(name)


@given(rules(base=b"", prefix=b""), COOKIES)
def test_rewriting_again_changes_nothing_that_a_browser_sees(rule, value):
    once = rule.rewrite(value)
    assert attributes(rule.rewrite(once)) == attributes(once)


@given(rules(), COOKIES)
def test_the_promises_of_a_prefix_survive(rule, value):
    before, after = attributes(value), attributes(rule.rewrite(value))
    name = value.partition(b"=")[0].lower()
    if name.startswith((b"__host-", b"__secure-")) and b"secure" in before:
        assert b"secure" in after
    if name.startswith(b"__host-"):
        assert after.get(b"path") == before.get(b"path")
        assert b"domain" in before or b"domain" not in after


@given(st.binary(max_size=40))
def test_a_rule_that_names_nothing_is_the_identity(value):
    assert CookieRewrite().rewrite(value) == value
