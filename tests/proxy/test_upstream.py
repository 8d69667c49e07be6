"""One upstream connection, its loop's part played by the test."""

import pytest

from corsproxy.config.table import Endpoint, Timeouts
from corsproxy.errors import ConnectionLost, StaleConnection
from corsproxy.proxy.upstream import UpstreamConnection

ENDPOINT = Endpoint(tls=False, host="up.internal", port=80, unix_path="", authority=b"up.internal")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Transport:
    """What the connection wrote, and whether it is open."""

    def __init__(self):
        self.written, self.closing, self.paused = b"", False, False

    def set_write_buffer_limits(self, high): ...

    def write(self, data):
        self.written += data

    def abort(self):
        self.closing = True

    def is_closing(self):
        return self.closing

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False


class Receiver:
    """What one exchange was told."""

    def __init__(self):
        self.content, self.whole, self.error = b"", False, None

    def interim(self, head): ...

    def head(self, head, framing): ...

    def body(self, piece):
        self.content += piece

    def end(self, trailers):
        self.whole = True

    def flush(self): ...

    def done(self): ...

    def failed(self, error):
        self.error = error


class Keeper:
    """In the pool's place."""

    def __init__(self):
        self.idle, self.lost = [], []


@pytest.fixture
def keeper():
    return Keeper()


@pytest.fixture
async def connection(keeper):
    connection = UpstreamConnection(ENDPOINT, Timeouts(), keeper.idle.append, keeper.lost.append)
    connection.connection_made(Transport())
    return connection


def begin(connection, *, whole=True):
    receiver = Receiver()
    connection.begin(b"GET / HTTP/1.1\r\n\r\n", b"GET", receiver, upgrade=b"", whole=whole)
    return receiver


async def test_a_whole_exchange_makes_the_connection_idle_again(connection, keeper):
    receiver = begin(connection)
    connection.data_received(ANSWER)
    assert (receiver.content, receiver.whole) == (b"hi", True)
    assert keeper.idle == [connection]
    assert connection.usable


async def test_who_waits_no_longer_ends_the_exchange(connection, keeper):
    receiver = begin(connection)
    connection.abandon(receiver)
    connection.connection_lost(None)
    assert not connection.usable
    assert (receiver.error, keeper.lost) == (None, [connection])


async def test_who_was_served_cannot_end_the_next_ones_exchange(connection):
    """The client of a finished exchange may leave in the moment when its connection serves somebody else."""
    first = begin(connection)
    connection.data_received(ANSWER)
    second = begin(connection)
    connection.abandon(first)
    connection.data_received(ANSWER)
    assert (second.content, second.whole) == (b"hi", True)
    assert connection.usable


async def test_an_answer_before_the_request_is_whole_ends_the_connection(connection, keeper):
    receiver = begin(connection, whole=False)
    connection.data_received(ANSWER)
    assert receiver.whole
    assert (keeper.idle, connection.usable) == ([], False)


async def test_bytes_that_nobody_asked_for_end_the_connection(connection):
    begin(connection)
    connection.data_received(ANSWER)
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
    assert not connection.usable


@pytest.mark.parametrize("how", [None, ConnectionResetError("reset")])
async def test_a_connection_that_had_served_before_was_stale(connection, how):
    begin(connection)
    connection.data_received(ANSWER)
    receiver = begin(connection)
    connection.connection_lost(how)
    assert type(receiver.error) is StaleConnection


@pytest.mark.parametrize("how", [None, ConnectionResetError("reset")])
async def test_a_new_connection_that_ends_is_lost(connection, how):
    receiver = begin(connection)
    connection.connection_lost(how)
    assert type(receiver.error) is ConnectionLost


async def test_a_client_that_takes_no_more_pauses_the_upstream(connection):
    begin(connection)
    connection.pause_reading()
    assert connection.transport.paused
    connection.resume_reading()
    assert not connection.transport.paused
