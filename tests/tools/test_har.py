"""HAR files: their entries as requests and answers, and what is no HAR file."""

import json

import pytest

from corsproxy.cors.fetch import Credentials
from corsproxy.tools.explaining.explanation import explain_answers
from corsproxy.tools.har import UnreadableHar, cross_origin, judged, read_har, recorded

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
        entry(status=302, answered=[ALLOW, ("Location", there)]),
        entry(url=there, answered=[ALLOW]),
    )
    assert not explanation.blocked
    assert [exchanged.asked.url for exchanged in explanation.exchanges] == [URL, there]


def test_a_redirect_out_of_the_file_has_no_answer():
    explanation = explained(entry(status=302, answered=[ALLOW, ("Location", "/gone")]))
    assert explanation.blocked


# What Chromium saves of a request that it has blocked: no answer, and only the headers that the page knew of.
def blocked(method="GET", headers=(), **more):
    saved = entry(method, headers=[("Referer", f"{PAGE}/cart"), *headers], status=0, _resourceType="fetch", **more)
    saved["request"]["headers"].pop(0)  # Origin
    saved["response"]["_error"] = "net::ERR_FAILED"
    return saved


def test_the_page_of_a_blocked_request_is_known_by_its_referer():
    (found,) = cross_origin(read_har(har(blocked(headers=[("X-A", "1"), ("sec-ch-ua", "x")]))))
    assert (found.origin, found.request.headers, found.failure) == (PAGE.encode(), ((b"X-A", b"1"),), "net::ERR_FAILED")


def test_or_by_the_url_that_chromium_calls_a_page_by():
    saved = blocked(pageref="page_1")
    saved["request"]["headers"] = []
    log = {"pages": [{"id": "page_1", "title": f"{PAGE}/cart"}], "entries": [saved]}
    assert [found.origin for found in cross_origin(read_har(json.dumps({"log": log})))] == [PAGE.encode()]
    log["pages"][0]["title"] = "A page"
    assert list(cross_origin(read_har(json.dumps({"log": log})))) == []


@pytest.mark.parametrize(
    "saved",
    [
        {**blocked(), "_resourceType": "image"},
        entry("POST", headers=[("Sec-Fetch-Mode", "navigate")]),
        entry(headers=[("Sec-Fetch-Mode", "no-cors")]),
    ],
)
def test_what_is_no_request_of_a_script_is_left_out(saved):
    assert list(cross_origin(read_har(har(saved)))) == []


PREFLIGHT = ("Access-Control-Request-Method", "PUT")


@pytest.mark.parametrize(
    ("entries", "known"),
    [
        ([blocked("PUT")], False),
        ([blocked()], False),
        ([entry("OPTIONS", headers=[PREFLIGHT], status=403), blocked("PUT")], True),
        ([entry("OPTIONS", headers=[PREFLIGHT], status=0), blocked("PUT")], False),
        (
            [
                entry("OPTIONS", headers=[PREFLIGHT], answered=[ALLOW, ("Access-Control-Allow-Methods", "PUT")]),
                blocked("PUT"),
            ],
            False,
        ),
    ],
)
def test_a_request_without_an_answer_is_judged_by_its_preflight_where_that_was_refused(entries, known):
    read = read_har(har(*entries))
    assert (judged(read, read[-1]) is not None) is known


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1 is no JSON"),
        ("{}", "no HAR file"),
        ('{"log": {"entries": [1]}}', "no HAR file"),
        ('{"log": 1}', "no HAR file"),
    ],
)
def test_what_is_no_har_file(text, message):
    with pytest.raises(UnreadableHar, match=message):
        read_har(text)
