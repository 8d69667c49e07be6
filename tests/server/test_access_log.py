"""The access log as JSON: its fields, what a client cannot do to it, and which exchanges have a line."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.load import load_config
from corsproxy.cors.decision import NO_POLICY, Decision, Outcome
from corsproxy.cors.flip import NO_RULE, Change, Difference, Flip
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.request import header_line
from corsproxy.server import access_log
from corsproxy.server.access_log import EVERYTHING, JsonLog, Sample
from corsproxy.server.log_writer import BATCH

TEXT = "rules: [{path: /api, upstream: 'http://a', policy: web}]\npolicies: {web: {allow_origins: https://a.test}}"
RULE = load_config(TEXT, "config.yaml", {}).table.rules[0]
NOW = 1_795_333_655.1239
PAGES_LINES = [b"Access-Control-Request-Method", b"Access-Control-Request-Headers", b"Sec-Fetch-Mode", b"X-" * 300]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def exchange(outcome=Outcome.ALLOWED, subject=b"", **fields):
    record = {
        "client": "10.0.0.1",
        "method": b"GET",
        "target": b"/api/x?page=2",
        "host": b"api.test",
        "origin": b"https://a.test",
        "rule": RULE,
        "decision": Decision(outcome, subject=subject),
        "upstream": "http://a",
        "status": 200,
        "response_bytes": 27,
        "started": 10.0,
        "asked": 10.0005,
        "heard": 10.0105,
        "duration": 0.0123,
    }
    return Exchange(**{**record, **fields})


def logged(*exchanges, sample=EVERYTHING):
    stream = io.StringIO()
    log = JsonLog(stream, sample, lambda: NOW)
    for record in exchanges:
        log(record)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_every_field():
    (line,) = logged(exchange(traceparent=f"00-{TRACE}-00f067aa0ba902b7-01".encode(), request_id=b"abc"))
    assert line == {
        "time": "2026-11-22T07:47:35.123Z",
        "event": "request",
        "rule": "/api",
        "upstream": "http://a",
        "method": "GET",
        "path": "/api/x?page=2",
        "status": 200,
        "request_bytes": 0,
        "response_bytes": 27,
        "duration_ms": 12.3,
        "proxy_ms": 0.5,
        "upstream_ms": 10.0,
        "origin": "https://a.test",
        "cors": "allowed",
        "reason": None,
        "client": "10.0.0.1",
        "host": "api.test",
        "mode": "cors",
        "requested_method": None,
        "headers": None,
        "credentials": None,
        "response_headers": None,
        "request_id": "abc",
        "trace_id": TRACE,
        "limit": None,
        "failure": None,
    }


def test_a_field_that_there_is_nothing_for_is_null():
    empty = Exchange("", b"", b"", b"", b"", duration=0.001, failure="the client went away")
    (line,) = logged(empty)
    assert line.keys() == logged(exchange())[0].keys()
    for field in (
        "rule",
        "upstream",
        "method",
        "status",
        "upstream_ms",
        "origin",
        "client",
        "host",
        "mode",
        "trace_id",
    ):
        assert line[field] is None
    assert (line["path"], line["proxy_ms"], line["failure"]) == ("", 1.0, "the client went away")


def test_what_a_page_needs_is_named():
    sent = [(b"Cookie", b"a=1"), (b"X-Key", b"k"), (b"Sec-Fetch-Mode", b"cors")]
    answered = ((b"X-Total", b"7"), (b"Server", b"x"))
    (line,) = logged(exchange(passed=[header_line(*field) for field in sent], answered=answered))
    assert (line["mode"], line["headers"], line["credentials"], line["response_headers"]) == (
        *("cors", "x-key", "cookies", "x-total"),
    )
    asked = [(b"Access-Control-Request-Method", b"PUT"), (b"Access-Control-Request-Headers", b"a" * 90 + b",b" * 90)]
    (line,) = logged(exchange(method=b"OPTIONS", passed=[header_line(*field) for field in asked]))
    assert (line["requested_method"], line["headers"]) == ("PUT", "a" * 90 + ",b")
    many = b",".join(b"x-%d" % number for number in range(90))
    (line,) = logged(exchange(method=b"OPTIONS", passed=[header_line(*asked[0]), header_line(asked[1][0], many)]))
    names = line["headers"].split(",")
    assert names[-1] == access_log.CUT_SHORT
    assert names[:-1] == [f"x-{number}" for number in range(len(names) - 1)]


def test_the_secrets_of_a_query_are_masked():
    (line,) = logged(exchange(target=b"/api?access_token=s3cret&page=2"))
    assert line["path"] == "/api?access_token=***&page=2"


def test_a_denial_is_explained_once_and_counted():
    denied = exchange(Outcome.DENIED_ORIGIN, b"https://b.test", origin=b"https://b.test")
    lines = logged(*[denied] * 10, sample=None)
    assert [line["event"] for line in lines] == ["denied", "denied"]
    assert [line["count"] for line in lines] == [1, 10]
    first = lines[0]
    assert (first["rule"], first["where"], first["policy"], first["cors"], first["reason"]) == (
        *("/api", "config.yaml:1:9", "web", "denied-origin", "https://b.test"),
    )
    assert first["message"].startswith("Access to fetch at 'http://api.test/api/x?page=2' from origin 'https://b.test'")
    assert first["fix"] == "add `- https://b.test` to allow_origins of policy web"


def test_what_is_not_named_is_counted_without_names():
    flood = [exchange(Outcome.DENIED_ORIGIN, b"https://%d.test" % number) for number in range(101)]
    last = logged(*flood, sample=None)[-1]
    assert (last["count"], last["origin"], last["reason"], last["message"], last["fix"]) == (1, None, None, None, None)


FLIP = Flip(
    Difference(Change.NEWLY_DENIED, Outcome.DENIED_ORIGIN, b"https://a.test"),
    Decision(Outcome.DENIED_ORIGIN, subject=b"https://a.test"),
    *("/api", "tried.yaml:4:5", "web", "tried.yaml:2:3"),
)


def test_what_the_shadow_would_do_is_told_once_and_counted():
    lines = logged(*[exchange(shadow=FLIP)] * 10, sample=None)
    assert [line["event"] for line in lines] == ["shadow", "shadow"]
    assert [line["count"] for line in lines] == [1, 10]
    assert {key: value for key, value in lines[0].items() if key not in {"time", "event", "count"}} == {
        "rule": "/api",
        "where": "config.yaml:1:9",
        "verdict": "newly-denied",
        "reason": "denied-origin",
        "shadow_rule": "/api",
        "shadow_where": "tried.yaml:4:5",
        "shadow_policy": "web",
        "shadow_policy_where": "tried.yaml:2:3",
        "origin": "https://a.test",
        "method": "GET",
        "path": "/api/x?page=2",
        "message": "would be denied: the origin https://a.test is not allowed",
        "fix": "add `- https://a.test` to allow_origins of policy web",
    }


def test_flips_that_are_not_named_are_counted_without_names():
    flood = [exchange(shadow=FLIP, origin=b"https://%d.test" % number) for number in range(101)]
    last = logged(*flood, sample=None)[-1]
    assert (last["count"], last["origin"], last["path"], last["message"], last["fix"]) == (1, None, None, None, None)
    (line,) = logged(exchange(shadow=Flip(Difference(Change.NEWLY_DENIED, NO_RULE), NO_POLICY), rule=None), sample=None)
    assert (line["rule"], line["shadow_rule"], line["reason"]) == (None, None, "no-rule")


def test_the_programs_own_lines_are_json_too():
    stream = io.StringIO()
    log = JsonLog(stream, None, lambda: NOW)
    log.say('listening on "ñ"')
    stream.write(log.dropped(7))
    said, dropped = map(json.loads, stream.getvalue().splitlines())
    assert (said["event"], said["message"]) == ("message", 'listening on "ñ"')
    assert (dropped["event"], dropped["count"]) == ("dropped", 7)


@given(
    st.dictionaries(
        st.sampled_from(["method", "target", "host", "origin", "request_id", "traceparent"]), st.binary(max_size=5000)
    ),
    st.binary(max_size=300),
    st.text(max_size=300),
    st.dictionaries(st.sampled_from(PAGES_LINES), st.binary(max_size=600)),
)
def test_whatever_a_client_sends_a_line_is_one_line_of_harmless_json(fields, subject, failure, lines):
    stream = io.StringIO()
    log = JsonLog(stream, EVERYTHING, lambda: NOW)
    for _ in range(2):  # as it is made, and as it is remembered
        passed = [header_line(*line) for line in lines.items()]
        log(exchange(Outcome.DENIED_ORIGIN, subject, failure=failure, passed=passed, **fields))
    text = stream.getvalue()
    lines = text.split("\n")
    assert len(lines) == 4
    assert lines[0] == lines[2]
    for line in lines[:-1]:
        assert line.isascii()
        assert line.isprintable()
        for value in json.loads(line).values():
            assert not isinstance(value, str) or (value.isascii() and value.isprintable())
    assert len(lines[0]) < BATCH


def test_memory_has_a_bound(monkeypatch):
    monkeypatch.setattr(access_log, "_REMEMBERED", 10)
    log = JsonLog(io.StringIO(), EVERYTHING)
    for number in range(100):
        log(exchange(target=b"/%d" % number, origin=b"https://%d.test" % number))
        log(exchange(target=b"/%d" % number * 1000, rule=load_config(TEXT, "c", {}).table.rules[0]))
    assert max(len(log._targets), len(log._texts), len(log._rules)) <= 10
    assert max(map(len, log._targets)) <= 256


@pytest.mark.parametrize(
    ("record", "always"),
    [
        (exchange(), False),
        (exchange(status=404), False),
        (exchange(status=101), False),
        (exchange(status=500), True),
        (exchange(status=502, failure="it broke"), True),
        (exchange(status=200, failure="it broke in the middle"), True),
        (exchange(status=0), True),
        (exchange(Outcome.DENIED_ORIGIN), True),
        (exchange(Outcome.PREFLIGHT_DENIED_METHOD, status=403), True),
    ],
)
def test_errors_and_denials_are_in_every_sample(record, always):
    assert Sample(0.0)(record) is always
    assert Sample(1.0)(record)
    assert Sample(0.5, lambda: 0.49)(record)
    assert Sample(0.5, lambda: 0.5)(record) is always
