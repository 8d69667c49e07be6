"""What an exchange shows of its page's needs, line by line; the clauses stand beside the rows."""

from __future__ import annotations

import pytest

from corsproxy.cors.names import response_header_problems
from corsproxy.http.needs import _NOT_FOR_PAGES, PROBE_AGENT, Needs, needs_of

JSON = (b"content-type", b"application/json")
KEY = (b"x-key", b"k")


@pytest.mark.parametrize(
    ("method", "lines", "expected"),
    [
        # a preflight is believed, as far as it names what can be a name
        (b"OPTIONS", [(b"access-control-request-method", b"PUT")], Needs(b"cors", b"PUT", preflight=True)),
        (
            b"OPTIONS",
            [(b"access-control-request-method", b"PUT"), (b"access-control-request-headers", b"x-a, X-B,(,")],
            Needs(b"cors", b"PUT", preflight=True, headers=(b"x-a", b"x-b")),
        ),
        # its header may be split (RFC 9110, 5.3), and of two methods the first one counts
        (
            b"OPTIONS",
            [
                (b"access-control-request-method", b"PUT"),
                (b"access-control-request-method", b"PATCH"),
                (b"access-control-request-headers", b"x-a"),
                (b"access-control-request-headers", b"x-b"),
            ],
            Needs(b"cors", b"PUT", preflight=True, headers=(b"x-a", b"x-b")),
        ),
        # any other OPTIONS is a request, and so is another method with a preflight's headers
        (b"OPTIONS", [], Needs(b"cors", b"OPTIONS")),
        (b"GET", [(b"access-control-request-method", b"PUT")], Needs(b"cors", b"GET")),
        # what needs a grant (https://fetch.spec.whatwg.org/#cors-unsafe-request-header-names)
        (b"POST", [JSON, KEY], Needs(b"cors", b"POST", headers=(b"content-type", b"x-key"))),
        (b"POST", [(b"content-type", b"text/plain"), (b"accept", b"*/*")], Needs(b"cors", b"POST")),
        # what the browser, a proxy or a tracer adds
        (
            b"GET",
            [
                (b"user-agent", b"x"),
                (b"sec-ch-ua", b"x"),
                (b"if-none-match", b'"1"'),
                (b"traceparent", b"00-1-1-01"),
                (b"cf-ray", b"7"),
            ],
            Needs(b"cors", b"GET"),
        ),
        # `corsproxy probe` asks in the name of pages that there are not
        (b"GET", [(b"user-agent", PROBE_AGENT), KEY], Needs(b"other", b"GET")),
        (
            b"OPTIONS",
            [(b"user-agent", PROBE_AGENT), (b"access-control-request-method", b"PUT")],
            Needs(b"other", b"OPTIONS"),
        ),
        # credentials: cookies; a log-in that browsers do; a script's own token is a header like any other
        (b"GET", [(b"cookie", b"a=1")], Needs(b"cors", b"GET", credentials="cookies")),
        (b"GET", [(b"authorization", b"Basic YTpi")], Needs(b"cors", b"GET", credentials="login")),
        (b"GET", [(b"authorization", b"Bearer x")], Needs(b"cors", b"GET", headers=(b"authorization",))),
        (b"GET", [(b"authorization", b"NTLM x"), (b"cookie", b"a=1")], Needs(b"cors", b"GET", credentials="cookies")),
        # modes (https://fetch.spec.whatwg.org/#concept-request-mode)
        (b"POST", [(b"sec-fetch-mode", b"cors")], Needs(b"cors", b"POST")),
        (b"POST", [(b"sec-fetch-mode", b"navigate"), (b"cookie", b"a=1")], Needs(b"navigate", b"POST")),
        (b"POST", [(b"sec-fetch-mode", b"cors"), (b"sec-fetch-site", b"same-origin")], Needs(b"same-origin", b"POST")),
        (b"POST", [(b"sec-fetch-mode", b"whatever")], Needs(b"other", b"POST")),
    ],
)  # fmt: skip
def test_what_a_request_shows(method, lines, expected):
    assert needs_of(method, lines, (), 200) == expected


def test_a_websocket_needs_its_origin_and_no_more():
    assert needs_of(b"GET", [(b"cookie", b"a=1")], (), 101, websocket=True) == Needs(b"websocket", b"GET")


@pytest.mark.parametrize(
    ("status", "lines", "readable"),
    [
        (200, [b"X-Total-Count: 7", b"Link: x", b"Retry-After: 1"], b"link retry-after x-total-count"),
        (200, [b"Content-Type: a/b", b"Cache-Control: no-store", b"Content-Length: 1"], b""),  # safelisted
        (200, [b"Set-Cookie: a=1", b"Set-Cookie2: b"], b""),  # forbidden
        (200, [b"Connection: close", b"Keep-Alive: 5", b"Alt-Svc: x", b"Proxy-Authenticate: x"], b""),  # of the hop
        (200, [b"Server: x", b"X-Powered-By: y", b"Date: z", b"Vary: a", b"CF-Ray: 7", b"Via: b"], b""),  # of nobody
        (200, [b"Access-Control-Allow-Origin: *", b"Access-Control-Max-Age: 5"], b""),  # of CORS
        (201, [b"Location: /orders/7"], b"location"),
        (302, [b"Location: /orders/7"], b""),  # which the browser follows
        (200, [b"ETag: x"], b"etag"),
        # the server's own list is believed
        (200, [b"X-A: 1", b"X-B: 2", b"Access-Control-Expose-Headers: X-B, X-C"], b"x-b"),
        (200, [b"X-A: 1", b"X-B: 2", b"Access-Control-Expose-Headers: *"], b"x-a x-b"),
        (200, [b"X-A: 1", b"Access-Control-Expose-Headers: X-B", b"Access-Control-Expose-Headers: X-A"], b"x-a"),
    ],
)
def test_which_headers_of_an_answer_a_page_could_need(status, lines, readable):
    answered = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]
    assert b" ".join(needs_of(b"GET", (), answered, status).readable) == readable


def test_an_answer_that_sets_a_cookie_says_so():
    assert needs_of(b"GET", (), [(b"set-cookie", b"a=1")], 200).credentials == "set-cookie"
    assert needs_of(b"GET", [(b"cookie", b"b")], [(b"set-cookie", b"a=1")], 200).credentials == "cookies"


def test_what_no_policy_may_expose_is_for_no_page():
    for name in ("set-cookie", "set-cookie2", "origin"):
        assert list(response_header_problems((name,)))
        assert name.encode() in _NOT_FOR_PAGES
