"""The names that a policy may list."""

from __future__ import annotations

import pytest

from corsproxy.cors.names import is_token, method_problems, request_header_problems, response_header_problems

# https://fetch.spec.whatwg.org/#forbidden-request-header
FORBIDDEN = [
    "Accept-Charset",
    "Accept-Encoding",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Method",
    "Connection",
    "Content-Length",
    "Cookie",
    "Cookie2",
    "Date",
    "DNT",
    "Expect",
    "Host",
    "Keep-Alive",
    "Origin",
    "Referer",
    "Set-Cookie",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Via",
    "Proxy-Authorization",
    "Sec-Fetch-Mode",
    "sec-x",
    "PROXY-",
]

ROWS = [
    # list, entries, the problems: index, what the message says, correction
    (method_problems, ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "frob", "X!"], []),
    (method_problems, ["*"], []),
    (method_problems, [], []),
    (method_problems, ["GET", "patch"], [(1, "methods are case-sensitive", "PATCH")]),  # Fetch: not normalized
    (method_problems, ["get", "Put"], [(0, "case-sensitive", "GET"), (1, "case-sensitive", "PUT")]),
    (method_problems, ["CONNECT"], [(0, "never send", "")]),  # https://fetch.spec.whatwg.org/#forbidden-method
    (method_problems, ["trace", "TRACK"], [(0, "never send", ""), (1, "never send", "")]),
    (method_problems, ["GET, POST"], [(0, "no token", "")]),
    (method_problems, [""], [(0, "no token", "")]),
    (method_problems, ["PÜT"], [(0, "no token", "")]),
    (method_problems, ["PUT "], [(0, "white space", "PUT")]),
    (method_problems, ["PUT\r\nX-A: 1"], [(0, "no token", "")]),
    (method_problems, ["PUT", "GET", "PUT"], [(2, "twice", "")]),
    (method_problems, ["*", "GET"], [(0, "covers already", 'allow_methods: "*"')]),
    (method_problems, ["*", "*"], [(1, "twice", "")]),
    (request_header_problems, ["Content-Type", "authorization", "X-Any", "Accept", "Range", "User-Agent"], []),
    (request_header_problems, ["*"], []),
    (request_header_problems, ["*", "Authorization"], [(0, "covers already", 'allow_headers: "*"')]),
    (request_header_problems, ["X-A", "x-a"], [(1, "twice", "")]),
    (request_header_problems, ["X A"], [(0, "no token", "")]),
    (request_header_problems, ["X-A:"], [(0, "no token", "")]),
    (request_header_problems, FORBIDDEN, [(index, "browser alone", "") for index in range(len(FORBIDDEN))]),
    (request_header_problems, ["Access-Control-Allow-Origin"], [(0, "a header of responses", "")]),
    (response_header_problems, ["X-Total-Count", "ETag", "Content-Type", "Link"], []),
    (response_header_problems, ["*"], []),
    (response_header_problems, ["set-cookie", "Set-Cookie2"], [(0, "kept from pages", ""), (1, "kept from pages", "")]),
    (response_header_problems, ["Access-Control-Max-Age", "Origin"], [(0, "the browser", ""), (1, "the browser", "")]),
    (response_header_problems, ["", "X\n"], [(0, "no token", ""), (1, "white space", "X")]),
    (response_header_problems, ["ETag", "*", "etag"], [(1, "covers already", 'expose_headers: "*"'), (2, "twice", "")]),
]


@pytest.mark.parametrize(("problems_of", "entries", "expected"), ROWS)
def test_each_name_is_judged(problems_of, entries, expected):
    problems = list(problems_of(entries))
    assert [(problem.index, problem.correction) for problem in problems] == [(row[0], row[2]) for row in expected]
    assert all(row[1] in problem.message for problem, row in zip(problems, expected, strict=True))
    assert {problem.field for problem in problems} <= {"allow_methods", "allow_headers", "expose_headers"}


def test_tokens():
    """https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2"""
    assert is_token(b"!#$%&'*+-.^_`|~09azAZ")
    assert not any(map(is_token, [b"", b"a b", b"a,b", b"a:", b'"a"', b"a\n", b"\xc3\xa9", b"(", b"a/b"]))
