"""The pool of one upstream: which connection a request gets, and when one is given up."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from corsproxy.config.load import load_config
from corsproxy.errors import ConnectFailed, UpstreamTimeout
from corsproxy.proxy import pool as module
from corsproxy.proxy.pool import IDLE_LIFETIME, Pool
from tests.e2e.rig import PATIENCE, RawUpstream, answer, answering, config, refusing, unreachable

OK = answer(b"200 OK", body=b"hi")


@pytest.fixture
async def pool_of():
    """Makes pools of the upstream at some URLs; they are closed with the test."""
    pools: list[Pool] = []

    def make(*urls: str, **timeouts: float) -> Pool:
        upstreams = {"api": {"urls": list(urls), "timeouts": {"connect": PATIENCE, **timeouts}}}
        compiled = load_config(config("http://a", upstreams=upstreams), "config.yaml", {})
        pools.append(Pool(compiled.table.rules[0].upstream))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


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


async def test_endpoints_take_turns(pool_of):
    async with upstreams(3) as servers:
        urls = [server.url for server in servers]
        pool = pool_of(*urls)
        assert [url(await pool.acquire()) for _ in range(6)] == urls * 2


async def test_an_endpoint_that_fails_is_passed_over(pool_of):
    async with upstreams(2) as servers:
        with refusing() as dead:
            pool = pool_of(dead, *[server.url for server in servers])
            got = [url(await pool.acquire()) for _ in range(3)]
    assert got == [servers[0].url, servers[0].url, servers[1].url]


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
        with pytest.raises(ConnectFailed, match="it cannot be reached") as failed:
            await pool.acquire()
        assert failed.value.detail.startswith(f"{second}: ")
        with pytest.raises(ConnectFailed) as failed:
            await pool.acquire()
        assert failed.value.detail.startswith(f"{first}: ")


async def test_a_connection_that_does_not_come_about_is_a_timeout(pool_of):
    with unreachable() as there:
        with pytest.raises(UpstreamTimeout, match="it did not accept a connection in time") as failed:
            await pool_of(there, connect=0.05).acquire()
        assert failed.value.detail == there


async def test_a_timeout_at_one_endpoint_leaves_the_others(pool_of):
    async with upstreams(1) as (server,):
        with unreachable() as there:
            assert url(await pool_of(there, server.url, connect=0.05).acquire()) == server.url


async def test_a_name_with_two_addresses_is_tried_at_both(pool_of, monkeypatch):
    """``localhost`` is ::1 first on most machines, and many a development server is at 127.0.0.1 only."""
    async with upstreams(1) as (server,):

        async def both(*_, **__):
            addresses = [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]
            return [(family, socket.SOCK_STREAM, 6, "", (host, server.port)) for family, host in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
        connection = await pool_of(server.named("some.name")).acquire()
        assert connection.transport.get_extra_info("peername") == ("127.0.0.1", server.port)


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
        assert not any(pool._idle.values())
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
        pool._put_idle(connection)


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
        assert not pool._busy


async def test_an_acquire_that_is_given_up_leaves_nothing_behind(pool_of):
    """Its client left while the connection was made."""
    with unreachable() as there:
        pool = pool_of(there)
        waiting = asyncio.ensure_future(pool.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not pool._busy
