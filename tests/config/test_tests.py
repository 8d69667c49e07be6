"""Tests of the table, as they are written: what each means, and what is refused where."""

from __future__ import annotations

from typing import get_args

import pytest

from corsproxy.config.load import load_config
from corsproxy.config.tests import load_tests
from corsproxy.config.tests_model import Expected
from corsproxy.cors.check import Blocked
from corsproxy.cors.fetch import Credentials, Request
from corsproxy.cors.outcome import Outcome
from corsproxy.errors import InvalidConfig

RULES = "rules: [{upstream: http://a, policy: none}]\n"
APP = "https://app.example.com"


def read(text):
    return load_config(f"{RULES}tests:\n{text}", "c", {}).tests


def problems_of(load, *arguments):
    with pytest.raises(InvalidConfig) as invalid:
        load(*arguments)
    return [str(problem) for problem in invalid.value.problems]


def test_a_row_that_says_no_more_than_whose_page_it_is():
    (test,) = read(f"  - origin: {APP}\n")
    assert test.request == Request(url="https://proxy.invalid/", origin=APP.encode())
    assert (test.expected, test.file, test.place, test.asked) == ("allowed", "c", (3, 13), "/")


def test_a_row_that_says_everything():
    (test,) = read(
        f"  - origin: {APP}\n    method: PUT\n    host: API.example.com:8443\n    path: /orders/7?full=1\n"
        "    headers: [X-Api-Key, 'Content-Type: application/json']\n    credentials: true\n    expect: denied-origin\n"
    )
    assert test.request == Request(
        url="https://api.example.com:8443/orders/7?full=1",
        origin=APP.encode(),
        method=b"PUT",
        headers=((b"X-Api-Key", b"?"), (b"Content-Type", b"application/json")),
        credentials=Credentials.INCLUDE,
    )
    assert (test.expected, test.asked) == ("denied-origin", "api.example.com:8443/orders/7?full=1")


def test_lists_are_a_test_each_and_headers_go_together():
    tests = read('  - origin: [https://a.example, "null"]\n    method: [GET, PUT]\n    headers: [A, B]\n')
    asked = [(test.request.origin, test.request.method, len(test.request.headers), test.place) for test in tests]
    assert asked == [
        (b"https://a.example", b"GET", 2, (3, 14)),
        (b"https://a.example", b"PUT", 2, (3, 14)),
        (b"null", b"GET", 2, (3, 33)),
        (b"null", b"PUT", 2, (3, 33)),
    ]


def test_the_words_are_those_of_the_log_and_of_explain():
    words = set(get_args(Expected)) - {"allowed", "blocked", "no-rule"}
    outcomes = {outcome.value for outcome in Outcome if outcome.denied or outcome is Outcome.NO_POLICY}
    assert words - {reason.value for reason in Blocked} == outcomes - {"preflight-denied-private-network"}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{path: /orders}", "c:3:5: a test needs the key 'origin'\n    origin: https://app.example.com"),
        (f"{{origin: {APP}/}}", f"c:3:14: '{APP}/' has a trailing slash; write it byte for byte as browsers send it"),
        ("{origin: null}", "c:3:14: null without quotes is YAML's word for nothing; put it in quotes"),
        ("{origin: https://ü.example}", "c:3:14: 'https://ü.example' has letters beyond ASCII"),
        ("{origin: []}", "c:3:6: this list is empty, so nothing would be tested; write an entry, or remove the test"),
        (f"{{origin: {APP}, method: P UT}}", "c:3:47: 'P UT' is no method; write one like GET"),
        (f"{{origin: {APP}, method: [GET, trace]}}", "c:3:53: 'trace' is a method that browsers never send for a page"),
        (f"{{origin: {APP}, path: orders}}", "c:3:45: 'orders' is no path to ask for; begin it with a slash"),
        (f"{{origin: {APP}, path: /a/../b}}", "c:3:45: '/a/../b' is never forwarded: "),
        (f"{{origin: {APP}, host: a/b}}", "c:3:45: 'a/b' is more than a host"),
        (f"{{origin: {APP}, headers: Cookie}}", "c:3:48: 'Cookie' is set by the browser alone"),
        (f"{{origin: {APP}, headers: [A, a]}}", "c:3:52: 'a' is listed twice; remove one"),
        (f"{{origin: {APP}, headers: ['A: ü']}}", "c:3:49: the value of 'A' is not printable ASCII; write another one"),
        (f"{{origin: {APP}, expect: alowed}}", "c:3:47: 'alowed' is not known here; write allowed, blocked, no-rule,"),
        (f"{{origin: {APP}, expect: missing-allow-origin}}", "c:3:47: 'missing-allow-origin' is not known here"),
        (f"{{origin: {APP}, orgin: x}}", "c:3:39: unknown key 'orgin'; 'origin' stands here already"),
        (f"{{origin: {APP}, upstream: x}}", "c:3:39: 'upstream' is no key of a test; it belongs to a rule"),
    ],
)  # fmt: skip
def test_what_no_page_asks_is_refused_where_it_stands(row, problem):
    (found,) = problems_of(read, f"  - {row}\n")
    assert found.startswith(problem)


def test_the_correction_is_a_line_to_paste():
    (problem,) = problems_of(read, f"  - origin: {APP}/\n")
    assert problem.endswith(f"\n    origin: {APP}")
    (problem,) = problems_of(read, f"  - {{origin: {APP}, expect: alowed}}\n")
    assert problem.endswith("\n    expect: allowed")


def test_lists_cannot_become_more_tests_than_anybody_reads():
    row = f"  - {{origin: {['https://a.example'] * 101}, method: {['GET'] * 100}}}\n"
    (problem,) = problems_of(read, row)
    assert problem == "c:3:5: the lists of this test make more than 10,000 of it; write fewer"


def test_a_test_that_fails_is_nothing_to_serve():
    compiled = load_config(f"{RULES}tests: [{{origin: {APP}, path: /orders, expect: denied-origin}}]", "c", {})
    assert (len(compiled.tests), compiled.warnings) == (1, ())


# A file of its own


def test_a_file_of_tests():
    (test,) = load_tests("tests: [{origin: '${APP}', path: /}]\n", "t.yaml", {"APP": APP})
    assert (test.request.origin, test.file, test.place) == (APP.encode(), "t.yaml", (1, 18))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "t: there is no configuration in this file\n    tests: [{origin: https://app.example.com}]"),
        (f"- origin: {APP}", "t:1:1: a configuration is a mapping; begin with a key like tests:\n    tests: ["),
        ("{}", "t:1:1: a file of tests needs the key 'tests'\n    tests: [{origin: https://app.example.com}]"),
        (f"tests: [{{origin: {APP}}}]\nrules: []", "t:2:1: 'rules' is no key of a file of tests; it belongs to"),
        ("tests: [{origin: x}]", "t:1:18: 'x' "),
        ("tests: [", "t:1:"),
    ],
)
def test_what_is_no_file_of_tests(text, problem):
    (found,) = problems_of(load_tests, text, "t", {})
    assert found.startswith(problem)
