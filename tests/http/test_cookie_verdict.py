"""Whether a browser keeps a cookie, each reason with its source."""

from __future__ import annotations

import pytest

from corsproxy.http.cookie_verdict import Asked, cookie_name, why_refused

LOCAL = Asked("http", "localhost")
ADDRESS = Asked("http", "127.0.0.1")
HTTP = Asked("http", "proxy.example")
HTTPS = Asked("https", "api.proxy.example")
BIG = b"a" * 4095
PAGES = [
    # asked, page: one site or not (https://html.spec.whatwg.org/#same-site: with the scheme, without the port)
    (Asked("http", "localhost", "http", "localhost"), True),
    (Asked("http", "localhost", "http", "127.0.0.1"), False),
    (Asked("http", "[::1]", "http", "[::1]"), True),
    (Asked("https", "localhost", "http", "localhost"), False),
    (Asked("https", "api.example.com", "https", "www.example.com"), True),
    (Asked("https", "a.github.io", "https", "b.github.io"), False),
    (Asked("https", "10.0.0.1", "https", "10.0.0.2"), False),
    (Asked("https", "localhost", "https", "app.test"), False),
    (LOCAL, True),  # nobody knows of a page
]


@pytest.mark.parametrize(("asked", "same"), PAGES)
def test_a_cookie_for_one_site_is_kept_by_its_pages_alone(asked, same):
    assert asked.same_site is same
    for attributes in (b"", b"; SameSite=Lax", b"; samesite=STRICT", b"; SameSite=None; SameSite=Lax"):
        assert (why_refused(b"sid=1" + attributes, asked) == "") is same
    secure = asked._replace(scheme="https", page_scheme="https" if asked.page_scheme else "")
    assert why_refused(b"sid=1; SameSite=None; Secure", secure) == ""


@pytest.mark.parametrize(
    ("cookie", "asked", "why"),
    [
        # RFC 6265bis 5.7, steps 1 and 6
        (b"a=" + BIG, LOCAL, ""),
        (b"a=" + BIG + b"b", LOCAL, "its name and value are longer than the 4096 bytes that browsers keep"),
        # 5.7, step 9 and 5.1.3
        (b"sid=1; Domain=Proxy.example", HTTP, ""),
        (b"sid=1; Domain=.proxy.example", HTTPS, ""),
        (b"sid=1; Domain=", HTTP, ""),
        (b"sid=1; Domain=api.example", LOCAL, "its Domain is api.example, and the browser asked localhost"),
        (b"sid=1; domain=y.example", HTTP, "its Domain is y.example, and the browser asked proxy.example"),
        (b"sid=1; Domain=a.example; Domain=proxy.example", HTTP, ""),  # the last one counts
        (b"sid=1; Domain=.", LOCAL, "its Domain is ., and the browser asked localhost"),
        (b"sid=1; Domain=" + b"x" * 1025, LOCAL, ""),  # 5.6: an attribute so long is not there
        (b"sid=1; Domain=0.0.1", ADDRESS, "its Domain is 0.0.1, and the browser asked 127.0.0.1"),
        (b"__Host-a=1; Secure; Path=/; Domain=127.0.0.1", ADDRESS, ""),  # Chromium's own
        (b"sid=1; Domain=[::1]", ADDRESS._replace(host="[::1]"), ""),
        # 5.7, step 9.1: a public suffix
        (b"sid=1; Domain=co.uk", HTTPS._replace(host="a.co.uk"),
         "its Domain is co.uk, which is nobody's own, so that it would be everybody's below"),
        (b"sid=1; Domain=.example", HTTP,
         "its Domain is .example, which is nobody's own, so that it would be everybody's below"),
        (b"sid=1; Domain=github.io", HTTPS._replace(host="github.io"), ""),
        # 5.6, steps 1 and 5.7, step 2; the tab is Chromium's own
        (b"sid=a\tb", LOCAL, "it has a control character"),
        (b"sid=1; Path=/\x7f", LOCAL, "it has a control character"),
        (b"\tsid\t=\t1\t;\tPath\t=\t/\t", LOCAL, ""),
        (b"=", LOCAL, "it has neither name nor value"),
        (b"; Path=/", LOCAL, "it has neither name nor value"),
        (b"1", LOCAL, ""),
        # 5.7, step 21: no name, and a value like a prefix
        (b"__Host-a", LOCAL, "it has no name, and its value looks like a name that promises something"),
        (b"=__Http-a=1; Secure", LOCAL, "it has no name, and its value looks like a name that promises something"),
        # 5.7, steps 8 and 13: Secure
        (b"sid=1; Secure", LOCAL, ""),
        (b"sid=1; Secure", HTTPS, ""),
        (b"sid=1;secure ", HTTP, "it has Secure, and http://proxy.example is not secure"),
        (b"sid=1; SameSite=None", HTTPS, "SameSite=None needs Secure"),
        (b"sid=1; SameSite=none; Secure", HTTPS, ""),
        (b"sid=1; Partitioned", HTTPS, "Partitioned needs Secure"),
        # 4.1.3: prefixes, in any case
        (b"__Secure-a=1", HTTPS, "its name promises Secure, which it has not"),
        (b"__secure-a=1; Secure", HTTPS, ""),
        (b"__Host-a=1; Path=/", HTTPS, "its name promises Secure, which it has not"),
        (b"__Host-a=1; Secure; Path=/; Domain=proxy.example", HTTPS, "its name promises that it has no Domain"),
        (b"__Host-a=1; Secure", HTTPS, "its name promises Path=/, which it has not"),
        (b"__Host-a=1; Secure; Path=/x", HTTPS, "its name promises Path=/, which it has not"),
        (b"__HOST-a=1; Secure; Path=/", HTTPS, ""),
        (b"__Host-a=1; Secure; Path=/", LOCAL, ""),
        (b"__Http-a=1; HttpOnly", LOCAL, "its name promises Secure, which it has not"),
        (b"__http-a=1; Secure", LOCAL, "its name promises HttpOnly, which it has not"),
        (b"__Http-a=1; Secure; HttpOnly", LOCAL, ""),
        (b"__Host-Http-a=1; Secure; Path=/", LOCAL, "its name promises HttpOnly, which it has not"),
        (b"__Host-Http-a=1; Secure; HttpOnly", LOCAL, "its name promises Path=/, which it has not"),
        # 5.6.7.1 and 5.7, step 17: another site
        (b"a=1", LOCAL._replace(page_scheme="http", page_host="127.0.0.1"),
         "it has no SameSite, which means Lax, and a page on http://127.0.0.1 is of another site than http://localhost"),
        (b"a=1; SameSite=strict", HTTPS._replace(page_scheme="https", page_host="app.test"),
         "it has SameSite=Strict, and a page on https://app.test is of another site than https://api.proxy.example"),
    ],
)  # fmt: skip
def test_why_a_browser_refuses_a_cookie(cookie, asked, why):
    assert why_refused(cookie, asked) == why


@pytest.mark.parametrize(
    ("cookie", "name"), [(b"sid=1; Path=/", b"sid"), (b" sid =a=b", b"sid"), (b"=1", b""), (b"1", b""), (b"", b"")]
)
def test_the_name_of_a_cookie(cookie, name):
    """Without an equals sign what stands there is the value (RFC 6265bis 5.6), which is never printed."""
    assert cookie_name(cookie) == name
