"""What a preflight is granted: methods and request headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.cors.grants import (
    MAX_ASKED_BYTES,
    MAX_ASKED_NAMES,
    asked_names,
    compile_headers,
    compile_methods,
    field_line,
)

ACAM = b"Access-Control-Allow-Methods: "
ACAH = b"Access-Control-Allow-Headers: "

METHODS = [
    # listed, credentials, asked for, the line (None: denied); source
    (["GET", "PUT"], False, b"PUT", ACAM + b"GET, PUT\r\n"),  # the full list as written, so that caches serve all of it
    (["GET", "PUT"], True, b"PUT", ACAM + b"GET, PUT\r\n"),
    (["GET", "PUT"], False, b"DELETE", None),
    (["PUT"], False, b"GET", ACAM + b"PUT\r\n"),  # https://fetch.spec.whatwg.org/#cors-safelisted-method
    (["PUT"], False, b"HEAD", ACAM + b"PUT\r\n"),
    (["PUT"], False, b"POST", ACAM + b"PUT\r\n"),
    ([], False, b"POST", b""),
    ([], False, b"PUT", None),
    (["PUT"], False, b"put", None),  # case-sensitive
    (["PUT"], False, b"get", None),
    (["PUT", "GETX"], False, b"UT", None),  # set membership, not a substring
    (["PUT"], False, b"PUT, GET", None),
    (["PUT"], False, b"", None),
    (["*"], False, b"FROB", ACAM + b"*\r\n"),
    (["*"], True, b"FROB", ACAM + b"FROB\r\n"),  # * is literal with credentials
    (["*"], True, b"patch", ACAM + b"patch\r\n"),
    (["*"], True, b"A, B", None),
    (["*"], True, b"A B", None),
    (["*"], False, b"", None),
    (["*"], True, b"X\r\nSet-Cookie: a=b", None),
    (["*"], False, b"TRACE", None),  # https://fetch.spec.whatwg.org/#forbidden-method
    (["*"], True, b"connect", None),
]


@pytest.mark.parametrize(("listed", "credentials", "asked", "line"), METHODS)
def test_methods(listed, credentials, asked, line):
    assert compile_methods(listed, credentials=credentials).grant(asked) == line


LISTED = ["Content-Type", "X-A"]
HEADERS = [
    # listed, credentials, asked for, the line (None: denied), what was denied; source
    (LISTED, False, b"content-type", ACAH + b"Content-Type, X-A\r\n", b""),  # the full list as written
    (LISTED, True, b"content-type,x-a", ACAH + b"Content-Type, X-A\r\n", b""),
    (LISTED, False, b"", ACAH + b"Content-Type, X-A\r\n", b""),
    (LISTED, False, b"X-A , Content-TYPE", ACAH + b"Content-Type, X-A\r\n", b""),  # hand-written: rs/cors #183
    (LISTED, False, b",, x-a\t,,", ACAH + b"Content-Type, X-A\r\n", b""),  # gateways split lines: rs/cors #184
    (LISTED, False, b"x-a,x-b", None, b"x-b"),
    (LISTED, False, b"X-B,x-c,x-b", None, b"x-b, x-c"),
    (LISTED, False, b"x-a x-a", None, b"x-a x-a"),
    (LISTED, False, b"*", None, b"*"),
    ([], False, b"", b"", b""),  # no empty Access-Control-Allow-Headers
    ([], False, b"x-a", None, b"x-a"),
    (["*"], False, b"x-a,authorization", ACAH + b"*, Authorization\r\n", b""),  # * never covers Authorization
    (["*"], False, b"", ACAH + b"*, Authorization\r\n", b""),
    (["*"], False, b"x a", None, b"x a"),  # no token
    (["*"], True, b"X-B,x-a,authorization,x-b", ACAH + b"x-b, x-a, authorization\r\n", b""),
    (["*"], True, b"", b"", b""),
    (["*"], True, b" ,", b"", b""),
    (["*"], True, b"x-a,x\x00b", None, b"x\x00b"),
    (["*"], True, b"x-a\r\nset-cookie: a=b", None, b"x-a\r\nset-cookie: a=b"),
]


@pytest.mark.parametrize(("listed", "credentials", "asked", "line", "denied"), HEADERS)
def test_headers(listed, credentials, asked, line, denied):
    headers = compile_headers(listed, credentials=credentials)
    assert headers.grant(asked) == line
    assert headers.denied(asked) == denied


@pytest.mark.parametrize(
    "asked",
    [
        b"," * 2**20,  # rs/cors #170: 127 ms and 121 MB
        b"," * MAX_ASKED_NAMES,
        b"x" * (MAX_ASKED_BYTES + 1),
        b"x-a," * 2**18,
    ],
)
@pytest.mark.parametrize("listed", [["*"], ["X-A"]])
def test_too_much_is_denied_before_it_is_looked_at(asked, listed):
    headers = compile_headers(listed, credentials=True)
    assert headers.grant(asked) is None
    assert headers.denied(asked) == asked[:256]


def test_as_many_names_as_a_browser_can_send_are_granted():
    """Chromium asks for 5,000 custom headers in one line of 38,889 bytes."""
    names = [b"x-%d" % number for number in range(5000)]
    assert compile_headers(["*"], credentials=True).grant(b",".join(names)) == ACAH + b", ".join(names) + b"\r\n"


def test_what_is_denied_is_named_up_to_a_point():
    denied = compile_headers(["X-A"], credentials=False).denied(b",".join(b"x-%d" % number for number in range(5000)))
    assert denied == b", ".join(b"x-%d" % number for number in range(20))


@given(st.binary(), st.booleans())
def test_arbitrary_bytes_never_reach_a_line(asked, credentials):
    for granted in (
        compile_methods(["*"], credentials=credentials).grant(asked),
        compile_headers(["*"], credentials=credentials).grant(asked),
    ):
        assert not granted or (granted.count(b"\r\n") == 1 and granted.endswith(b"\r\n"))


@given(st.lists(st.from_regex(rb"\A[A-Za-z-]{1,8}\Z")))
def test_names_asked_for_are_lower_case_each_once_in_order(names):
    lower = [name.lower() for name in names]
    assert asked_names(b" ,".join(names)) == sorted(set(lower), key=lower.index)


def test_a_line_without_members_is_no_line():
    assert field_line("X-A", []) == b""
    assert field_line("X-A", ["b", "c"]) == b"X-A: b, c\r\n"
