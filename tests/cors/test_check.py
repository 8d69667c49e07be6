"""How a browser judges an answer, against the standard's own words and the web platform's tests."""

from __future__ import annotations

import pytest

from corsproxy.cors.check import (
    ALLOWED,
    Blocked,
    Step,
    check_origin,
    check_preflight,
    check_timing,
    exposed,
    max_age,
    preflight_of,
    unforbidden,
)
from corsproxy.cors.fetch import Credentials, Mode, Request, Tainting, WireRequest, WireResponse

APP = b"https://app.example"
URL = "https://api.example/x"
WPT = "web-platform-tests cors/origin.htm"
STANDARD = "https://fetch.spec.whatwg.org/#cors-protocol-and-credentials"
MEASURED = "Chromium 156"


def page(**changes):
    return Request(url=URL, origin=APP, **changes)


def answer(*lines, status=200):
    """A response with these header lines, written "Name: value"."""
    pairs = (line.encode("latin-1").partition(b":") for line in lines)
    return WireResponse(status, tuple((name, value) for name, _, value in pairs))


def check(response, credentials=Credentials.SAME_ORIGIN):
    return check_origin(page(credentials=credentials), APP, response, Step.ACTUAL)


ORIGINS = [
    # the values of Access-Control-Allow-Origin, why not (None: allowed), source
    ([], Blocked.MISSING_ALLOW_ORIGIN, WPT),
    (["*"], None, WPT),
    ([" *  "], None, WPT),
    (["\t*"], None, WPT),
    (["https://app.example"], None, WPT),
    (["  https://app.example \t "], None, WPT),
    (["https://www.app.example"], Blocked.OTHER_ALLOW_ORIGIN, WPT),
    (["//app.example"], Blocked.INVALID_ALLOW_ORIGIN, WPT),
    (["://app.example"], Blocked.INVALID_ALLOW_ORIGIN, WPT),
    (["ftp://app.example"], Blocked.OTHER_ALLOW_ORIGIN, WPT),
    (["http:/app.example"], Blocked.OTHER_ALLOW_ORIGIN, WPT),
    (["http:app.example"], Blocked.OTHER_ALLOW_ORIGIN, WPT),
    (["http:://app.example"], Blocked.INVALID_ALLOW_ORIGIN, WPT),
    (["app.example"], Blocked.INVALID_ALLOW_ORIGIN, WPT),
    (["https://app.example/"], Blocked.OTHER_ALLOW_ORIGIN, WPT),
    (["https://app.example?"], Blocked.OTHER_ALLOW_ORIGIN, WPT),
    (["https://app.example:443"], Blocked.OTHER_ALLOW_ORIGIN, WPT),
    (["HTTPS://APP.EXAMPLE"], Blocked.OTHER_ALLOW_ORIGIN, WPT),
    (["https://app.example, *"], Blocked.MULTIPLE_ALLOW_ORIGIN, WPT),
    (["**"], Blocked.INVALID_ALLOW_ORIGIN, WPT),
    (["* *"], Blocked.MULTIPLE_ALLOW_ORIGIN, WPT),
    (["null"], Blocked.OTHER_ALLOW_ORIGIN, WPT),
    (["null *"], Blocked.MULTIPLE_ALLOW_ORIGIN, WPT),
    ([""], Blocked.INVALID_ALLOW_ORIGIN, WPT),
    (["", "*"], Blocked.MULTIPLE_ALLOW_ORIGIN, WPT),
    (["*", ""], Blocked.MULTIPLE_ALLOW_ORIGIN, WPT),
    (["*", "*"], Blocked.MULTIPLE_ALLOW_ORIGIN, WPT),
    (["https://app.example", "https://app.example"], Blocked.MULTIPLE_ALLOW_ORIGIN, WPT),
    (["true"], Blocked.INVALID_ALLOW_ORIGIN, MEASURED),
    (["http://"], Blocked.INVALID_ALLOW_ORIGIN, MEASURED),
    (["http://x:99999"], Blocked.INVALID_ALLOW_ORIGIN, MEASURED),
    (["127.0.0.1:99"], Blocked.INVALID_ALLOW_ORIGIN, MEASURED),
    (["localhost:99"], Blocked.OTHER_ALLOW_ORIGIN, MEASURED),
    (["http://*.x.example"], Blocked.OTHER_ALLOW_ORIGIN, MEASURED),
]


@pytest.mark.parametrize(("values", "expected", "_source"), ORIGINS)
def test_cors_check_of_the_allowed_origin(values, expected, _source):
    verdict = check(answer(*(f"Access-Control-Allow-Origin: {value}" for value in values)))
    assert verdict.blocked is expected
    if expected is not None:
        assert verdict.subject == b", ".join(value.strip(" \t").encode() for value in values)
        assert verdict.url == URL


@pytest.mark.parametrize(
    ("credentials", "origin", "allowed", "expected", "_source"),
    [
        ("omit", "*", [], None, STANDARD),
        ("omit", "*", ["true"], None, STANDARD),
        ("omit", "https://app.example/", [], Blocked.OTHER_ALLOW_ORIGIN, STANDARD),
        ("omit", "https://app.example", [], None, STANDARD),
        ("same-origin", "https://app.example", ["false"], None, STANDARD),
        ("include", "*", ["true"], Blocked.WILDCARD_WITH_CREDENTIALS, STANDARD),
        ("include", "https://app.example", ["true"], None, STANDARD),
        ("include", "https://app.example", ["True"], Blocked.ALLOW_CREDENTIALS, STANDARD),
        ("include", "https://app.example", ["true", "true"], Blocked.ALLOW_CREDENTIALS, MEASURED),
        ("include", "https://app.example", [], Blocked.ALLOW_CREDENTIALS, MEASURED),
        ("include", "https://b.example", ["true"], Blocked.OTHER_ALLOW_ORIGIN, STANDARD),
    ],
)
def test_cors_check_with_credentials(credentials, origin, allowed, expected, _source):
    lines = [f"Access-Control-Allow-Credentials: {value}" for value in allowed]
    response = answer(f"Access-Control-Allow-Origin: {origin}", *lines)
    assert check(response, Credentials(credentials)).blocked is expected


def test_cors_check_compares_with_the_origin_as_it_was_sent():
    """A redirect may have made it null (https://fetch.spec.whatwg.org/#serializing-a-request-origin)."""
    response = answer("Access-Control-Allow-Origin: null")
    assert check_origin(page(), b"null", response, Step.ACTUAL) == ALLOWED
    assert not check_origin(page(), APP, response, Step.ACTUAL).allowed


def test_what_a_preflight_looks_like():
    """https://fetch.spec.whatwg.org/#cors-preflight-fetch-0."""
    request = page(
        method=b"PUT", headers=((b"X-B", b"1"), (b"X-A", b"2"), (b"Accept", b"x")), credentials=Credentials.INCLUDE
    )
    assert preflight_of(request, APP) == WireRequest(
        b"OPTIONS",
        URL,
        (
            (b"Accept", b"*/*"),
            (b"Access-Control-Request-Method", b"PUT"),
            (b"Access-Control-Request-Headers", b"x-a,x-b"),
            (b"Origin", APP),
        ),
        credentials=False,
    )


def test_a_preflight_for_a_method_alone_asks_for_no_headers():
    assert preflight_of(page(method=b"PUT"), b"null").headers == (
        (b"Accept", b"*/*"),
        (b"Access-Control-Request-Method", b"PUT"),
        (b"Origin", b"null"),
    )


SHARED = "Access-Control-Allow-Origin: https://app.example"
PREFLIGHTS = [
    # status, header lines, why not, subject, source
    (204, [SHARED, "Access-Control-Allow-Methods: PUT"], None, b"", MEASURED),
    (200, [SHARED, "Access-Control-Allow-Methods: GET", "Access-Control-Allow-Methods: PUT"], None, b"", MEASURED),
    (299, [SHARED, "Access-Control-Allow-Methods: ,, PUT ,"], None, b"", MEASURED),
    (204, [SHARED, "Access-Control-Allow-Methods: *"], None, b"", MEASURED),
    (204, [SHARED, "Access-Control-Allow-Methods: put"], Blocked.METHOD, b"PUT", MEASURED),
    (204, [SHARED, "Access-Control-Allow-Methods: DELETE"], Blocked.METHOD, b"PUT", MEASURED),
    (204, [SHARED], Blocked.METHOD, b"PUT", MEASURED),
    (204, [], Blocked.MISSING_ALLOW_ORIGIN, b"", MEASURED),
    (500, [], Blocked.MISSING_ALLOW_ORIGIN, b"", MEASURED),
    (404, [SHARED], Blocked.PREFLIGHT_STATUS, b"404", MEASURED),
    (304, [SHARED], Blocked.PREFLIGHT_STATUS, b"304", MEASURED),
    (300, [SHARED, "Location: /y"], Blocked.PREFLIGHT_STATUS, b"300", MEASURED),
    (302, [SHARED], Blocked.PREFLIGHT_STATUS, b"302", MEASURED),
    (302, [SHARED, "Location: /y"], Blocked.PREFLIGHT_REDIRECT, b"/y", MEASURED),
    (307, ["Location: /y"], Blocked.PREFLIGHT_REDIRECT, b"/y", MEASURED),
    (204, [SHARED, "Access-Control-Allow-Methods: PUT GET"], Blocked.MALFORMED_ALLOW_METHODS, b"PUT GET", MEASURED),
    (
        204,
        [SHARED, "Access-Control-Allow-Methods: PUT", "Access-Control-Allow-Headers: a b"],
        Blocked.MALFORMED_ALLOW_HEADERS,
        b"a b",
        "web-platform-tests fetch/api/cors/cors-preflight-response-validation.any.js",
    ),
]


@pytest.mark.parametrize(("status", "lines", "expected", "subject", "_source"), PREFLIGHTS)
def test_the_answer_to_a_preflight_for_put(status, lines, expected, subject, _source):
    verdict = check_preflight(page(method=b"PUT"), APP, answer(*lines, status=status))
    assert (verdict.blocked, verdict.subject) == (expected, subject)
    assert verdict.allowed or (verdict.step, verdict.url) == (Step.PREFLIGHT, URL)


STAR = "web-platform-tests fetch/api/cors/cors-preflight-star.any.js"
LISTS = [
    # credentials, Allow-Methods, Allow-Headers, method, header, why not, source
    (False, "get", "x-test", b"GET", b"X-Test", None, STAR),
    (False, "*", "x-test", b"SUPER", b"X-Test", None, STAR),
    (False, "*", "*", b"OK", b"X-Test", None, STAR),
    (True, "*", "*", b"OK", b"X-Test", Blocked.METHOD, STAR),
    (True, "*", "", b"PUT", b"", Blocked.METHOD, STAR),
    (True, "PUT", "*", b"PUT", b"", None, STAR),
    (True, "get", "*", b"GET", b"X-Test", Blocked.HEADER, STAR),
    (True, "*", "*", b"GET", b"X-Test", Blocked.HEADER, STAR),
    (True, "*", "*", b"*", b"*", None, STAR),
    (True, "put", "*", b"PUT", b"", Blocked.METHOD, STAR),
    # https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name (Chromium 156 lets it pass)
    (False, "", "*", b"GET", b"Authorization", Blocked.HEADER, STANDARD),
    (False, "", "*, AUTHORIZATION", b"GET", b"Authorization", None, STANDARD),
    (False, "", "x-other", b"GET", b"X-Test", Blocked.HEADER, STANDARD),
    (False, "", "X-TEST", b"GET", b"x-test", None, MEASURED),
]


@pytest.mark.parametrize(("include", "methods", "names", "method", "header", "expected", "_source"), LISTS)
def test_the_lists_of_a_preflights_answer(include, methods, names, method, header, expected, _source):
    credentials = Credentials.INCLUDE if include else Credentials.OMIT
    request = page(method=method, headers=((header, b"1"),) if header else (), credentials=credentials)
    lines = [SHARED, f"Access-Control-Allow-Methods: {methods}", f"Access-Control-Allow-Headers: {names}"]
    response = answer(*lines, "Access-Control-Allow-Credentials: true", status=204)
    verdict = check_preflight(request, APP, response)
    assert verdict.blocked is expected
    if expected is Blocked.HEADER:
        assert verdict.subject == header.lower()


def test_the_first_header_that_is_missing_is_named():
    request = page(headers=((b"X-C", b""), (b"X-B", b""), (b"X-A", b"")))
    assert check_preflight(request, APP, answer(SHARED, "Access-Control-Allow-Headers: x-a")).subject == b"x-b"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # https://fetch.spec.whatwg.org/#http-access-control-max-age
        ([], 5),
        (["0"], 0),
        (["600"], 600),
        ([" 600 "], 600),
        (["000"], 0),
        (["86400"], 7200),
        (["9" * 5000], 7200),
        (["-1"], 5),
        (["10m"], 5),
        ([""], 5),
        (["600", "600"], 5),
        (["600, 600"], 5),
    ],
)
def test_max_age(values, expected):
    assert max_age(answer(*(f"Access-Control-Max-Age: {value}" for value in values)).headers) == expected


def test_every_browser_has_its_own_limit():
    assert max_age(answer("Access-Control-Max-Age: 100000").headers, limit=86400) == 86400


READ = ["Cache-Control: x", "Content-Language: x", "Content-Length: 1", "Content-Type: x", "Expires: x"]
READ += ["Last-Modified: x", "Pragma: x"]
HIDDEN = ["X-A: 1", "X-B: 2", "ETag: x", "Set-Cookie: a=b", "Set-Cookie2: a=b"]


@pytest.mark.parametrize(
    ("credentials", "lists", "expected"),
    [
        # Each measured in Chromium 156.
        ("omit", [], set()),
        ("omit", ["x-a, set-cookie, ETAG"], {b"X-A", b"ETag"}),
        ("omit", ["x-a", "x-b"], {b"X-A", b"X-B"}),
        ("omit", ["*"], {b"X-A", b"X-B", b"ETag", b"Access-Control-Expose-Headers"}),
        ("omit", ["x-q, *"], {b"X-A", b"X-B", b"ETag", b"Access-Control-Expose-Headers"}),
        ("include", ["*, x-b"], {b"X-B"}),
        ("omit", ["x-a, b c"], set()),
    ],
)
def test_exposed_headers(credentials, lists, expected):
    """https://fetch.spec.whatwg.org/#concept-response-cors-exposed-header-name-list."""
    response = answer(*READ, *HIDDEN, *(f"Access-Control-Expose-Headers: {value}" for value in lists))
    names = {name for name, _ in exposed(response, Credentials(credentials))}
    assert names == expected | {line.partition(":")[0].encode() for line in READ}


def test_exposed_headers_keep_their_order_and_their_duplicates():
    response = answer("X-A: 1", "Content-Type: x", "x-a: 2", "Access-Control-Expose-Headers: X-A")
    assert exposed(response, Credentials.OMIT) == ((b"X-A", b" 1"), (b"Content-Type", b" x"), (b"x-a", b" 2"))


def test_cookies_are_hidden_even_from_the_own_origin():
    assert unforbidden(answer("X-A: 1", "set-cookie: a=b")) == ((b"X-A", b" 1"),)


@pytest.mark.parametrize(
    ("mode", "url", "tainting", "values", "expected"),
    [
        # https://fetch.spec.whatwg.org/#concept-tao-check
        ("cors", URL, "cors", [], False),
        ("cors", URL, "cors", ["*"], True),
        ("cors", URL, "cors", ["https://app.example"], True),
        ("cors", URL, "cors", ["https://b.example, https://app.example"], True),
        ("cors", URL, "cors", ["https://b.example", "https://app.example"], True),
        ("cors", URL, "cors", ["https://APP.example"], False),
        ("no-cors", URL, "opaque", ["*"], True),
        ("cors", URL, "basic", [], True),
        ("navigate", "https://app.example/", "basic", [], True),
        ("navigate", URL, "basic", [], False),
        ("navigate", URL, "basic", ["*"], True),
    ],
)
def test_timing_check(mode, url, tainting, values, expected):
    request = Request(url=url, origin=APP, mode=Mode(mode))
    response = answer(*(f"Timing-Allow-Origin: {value}" for value in values))
    assert check_timing(request, APP, Tainting(tainting), response) is expected
