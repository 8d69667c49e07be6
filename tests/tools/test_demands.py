"""What a server has to answer: each row is a request; a server that answers so is held against the browser model."""

import pytest

from corsproxy.cors.browser import run
from corsproxy.cors.check import Blocked
from corsproxy.cors.fetch import Credentials, Mode, Request, Upload, WireResponse
from corsproxy.tools.explaining.demands import needed, remedy

PAGE, URL = b"https://app.example.com", "https://api.example.com/data"
ALLOW = "Access-Control-Allow-Origin: https://app.example.com"
CREDENTIALS = "Access-Control-Allow-Credentials: true"


def asks(url=URL, origin=PAGE, **more):
    return Request(url=url, origin=origin, **more)


NEEDED = [
    (asks(), {"GET": (ALLOW,)}),
    (asks(credentials=Credentials.INCLUDE), {"GET": (ALLOW, CREDENTIALS)}),
    (asks(method=b"put"), {"OPTIONS": (ALLOW, "Access-Control-Allow-Methods: PUT"), "PUT": (ALLOW,)}),
    (asks(upload=Upload.WATCHED), {"OPTIONS": (ALLOW,), "GET": (ALLOW,)}),
    (
        asks(
            headers=((b"X-B", b"1"), (b"Authorization", b"x"), (b"Cookie", b"dropped")), credentials=Credentials.INCLUDE
        ),
        {
            "OPTIONS": (ALLOW, CREDENTIALS, "Access-Control-Allow-Headers: authorization, x-b"),
            "GET": (ALLOW, CREDENTIALS),
        },
    ),
]


@pytest.mark.parametrize(("request_", "expected"), NEEDED)
def test_a_server_that_answers_so_is_read(request_, expected):
    demands = needed(request_, Blocked.MISSING_ALLOW_ORIGIN)
    assert {answer.of: answer.headers for answer in demands} == expected

    def send(asked):
        (answer,) = (answer for answer in demands if answer.of.encode() == asked.method)
        pairs = (line.split(": ", 1) for line in answer.headers)
        return WireResponse(200, tuple((name.encode(), value.encode()) for name, value in pairs))

    assert run(request_, send).verdict.allowed


@pytest.mark.parametrize(
    ("request_", "blocked"),
    [(asks(), None), (asks(), Blocked.TOO_MANY_REDIRECTS), (asks(mode=Mode.SAME_ORIGIN), Blocked.MISSING_ALLOW_ORIGIN)],
)
def test_where_no_header_helps_none_is_needed(request_, blocked):
    assert needed(request_, blocked) == ()


LOCAL = "http://localhost:8080/api"
REMEDIES = [
    (asks(), "`corsproxy dev https://api.example.com --allow-origin https://app.example.com` answers so in its place"),
    (asks(origin=b"http://localhost:5173"), "`corsproxy dev https://api.example.com` answers so in its place"),
    (
        asks(LOCAL),
        "start it again with `--allow-origin https://app.example.com`: every page of https://app.example.com",
    ),
    (asks("http://[::1]:8080/"), "start it again with `--allow-origin https://app.example.com`"),
    (asks(LOCAL, b"http://localhost:5173"), "the server has to answer as below; with its configuration (-c)"),
    (asks(LOCAL, b"null"), "the server has to answer as below; with its configuration (-c)"),
]


@pytest.mark.parametrize(("request_", "said"), REMEDIES)
def test_the_remedy_for_any_server(request_, said):
    assert said in remedy(request_, Blocked.MISSING_ALLOW_ORIGIN)


def test_no_remedy_for_what_no_server_decides():
    assert (
        remedy(asks(), Blocked.TOO_MANY_REDIRECTS)
        == "the page has to ask otherwise; no header of the server changes this"
    )
