"""Tests of the table, run: each word that can be expected, found; and that it is explain's verdict."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.tests import load_tests
from corsproxy.config.tests_model import Expected
from corsproxy.tools.checking.table_tests import run_tests
from corsproxy.tools.explaining.explanation import explain
from corsproxy.tools.explaining.fix import Fix, NoFix
from corsproxy.tools.pasted.questions import Told, read_questions
from corsproxy.tools.written_config import WrittenConfig

TABLE = """\
policies:
  web-app:
    allow_origins: [https://app.example.com, https://*.preview.example.com]
    allow_methods: [GET, PUT]
    allow_headers: [X-Api-Key]
    allow_credentials: true
  anybody: {allow_origins: "*", allow_methods: "*"}
  listed:
    allow_origins: https://app.example.com
    allow_origin_regex: https://pr-[0-9]+\\.example\\.com
rules:
  - {path: /orders, upstream: http://a, policy: web-app}
  - {path: /public, upstream: http://a, policy: anybody}
  - {path: /listed, upstream: http://a, policy: listed}
  - {path: /raw, upstream: http://a, policy: none}
  - {path: /, host: api.example.com, upstream: http://a, policy: web-app}
"""
APP, EVIL = "https://app.example.com", "https://evil.example"


@pytest.fixture(scope="module")
def table():
    pytest.importorskip("re2")
    return WrittenConfig.read(TABLE, "c.yaml", {})


def run(table, row):
    (result,) = run_tests(table, load_tests(f"tests: [{row}]", "t.yaml", {}))
    return result


# A row, and what is found.
ROWS = [
    (f"{{origin: {APP}, path: /orders}}", "allowed"),
    (f"{{origin: {APP}, path: /orders, method: put, headers: X-Api-Key, credentials: true}}", "allowed"),
    (f"{{origin: {EVIL}, path: /orders}}", "denied-origin"),
    ("{origin: 'null', path: /orders}", "denied-origin"),
    (f"{{origin: {EVIL}, path: /orders, method: PUT}}", "preflight-denied-origin"),
    (f"{{origin: {APP}, path: /orders, method: DELETE}}", "preflight-denied-method"),
    (f"{{origin: {APP}, path: /orders, method: patch}}", "preflight-denied-method"),
    (f"{{origin: {APP}, path: /orders, headers: X-Other}}", "preflight-denied-headers"),
    (f"{{origin: {APP}, path: /orders, headers: Content-Type}}", "preflight-denied-headers"),
    (f"{{origin: {APP}, path: /orders, headers: 'Content-Type: text/plain'}}", "allowed"),
    (f"{{origin: {EVIL}, path: /public}}", "allowed"),
    (f"{{origin: {EVIL}, path: /public, credentials: true}}", "wildcard-with-credentials"),
    (f"{{origin: {APP}, path: /listed, credentials: true}}", "allow-credentials"),
    (f"{{origin: {APP}, path: /raw}}", "no-policy"),
    (f"{{origin: {APP}, path: /nowhere}}", "no-rule"),
    (f"{{origin: {APP}, host: other.example.com}}", "no-rule"),
    (f"{{origin: {APP}, host: api.example.com, path: /x?y=1}}", "allowed"),
    ("{origin: 'https://api.example.com', host: api.example.com, method: DELETE}", "allowed"),  # the same origin
]


@pytest.mark.parametrize(("row", "found"), ROWS)
def test_what_is_found_is_what_is_expected(row, found, table):
    result = run(table, f"{row[:-1]}, expect: {found}}}")
    assert (result.found, result.passed) == (found, True)
    assert (result.explanation, result.granted) == (None, "")


def test_every_word_can_be_found():
    assert {found for _, found in ROWS} == set(get_args(Expected)) - {"blocked"}


@pytest.mark.parametrize(("row", "found"), ROWS)
def test_any_other_expectation_fails_and_is_explained(row, found, table):
    for expected in set(get_args(Expected)) - {found}:
        result = run(table, f"{row[:-1]}, expect: {expected}}}")
        stands_for = expected == "blocked" and found not in {"allowed", "no-rule", "no-policy"}
        assert result.passed == stands_for
        assert (result.explanation is None) == stands_for


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (f"{{origin: {APP}, path: /raw}}", f"GET /raw from {APP}"),
        (
            f"{{origin: {APP}, host: api.example.com, method: PUT, headers: [A, 'B: c'], credentials: true}}",
            f"PUT api.example.com/ from {APP} with A, B with credentials",
        ),
    ],
)
def test_a_test_is_called_by_what_the_page_asks(row, name, table):
    assert run(table, row).name == name


# What to change


def test_what_should_be_allowed_comes_with_the_change(table):
    result = run(table, f"{{origin: {APP}, path: /orders, method: DELETE}}")
    assert isinstance(result.explanation.fix, Fix)
    assert "+    allow_methods: [GET, PUT, DELETE]" in result.explanation.fix.diff


def test_what_should_be_blocked_otherwise_comes_without_a_change(table):
    """It would let the request pass, which nobody wants."""
    result = run(table, f"{{origin: {EVIL}, path: /orders, method: PUT, expect: preflight-denied-method}}")
    assert result.found == "preflight-denied-origin"
    assert result.explanation.fix is None


def test_nothing_is_said_of_a_host_that_nobody_asks(table):
    """Whether cookies go to another site is known where the host is."""
    row = f"origin: {APP}, path: /orders, credentials: true, expect: blocked"
    assert run(table, f"{{{row}}}").explanation.lookalikes == ()
    (note,) = run(table, f"{{{row}, host: api.other.net}}").explanation.lookalikes
    assert note.startswith("https://app.example.com is of another site than https://api.other.net")


def test_what_meets_no_rule_is_told_which_there_are(table):
    result = run(table, f"{{origin: {EVIL}, path: /nowhere, expect: blocked}}")
    assert isinstance(result.explanation.fix, NoFix)
    assert "the rules are for api.example.com/, /listed, /orders" in result.explanation.fix.reason


def test_where_every_rule_has_a_host_a_test_needs_one():
    config = WrittenConfig.read("rules: [{host: a.example, upstream: http://a, policy: none}]", "c", {})
    reasons = [run(config, f"{{origin: {APP}{host}}}").explanation.fix.reason for host in ("", ", host: b.example")]
    assert reasons == [
        "every rule is for a host, and this test names none; add `host` to it",
        'no rule serves the host "b.example"; the rules are for a.example/',
    ]


@pytest.mark.parametrize(
    ("row", "granted"),
    [
        (f"origin: {APP}, path: /orders, expect: blocked", f"{APP}  (c.yaml:3:21)"),
        (
            "origin: https://x.preview.example.com, path: /orders, expect: denied-origin",
            "https://*.preview.example.com  (c.yaml:3:46)",
        ),
        (f"origin: {EVIL}, path: /public, expect: denied-origin", "*  (c.yaml:7:28)"),
        (
            "origin: https://pr-7.example.com, path: /listed, expect: denied-origin",
            "allow_origin_regex  (c.yaml:10:25)",
        ),
        (
            f"origin: {APP}, path: /orders, method: PUT, expect: preflight-denied-method",
            "allow_methods  (c.yaml:4:5)",
        ),
        (
            f"origin: {APP}, path: /orders, headers: X-Api-Key, expect: preflight-denied-headers",
            "allow_headers  (c.yaml:5:5)",
        ),
        (
            f"origin: {APP}, path: /orders, credentials: true, expect: allow-credentials",
            "allow_credentials  (c.yaml:6:24)",
        ),
        ("origin: 'https://api.example.com', host: api.example.com, expect: blocked", ""),  # no policy is asked
    ],
)
def test_what_should_be_blocked_comes_with_the_line_that_allows_it(row, granted, table):
    result = run(table, f"{{{row}}}")
    assert (result.found, result.granted) == ("allowed", granted)


@given(
    origin=st.sampled_from([APP, EVIL, "null", "https://a.preview.example.com", "https://pr-7.example.com"]),
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "patch"]),
    path=st.sampled_from(["/", "/orders", "/orders/7?a=b", "/public", "/listed", "/raw"]),
    headers=st.lists(st.sampled_from(["X-Api-Key", "X-Other", "Content-Type: text/plain", "Range"]), unique=True),
    credentials=st.booleans(),
)
def test_the_verdict_is_that_of_explain(table, origin, method, path, headers, credentials):
    """The same request, as somebody would ask ``corsproxy explain`` about it."""
    row = f"{{origin: '{origin}', method: {method}, path: '{path}', headers: {headers}, credentials: {credentials}}}"
    result = run(table, row)
    told = Told(origin, method, tuple(headers), credentials)
    (question,) = read_questions(f"https://proxy.invalid{path}", told)
    assert question.request == result.test.request
    explanation = explain(table, question.request)
    if explanation.rule is None:
        assert result.found == "no-rule"
    else:
        assert (result.found == "allowed") == (not explanation.blocked)
        assert result.found in {"allowed", explanation.decision.outcome, explanation.fetched.verdict.blocked}
