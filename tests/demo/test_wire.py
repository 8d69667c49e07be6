"""What was on the wire: kept by run, bounded, and without other people's cookies."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from corsproxy.cors.decision import Decision, Outcome
from corsproxy.demo import wire as module
from corsproxy.demo.wire import Wire
from corsproxy.proxy.exchange import Exchange


@pytest.fixture
def wire():
    return Wire()


def exchange(target=b"/books?run=a1", decision=Decision(Outcome.ALLOWED), status=200):
    return Exchange(
        client="127.0.0.1",
        method=b"GET",
        target=target,
        host=b"localhost:8003",
        origin=b"http://localhost:8001",
        decision=decision,
        status=status,
    )


def test_keeps_what_the_api_received_and_answered(wire):
    response = web.Response(status=201, headers={"X-Total-Count": "3"})
    response.set_cookie("bookshop", "token")
    wire.api_answered(make_mocked_request("POST", "/books?run=a1", headers={"X-Api-Key": "k"}), response)
    (record,) = wire.of("a1")
    assert record["request"] == "POST /books?run=a1 HTTP/1.1"
    assert ("X-Api-Key", "k") in record["request_headers"]
    assert record["answer"] == "201 Created"
    assert record["answer_headers"][0] == ("X-Total-Count", "3")
    assert record["answer_headers"][-1] == ("Set-Cookie", "bookshop=token; Path=/")


def test_keeps_what_the_proxy_added(wire):
    lines = b"Access-Control-Allow-Origin: http://localhost:8001\r\nAccess-Control-Allow-Credentials: true\r\n"
    wire.proxy_answered(exchange(decision=Decision(Outcome.ALLOWED, lines, (b"Origin",))))
    assert wire.of("a1") == [
        {
            "by": "proxy",
            "request": "GET /books?run=a1",
            "origin": "http://localhost:8001",
            "answer": 200,
            "outcome": "allowed",
            "lines": ["Access-Control-Allow-Origin: http://localhost:8001", "Access-Control-Allow-Credentials: true"],
            "vary": "Origin",
            "advice": "",
        }
    ]


def test_keeps_the_advice_about_a_denial(wire):
    wire.proxy_answered(exchange(decision=Decision(Outcome.DENIED_ORIGIN, subject=b"http://127.0.0.1:8001")))
    (record,) = wire.of("a1")
    assert (record["outcome"], record["lines"]) == ("denied-origin", [])
    assert "http://127.0.0.1:8001" in record["advice"]


def test_what_belongs_to_no_run_is_not_kept(wire):
    wire.proxy_answered(exchange(target=b"/books?other=1"))
    assert wire.of("") == []


def test_old_runs_make_room_for_new_ones(wire, monkeypatch):
    monkeypatch.setattr(module, "_MOST_RUNS", 2)
    for run in (b"a", b"b", b"c"):
        wire.proxy_answered(exchange(target=b"/books?run=" + run))
    assert [len(wire.of(run)) for run in ("a", "b", "c")] == [0, 1, 1]


def test_a_run_does_not_grow_without_end(wire, monkeypatch):
    monkeypatch.setattr(module, "_MOST_RECORDS", 2)
    for _ in range(3):
        wire.proxy_answered(exchange())
    assert len(wire.of("a1")) == 2


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("bookshop=t", "bookshop=t"),
        ("theirs=secret; bookshop=t", "bookshop=t; (1 more of localhost)"),
        ("theirs=secret; a=b", "(2 more of localhost)"),
        ("bookshop_admin=secret", "(1 more of localhost)"),
    ],
)
def test_other_cookies_of_localhost_are_nobodys_business(wire, sent, shown):
    wire.api_answered(make_mocked_request("GET", "/me?run=a1", headers={"Cookie": sent}), web.Response())
    assert wire.of("a1")[0]["request_headers"] == [("Cookie", shown)]
