"""HAR files: their entries as requests and answers, and what is no HAR file."""

import json

import pytest

from corsproxy.cors.fetch import Credentials
from corsproxy.tools.explanation import explain_answers
from corsproxy.tools.har import UnreadableHar, cross_origin, read_har, recorded

PAGE, URL = "https://app.example.com", "https://api.example.com/data"


def entry(method="GET", url=URL, headers=(), status=200, answered=(), **more):
    pairs = lambda lines: [{"name": name, "value": value} for name, value in lines]  # noqa: E731
    return {
        "request": {"method": method, "url": url, "headers": pairs([("Origin", PAGE), *headers])},
        "response": {"status": status, "headers": pairs(answered)},
        **more,
    }


def har(*entries):
    return json.dumps({"log": {"version": "1.2", "entries": entries}})


ALLOW = ("Access-Control-Allow-Origin", PAGE)


def test_a_request_of_a_page():
    text = har(
        entry(
            "PUT",
            headers=[(":authority", "x"), ("X-A", "1"), ("Cookie", "a=b"), ("Sec-Fetch-Mode", "cors")],
            _resourceType="xhr",
        )
    )
    (found,) = cross_origin(read_har(text))
    assert found.initiator == "XMLHttpRequest"
    assert found.request.method == b"PUT"
    assert found.request.headers == ((b"X-A", b"1"),)
    assert found.request.credentials is Credentials.INCLUDE


def test_what_crosses_no_origin_is_left_out():
    same = entry(url=f"{PAGE}/own")
    preflight = entry("OPTIONS", headers=[("Access-Control-Request-Method", "PUT")])
    assert list(cross_origin(read_har(har(same, preflight)))) == []


def explained(*entries):
    read = read_har(har(*entries))
    found = next(cross_origin(read))
    return explain_answers(found.request, recorded(read, found))


def test_a_recorded_answer_is_judged():
    assert not explained(entry(answered=[ALLOW])).blocked
    assert explained(entry()).blocked


def test_a_recorded_preflight_is_judged():
    preflight = entry("OPTIONS", headers=[("Access-Control-Request-Method", "PUT")], status=403)
    explanation = explained(preflight, entry("PUT", answered=[ALLOW]))
    assert explanation.blocked
    assert explanation.exchanges[-1].preflight


def test_a_preflight_that_was_not_recorded_was_cached():
    assert not explained(entry("PUT", headers=[("X-A", "1")], answered=[ALLOW])).blocked


def test_redirects_are_followed_through_the_file():
    there = f"{URL}/there"
    explanation = explained(
        entry(status=302, answered=[ALLOW, ("Location", there)]), entry(url=there, answered=[ALLOW]),
    )  # fmt: skip
    assert not explanation.blocked
    assert [exchanged.asked.url for exchanged in explanation.exchanges] == [URL, there]


def test_a_redirect_out_of_the_file_has_no_answer():
    explanation = explained(entry(status=302, answered=[ALLOW, ("Location", "/gone")]))
    assert explanation.blocked


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "line 1 is no JSON"), ("{}", "no HAR file"), ('{"log": {"entries": [1]}}', "no HAR file"), ('{"log": 1}', "no HAR file")],
)  # fmt: skip
def test_what_is_no_har_file(text, message):
    with pytest.raises(UnreadableHar, match=message):
        read_har(text)
