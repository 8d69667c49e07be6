"""What a page may send without asking, against the standard's own words and the web platform's tests."""

from __future__ import annotations

import pytest

from corsproxy.cors.fetch import Mode, Request, Upload
from corsproxy.cors.safelist import (
    is_forbidden_header,
    is_preflighted,
    is_safelisted_header,
    normalize_method,
    settable,
    unsafe_names,
)

WPT = "web-platform-tests cors/cors-safelisted-request-header.any.js"
NOT = "web-platform-tests fetch/api/cors/resources/not-cors-safelisted.json"
STANDARD = "https://fetch.spec.whatwg.org/#cors-safelisted-request-header"
MEASURED = "Chromium 156"

SAFELISTED = [
    # name, value, safelisted, source
    (b"Accept", b"", True, STANDARD),
    (b"accept", b"a" * 128, True, MEASURED),
    (b"accept", b"a" * 129, False, NOT),
    (b"accept", b'"', False, NOT),
    (b"accept", b"a:b", False, MEASURED),
    (b"accept", b"a\tb", True, STANDARD),
    (b"accept", b"a\x01b", False, STANDARD),
    (b"accept", b"\xe9", True, STANDARD),
    (b"accept-language", b"en, de;q=0.5 *", True, STANDARD),
    (b"accept-language", b"en_US", False, MEASURED),
    (b"accept-language", b"@", False, NOT),
    (b"content-language", b"\x01", False, NOT),
    (b"content-language", b"en-GB", True, STANDARD),
    (b"content-type", b"text/plain", True, WPT),
    (b"content-type", b"Text/Plain ;charset=utf-8", True, MEASURED),
    (b"content-type", b"text/plain;", True, WPT),
    (b"content-type", b"text/plain;garbage", True, WPT),
    (b"content-type", b"text/plain;garbage\x01", False, WPT),
    (b"content-type", b"text /plain", False, WPT),
    (b"content-type", b"text\t/\tplain", False, WPT),
    (b"content-type", b"text/plain,", False, WPT),
    (b"content-type", b",text/plain", False, WPT),
    (b"content-type", b"text/plain,text/plain", False, WPT),
    (b"content-type", b"text/plain\x0b", False, WPT),
    (b"content-type", b"text", False, STANDARD),
    (b"content-type", b"text/", False, STANDARD),
    (b"content-type", b"text/plain; x=(y", False, MEASURED),
    (b"content-type", b"application/www-form-urlencoded", False, WPT),
    (b"content-type", b"application/x-www-form-urlencoded", True, STANDARD),
    (b"content-type", b"multipart/form-data;boundary=x", True, STANDARD),
    (b"content-type", b'multipart/form-data;"', False, WPT),
    (b"content-type", b"application/json", False, MEASURED),
    (b"content-type", b"text/html", False, NOT),
    (b"range", b"bytes=100-200", True, WPT),
    (b"range", b"bytes=200-", True, WPT),
    (b"range", b"bytes=-200", False, WPT),
    (b"range", b"bytes=200-100", False, WPT),
    (b"range", b"bytes 100-200", False, WPT),
    (b"range", b"bytes =100-200", False, WPT),
    (b"range", b"bytes=100- 200", False, WPT),
    (b"range", b"bytes=100-200,300-400", False, WPT),
    (b"range", b"bytes=1" + b"0" * 60 + b"-2" + b"0" * 60, False, WPT),
    (b"authorization", b"basics", False, NOT),
    (b"last-event-id", b"1", False, STANDARD),
    (b"x-a", b"", False, STANDARD),
]


@pytest.mark.parametrize(("name", "value", "expected", "_source"), SAFELISTED)
def test_safelisted_request_headers(name, value, expected, _source):
    assert is_safelisted_header(name, value) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), ()),
        (((b"X-B", b"1"), (b"x-a", b"1"), (b"X-A", b"2"), (b"Accept", b"x")), (b"x-a", b"x-b")),
        # https://fetch.spec.whatwg.org/#example-cors-safelisted-request-header-content-type
        (((b"Content-Type", b"application/json"), (b"Content-Type", b"text/plain")), (b"content-type",)),
        # 8 * 128 is 1024, which is not yet too much; one byte more makes every safelisted name unsafe.
        (((b"Accept", b"a" * 128),) * 8, ()),
        ((*((b"Accept", b"a" * 128),) * 8, (b"Accept-Language", b"e")), (b"accept", b"accept-language")),
        # What is unsafe anyway does not count.
        (((b"x-a", b"a" * 5000), (b"Accept", b"a")), (b"x-a",)),
    ],
)
def test_unsafe_names_are_sorted_lower_case_and_unique(headers, expected):
    """https://fetch.spec.whatwg.org/#cors-unsafe-request-header-names."""
    assert unsafe_names(headers) == expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (b"get", b"GET"),
        (b"Delete", b"DELETE"),
        (b"head", b"HEAD"),
        (b"options", b"OPTIONS"),
        (b"pOsT", b"POST"),
        (b"put", b"PUT"),
        # https://fetch.spec.whatwg.org/#example-normalization
        (b"patch", b"patch"),
        (b"Egg", b"Egg"),
    ],
)
def test_six_methods_are_normalized(method, expected):
    assert normalize_method(method) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        # https://fetch.spec.whatwg.org/#forbidden-request-header
        (b"Cookie", b"a=b", True),
        (b"ORIGIN", b"https://evil.example", True),
        (b"Sec-Fetch-Mode", b"cors", True),
        (b"proxy-x", b"", True),
        (b"X-HTTP-Method-Override", b"PUT", False),
        (b"X-HTTP-Method-Override", b"GET , trace", True),
        (b"X-HTTP-Method", b"CONNECT", True),
        (b"X-Method-Override", b"track", True),
        (b"User-Agent", b"me", False),
        (b"X-A", b"TRACE", False),
    ],
)
def test_forbidden_headers(name, value, expected):
    assert is_forbidden_header(name, value) is expected


def page(**changes):
    return Request(url="https://api.example/", origin=b"https://app.example", **changes)


def test_a_script_loses_the_headers_that_it_may_not_set():
    headers = ((b"Cookie", b"a=b"), (b"X-A", b" 1\t"), (b"Range", b"bytes=0-"))
    assert settable(page(headers=headers)) == ((b"X-A", b"1"), (b"Range", b"bytes=0-"))


def test_no_cors_leaves_only_safelisted_headers():
    """As Chromium 156 does; https://fetch.spec.whatwg.org/#concept-headers-append."""
    headers = ((b"x-a", b"1"), (b"Range", b"bytes=0-"), (b"Accept", b"x/y"), (b"Content-Type", b"application/json"))
    assert settable(page(headers=headers, mode=Mode.NO_CORS)) == ((b"Accept", b"x/y"),)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (page(), False),
        (page(method=b"HEAD"), False),
        (page(method=b"POST", headers=((b"Content-Type", b"text/plain"),)), False),
        (page(method=b"POST", headers=((b"Content-Type", b"application/json"),)), True),
        (page(method=b"PUT"), True),
        (page(method=b"OPTIONS"), True),
        (page(headers=((b"X-A", b""),)), True),
        # https://xhr.spec.whatwg.org/#the-send()-method: upload listeners
        (page(method=b"POST", upload=Upload.WATCHED), True),
        # https://fetch.spec.whatwg.org/#dom-request: a body without a source
        (page(method=b"POST", upload=Upload.STREAM), True),
    ],
)
def test_which_requests_are_preflighted(request_, expected):
    assert is_preflighted(request_) is expected
