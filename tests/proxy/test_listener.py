"""A client's connection where sockets would be too coarse: orders of events that no network makes on demand."""

from __future__ import annotations

import asyncio

import pytest

from corsproxy.config.load import Limits
from corsproxy.proxy import listener as module
from tests.e2e.rig import PATIENCE
from tests.proxy.downstream import downstream, ended

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"


class Flow:
    """What somebody who writes to the client was told."""

    def __init__(self):
        self.told = []

    def pause(self):
        self.told.append("pause")

    def resume(self):
        self.told.append("resume")

    def data(self, data):
        self.told.append(data)


@pytest.fixture
async def connection():
    protocol = downstream()
    yield protocol
    await ended(protocol)


# Flow control.


async def test_whoever_writes_is_told_when_the_client_takes_no_more(connection):
    flow = Flow()
    connection.follow(flow)
    connection.pause_writing()
    connection.resume_writing()
    assert flow.told == ["pause", "resume"]


async def test_whoever_begins_while_the_client_takes_no_more_is_told_at_once(connection):
    """The answer before may still be on its way to a slow client."""
    connection.pause_writing()  # nobody follows
    flow = Flow()
    connection.follow(flow)
    assert flow.told == ["pause"]
    connection.follow(None)
    connection.resume_writing()
    assert flow.told == ["pause"]


# The head.


async def test_what_follows_a_forced_end_starts_no_timer():
    """aiohttp closes in the middle of what one read brought; the rest is nobody's."""
    protocol = downstream()
    protocol.force_close()
    protocol.data_received(b"GET / HT")
    assert protocol._head_bytes == 0
    assert not protocol.busy
    await ended(protocol)


async def test_a_head_is_late_in_its_turn_and_once():
    """The refusal waits for the answers before it, and nothing behind it is read."""
    seen, go_on = [], asyncio.Event()

    async def handle(arrival):
        seen.append(arrival.refusal and arrival.refusal.status)
        await go_on.wait()
        return arrival.refusal is None

    protocol = downstream(handle)
    protocol.data_received(b"GET / HT")
    protocol._head_is_late()
    protocol._head_is_late()
    protocol.data_received(b"TP/1.1\r\nHost: a\r\n\r\n")
    task = protocol._task_handler
    assert task is not None
    go_on.set()
    await asyncio.wait({task}, timeout=PATIENCE)
    await asyncio.sleep(0)
    assert seen == [408]


async def test_without_a_limit_there_is_no_timer():
    protocol = downstream(limits=Limits(request_head_timeout=None))
    assert protocol._late_head._handle is None
    await ended(protocol)


# The end.


async def test_finish_ends_an_idle_connection_and_waits_for_a_busy_one():
    go_on = asyncio.Event()

    async def handle(arrival):
        await go_on.wait()
        return not arrival.closes()

    idle, busy = downstream(handle), downstream(handle)
    busy.data_received(GET)
    assert idle.finish() is None
    assert idle.transport is None
    task = busy.finish()
    assert task is not None
    assert not task.done()
    go_on.set()
    await asyncio.wait({task}, timeout=PATIENCE)
    assert task.done()
    await ended(idle)


async def test_break_off_ends_a_connection_whatever_it_does():
    arrived = asyncio.Event()

    async def handle(arrival):
        arrived.set()
        await asyncio.Event().wait()
        return True

    protocol = downstream(handle)
    protocol.data_received(POST)
    await asyncio.wait_for(arrived.wait(), PATIENCE)
    task, transport = protocol._task_handler, protocol.transport
    await ended(protocol)
    assert task is not None
    assert transport is not None
    assert task.cancelled()
    assert transport.is_closing()
    protocol.break_off()  # once more is no harm


async def test_an_unread_body_is_read_to_its_end_where_a_connection_cannot_be_half_closed():
    """TLS: the answer has been sent, and the end comes with the end of the body (RFC 9112 9.6)."""
    answered = asyncio.Event()

    async def handle(arrival):
        answered.set()
        return False

    protocol = downstream(handle)
    transport = protocol.transport
    assert transport is not None
    protocol.data_received(POST + b"12345")
    await asyncio.wait_for(answered.wait(), PATIENCE)
    assert not transport.is_closing()
    protocol.data_received(b"67890")
    task = protocol._task_handler
    assert task is not None
    await asyncio.wait({task}, timeout=PATIENCE)
    assert transport.is_closing()
    await asyncio.sleep(0)


# A client that is not read from.


async def test_the_presence_of_a_client_is_looked_at_while_it_is_not_read_from(connection, monkeypatch):
    """No loop tells of its end then, and its request would live on."""
    gone = False
    monkeypatch.setattr(module, "peer_has_gone", lambda _: gone)
    transport = connection.transport
    connection._pause_transport_reading()
    assert connection._presence._handle is not None
    connection._check_presence()
    assert not transport.is_closing()
    connection._resume_transport_reading()
    assert connection._presence._handle is None
    gone = True
    connection._check_presence()
    assert transport.is_closing()
    await asyncio.sleep(0)
    connection._check_presence()  # the loop has told by now
