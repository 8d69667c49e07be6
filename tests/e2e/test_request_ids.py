"""The names of requests: made where the configuration asks, kept from a trusted proxy, forwarded and recorded."""

from __future__ import annotations

import re

import pytest

from tests.e2e.rig import ORIGIN, answer, answering, between, preflight

OK = answer(b"200 OK", body=b"hello")
ASKED = {"request_id": {"header": "X-Request-Id"}}
TRUSTED = {**ASKED, "trusted_proxies": ["127.0.0.0/8"]}
MADE = re.compile(rb"[0-9a-f]{32}")


async def seen(lines, **settings):
    """The values that the upstream gets, and the name in the record."""
    async with between(answering(OK), **settings) as (upstream, proxy):
        await proxy.ask(b"GET /x", *lines)
        (record,) = await proxy.recorded()
        return upstream.requests[0].all(b"x-request-id"), record.request_id


async def test_without_being_asked_for_none_is_made_and_a_clients_own_passes():
    assert await seen([b"X-Request-Id: theirs"]) == ([b"theirs"], b"")
    assert await seen([]) == ([], b"")


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (ASKED, []),
        (ASKED, [b"X-Request-Id: theirs"]),  # nobody is trusted
        (TRUSTED, []),
        (TRUSTED, [b"X-Request-Id: a", b"X-Request-Id: b"]),
        (TRUSTED, [b"X-Request-Id: " + b"a" * 129]),
        (TRUSTED, [b"X-Request-Id: two words"]),
        (TRUSTED, [b"X-Request-Id: \xff"]),
        (TRUSTED, [b'X-Request-Id: ${jndi:ldap://evil}"']),
        (TRUSTED, [b"X-Request-Id:"]),
    ],
)
async def test_a_new_name_reaches_the_upstream_and_the_record(settings, lines):
    (value,), recorded = await seen(lines, **settings)
    assert MADE.fullmatch(value)
    assert value == recorded


@pytest.mark.parametrize(
    "name", [b"7", b"4bf92f35-77b3-4da6-a3ce-929d0e0e4736", b"1-67891233-abcdef012345678912345678"]
)
async def test_a_trusted_proxys_name_is_kept(name):
    assert await seen([b"x-request-ID: " + name], **TRUSTED) == ([name], name)


async def test_every_request_has_its_own_also_those_that_the_proxy_answers():
    async with between(answering(OK), **ASKED) as (upstream, proxy):
        client = await proxy.connect()
        for line, *lines in ((b"GET /1",), (b"POST /2",), preflight(b"GET", origin=ORIGIN)):
            await client.ask(line, *lines)
        records = await proxy.recorded(3)
    assert len({record.request_id for record in records}) == 3
    assert all(MADE.fullmatch(record.request_id) for record in records)
    assert [asked.all(b"x-request-id") for asked in upstream.requests] == [
        [record.request_id] for record in records[:2]
    ]


async def test_the_trace_of_a_request_passes_untouched_and_is_recorded():
    traceparent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with between(answering(OK)) as (upstream, proxy):
        await proxy.ask(b"GET /x", b"traceparent: " + traceparent, b"tracestate: a=b")
        (record,) = await proxy.recorded()
    assert record.traceparent == traceparent
    assert upstream.requests[0].all(b"traceparent") == [traceparent]
    assert upstream.requests[0].all(b"tracestate") == [b"a=b"]


async def test_the_record_says_when_the_upstream_was_asked_and_heard():
    async with between(answering(OK)) as (_, proxy):
        await proxy.ask(b"GET /x")
        await proxy.ask(*preflight(b"GET"))
        forwarded, answered = await proxy.recorded(2)
    assert forwarded.started <= forwarded.asked <= forwarded.heard <= forwarded.started + forwarded.duration
    assert (answered.asked, answered.heard) == (0, 0)
