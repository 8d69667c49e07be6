"""The steps of the standard, in its order, with what was found at each: read off the browser model's verdict."""

import pytest

from corsproxy.cors.browser import run
from corsproxy.cors.check import Blocked
from corsproxy.cors.fetch import Credentials, Mode, Request, WireResponse
from corsproxy.tools.explaining.steps import State, steps_of
from corsproxy.tools.simulation import Exchanged

PAGE, URL = b"https://app.example.com", "https://api.example.com/data"
ALLOW = (b"Access-Control-Allow-Origin", PAGE)
METHODS = (b"Access-Control-Allow-Methods", b"PUT")
HEADERS = (b"Access-Control-Allow-Headers", b"x-a")
CREDENTIALS = (b"Access-Control-Allow-Credentials", b"true")


def walked(request, *answers):
    """The steps of a fetch whose requests get these answers, and its verdict."""
    left, exchanges = list(answers), []

    def send(asked):
        exchanges.append(Exchanged(asked, left.pop(0)))
        return exchanges[-1].answered

    fetched = run(request, send)
    return steps_of(request, exchanges, fetched), fetched.verdict


def states(steps):
    return [step.state for step in steps]


def test_a_simple_request_that_is_allowed():
    steps, _ = walked(Request(url=URL, origin=PAGE), WireResponse(200, (ALLOW, (b"Content-Type", b"text/plain"))))
    assert [(step.state, step.title, step.found) for step in steps] == [
        (
            State.NOTE,
            "the page asks another origin, in mode cors",
            "https://app.example.com asks https://api.example.com",
        ),
        (State.NOTE, "no preflight is needed", "the method and all headers are safelisted"),
        (State.PASSED, "the request is answered", f"GET {URL}: 200"),
        (
            State.PASSED,
            "Access-Control-Allow-Origin is the page's origin, or * without credentials",
            "Access-Control-Allow-Origin: https://app.example.com",
        ),
        (State.PASSED, "the page reads the answer", "200, and these headers: Content-Type"),
    ]
    assert all(step.clause.startswith("https://fetch.spec.whatwg.org/#") for step in steps)


def test_a_preflight_and_its_request():
    request = Request(url=URL, origin=PAGE, method=b"PUT", headers=((b"X-A", b"1"),), credentials=Credentials.INCLUDE)
    steps, _ = walked(
        request, WireResponse(204, (ALLOW, METHODS, HEADERS, CREDENTIALS)), WireResponse(200, (ALLOW, CREDENTIALS))
    )
    assert steps[1].found == "because of the method PUT and the header x-a"
    assert [step.title for step in steps if step.state is State.PASSED] == [
        "the preflight is answered",
        "the answer is no redirect",
        "Access-Control-Allow-Origin is the page's origin, or * without credentials",
        "Access-Control-Allow-Credentials is true",
        "its status is 200 to 299",
        "Access-Control-Allow-Methods and -Headers are lists",
        "the method is granted",
        "every header is granted",
        "the request is answered",
        "Access-Control-Allow-Origin is the page's origin, or * without credentials",
        "Access-Control-Allow-Credentials is true",
        "the page reads the answer",
    ]


PUT = {"method": b"PUT", "headers": ((b"X-A", b"1"),)}
FAILURES = [
    (Blocked.PREFLIGHT_REDIRECT, PUT, WireResponse(301, ((b"Location", b"/login"),)), "it leads to /login", 6),
    (Blocked.MISSING_ALLOW_ORIGIN, PUT, WireResponse(403), "there is no Access-Control-Allow-Origin", 4),
    (Blocked.PREFLIGHT_STATUS, PUT, WireResponse(401, (ALLOW,)), "it is 401", 3),
    (
        Blocked.MALFORMED_ALLOW_METHODS,
        PUT,
        WireResponse(204, (ALLOW, (b"Access-Control-Allow-Methods", b"P UT"))),
        "malformed allow methods: P UT",
        2,
    ),
    (Blocked.METHOD, PUT, WireResponse(204, (ALLOW, HEADERS)), "PUT is not among them", 1),
    (Blocked.HEADER, PUT, WireResponse(204, (ALLOW, METHODS)), "x-a is not among them", 0),
    (Blocked.MISSING_ALLOW_ORIGIN, {}, WireResponse(200), "there is no Access-Control-Allow-Origin", 0),
    (
        Blocked.OTHER_ALLOW_ORIGIN,
        {},
        WireResponse(200, ((b"Access-Control-Allow-Origin", b"https://b.example"),)),
        "it is another one: https://b.example",
        0,
    ),
    (Blocked.ALLOW_CREDENTIALS, {"credentials": Credentials.INCLUDE}, WireResponse(200, (ALLOW,)), "it is ''", 0),
    (
        Blocked.REDIRECT_LOCATION,
        {},
        WireResponse(302, (ALLOW, (b"Location", b"http://[:"))),
        "redirect location: http://[:",
        0,
    ),
]


@pytest.mark.parametrize(("blocked", "asked", "answer", "found", "not_reached"), FAILURES)
def test_one_step_fails_and_none_after_it_is_reached(blocked, asked, answer, found, not_reached):
    if blocked is Blocked.PREFLIGHT_REDIRECT:
        not_reached = 5  # without credentials there is one check less
    steps, verdict = walked(Request(url=URL, origin=PAGE, **asked), answer)
    assert verdict.blocked is blocked
    failed = states(steps).index(State.FAILED)
    assert steps[failed].found == found
    assert states(steps)[failed + 1 :] == [State.NOT_REACHED] * not_reached
    assert State.FAILED not in states(steps)[:failed]


def test_a_redirect_is_followed_step_by_step():
    answers = [WireResponse(302, (ALLOW, (b"Location", b"/there"))), WireResponse(200, (ALLOW,))]
    steps, _ = walked(Request(url=URL, origin=PAGE), *answers)
    assert [step.found for step in steps if step.title == "the request is answered"] == [
        f"GET {URL}: 302",
        "GET https://api.example.com/there: 200",
    ]
    assert [step.found for step in steps if step.title == "the redirect may be followed"] == ["Location: /there"]


def test_the_same_origin_needs_no_cors():
    steps, _ = walked(Request(url=URL, origin=b"https://api.example.com"), WireResponse(200))
    assert steps[0].title == "the page asks its own origin, so that CORS does not apply"
    assert states(steps) == [State.NOTE, State.PASSED, State.PASSED]


def test_an_opaque_answer_says_nothing():
    steps, _ = walked(Request(url=URL, origin=PAGE, mode=Mode.NO_CORS), WireResponse(200))
    assert steps[-1].title == "the page gets an opaque answer: no status, no headers, no body"


@pytest.mark.parametrize(
    "request_",
    [Request(url="ftp://api.example.com/", origin=PAGE), Request(url=URL, origin=PAGE, mode=Mode.SAME_ORIGIN)],
)
def test_what_is_never_sent_fails_at_once(request_):
    steps, _ = walked(request_)
    assert states(steps) == [State.NOTE, State.FAILED]
