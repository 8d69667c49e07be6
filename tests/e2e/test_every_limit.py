"""Every limit, one row each: what meets it, its status, the name by which it is counted, and that the page may read it.

Limits that must strike are small, against peers that do nothing, so that a slow machine only makes a test slower.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from corsproxy.config.model import LimitsConfig, RuleLimitsConfig, TimeoutsConfig
from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    RawUpstream,
    TransferError,
    answer,
    answering,
    between,
    chunked,
    config,
    eventually,
    request,
    running_proxy,
    silent,
    unreachable,
)

OK = answer(b"200 OK", body=b"ok")
CHUNKED = b"Transfer-Encoding: chunked"


@dataclass
class Limit:
    """One limit: how it is set, what is sent, and how it ends.  ``status`` 0: the connection is broken off."""

    status: int
    sent: bytes = request(b"GET /x", ORIGIN)
    script: Any = field(default_factory=lambda: answering(OK))
    limits: dict[str, Any] = field(default_factory=dict)
    timeouts: dict[str, Any] = field(default_factory=dict)
    upstream: dict[str, Any] = field(default_factory=dict)
    before: bytes = b""  # what another client has under way
    retry: bool = False  # whether the client is told to try again
    readable: bool = True


STREAM = answer(b"200 OK", CHUNKED, body=chunked(b"a" * 600, b"b" * 600))
BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"

# The names are those of the configuration's keys; two rows of one limit differ in when it can be known.
LIMITS = {
    "max_target": Limit(414, request(b"GET /" + b"a" * 1024, ORIGIN), limits={"max_target": "1KiB"}),
    "max_request_headers": Limit(431, request(b"GET /x", ORIGIN, *[b"A: b"] * 30), limits={"max_request_headers": 30}),
    "max_request_head": Limit(
        431,
        request(b"GET /x", ORIGIN, *(b"X-%d: %s" % (n, b"a" * 900) for n in range(5))),
        limits={"max_request_head": "4KiB"},
    ),
    "request_head_timeout": Limit(408, b"GET /x HT", limits={"request_head_timeout": 0.1}, readable=False),
    "max_request_body": Limit(413, request(b"POST /x", ORIGIN, body=b"a" * 11), limits={"max_request_body": 10}),
    "max_request_body, streamed": Limit(
        413,
        request(b"POST /x", ORIGIN, CHUNKED) + chunked(b"a" * 6, b"b" * 6),
        silent,
        limits={"max_request_body": 10},
    ),
    "request_body_timeout": Limit(
        408, request(b"POST /x", ORIGIN, b"Content-Length: 9") + b"abc", silent, limits={"request_body_timeout": 0.1}
    ),
    "max_response_body": Limit(
        502, script=answering(answer(b"200 OK", body=b"a" * 1025)), limits={"max_response_body": 1024}
    ),
    "max_response_body, streamed": Limit(0, script=answering(STREAM), limits={"max_response_body": 1024}),
    "max_connections": Limit(503, limits={"max_connections": 1}, before=request(b"GET /1"), retry=True),
    "max_connections_per_client": Limit(
        503, limits={"max_connections_per_client": 1}, before=request(b"GET /1"), retry=True
    ),
    "max_queue": Limit(
        503, script=silent, upstream={"max_requests": 1, "max_queue": 0}, before=request(b"GET /1"), retry=True
    ),
    "timeouts.queue": Limit(
        503,
        script=silent,
        upstream={"max_requests": 1},
        timeouts={"queue": 0.05},
        before=request(b"GET /1"),
        retry=True,
    ),
    "timeouts.connect": Limit(504, script=None, timeouts={"connect": 0.05}),
    "timeouts.response": Limit(504, script=silent, timeouts={"response": 0.05}),
    "timeouts.idle": Limit(0, script=answering(BEGUN), timeouts={"idle": 0.05}),
    "timeouts.total": Limit(504, script=silent, timeouts={"total": 0.05}),
    "timeouts.total, begun": Limit(0, script=answering(BEGUN), timeouts={"total": 0.05}),
}


@contextlib.asynccontextmanager
async def limited(limit):
    """The proxy with this limit before the upstream of the row; no script: one whose connections never come about."""
    async with contextlib.AsyncExitStack() as stack:
        upstream = None
        if limit.script is None:
            url = stack.enter_context(unreachable())
        else:
            upstream = await stack.enter_async_context(RawUpstream(limit.script))
            url = upstream.url
        upstreams = {"api": {"url": url, "timeouts": limit.timeouts, **limit.upstream}}
        text = config(url, upstreams=upstreams, limits=limit.limits)
        yield upstream, await stack.enter_async_context(running_proxy(text))


@pytest.mark.parametrize("name", LIMITS)
async def test_limit_has_its_status_its_name_and_a_readable_answer(name):
    limit = LIMITS[name]
    async with limited(limit) as (upstream, proxy):
        if limit.before:
            first = await proxy.send(limit.before)
            if limit.script is silent:
                await eventually(lambda: upstream.requests)
            else:
                await first.response()
        done = len(proxy.exchanges)
        client = await proxy.send(limit.sent)
        if limit.status:
            response = await client.response()
            assert response.status == limit.status
            assert response.body.startswith(b"corsproxy: %d " % limit.status)
            assert response.cors == (GRANT if limit.readable else [])
            assert response.all(b"retry-after") == ([b"1"] if limit.retry else [])
        else:
            with pytest.raises(TransferError):
                await client.response()
        exchange = (await proxy.recorded(done + 1))[done]
        assert exchange.limit == name.partition(",")[0]


def test_every_limit_of_the_configuration_has_a_row():
    keys = {*LimitsConfig.model_fields, *RuleLimitsConfig.model_fields}
    keys |= {f"timeouts.{key}" for key in TimeoutsConfig.model_fields} | {"max_queue"}
    keys -= {"keepalive_timeout"}  # nothing is under way when it strikes: the connection is closed without a word
    assert keys == {name.partition(",")[0] for name in LIMITS}


# What stays below a limit passes.

BELOW = {
    "max_target": (request(b"GET /" + b"a" * 1023), {"max_target": "1KiB"}),
    "max_request_headers": (request(b"GET /x", *[b"A: b"] * 29), {"max_request_headers": 30}),
    "max_request_body": (request(b"POST /x", body=b"a" * 10), {"max_request_body": 10}),
    "max_response_body": (request(b"GET /x"), {"max_response_body": 2}),
    "cookies": (request(b"GET /x", b"Cookie: " + b"a=" + b"c" * 16 * 1024), {}),  # real ones have been seen so large
    "target": (request(b"GET /?" + b"q" * 30_000), {}),
}


@pytest.mark.parametrize("name", BELOW)
async def test_what_stays_below_a_limit_passes(name):
    sent, limits = BELOW[name]
    async with between(answering(OK), limits=limits) as (_, proxy):
        client = await proxy.send(sent)
        assert (await client.response()).body == b"ok"
        assert (await proxy.recorded())[0].limit == ""


@pytest.mark.parametrize("status", [b"200 OK", b"304 Not Modified"])
async def test_a_length_without_a_body_is_no_large_answer(status):
    head = b"HTTP/1.1 %b\r\nContent-Length: 5000\r\n\r\n" % status
    async with between(answering(head), limits={"max_response_body": 10}) as (_, proxy):
        client = await proxy.send(request(b"HEAD /x", ORIGIN))
        assert (await client.response(b"HEAD")).status == int(status[:3])


async def test_a_large_answer_ends_the_upstreams_connection_and_nobody_elses():
    whole = answer(b"200 OK", CHUNKED, body=chunked(*[b"a" * 60_000] * 50))
    async with between(answering(whole, OK), rule={"limits": {"max_response_body": "100KiB"}}) as (upstream, proxy):
        with pytest.raises(TransferError) as broken:
            await proxy.ask(b"GET /x", ORIGIN)
        assert len(broken.value.body) <= 100 * 1024
        await (await upstream.connection()).until_ended()
        upstream.script = answering(OK)
        assert (await proxy.ask(b"GET /x", ORIGIN)).body == b"ok"


async def test_a_target_without_an_end_is_refused_as_one():
    """Nobody can tell which rule was meant, nor whether a page asked; but what was too long is known."""
    async with between(answering(OK)) as (upstream, proxy):
        for sent in (b"GET /" + b"a" * 100_000, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"):
            client = await proxy.send(sent)
            assert (await client.response()).status == 414
            await client.until_ended()
        assert [exchange.limit for exchange in await proxy.recorded(2)] == ["max_target"] * 2
    assert upstream.connections == []


async def test_total_time_ends_a_tunnel():
    switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with between(answering(switching), timeouts={"total": 0.2}) as (upstream, proxy):
        client = await proxy.send(request(b"GET /x", b"Connection: Upgrade", b"Upgrade: websocket"))
        assert (await client.response()).status == 101
        await client.until_ended()
        await (await upstream.connection()).until_ended()


# Requests in flight.


async def test_a_waiting_request_goes_when_one_ends_whatever_its_end():
    """An answer, a broken connection, a client that leaves: each gives its place to who waits."""
    go_on: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(wire):
        while True:
            await wire.request()
            if data := await go_on.get():
                await wire.send(data)
            else:
                wire.reset()

    upstream = {"max_requests": 1}
    async with RawUpstream(script) as api:
        text = config(api.url, upstreams={"api": {"url": api.url, **upstream}})
        async with running_proxy(text) as proxy:
            first, second, third, fourth = [
                await proxy.send(request(b"POST /%d" % number, ORIGIN, body=b"")) for number in range(4)
            ]
            await eventually(lambda: len(api.requests) == 1)
            go_on.put_nowait(b"")
            assert (await first.response()).status == 502
            await eventually(lambda: len(api.requests) == 2)
            assert len(api.connections) == 2
            second.reset()
            await eventually(lambda: len(api.requests) == 3)
            go_on.put_nowait(OK)  # for the second, whose script still waits
            go_on.put_nowait(OK)
            assert (await third.response()).status == 200
            go_on.put_nowait(OK)
            assert (await fourth.response()).status == 200
    assert [received.target for received in api.requests] == [b"/0", b"/1", b"/2", b"/3"]


async def test_a_client_that_leaves_the_queue_is_forgotten():
    go_on = asyncio.Event()

    async def script(wire):
        while True:
            await wire.request()
            await go_on.wait()
            await wire.send(OK)

    async with RawUpstream(script) as api:
        text = config(api.url, upstreams={"api": {"url": api.url, "max_requests": 1, "max_queue": 1}})
        async with running_proxy(text) as proxy:
            first = await proxy.send(request(b"GET /1"))
            await eventually(lambda: api.requests)
            waiting = await proxy.send(request(b"GET /2"))
            waiting.reset()
            await proxy.recorded(1)
            last = await proxy.send(request(b"GET /3"))  # the one place in the queue is free again
            go_on.set()
            assert (await first.response()).status == (await last.response()).status == 200
    assert [received.target for received in api.requests] == [b"/1", b"/3"]


async def test_tunnels_count_as_requests_in_flight():
    switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with RawUpstream(answering(switching, OK)) as api:
        text = config(api.url, upstreams={"api": {"url": api.url, "max_requests": 1, "max_queue": 0}})
        async with running_proxy(text) as proxy:
            client = await proxy.send(request(b"GET /x", b"Connection: Upgrade", b"Upgrade: websocket"))
            assert (await client.response()).status == 101
            assert (await proxy.ask(b"GET /x")).status == 503
            client.close()
            await proxy.recorded(2)
            api.script = answering(OK)
            assert (await proxy.ask(b"GET /x")).status == 200


# Connections of one address.


async def test_a_trusted_proxy_may_have_any_number_of_connections():
    settings = {"limits": {"max_connections_per_client": 1}, "trusted_proxies": ["127.0.0.0/8"]}
    async with between(answering(OK), **settings) as (_, proxy):
        clients = [await proxy.connect() for _ in range(5)]
        assert [(await client.ask(b"GET /x")).status for client in clients] == [200] * 5


async def test_connections_of_one_address_do_not_pile_up():
    """Beyond twice the limit they are closed unread."""
    async with between(answering(OK), limits={"max_connections_per_client": 2}) as (_, proxy):
        clients = [await proxy.connect() for _ in range(10)]
        outcomes = []
        for client in clients:
            try:
                outcomes.append((await client.ask(b"GET /x", ORIGIN)).status)
            except TransferError:
                outcomes.append(0)
        assert outcomes[:4] == [200, 200, 503, 503]
        assert outcomes[4:] == [0] * 6
