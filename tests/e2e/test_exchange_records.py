"""One record for every exchange, at its end, whatever that end is: what metrics, log and inspector read."""

from __future__ import annotations

import pytest

from corsproxy.cors.decision import Outcome
from tests.e2e.rig import (
    APP,
    EVIL,
    ORIGIN,
    STRANGER,
    ServerWire,
    answer,
    answering,
    between,
    chunked,
    config,
    echoing,
    refusing,
    request,
    running_proxy,
)

OK = answer(b"200 OK", body=b"hello")


async def test_record_of_an_exchange_says_who_what_and_how_much():
    async with between(echoing) as (upstream, proxy):
        await proxy.ask(b"POST /x?y=1", b"Host: api.example.com", ORIGIN, body=b"hello")
        (record,) = await proxy.recorded()
    assert (record.client, record.method, record.target) == ("127.0.0.1", b"POST", b"/x?y=1")
    assert (record.host, record.origin) == (b"api.example.com", APP.encode())
    assert (record.status, record.request_bytes, record.response_bytes) == (200, 5, 5)
    assert record.decision.outcome is Outcome.ALLOWED
    assert record.rule is not None
    assert record.rule.path == "/"
    assert str(upstream.port) in record.upstream
    assert record.duration > 0
    assert record.failure == ""
    assert [name for name, _ in record.answered] == [b"Content-Length"]


@pytest.mark.parametrize(
    ("line", "lines", "status", "outcome"),
    [
        (b"GET /x", (ORIGIN,), 200, Outcome.ALLOWED),
        (b"GET /x", (), 200, Outcome.NOT_CORS),
        (b"GET /x", (STRANGER,), 200, Outcome.DENIED_ORIGIN),
        (b"OPTIONS /x", (ORIGIN, b"Access-Control-Request-Method: GET"), 204, Outcome.PREFLIGHT_ALLOWED),
        (b"OPTIONS /x", (STRANGER, b"Access-Control-Request-Method: GET"), 403, Outcome.PREFLIGHT_DENIED_ORIGIN),
        (b"OPTIONS /x", (ORIGIN, b"Access-Control-Request-Method: PUT"), 403, Outcome.PREFLIGHT_DENIED_METHOD),
        (b"TRACE /x", (ORIGIN,), 405, Outcome.ALLOWED),
    ],
)
async def test_record_carries_the_one_decision(line, lines, status, outcome):
    async with between(answering(OK)) as (_, proxy):
        await proxy.ask(line, *lines)
        (record,) = await proxy.recorded()
    assert (record.status, record.decision.outcome) == (status, outcome)


async def test_bytes_of_bodies_are_counted_without_their_framing():
    whole = answer(b"200 OK", b"Transfer-Encoding: chunked", body=chunked(b"hel", b"lo"))
    async with between(answering(whole)) as (_, proxy):
        client = await proxy.send(request(b"POST /x", b"Transfer-Encoding: chunked") + chunked(b"four", b"four"))
        await client.response()
        await client.ask(b"HEAD /x")
        first, second = await proxy.recorded(2)
    assert (first.request_bytes, first.response_bytes) == (8, 5)
    assert (second.request_bytes, second.response_bytes) == (0, 0)


async def test_failures_are_recorded_with_their_reason_which_the_client_is_not_told():
    with refusing() as url:
        async with running_proxy(config(url)) as proxy:
            response = await proxy.ask(b"GET /x", STRANGER)
            (record,) = await proxy.recorded()
    port = url.rpartition(":")[2]
    assert (record.status, record.origin) == (502, EVIL.encode())
    assert record.failure
    assert port.encode() not in response.body  # internal addresses are for the log


async def test_requests_that_match_no_rule_are_recorded_too():
    async with between(answering(OK), rule={"path": "/api", "host": "api.example.com"}) as (_, proxy):
        await proxy.ask(b"GET /x", b"Host: api.example.com")
        await proxy.ask(b"GET /x", b"Host: other.example.com")
        records = await proxy.recorded(2)
    assert [(record.status, record.rule) for record in records] == [(404, None), (421, None)]


async def test_truncated_answer_is_recorded_as_a_failure():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        wire.close()

    async with between(script) as (_, proxy):
        client = await proxy.send(request(b"GET /x"))
        await client.until_ended()
        (record,) = await proxy.recorded()
    assert (record.status, record.response_bytes) == (200, 5)
    assert record.failure


async def test_tunnel_is_recorded_when_it_ends():
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(switch + b"from upstream")
        await wire.read_exactly(6)
        wire.close()

    async with between(script) as (_, proxy):
        client = await proxy.connect()
        await client.ask(b"GET /ws", ORIGIN, b"Connection: Upgrade", b"Upgrade: websocket")
        assert proxy.exchanges == []
        await client.send(b"client")
        await client.until_ended()
        (record,) = await proxy.recorded()
    assert (record.status, record.request_bytes, record.response_bytes) == (101, 6, 13)


@pytest.mark.parametrize("lines", [(), (b"Connection: Upgrade",)], ids=["unnamed", "named in Connection"])
async def test_record_calls_a_websocket_what_the_plan_calls_one(lines):
    """An Upgrade that Connection does not name is none (RFC 9110 7.8); the log must not speak of a handshake then."""
    async with between(answering(OK)) as (_, proxy):
        response = await proxy.ask(b"GET /x", STRANGER, b"Upgrade: websocket", *lines)
        (record,) = await proxy.recorded()
    assert (record.websocket, response.status) == ((True, 403) if lines else (False, 200))


async def test_each_request_of_a_connection_has_a_record_of_its_own():
    async with between(answering(OK)) as (_, proxy):
        client = await proxy.send(b"".join(request(b"GET /%d" % index) for index in range(5)))
        for _ in range(5):
            await client.response()
        records = await proxy.recorded(5)
    assert [record.target for record in records] == [b"/0", b"/1", b"/2", b"/3", b"/4"]
