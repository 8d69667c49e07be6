"""The pool of one upstream: which connection a request gets, and when one is given up."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket

import pytest

from corsproxy.config.load import load_config
from corsproxy.errors import ConnectFailed, UpstreamTimeout
from corsproxy.proxy import pool as module
from corsproxy.proxy.dial import Resolver, dial
from corsproxy.proxy.pool import IDLE_LIFETIME, NAMED_LIFETIME, Pool
from tests.e2e.rig import PATIENCE, RawUpstream, answer, answering, black_hole, config, refusing, unreachable

OK = answer(b"200 OK", body=b"hi")


@pytest.fixture
async def pool_of():
    """Makes pools of the upstream at some URLs; they are closed with the test."""
    pools: list[Pool] = []

    def make(*urls, look_up=None, rand=None, timeouts=(), **settings):
        api = {"urls": list(urls), "timeouts": {"connect": PATIENCE, **dict(timeouts)}, **settings}
        upstream = load_config(config("http://a", upstreams={"api": api}), "config.yaml", {}).table.rules[0].upstream
        pools.append(Pool(upstream, Resolver(look_up) if look_up else None, rand or in_turn()))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def in_turn():
    """In place of chance: 0, so that the first and the second of those who are well are compared, in this order."""
    return lambda: 0.0


@contextlib.asynccontextmanager
async def upstreams(count, script=None):
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(RawUpstream(script or answering(OK))) for _ in range(count)]


class Receiver:
    """Waits for one exchange."""

    def __init__(self):
        self.ended = asyncio.get_running_loop().create_future()

    def interim(self, head): ...

    def head(self, head, framing): ...

    def body(self, piece): ...

    def flush(self): ...

    def end(self, trailers): ...

    def done(self):
        self.ended.set_result(None)

    def failed(self, error):
        self.ended.set_exception(error)


async def serve(connection):
    """One exchange on a connection, which is idle afterwards."""
    receiver = Receiver()
    connection.begin(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET", receiver, upgrade=b"", whole=True)
    async with asyncio.timeout(PATIENCE):
        await receiver.ended
    return connection


async def idle(pool, count):
    """That many idle connections, in the order in which they became idle."""
    return [await serve(connection) for connection in [await pool.acquire() for _ in range(count)]]


def loss(connection):
    """An event for the moment in which the pool is told that a connection has ended."""
    told, forget = asyncio.Event(), connection._on_lost

    def forget_and_tell(lost):
        forget(lost)
        told.set()

    connection._on_lost = forget_and_tell
    return told


def url(connection):
    return str(connection.endpoint)


# Which endpoint.


def both_families(port):
    """A resolver that knows two addresses of every name, the newer family first."""

    def look_up(*_, **__):
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    return look_up


async def test_the_endpoint_with_fewer_requests_in_flight_gets_the_next(pool_of):
    async with upstreams(3) as servers:
        urls = [server.url for server in servers]
        pool = pool_of(*urls)
        first, second, third = [await pool.acquire() for _ in range(3)]
        assert [url(first), url(second), url(third)] == [urls[0], urls[1], urls[0]]
        await serve(first)
        await serve(third)
        assert url(await pool.acquire()) == urls[0]


async def test_the_two_that_are_compared_are_picked_at_random(pool_of):
    numbers = iter([0.99, 0.99, 0.99, 0.0])
    async with upstreams(3) as servers:
        urls = [server.url for server in servers]
        pool = pool_of(*urls, rand=lambda: next(numbers))
        got = [url(await pool.acquire(fresh=True)) for _ in range(2)]
    assert got == [urls[2], urls[0]]  # the third or the second; the third, which is busy now, or the first


async def test_an_endpoint_that_fails_is_passed_over(pool_of):
    async with upstreams(1) as (server,):
        with refusing() as dead:
            pool = pool_of(dead, server.url)
            got = [url(await pool.acquire()) for _ in range(3)]
    assert got == [server.url] * 3


async def test_ejections_are_counted(pool_of):
    """Once when the third failure in a row ejects it, and not while it is out."""
    async with upstreams(1) as (server,):
        with refusing() as dead:
            pool = pool_of(dead, server.url)
            for _ in range(2):
                await pool.acquire()
            assert pool.ejections == 0
            for _ in range(5):
                await pool.acquire()
    assert pool.ejections == 1


async def test_an_acquire_tries_every_endpoint_whatever_others_take_meanwhile(pool_of):
    """Turns are shared; an acquire that waits for a dead endpoint must not be sent to it again."""
    async with upstreams(1) as (server,):
        with refusing() as dead:
            pool = pool_of(dead, server.url)
            got = await asyncio.gather(*[pool.acquire() for _ in range(6)])
    assert {url(connection) for connection in got} == {server.url}


async def test_when_every_endpoint_fails_the_last_reason_is_told(pool_of):
    with refusing() as first, refusing() as second:
        pool = pool_of(first, second)
        for _ in range(5):  # ejected or not: they are asked all the same
            with pytest.raises(ConnectFailed, match="it cannot be reached") as failed:
                await pool.acquire()
            assert failed.value.detail.startswith((f"{first}: ", f"{second}: "))


async def test_the_time_for_one_request_is_bounded(pool_of, monkeypatch):
    """Two that do not accept in time are enough; those that refuse cost nothing."""
    with unreachable() as one, unreachable() as two, unreachable() as three:
        pool = pool_of(one, two, three, timeouts={"connect": 0.05})
        tried = []

        async def counted(endpoint, *others):
            tried.append(str(endpoint))
            await dial(endpoint, *others)

        monkeypatch.setattr("corsproxy.proxy.pool.dial", counted)
        with pytest.raises(UpstreamTimeout):
            await pool.acquire()
    assert len(set(tried)) == len(tried) == 2


async def test_a_connection_that_does_not_come_about_is_a_timeout(pool_of):
    with unreachable() as there:
        with pytest.raises(UpstreamTimeout, match="it did not accept a connection in time") as failed:
            await pool_of(there, timeouts={"connect": 0.05}).acquire()
        assert failed.value.detail == there


async def test_a_timeout_at_one_endpoint_leaves_the_others(pool_of):
    async with upstreams(1) as (server,):
        with unreachable() as there:
            assert url(await pool_of(there, server.url, timeouts={"connect": 0.05}).acquire()) == server.url


async def test_a_name_with_two_addresses_is_tried_at_both(pool_of):
    """``localhost`` is ::1 first on most machines, and many a development server is at 127.0.0.1 only."""
    async with upstreams(1) as (server,):
        connection = await pool_of(server.named("some.name"), look_up=both_families(server.port)).acquire()
        assert connection.transport.get_extra_info("peername") == ("127.0.0.1", server.port)


async def test_an_address_that_leads_nowhere_does_not_hold_up_the_other(pool_of):
    """Happy eyeballs: nobody waits for the time-out of a black hole, which is a minute here."""
    async with upstreams(1) as (server,):
        with black_hole("::1", server.port):
            pool = pool_of(server.named("some.name"), look_up=both_families(server.port), timeouts={"connect": 60})
            async with asyncio.timeout(PATIENCE):
                connection = await pool.acquire()
        assert connection.transport.get_extra_info("peername") == ("127.0.0.1", server.port)
        assert len(server.connections) == 1


async def test_a_name_that_does_not_resolve_is_told_as_such(pool_of):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(ConnectFailed, match="its name cannot be resolved") as failed:
        await pool_of("http://some.name", look_up=unknown).acquire()
    assert "some.name: " in failed.value.detail


async def test_a_connection_to_a_name_is_given_up_when_it_is_old(pool_of, monkeypatch):
    """Its address may no longer be the name's."""
    async with upstreams(1) as (server,):
        pool = pool_of(server.named("some.name"), look_up=both_families(server.port))
        clock = Clock(pool, monkeypatch)
        young, old = await pool.acquire(), await pool.acquire()
        monkeypatch.undo()
        for connection in (young, old):
            connection.expires = clock.now + NAMED_LIFETIME
        monkeypatch.setattr(pool, "_loop", clock)
        clock.advance(NAMED_LIFETIME - 1)
        put_idle(pool, young)
        clock.advance(1)
        put_idle(pool, old)
        assert [young.usable, old.usable] == [True, False]


async def test_a_connection_to_an_address_does_not_age(pool_of):
    async with upstreams(1) as (server,):
        assert (await pool_of(server.url).acquire()).expires == math.inf


async def test_a_unix_socket(pool_of, tmp_path):
    path = tmp_path / "api.sock"
    async with RawUpstream(answering(OK), unix_path=path) as server:
        pool = pool_of(f"unix:{path}")
        connection = await serve(await pool.acquire())
        assert await pool.acquire() is connection
        assert len(server.connections) == 1
    with pytest.raises(ConnectFailed):
        await pool_of(f"unix:{tmp_path}/missing.sock").acquire()


async def test_an_endpoint_that_speaks_no_tls_is_told_as_such(pool_of):
    async def rubbish(wire):
        await wire.until(lambda: wire.received)
        await wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        wire.close()

    async with upstreams(1, rubbish) as (server,):
        with pytest.raises(ConnectFailed, match="TLS"):
            await pool_of(server.named("127.0.0.1", "https")).acquire()


# Which connection.


async def test_an_idle_connection_is_used_again(pool_of):
    async with upstreams(1) as (server,):
        pool = pool_of(server.url)
        (first,) = await idle(pool, 1)
        assert await pool.acquire() is first
        assert await pool.acquire() is not first  # it is taken


async def test_the_one_that_was_used_last_comes_first(pool_of):
    """It is the least likely to have been closed by the other side, and the others may grow old."""
    async with upstreams(1) as (server,):
        pool = pool_of(server.url)
        first, second, third = await idle(pool, 3)
        assert [await pool.acquire() for _ in range(3)] == [third, second, first]


async def test_idle_connections_belong_to_their_endpoint(pool_of):
    async with upstreams(2) as servers:
        pool = pool_of(*[server.url for server in servers])
        first, second = await idle(pool, 2)
        assert {first.endpoint, second.endpoint} == {member.endpoint for member in pool._members}
        assert [await pool.acquire(), await pool.acquire()] == [first, second]


async def test_a_fresh_one_is_new_and_leaves_the_idle_ones(pool_of):
    async with upstreams(1) as (server,):
        pool = pool_of(server.url)
        (first,) = await idle(pool, 1)
        assert await pool.acquire(fresh=True) is not first
        assert await pool.acquire() is first


async def test_one_that_the_upstream_closed_is_forgotten(pool_of):
    async with upstreams(1) as (server,):
        pool = pool_of(server.url)
        first, second = await idle(pool, 2)
        losses = [loss(first), loss(second)]
        for wire, lost in zip(server.connections, losses, strict=True):
            wire.close()
            await asyncio.wait_for(lost.wait(), PATIENCE)
        assert not any(member.idle for member in pool._members)
        assert await pool.acquire() not in {first, second}


async def test_one_that_is_closing_is_not_handed_out(pool_of):
    """Between its end and the moment when the loop tells, it is still among the idle ones."""
    async with upstreams(1) as (server,):
        pool = pool_of(server.url)
        first, second = await idle(pool, 2)
        second.transport.abort()
        assert await pool.acquire() is first
        first.transport.abort()
        assert await pool.acquire() not in {first, second}


# How long.


class Clock:
    """The loop's clock, moved by hand, and the timers that the pool has set."""

    def __init__(self, pool, monkeypatch):
        self.now = 1000.0
        self.timers = []
        self._pool = pool
        monkeypatch.setattr(pool, "_loop", self)

    def time(self):
        return self.now

    def call_later(self, seconds, callback):
        self.timers.append((self.now + seconds, callback))
        return self

    def cancel(self):
        self.timers.clear()

    def advance(self, seconds):
        """Let time pass, timers included."""
        self.now += seconds
        due = [callback for when, callback in self.timers if when <= self.now]
        self.timers = [timer for timer in self.timers if timer[0] > self.now]
        for callback in due:
            callback()


def put_idle(pool, *connections):
    """What an UpstreamConnection does at the end of an exchange."""
    for connection in connections:
        pool._put_idle(pool._members[0], connection)


async def test_connections_that_stay_idle_are_closed(pool_of, monkeypatch):
    async with upstreams(1) as (server,):
        pool = pool_of(server.url)
        old, young, used = [await pool.acquire() for _ in range(3)]
        clock = Clock(pool, monkeypatch)
        put_idle(pool, old)
        clock.advance(IDLE_LIFETIME - 1)
        put_idle(pool, young, used)
        assert await pool.acquire() is used
        assert old.usable
        clock.advance(1)
        assert [old.usable, young.usable, used.usable] == [False, True, True]
        clock.advance(IDLE_LIFETIME / 2)
        assert young.usable
        clock.advance(IDLE_LIFETIME / 2)
        assert [young.usable, used.usable] == [False, True]
        assert clock.timers == []  # nothing is idle: nothing to wait for


async def test_the_sweep_begins_again_with_the_next_idle_connection(pool_of, monkeypatch):
    async with upstreams(1) as (server,):
        pool = pool_of(server.url)
        clock = Clock(pool, monkeypatch)
        monkeypatch.undo()
        connections = [await pool.acquire() for _ in range(2)]
        monkeypatch.setattr(pool, "_loop", clock)
        for connection in connections:
            put_idle(pool, connection)
            assert len(clock.timers) == 1
            clock.advance(IDLE_LIFETIME)
            assert not connection.usable


def test_the_lifetime_is_below_what_servers_keep():
    """nginx closes after 60 and 75 seconds; a request that meets the closing has to be sent again, if it may."""
    assert module.IDLE_LIFETIME < 60


# The end.


async def test_close_ends_idle_and_busy_connections(pool_of):
    async with upstreams(1) as (server,):
        pool = pool_of(server.url)
        (unused,) = await idle(pool, 1)
        assert await pool.acquire() is unused
        busy, waiting = await pool.acquire(), (await idle(pool, 1))[0]
        pool.close()
        assert not any(connection.usable for connection in (unused, busy, waiting))
        for wire in server.connections:
            await wire.until_ended()


async def test_a_pool_that_was_never_used_can_be_closed(pool_of):
    pool_of("http://127.0.0.1:1").close()


async def test_what_is_lost_while_busy_is_forgotten(pool_of):
    async with upstreams(1) as (server,):
        pool = pool_of(server.url)
        connection = await pool.acquire()
        lost = loss(connection)
        (await server.connection()).reset()
        await asyncio.wait_for(lost.wait(), PATIENCE)
        assert not pool._members[0].in_flight
        assert pool._places.free == 5_000


async def test_an_acquire_that_is_given_up_leaves_nothing_behind(pool_of):
    """Its client left while the connection was made."""
    with unreachable() as there:
        pool = pool_of(there)
        waiting = asyncio.ensure_future(pool.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not pool._members[0].in_flight
        assert pool._places.free == 5_000
