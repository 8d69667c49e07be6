"""Several URLs of one upstream: who is asked, who is left out, who comes back; and that others notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import pytest

from corsproxy.proxy import health
from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    PATIENCE,
    WEB_APP,
    RawUpstream,
    answer,
    answering,
    answering_then_reset,
    assert_readable_failure,
    black_hole,
    config,
    eventually,
    refusing,
    request,
    running_proxy,
    silent,
    unreachable,
)

OK = answer(b"200 OK", body=b"ok")


def text_of(*urls, **settings):
    return config(urls[0], upstreams={"api": {"urls": list(urls), **settings}})


@contextlib.asynccontextmanager
async def servers(*scripts):
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(RawUpstream(script)) for script in scripts]


async def statuses(proxy, count, line=b"GET /x", body=None):
    return Counter([(await proxy.ask(line, ORIGIN, body=body)).status for _ in range(count)])


async def test_every_url_gets_its_share():
    async with servers(*[answering(OK)] * 3) as apis, running_proxy(text_of(*[api.url for api in apis])) as proxy:
        assert await statuses(proxy, 90) == {200: 90}
        assert all(len(api.requests) >= 5 for api in apis)  # by chance: less is rarer than one run in a million


@pytest.mark.parametrize("line", [b"GET /x", b"POST /x", b"DELETE /x", b"PATCH /x"])
async def test_one_that_refuses_is_never_noticed_whatever_the_method(line):
    """Nothing was sent to it, so nothing can be done twice."""
    body = b"hello" if line.startswith(b"P") else None
    with refusing() as dead:
        async with servers(answering(OK)) as (api,), running_proxy(text_of(dead, api.url)) as proxy:
            assert await statuses(proxy, 20, line, body) == {200: 20}
            assert [received.body for received in api.requests] == [body or b""] * 20


async def test_one_that_never_accepts_costs_a_few_waits_and_is_left_out():
    with unreachable() as dead:
        async with servers(answering(OK)) as (api,):
            text = text_of(dead, api.url, timeouts={"connect": 0.05})
            async with running_proxy(text) as proxy:
                assert await statuses(proxy, 30) == {200: 30}


async def test_what_was_sent_is_not_sent_again():
    """A connection that breaks after the request: it may have been acted upon."""
    for line, body in ((b"POST /x", b"a"), (b"GET /x", None)):
        async with servers(answering_then_reset(b""), answering_then_reset(b"")) as apis:
            async with running_proxy(text_of(*[api.url for api in apis])) as proxy:
                assert_readable_failure(await proxy.ask(line, ORIGIN, body=body), 502)
            assert sum(len(api.requests) for api in apis) == 1


async def test_one_that_breaks_connections_is_left_out_and_comes_back(monkeypatch):
    monkeypatch.setattr(health, "FIRST_EJECTION", 3600.0)
    monkeypatch.setattr(health, "LONGEST_EJECTION", 3600.0)
    async with (
        servers(answering_then_reset(b""), answering(OK)) as (bad, good),
        running_proxy(text_of(bad.url, good.url)) as proxy,
    ):
        first = await statuses(proxy, 60)
        assert first[502] == health.EJECT_AFTER
        assert len(bad.requests) == health.EJECT_AFTER
        assert await statuses(proxy, 20) == {200: 20}
        bad.script = answering(OK)
        (pool,) = proxy.server._walk.pools.in_use.values()
        member = next(member for member in pool._members if str(member.endpoint) == bad.url)
        member.health.returns_at = 0.0  # the time has come
        assert await statuses(proxy, 60) == {200: 60}
        assert len(bad.requests) >= health.EJECT_AFTER + 10


async def test_a_status_is_no_failure():
    """One page's bug must not take an endpoint from all others."""
    broken = answer(b"500 Internal Server Error", body=b"no")
    async with (
        servers(answering(broken), answering(OK)) as apis,
        running_proxy(text_of(*[api.url for api in apis])) as proxy,
    ):
        counts = await statuses(proxy, 60)
        assert counts[500] >= 10
        assert counts[200] >= 10


async def test_a_client_that_leaves_is_no_failure():
    async with servers(silent, silent) as apis, running_proxy(text_of(*[api.url for api in apis])) as proxy:
        for count in range(1, 11):
            client = await proxy.send(request(b"GET /x"))
            await eventually(lambda count=count: sum(len(api.requests) for api in apis) == count)
            client.reset()
            await proxy.recorded(count)
        (pool,) = proxy.server._walk.pools.in_use.values()
        assert all(member.health.well for member in pool._members)


async def test_when_all_fail_all_are_still_asked():
    """Evidence alone never refuses a request: the moment that one is well again, it is found."""
    with refusing() as dead:
        async with servers(answering_then_reset(b"")) as (api,), running_proxy(text_of(dead, api.url)) as proxy:
            assert await statuses(proxy, 12) == {502: 12}
            api.script = answering(OK)
            assert await statuses(proxy, 5) == {200: 5}


async def test_only_one_url_is_never_left_out():
    async with servers(answering_then_reset(b"")) as (api,), running_proxy(text_of(api.url)) as proxy:
        assert await statuses(proxy, 6) == {502: 6}
        assert len(api.requests) == 6
        api.script = answering(OK)
        assert await statuses(proxy, 1) == {200: 1}


# Active checks.


def checking(path=b"/health", status=b"200 OK"):
    """Answers the check with a status, and everything else with OK."""

    async def script(wire):
        while True:
            received = await wire.request()
            await wire.send(answer(status) if received.target == path else OK)

    return script


def asked(api, path=b"/health"):
    return [received for received in api.requests if received.target == path]


async def test_checks_leave_out_what_fails_them_and_bring_it_back():
    check = {"path": "/health", "interval": 0.02, "timeout": PATIENCE}
    async with (
        servers(checking(status=b"503 Service Unavailable"), checking()) as (sick, well),
        running_proxy(text_of(sick.url, well.url, health_check=check)) as proxy,
    ):
        await eventually(lambda: len(asked(sick)) > 2)
        before = len(sick.requests) - len(asked(sick))
        assert await statuses(proxy, 20) == {200: 20}
        assert len(sick.requests) - len(asked(sick)) == before == 0
        sick.script = checking()
        seen = len(asked(sick))
        await eventually(lambda: len(asked(sick)) > seen + 1)
        assert await statuses(proxy, 40) == {200: 40}
        assert len(sick.requests) > len(asked(sick))
        assert len(proxy.exchanges) == 60  # a check is nobody's request
    head = asked(sick)[0]
    assert head.all(b"host") == [sick.authority]
    assert head.all(b"via") == head.all(b"origin") == head.all(b"cookie") == []


async def test_checks_end_with_the_proxy_and_leave_nothing():
    check = {"interval": 0.01}
    async with servers(answering(OK), silent) as apis:
        async with running_proxy(text_of(*[api.url for api in apis], health_check=check)):
            await eventually(lambda: all(api.requests for api in apis))
        for api in apis:
            for wire in api.connections:
                await wire.until_ended()
        counts = [len(api.connections) for api in apis]
        await asyncio.sleep(0.05)  # several intervals
        assert [len(api.connections) for api in apis] == counts


async def test_an_upstream_that_no_rule_uses_is_never_checked():
    async with servers(answering(OK), answering(OK)) as (used, unused):
        check = {"interval": 0.01}
        upstreams = {
            "api": {"urls": [used.url], "health_check": check},
            "other": {"urls": [unused.url], "health_check": check},
        }
        async with running_proxy(config(used.url, upstreams=upstreams)):
            await eventually(lambda: len(used.requests) > 3)
        assert unused.connections == []


async def test_without_the_key_nobody_is_asked_unasked():
    async with servers(answering(OK), answering(OK)) as apis, running_proxy(text_of(*[api.url for api in apis])):
        await asyncio.sleep(0.05)
    assert [api.connections for api in apis] == [[], []]


async def test_when_every_check_fails_requests_are_served_all_the_same():
    """A check of one URL that fails took a whole service down elsewhere (frankendeploy #94)."""
    check = {"path": "/health", "interval": 0.01}
    script = checking(status=b"500 Internal Server Error")
    async with (
        servers(script, script) as apis,
        running_proxy(text_of(*[api.url for api in apis], health_check=check)) as proxy,
    ):
        await eventually(lambda: all(len(asked(api)) > 3 for api in apis))
        assert await statuses(proxy, 10) == {200: 10}


# Others.


async def test_an_upstream_that_is_down_slows_no_rule_that_does_not_use_it():
    """Black-holed, silent and full, with requests waiting: the other rule answers, and nothing is left over."""
    async with servers(answering(OK), silent) as (well, stuck):
        with black_hole("127.0.0.1", 0) as port:
            limits = {"max_requests": 5, "max_queue": 5, "timeouts": {"connect": PATIENCE, "queue": PATIENCE}}
            upstreams = {
                "well": {"url": well.url},
                "hole": {"url": f"http://127.0.0.1:{port}", **limits},
                "stuck": {"url": stuck.url, **limits},
            }
            rules = [{"path": f"/{name}", "upstream": name, "policy": WEB_APP} for name in upstreams]
            async with running_proxy(config(well.url, upstreams=upstreams, rules=rules)) as proxy:
                loop = asyncio.get_running_loop()
                waiting = []
                for name in (b"hole", b"stuck"):
                    waiting += [await proxy.send(request(b"GET /" + name, ORIGIN)) for _ in range(20)]
                started = loop.time()
                for _ in range(50):
                    response = await proxy.ask(b"GET /well", ORIGIN)
                    assert (response.status, response.cors) == (200, GRANT)
                assert loop.time() - started < PATIENCE / 2  # no wait for the others is in it
                refused = [client for client in waiting if client.received.startswith(b"HTTP/1.1 503 ")]
                assert len(refused) == 20
                for client in waiting:
                    client.reset()
                await proxy.recorded(50 + 40)
                for pool in proxy.server._walk.pools.in_use.values():
                    await eventually(lambda pool=pool: not any(member.in_flight for member in pool._members))
                    assert pool._places.free == pool._upstream.max_requests
