"""Each expectation, held and not held."""

from __future__ import annotations

from typing import Any

import pytest

from corsproxy.conformance.conclusion import asked
from corsproxy.conformance.judge import Seen, differences
from corsproxy.conformance.model import Expectation
from corsproxy.conformance.wire import Received, Response

GET = b"GET /x HTTP/1.1\r\nHost: api.example\r\nOrigin: https://a.example\r\n\r\n"
ACAO = "Access-Control-Allow-Origin: https://a.example"
ACAC = "Access-Control-Allow-Credentials: true"


def lines(*texts: str) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), value.encode()) for name, _, value in (text.partition(": ") for text in texts))


def found(
    expect: dict[str, object], *headers: str, status: int = 200, credentials: bool = False, **seen: Any
) -> list[str]:
    answer = Response(
        status, lines(*headers), **{key: seen.pop(key) for key in ("body", "whole", "interim") if key in seen}
    )
    whole = Seen(GET, asked(GET), "api.example", seen.pop("answer", answer), **seen)
    return list(differences(Expectation.model_validate(expect), whole, {"up": "u.test"}, credentials=credentials))


STATUSES = [
    ([200], 200, []),
    (["2xx"], 204, []),
    (["2xx", 404], 404, []),
    (["closed", "4xx"], 400, []),
    ([200], 204, ["status 204, expected 200"]),
    (["2xx", "closed"], 302, ["status 302, expected 2xx or closed"]),
]


@pytest.mark.parametrize(("accepted", "status", "said"), STATUSES)
def test_status(accepted, status, said):
    assert found({"status": accepted}, status=status) == said


def test_no_answer():
    assert found({"status": ["closed"]}, answer=None) == []
    assert found({"status": 200}, answer=None) == ["status closed, expected 200"]
    assert found({}, answer=None) == ["the connection ended without an answer"]
    assert found({"status": ["closed"]}, answer=None, problem="no answer within 10 seconds") == [
        "no answer within 10 seconds"
    ]


# expectation, headers of the answer, whether it holds
ANSWERS = [
    ({"allow_origin": "https://a.example"}, [ACAO], True),
    ({"allow_origin": ["*", "https://a.example"]}, ["access-control-allow-origin: *"], True),
    ({"allow_origin": "https://a.example"}, [ACAO, ACAO], False),
    ({"allow_origin": "https://a.example"}, ["Access-Control-Allow-Origin: https://A.example"], False),
    ({"allow_origin": "https://a.example"}, [], False),
    ({"allow_origin": []}, [], True),
    ({"allow_origin": []}, [ACAO], False),
    ({"allow_credentials": True}, [ACAC], True),
    ({"allow_credentials": True}, [ACAC, ACAC], False),
    ({"allow_credentials": True}, ["Access-Control-Allow-Credentials: True"], False),
    ({"allow_credentials": False}, [], True),
    ({"allow_credentials": False}, ["Access-Control-Allow-Credentials: false"], False),
    ({"bare": True}, ["Vary: Origin"], True),
    ({"bare": True}, ["timing-allow-origin: *"], False),
    ({"vary": "Origin"}, ["Vary: Accept,origin"], True),
    ({"vary": ["Origin", "Accept"]}, ["Vary: Accept", "vary: Origin"], True),
    ({"vary": "Origin"}, ["Vary: *"], True),
    ({"vary": "Origin"}, ["Vary: X-Origin"], False),
    ({"for_caches": True}, ["Access-Control-Allow-Origin: *"], True),
    ({"for_caches": True}, [ACAO, "Vary: Origin"], True),
    ({"for_caches": True}, [ACAO], False),
    ({"for_caches": True}, [], False),
    ({"at_most_one": "X-A"}, ["X-A: 1"], True),
    ({"at_most_one": "X-A"}, ["X-A: 1", "x-a: 2"], False),
    ({"headers": {"X-A": None}}, [], True),
    ({"headers": {"X-A": None}}, ["x-a: 1"], False),
    ({"headers": {"X-A": "{up}"}}, ["x-a: u.test"], True),
    ({"headers": {"X-A": "1"}}, ["X-A: 1", "X-A: 1"], False),
    ({"headers": {"X-A": {"lines": 2}}}, ["X-A: 1", "X-A: 1"], True),
    ({"headers": {"X-A": {"has": "B"}}}, ["X-A: a, b"], True),
    ({"headers": {"X-A": {"has": "B"}}}, ["X-A: a, bc"], False),
    ({"headers": {"X-A": {"lacks": "B"}}}, ["X-A: a, bc"], True),
    ({"headers": {"X-A": {"lacks": "B"}}}, ["X-A: a", "X-A: b"], False),
    ({"headers": {"X-A": {"without": ["{up}"]}}}, ["X-A: http://u.test/"], False),
    ({"headers": {"X-A": {"at_most": 5}}}, ["X-A: 5"], True),
    ({"headers": {"X-A": {"at_most": 5}}}, ["X-A: 6"], False),
    ({"headers": {"X-A": {"at_most": 5}}}, ["X-A: x"], False),
]  # fmt: skip


@pytest.mark.parametrize(("expect", "headers", "holds"), ANSWERS)
def test_headers(expect, headers, holds):
    assert (found(expect, *headers) == []) is holds


@pytest.mark.parametrize(
    ("status", "kept"), [(200, True), (404, True), (304, True), (302, True), (403, False), (503, False)]
)
def test_vary_matters_where_caches_keep(status, kept):
    assert bool(found({"vary": "Origin"}, status=status)) is kept


@pytest.mark.parametrize(
    ("expect", "seen", "holds"),
    [
        ({"body": "ok"}, {"body": b"ok"}, True),
        ({"body": "ok"}, {"body": b"ok\n"}, False),
        ({"body_without": "secret"}, {"body": b"my secret"}, False),
        ({"whole": False}, {"whole": False}, True),
        ({"whole": False}, {"whole": True}, False),
        ({"whole": False}, {"whole": True, "status": 502}, True),
        ({"framing": True}, {"status": 204}, True),
        ({"bare_interim": True}, {"interim": (Response(103, lines("Link: x")),)}, True),
        ({"bare_interim": True}, {"interim": (Response(103, lines(ACAO)),)}, False),
        ({"answers": 1}, {}, True),
        ({"answers": 1}, {"more": 1}, False),
        ({"not_status": [101]}, {"status": 101}, False),
    ],
)
def test_the_rest_of_an_answer(expect, seen, holds):
    assert (found(expect, **seen) == []) is holds


def test_a_204_has_no_length():
    assert found({"framing": True}, "Content-Length: 0", status=204) == ["a 204 with Content-Length"]


ONCE = Received("GET", "/x", lines("Origin: https://a.example"))


@pytest.mark.parametrize(
    ("expect", "received", "said"),
    [
        ({"upstream": "reached"}, [ONCE], []),
        ({"upstream": "reached"}, [], ["the upstream got 0 requests, expected 1"]),
        ({"upstream": "reached"}, [ONCE, ONCE], ["the upstream got 2 requests, expected 1"]),
        ({"upstream": "untouched"}, [], []),
        ({"upstream": "untouched"}, [ONCE], ["the upstream got 1 request(s), and should get none"]),
        ({"forwarded": {"method": "GET", "headers": {"Origin": "https://a.example"}}}, [ONCE], []),
        ({"forwarded": {"method": "PUT"}}, [ONCE], ["the upstream got GET, expected PUT"]),
        ({"forwarded": {"headers": {"Origin": None}}}, [ONCE], ["the upstream got Origin: https://a.example"]),
        ({"forwarded": {"headers": {"Origin": None}}}, [], []),
    ],
)
def test_what_the_upstream_got(expect, received, said):
    assert found(expect, received=received) == said


# expectation, headers, whether the policy grants credentials, what is said
BROWSERS = [
    ("allowed", [ACAO], False, []),
    ("allowed", [ACAO, ACAC], True, []),
    ("allowed", [ACAO], True, ["a browser says allow-credentials (credentials: include), expected allowed"]),
    ("allowed", [], False, ["a browser says missing-allow-origin (credentials: omit), expected allowed"]),
    ("blocked", [], True, []),
    ("blocked", [ACAO], False, ["a browser says allowed (credentials: omit), expected blocked"]),
    ({"omit": "allowed", "include": "blocked"}, ["Access-Control-Allow-Origin: *"], False, []),
    ({"reads": ["X-A"]}, ["Access-Control-Expose-Headers: x-a", "X-A: 1"], False, []),
    ({"reads": ["X-A"]}, ["X-A: 1"], False, ["the page cannot read X-A"]),
    ({"hides": ["X-A"]}, ["Access-Control-Expose-Headers: *", "X-A: 1"], False, ["the page can read X-A"]),
    ({"hides": ["X-A"]}, ["Access-Control-Expose-Headers: *", "X-A: 1"], True, []),
    ({"timing": True}, ["Timing-Allow-Origin: *"], False, []),
    ({"timing": True}, [], False, ["the page does not see timings"]),
    ({"timing": False}, ["Timing-Allow-Origin: *"], False, ["the page sees timings"]),
    ({"max_age": 600}, ["Access-Control-Max-Age: 600"], False, []),
    ({"max_age": 5}, [], False, []),
    ({"max_age": 5}, ["Access-Control-Max-Age: 6"], False, ["a preflight is kept for 6 seconds, expected 5 at most"]),
]  # fmt: skip


@pytest.mark.parametrize(("browser", "headers", "credentials", "said"), BROWSERS)
def test_what_a_browser_concludes(browser, headers, credentials, said):
    assert found({"browser": browser}, *headers, credentials=credentials) == said


PREFLIGHT = (
    b"OPTIONS /x HTTP/1.1\r\nHost: api.example\r\nOrigin: https://a.example\r\n"
    b"Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a, accept\r\n\r\n"
)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([ACAO, "Access-Control-Allow-Methods: PUT", "Access-Control-Allow-Headers: x-a, accept"], []),
        ([ACAO, "Access-Control-Allow-Methods: PUT", "Access-Control-Allow-Headers: x-a"], ["header"]),
        ([ACAO, "Access-Control-Allow-Methods: put", "Access-Control-Allow-Headers: x-a, accept"], ["method"]),
        (["Access-Control-Allow-Methods: PUT"], ["missing-allow-origin"]),
    ],
)
def test_what_a_browser_concludes_from_a_preflight(headers, said):
    seen = Seen(PREFLIGHT, asked(PREFLIGHT), "api.example", Response(204, lines(*headers)))
    expect = Expectation.model_validate({"browser": "allowed"})
    expected = [f"a browser says {word} (credentials: omit), expected allowed" for word in said]
    assert list(differences(expect, seen, {}, credentials=False)) == expected


def test_a_long_value_is_cut():
    (said,) = found({"headers": {"X-A": None}}, "X-A: " + "a" * 1000)
    assert len(said) < 200
