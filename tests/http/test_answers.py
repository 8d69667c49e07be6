"""The proxy's own answers: text or a problem document, and nothing of the client's in it unchecked."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.http.answers import ANSWER_LINES, PROBLEM, REASONS, TEXT, OwnAnswer, body_for, printable, quoted
from corsproxy.http.fields import is_field_value

DENIED = OwnAnswer(403, "no rule allows this origin")
CHROMIUM = (
    b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    b"application/signed-exchange;v=b3;q=0.7"
)


def test_text():
    assert body_for(DENIED, []) == (TEXT, b"corsproxy: 403 Forbidden: no rule allows this origin\n")


def test_problem_document():
    """RFC 9457 3.1; about:blank means that the title is the reason phrase (4.2.1)."""
    media_type, body = body_for(DENIED, [b"application/json"])
    assert media_type == PROBLEM
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "no rule allows this origin",
    }


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ([], TEXT),
        ([b""], TEXT),
        ([b"*/*"], TEXT),  # fetch, curl
        ([CHROMIUM], TEXT),
        ([b"application/json, text/plain, */*"], TEXT),  # axios: a tie
        ([b"application/json"], PROBLEM),
        ([b"Application/Problem+JSON"], PROBLEM),
        ([b"application/*"], PROBLEM),
        ([b"application/json;charset=utf-8;q=0.5"], PROBLEM),
        ([b"text/html", b"application/json"], PROBLEM),  # two lines are one list
        ([b"application/json, */*;q=0.1"], PROBLEM),
        ([b"application/json;q=0.5, text/plain"], TEXT),
        ([b"application/json;q=0.5, text/*;q=0.4"], PROBLEM),
        ([b"application/json;q=0.5, text/plain;q=0.5"], TEXT),
        ([b"application/problem+json;q=0, application/json"], TEXT),  # the more specific range decides
        ([b"application/json;q=0"], TEXT),
        ([b"application/json;q=0, */*"], TEXT),
        ([b"text/plain;q=0, */*"], PROBLEM),  # anything but text
        ([b"text/plain;q=0, application/*"], PROBLEM),
        ([b"application/xml"], TEXT),
        ([b"image/*"], TEXT),
        ([b"application/json;q=x"], TEXT),
        ([b"application/json;q=nan"], TEXT),
        ([b"application/json;q=2"], TEXT),
        ([b"application/json;q=-1"], TEXT),
        ([b"application/json ; Q=0.9 , text/plain;q=0.8"], PROBLEM),
        ([b"\xff/\xfe;=;q"], TEXT),
    ],
)
def test_media_type(accept, expected):
    assert body_for(DENIED, accept)[0] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"https://app.example.com", '"https://app.example.com"'),
        (b"a\r\nSet-Cookie: b", '"a\\x0d\\x0aSet-Cookie: b"'),  # proxies.md 3.18
        (b"<script>", '"\\x3cscript>"'),
        (b"\xe4\x00\x7f", '"\\xe4\\x00\\x7f"'),
        (b"x" * 200, '"' + "x" * 120 + '..."'),
    ],
)
def test_quoted(value, expected):
    assert quoted(value) == expected


def test_printable_escapes_what_is_beyond_latin_1():
    assert printable("a\u2028\U0001f600") == "a\\u{2028}\\u{1f600}"


@given(st.text(max_size=30), st.sampled_from([[], [b"application/json"]]), st.sampled_from(sorted(REASONS)))
def test_a_body_is_one_line_of_printable_ascii(detail, accept, status):
    media_type, body = body_for(OwnAnswer(status, detail), accept)
    assert body.endswith(b"\n")
    assert body[:-1].decode("ascii").isprintable()
    assert b"<" not in body
    if media_type == PROBLEM:
        assert json.loads(body)["status"] == status


@given(st.lists(st.binary(max_size=30), max_size=3))
def test_any_accept_is_answered(accept):
    assert body_for(DENIED, accept)[0] in (TEXT, PROBLEM)


def test_every_status_that_the_proxy_sends_has_its_reason():
    for status in (204, 400, 403, 404, 405, 408, 413, 421, 431, 502, 503, 504, 508):
        assert is_field_value(REASONS[status])
        assert REASONS[status]


def test_a_status_without_reason_is_answered_too():
    assert body_for(OwnAnswer(299, "x"), [])[1] == b"corsproxy: 299: x\n"


def test_own_answers_are_not_cached_and_not_sniffed():
    assert ANSWER_LINES == b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
