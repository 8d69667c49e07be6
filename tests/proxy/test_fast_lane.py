"""The fast lane where sockets would be too coarse: who takes which bytes, and what aiohttp believes meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from corsproxy.config.load import Limits
from corsproxy.proxy.arrival import Arrival
from corsproxy.proxy.inflow import Inflow
from corsproxy.proxy.lanes import FastDownstream
from tests.e2e.rig import PATIENCE
from tests.proxy.downstream import Transport, downstream, ended

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /0 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"POST /0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Leading:
    """In the walk's place: requests wait until the test ends them."""

    def __init__(self):
        self.begun: list[Arrival] = []
        self.abandoned: list[Arrival] = []

    def begin(self, arrival):
        self.begun.append(arrival)

    def abandon(self, arrival):
        self.abandoned.append(arrival)
        if not arrival.over:
            arrival.finish(keeps_alive=False)

    def trusts(self, peer):
        return False

    @property
    def targets(self):
        return [arrival.head.target for arrival in self.begun]

    async def until(self, count):
        async with asyncio.timeout(PATIENCE):
            while len(self.begun) < count:  # noqa: ASYNC110  # aiohttp's task takes a few turns of the loop
                await asyncio.sleep(0)


@pytest.fixture
def leading():
    return Leading()


@pytest.fixture
async def connection(leading):
    protocol = downstream(leading, protocol=FastDownstream)
    yield protocol
    await ended(protocol)


def is_fast(connection):
    """Whether the request under way is unknown to aiohttp."""
    return connection.busy and connection._request_count == connection.served


# Which lane.


async def test_a_plain_request_is_begun_before_the_loop_goes_on(connection, leading):
    connection.data_received(GET % 0)
    assert leading.targets == [b"/0"]
    assert is_fast(connection)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([(GET % 0)[:9], (GET % 0)[9:]], id="in pieces"),
        pytest.param([GET % 0 + GET % 1], id="pipelined"),
        pytest.param([CHUNKED + b"0\r\n\r\n"], id="chunked"),
        pytest.param([GET.replace(b"Host", b"Expect: 100-continue\r\nHost") % 0], id="expectation"),
    ],
)
async def test_whatever_else_comes_is_aiohttps(connection, leading, pieces):
    for piece in pieces:
        connection.data_received(piece)
    assert leading.targets == []
    await leading.until(1)
    assert not is_fast(connection)


async def test_the_lane_is_open_again_after_a_head_in_pieces(connection, leading):
    """Large heads come so; the next request of the page must not pay for it."""
    for byte in GET % 0:
        connection.data_received(bytes([byte]))
    await leading.until(1)
    leading.begun[0].finish(keeps_alive=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    connection.data_received(GET % 1)
    assert leading.targets == [b"/0", b"/1"]
    assert is_fast(connection)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GET % 0 + (GET % 1)[:9], id="half a head behind it"),
        pytest.param(CHUNKED + b"0\r\n\r\n" + (GET % 1)[:9], id="half a head behind a body"),
    ],
)
async def test_nobody_else_reads_what_the_parser_has_begun(connection, leading, data):
    """Half a head lies in aiohttp's parser; its rest must not look like a request of its own."""
    connection.data_received(data)
    await leading.until(1)
    leading.begun[0].finish(keeps_alive=True)
    for _ in range(5):
        await asyncio.sleep(0)
    connection.data_received((GET % 1)[9:])
    await leading.until(2)
    assert leading.targets == [b"/0", b"/1"]
    assert not is_fast(connection)


# What comes while a request is under way.


async def test_requests_behind_the_one_under_way_wait_for_their_turn(connection, leading):
    connection.data_received(GET % 0)
    connection.data_received((GET % 1)[:9])
    connection.data_received((GET % 1)[9:])
    assert leading.targets == [b"/0"]
    leading.begun[0].finish(keeps_alive=True)
    assert leading.targets == [b"/0", b"/1"]


async def test_a_client_that_sends_ever_more_behind_it_is_not_read_from(connection, leading):
    transport = connection.transport
    connection.data_received(GET % 0)
    while not transport.paused:
        connection.data_received(b"x" * 2**14)
        assert len(connection.lane._held) < 2**17
    leading.begun[0].finish(keeps_alive=True)
    assert not transport.paused
    assert not connection.lane._held


async def test_a_client_that_does_not_read_its_answers_is_not_asked_for_more(connection, leading):
    transport = connection.transport
    connection.data_received(GET % 0)
    connection.pause_writing()
    leading.begun[0].finish(keeps_alive=True)
    assert transport.paused
    connection.resume_writing()
    assert not transport.paused


async def test_a_client_that_leaves_is_told_to_the_walk(connection, leading):
    connection.data_received(GET % 0)
    connection.transport.close()
    await asyncio.sleep(0)
    assert leading.abandoned == leading.begun


# Bodies.


async def test_a_body_goes_to_its_request_and_what_is_behind_it_waits(connection, leading):
    connection.data_received(POST + b"01234")
    payload = leading.begun[0].payload
    assert isinstance(payload, Inflow)
    assert leading.begun[0].closes()
    connection.data_received(b"56789" + GET % 1)
    assert payload.is_eof()
    assert not leading.begun[0].closes()
    connection.data_received(GET % 2)
    for count in (2, 3):
        leading.begun[count - 2].finish(keeps_alive=True)
        await leading.until(count)
    assert leading.targets == [b"/0", b"/1", b"/2"]


async def test_a_body_that_nobody_takes_yet_is_not_read(connection, leading):
    """There is no connection to the upstream; no more than one read is held."""
    transport = connection.transport
    connection.data_received(POST + b"01234")
    assert transport.paused
    leading.begun[0].finish(keeps_alive=False)
    assert not transport.paused


async def test_the_rest_of_an_answered_body_is_read_before_the_end(connection, leading):
    """To close while the client sends would reset the connection, and the answer with it (RFC 9112 9.6)."""
    transport = connection.transport
    connection.data_received(POST + b"01234")
    leading.begun[0].finish(keeps_alive=False)
    assert not transport.is_closing()
    connection.data_received(b"567")
    assert not transport.is_closing()
    connection.data_received(b"89")
    assert transport.is_closing()


async def test_the_rest_of_an_answered_body_is_not_waited_for_for_ever(connection, leading):
    transport = connection.transport
    connection.data_received(POST + b"01234")
    leading.begun[0].finish(keeps_alive=False)
    assert connection.lane._lingering._handle is not None
    connection.lane._lingering._ring()
    assert transport.is_closing()


# The end.


async def test_a_request_under_way_is_waited_for_when_the_proxy_drains(connection, leading):
    transport = connection.transport
    connection.data_received(GET % 0)
    waiting = connection.finish()
    assert waiting is not None
    assert not waiting.done()
    assert leading.begun[0].closes()
    leading.begun[0].finish(keeps_alive=True)  # its head had left before
    await asyncio.wait_for(waiting, PATIENCE)
    assert transport.is_closing()


async def test_an_idle_connection_ends_at_once_when_the_proxy_drains(connection, leading):
    transport = connection.transport
    connection.data_received(GET % 0)
    leading.begun[0].finish(keeps_alive=True)
    assert connection.finish() is None
    assert transport.is_closing()


async def test_a_long_request_is_no_idle_connection(leading):
    """aiohttp's timer knows nothing of this lane's requests; it must let them end, and then count from there."""
    connection = downstream(leading, Limits(keepalive_timeout=0.01), FastDownstream)
    transport = connection.transport
    assert isinstance(transport, Transport)
    connection.data_received(GET % 0)
    await asyncio.sleep(0.05)
    assert not transport.is_closing()
    leading.begun[0].finish(keeps_alive=True)
    await asyncio.wait_for(transport.closed.wait(), PATIENCE)
    await asyncio.sleep(0)


async def test_a_connection_one_too_many_has_the_ordinary_lane(leading):
    connection = downstream(leading, Limits(max_connections=0), FastDownstream)
    connection.data_received(GET % 0)
    assert leading.targets == []
    await ended(connection)
