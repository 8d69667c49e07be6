"""What is counted of each exchange, and how it is exposed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from corsproxy.config.load import load_config
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.exposition import exposed
from corsproxy.server.metric_families import FAMILIES, OVERHEAD_SECONDS, SECONDS
from corsproxy.server.metrics import _REMEMBERED, Metrics
from tests.e2e.rig import ORIGIN, STRANGER, answer, answering, between, preflight

TEXT = """\
upstreams: {orders: {url: "http://127.0.0.1:1"}}
rules:
  - {path: /orders, upstream: orders, policy: none}
  - {path: /, upstream: orders, policy: none}
"""
OK = answer(b"200 OK", body=b"hello")


def table(text=TEXT):
    return load_config(text, "config.yaml", {}).table


RULES = [next(rule for rule in table().rules if rule.path == path) for path in ("/orders", "/")]


def exchange(rule=RULES[0], status=200, outcome=Outcome.NO_POLICY, **fields):
    fields = {"started": 10.0, "asked": 10.001, "heard": 10.003, "duration": 0.004, **fields}
    decision = Decision(outcome)
    return Exchange("127.0.0.1", b"GET", b"/x", b"h", b"", rule=rule, decision=decision, status=status, **fields)


def counted(*exchanges):
    metrics = Metrics()
    for one in exchanges:
        metrics(one)
    return metrics.snapshot()


def test_requests_are_counted_by_rule_class_and_outcome():
    found = counted(
        exchange(),
        exchange(status=204),
        exchange(status=502),
        exchange(RULES[1], outcome=Outcome.DENIED_ORIGIN),
        exchange(None, status=404),
        exchange(status=0),
    )["corsproxy_requests_total"]
    assert found == {
        ("/orders", "2xx", "no-policy"): [2],
        ("/orders", "5xx", "no-policy"): [1],
        ("/", "2xx", "denied-origin"): [1],
        ("none", "4xx", "no-policy"): [1],
        ("/orders", "none", "no-policy"): [1],
    }


def test_durations_are_apart():
    found = counted(exchange())
    for name, bounds, seconds, labels in [
        ("corsproxy_request_duration_seconds", SECONDS, 0.004, ("/orders",)),
        ("corsproxy_proxy_duration_seconds", OVERHEAD_SECONDS, 0.001, ()),
        ("corsproxy_upstream_duration_seconds", SECONDS, 0.002, ("orders",)),
    ]:
        total, *buckets = found[name][labels]
        assert total == pytest.approx(seconds)
        assert buckets[next(i for i, bound in enumerate(bounds) if bound >= total)] == 1
        assert sum(buckets) == 1


def test_what_never_asked_an_upstream_is_all_the_proxys_own():
    found = counted(exchange(status=403, asked=0.0, heard=0.0))
    assert found["corsproxy_proxy_duration_seconds"][()][0] == 0.004
    assert sum(found["corsproxy_upstream_duration_seconds"]["orders",]) == 0


def test_an_upstream_that_did_not_answer_has_no_duration():
    found = counted(exchange(status=504, heard=0.0))
    assert sum(found["corsproxy_upstream_duration_seconds"]["orders",]) == 0
    assert sum(found["corsproxy_proxy_duration_seconds"][()][1:]) == 1


def test_a_tunnel_of_two_hours_is_no_slow_request():
    found = counted(exchange(status=101, duration=7200.0))
    assert found["corsproxy_request_duration_seconds"] == {}
    assert found["corsproxy_requests_total"] == {("/orders", "1xx", "no-policy"): [1]}


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 599), st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_nothing_is_lost(records):
    """Every exchange is in one bucket of every histogram that it belongs to, and its bytes are in the sums."""
    made = [
        exchange(status=status, duration=duration, request_bytes=received, response_bytes=sent)
        for duration, status, received, sent in records
    ]
    found = counted(*made)
    assert sum(count for (count,) in found["corsproxy_requests_total"].values()) == len(made)
    timed = [one for one in made if one.status // 100 != 1]
    (total, *buckets) = found["corsproxy_request_duration_seconds"].get(("/orders",), [0.0])
    assert sum(buckets) == len(timed)
    assert total == pytest.approx(sum(one.duration for one in timed))
    for name, value in [("request", "request_bytes"), ("response", "response_bytes")]:
        (number,) = found[f"corsproxy_{name}_body_bytes_total"].get(("/orders",), [0])
        assert number == sum(getattr(one, value) for one in made)


def test_a_reload_keeps_the_numbers_of_rules_that_stay_and_forgets_the_others():
    metrics = Metrics()
    metrics(exchange())
    metrics(exchange(RULES[1]))
    metrics(exchange(None, 404))
    other = table(TEXT.replace("path: /,", "path: /new,"))
    metrics.replaced(other)
    metrics(exchange(next(rule for rule in other.rules if rule.path == "/orders")))
    metrics(exchange(RULES[0]))  # one that was under way
    found = metrics.snapshot()["corsproxy_requests_total"]
    assert found == {("/orders", "2xx", "no-policy"): [3], ("none", "4xx", "no-policy"): [1]}


def test_a_thousand_reloads_leave_nothing_behind():
    metrics = Metrics()
    for _ in range(1000):
        new = table()
        metrics.replaced(new)
        metrics(exchange(next(rule for rule in new.rules if rule.path == "/orders")))
    assert sum(map(len, metrics._found)) == len(metrics._series) == 1
    assert metrics.snapshot()["corsproxy_requests_total"] == {("/orders", "2xx", "no-policy"): [1000]}


def test_rules_that_are_gone_are_forgotten_without_being_told():
    metrics = Metrics()
    for _ in range(_REMEMBERED + 10):
        metrics(exchange(replace(RULES[0])))
    assert sum(map(len, metrics._found)) <= _REMEMBERED
    assert metrics.snapshot()["corsproxy_requests_total"] == {("/orders", "2xx", "no-policy"): [_REMEMBERED + 10]}


@pytest.mark.parametrize(
    ("accept", "media_type", "parse"),
    [
        ("", "text/plain", prometheus),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text", openmetrics),
    ],
)
def test_the_exposition_is_what_prometheus_reads(accept, media_type, parse):
    found = counted(exchange(), exchange(status=502, outcome=Outcome.ALLOWED))
    found["corsproxy_config_info"] = {("abc",): [1]}
    body, content_type = exposed(found, accept)
    assert content_type.startswith(media_type)
    read = {sample.name: sample for family in parse(body.decode()) for sample in family.samples}
    assert read["corsproxy_config_info"].labels == {"hash": "abc"}
    assert read["corsproxy_requests_total"].labels.keys() == {"rule", "status", "outcome"}
    assert read["corsproxy_request_duration_seconds_count"].value == 2
    assert read["corsproxy_request_duration_seconds_sum"].value == pytest.approx(0.008)
    assert read["corsproxy_request_duration_seconds_bucket"].labels == {"rule": "/orders", "le": "+Inf"}


def test_every_family_is_exposed_even_before_it_has_a_sample():
    body, _ = exposed({}, "")
    for family in FAMILIES.values():
        assert f"# HELP {family.name} " in body.decode()


def test_limits_and_retries_are_counted():
    metrics = Metrics()
    for one in (exchange(status=413, limit="max_request_body"), exchange(retries=1), exchange(), exchange(None, 400)):
        metrics(one)
    found = metrics.snapshot()
    assert found["corsproxy_limits_hit_total"] == {("max_request_body",): [1]}
    assert found["corsproxy_upstream_retries_total"] == {("orders",): [1]}
    metrics.replaced(table("rules: [{upstream: 'http://b', policy: none}]"))
    assert metrics.snapshot()["corsproxy_upstream_retries_total"] == {}


async def test_over_the_wire_with_the_state_of_things():
    """In flight, connections and pools are looked at when somebody asks, and cost requests nothing."""
    async with between(answering(OK), admin="127.0.0.1:0") as (_, proxy):
        kept = await proxy.connect()
        await kept.ask(b"GET /x", ORIGIN)
        await proxy.ask(b"GET /x", STRANGER)
        await proxy.ask(*preflight(b"GET"))
        await proxy.recorded(3)
        host, port = proxy.server.admin_addresses[0]
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
    read = [
        (sample.name, sample.labels, sample.value)
        for family in prometheus(text.partition("\r\n\r\n")[2])
        for sample in family.samples
    ]
    for outcome, status in [("allowed", "2xx"), ("denied-origin", "2xx"), ("preflight-allowed", "2xx")]:
        labels = {"rule": "/", "status": status, "outcome": outcome}
        assert ("corsproxy_requests_total", labels, 1) in read
    assert ("corsproxy_requests_in_flight", {}, 0) in read
    assert ("corsproxy_upstream_connections", {"upstream": "api", "state": "busy"}, 0) in read
    assert ("corsproxy_upstream_connections", {"upstream": "api", "state": "idle"}, 1) in read
    assert ("corsproxy_workers", {}, 1) in read
    (connections,) = [value for name, _, value in read if name == "corsproxy_client_connections"]
    assert connections >= 1


async def test_without_an_admin_listener_nothing_is_counted():
    async with between(answering(OK)) as (_, proxy):
        await proxy.ask(b"GET /x")
        assert proxy.server.snapshot() == b""
