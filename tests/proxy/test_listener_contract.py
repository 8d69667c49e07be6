"""What the listener relies on inside aiohttp, one fact a test, each with the reason.

Most of these are private names or undocumented orders of events.  They are tested on aiohttp's own classes wherever
that is possible, so that an upgrade which breaks one fails here first, and says which.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser, RawRequestMessage
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import ERROR, RequestHandler, RequestPayloadError, _ErrInfo

from corsproxy.proxy.arrival import Arrival, Written
from corsproxy.proxy.listener import Downstream
from corsproxy.proxy.parsing import ParsingHandler, read_head
from tests.e2e.rig import PATIENCE, no_surprises
from tests.proxy.downstream import Transport, downstream, ended

GET = b"GET /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Request:
    """All that aiohttp asks of a request, which is what ``Arrival`` has; and what it was made from."""

    def __init__(self, *arguments):
        self.arguments = arguments
        self.message, self.payload, self.protocol, self.writer, self.task = arguments
        self.finished, self.cancelled = False, None

    def _finish(self):
        self.finished = True

    def _cancel(self, error):
        self.cancelled = error


class Connection:
    """aiohttp's own server and one connection to it; ``requests`` are those that reached the handler."""

    def __init__(self, make=RequestHandler, **options):
        self.requests: list[Request] = []
        self.keeps_alive = True
        self.gate = asyncio.Event()  # the handler waits for it
        self.gate.set()
        self.cancelled = False  # whether a handler was cancelled
        self._arrived = asyncio.Event()
        self.server = web.Server(self._handle, request_factory=Request, handler_cancellation=True)
        self.transport = Transport()
        loop = asyncio.get_running_loop()
        self.protocol = make(self.server, loop=loop, access_log=None, auto_decompress=False, **options)
        self.transport.protocol = self.protocol
        self.protocol.connection_made(self.transport)

    async def _handle(self, request):
        self.requests.append(request)
        self._arrived.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Written(keep_alive=self.keeps_alive)

    async def request(self, count=1):
        """The last of that many requests, once they are there."""
        async with asyncio.timeout(PATIENCE):
            while len(self.requests) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.requests[-1]

    async def closed(self):
        """Wait until the connection is closed, and the protocol has been told."""
        async with asyncio.timeout(PATIENCE):
            await self.transport.closed.wait()
        await asyncio.sleep(0)


@pytest.fixture
async def connect():
    """Makes connections, which end with the test."""
    connections = []

    def make(*arguments, **options):
        connections.append(Connection(*arguments, **options))
        return connections[-1]

    yield make
    for connection in connections:
        connection.transport.close()
        await connection.closed()


def parse(data, **options):
    """What aiohttp's parser makes of these bytes: (messages, upgraded, tail)."""
    loop = asyncio.get_running_loop()
    return HttpRequestParser(BaseProtocol(loop), loop, 2**16, **options).feed_data(data)


# The parser.


@pytest.mark.parametrize(
    "target", [b'/%2e%2E/..//a?b=%20&&c|^`<>"', b"/a?b#c?d", b"*", b"http://user@host:80/a?b", b"//evil/x"]
)
async def test_parser_keeps_the_target_byte_for_byte(target):
    """``read_head`` gets the bytes back from its ``path``; ``url``, which is normalised, is not looked at."""
    method = b"OPTIONS" if target == b"*" else b"GET"
    [(message, _)], upgraded, tail = parse(method + b" " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert read_head(message).target == target
    assert (upgraded, tail) == (False, b"")


async def test_parser_refuses_a_target_that_is_not_ascii():
    """RFC 3986 has no such characters; the rest of the code need not know what they would mean."""
    for target in (b"/\xff", "/\u00e9".encode()):
        with pytest.raises(HttpProcessingError):
            parse(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")


async def test_parser_keeps_names_values_order_and_duplicates():
    """Header lines pass end to end as they came; ``raw_headers`` are bytes, stripped of whitespace only."""
    lines = b"Host: a\r\nX-B:  1 \r\nx-a: \xff\r\nX-B: 2\r\n\r\n"
    [(message, _)], _, _ = parse(b"GET / HTTP/1.1\r\n" + lines)
    assert tuple(message.raw_headers) == ((b"Host", b"a"), (b"X-B", b"1"), (b"x-a", b"\xff"), (b"X-B", b"2"))


@pytest.mark.parametrize(
    ("head", "closes"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
    ],
)
async def test_parser_says_whether_the_client_wants_to_go_on(head, closes):
    """``should_close`` is all that is asked about Connection and the version."""
    [(message, _)], _, _ = parse(head)
    assert message.should_close is closes
    assert (message.version.major, message.version.minor) == (1, int(head[13:14] == b"1"))


@pytest.mark.parametrize(("lines", "chunked"), [(b"Transfer-Encoding: chunked", True), (b"Content-Length: 1", False)])
async def test_parser_says_whether_a_body_is_chunked(lines, chunked):
    """Only a chunked body has framing to put a bound on."""
    [(message, payload)], _, _ = parse(b"POST / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n\r\n")
    assert (message.chunked, payload.is_eof()) == (chunked, False)


async def test_parser_gives_every_bodyless_request_the_empty_payload():
    """``Arrival.closes`` asks it whether the request has arrived whole; it never becomes an error."""
    [(_, payload)], _, _ = parse(GET)
    assert payload is EMPTY_PAYLOAD
    assert payload.is_eof()
    payload.set_exception(ConnectionResetError())
    assert payload.exception() is None


async def test_parser_refuses_methods_that_it_does_not_know_by_their_own_error():
    """``_reread`` parses such a request anew, so that an allowed page can read why it is refused."""
    for line in (b"patch / HTTP/1.1", b"FROB / HTTP/1.1"):
        with pytest.raises(BadHttpMethod):
            parse(line + b"\r\nHost: a\r\n\r\n")


@pytest.mark.parametrize("size", [2**17, 2**18])
async def test_parser_takes_a_head_for_rereading_whatever_body_is_behind_it(size):
    """It is given a protocol whose own parser has failed; a long body must not make it ask that one to pause."""
    protocol = downstream()
    protocol.data_received(b"patch / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    arrival = protocol._reread()
    assert arrival is not None
    assert (arrival.head.method, arrival.refusal and arrival.refusal.status) == (b"patch", 501)
    await ended(protocol)


async def test_parser_says_that_a_line_is_too_long_by_an_error_of_its_own():
    """It is answered 431, and every other error 400."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200 + b"\r\n\r\n"
    with pytest.raises(LineTooLong):
        parse(head, max_field_size=100)
    with pytest.raises(LineTooLong):
        parse(b"GET /" + b"x" * 200 + b" HTTP/1.1\r\nHost: a\r\n\r\n", max_line_size=100)
    assert parse(head, max_field_size=300)


async def test_parser_says_too_many_headers_in_these_words():
    """It has no class of its own, so that the words are what tells it from other errors."""
    with pytest.raises(HttpProcessingError, match="Too many headers"):
        parse(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * 20 + b"\r\n", max_headers=10)


def test_both_are_processing_errors_and_so_is_everything_else_that_the_parser_says():
    """``data_received`` makes an answer of that class, and lets others through to the loop."""
    assert issubclass(BadHttpMethod, HttpProcessingError)
    assert issubclass(LineTooLong, HttpProcessingError)


async def test_parser_hands_over_what_is_behind_an_upgrade():
    """A WebSocket client may send its first frame with the handshake."""
    [(message, _)], upgraded, tail = parse(UPGRADE + b"\x81\x00")
    assert (message.upgrade, upgraded, tail) == (True, True, b"\x81\x00")


# The body.


async def test_stream_counts_what_it_was_given():
    """``data_received`` weighs a chunk's framing against its content by the difference."""
    loop = asyncio.get_running_loop()
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    [(_, payload)], _, _ = parser.feed_data(head + b"3\r\nabc\r\n")
    assert payload.total_bytes == 3
    assert await payload.readany() == b"abc"
    parser.feed_data(b"2;ext=x\r\nde\r\n")
    assert payload.total_bytes == 5


async def test_stream_that_has_failed_says_so_and_raises_it():
    """A body that is refused in its middle ends the exchange wherever it waits."""
    payload = StreamReader(BaseProtocol(asyncio.get_running_loop()), 2**16, loop=asyncio.get_running_loop())
    error = RequestPayloadError("broken")
    payload.set_exception(error)
    assert payload.exception() is error
    with pytest.raises(RequestPayloadError):
        await payload.readany()


# The server.


async def test_server_knows_its_connections_until_their_handler_has_ended(connect):
    """``drain`` ends those that it finds, and the limit of connections counts them."""
    connection = connect()
    assert connection.server.connections == [connection.protocol]
    connection.gate.clear()
    connection.protocol.data_received(GET)
    await connection.request()
    connection.transport.close()
    await connection.closed()
    assert connection.server.connections == [connection.protocol]  # its handler is being cancelled
    async with asyncio.timeout(PATIENCE):
        while connection.server.connections:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0)


async def test_server_takes_a_handler_a_factory_and_the_wish_to_cancel(connect):
    """``Listener`` passes its own for both."""
    connection = connect()
    assert connection.server.request_factory is Request
    assert connection.server.request_handler == connection._handle
    assert connection.server.handler_cancellation is True
    assert connection.server._loop is asyncio.get_running_loop()


# The protocol.


def test_protocol_takes_the_options_that_the_listener_gives():
    """An option that is gone would be a TypeError for each connection."""
    options = inspect.signature(RequestHandler.__init__).parameters
    assert {
        *("manager", "loop", "access_log", "auto_decompress", "keepalive_timeout"),
        *("max_line_size", "max_field_size", "max_headers"),
    } <= options.keys()


def test_protocol_has_no_name_of_ours():
    """``Downstream`` extends a class with slots: a name that aiohttp takes one day would be overwritten silently."""
    theirs = {name for parent in RequestHandler.__mro__ for name in vars(parent)}
    own = [name for ours in (Downstream, ParsingHandler) for name in vars(ours) if not name.startswith("__")]
    assert len(own) == len(set(own))  # nor has the one a name of the other
    assert theirs.intersection(own) == OVERRIDDEN


OVERRIDDEN = {
    *("connection_made", "connection_lost", "data_received", "pause_writing", "resume_writing"),
    *("_make_error_handler", "_pause_transport_reading", "_process_keepalive", "_resume_transport_reading"),
}


@pytest.mark.parametrize(
    "name",
    [
        *("_close", "_force_close", "_keepalive_timeout", "_manager", "_message_tail", "_messages"),
        *("_next_keepalive_close_time", "_reading_paused", "_request_count"),
    ],
)
async def test_protocol_has_the_attributes_that_are_read_and_set(connect, name):
    """They are private; the tests below say what each means."""
    assert hasattr(connect().protocol, name)


async def test_protocol_knows_its_manager_until_the_connection_is_lost(connect):
    """An error handler asks it for the listener."""
    connection = connect()
    assert connection.protocol._manager is connection.server
    connection.transport.close()
    await connection.closed()
    assert connection.protocol._manager is None


async def test_protocol_forgets_its_transport_when_the_connection_is_lost(connect):
    """``Arrival.transport`` and ``break_off`` take None for a client that has gone."""
    connection = connect()
    assert connection.protocol.transport is connection.transport
    connection.transport.lose(ConnectionResetError())
    await connection.closed()
    assert connection.protocol.transport is None


async def test_protocol_keeps_its_limits_where_they_are_read(connect):
    """``_reread`` parses with the same one."""
    assert connect(max_field_size=1234).protocol.max_field_size == 1234


async def test_factory_is_called_with_message_payload_protocol_writer_and_task(connect):
    """``_arrival`` takes them by position."""
    connection = connect()
    connection.protocol.data_received(GET)
    request = await connection.request()
    assert isinstance(request.message, RawRequestMessage)
    assert request.payload is EMPTY_PAYLOAD
    assert request.protocol is connection.protocol
    assert len(request.arguments) == 5


async def test_request_count_grows_with_each_head_as_it_arrives(connect):
    """``busy`` is that count compared with the requests that have been answered."""
    connection = connect()
    connection.gate.clear()
    assert connection.protocol._request_count == 0
    connection.protocol.data_received(GET[:-1])
    assert connection.protocol._request_count == 0
    connection.protocol.data_received(GET[-1:] + GET)
    assert connection.protocol._request_count == 2  # before either is answered
    connection.gate.set()
    await connection.request(2)


async def test_request_count_grows_with_an_error_too(connect):
    """A head that cannot be read has an answer to come as well."""
    connection = connect()
    with contextlib.suppress(AttributeError):  # aiohttp's own handler asks more of a request than ours has
        connection.protocol.data_received(b"\xff\r\n\r\n")
    assert connection.protocol._request_count == 1


async def test_error_goes_to_the_handler_that_is_made_for_it(connect):
    """It is the way for the listener's own words, and for the record of what was refused."""
    made = []

    class Handler(RequestHandler):
        def _make_error_handler(self, err_info):
            async def handler(request):
                made.append((err_info, request))
                return Written(keep_alive=False)

            return handler

    connection = connect(Handler)
    connection.protocol.data_received(b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
    await connection.closed()
    [(err_info, request)] = made
    assert isinstance(err_info, _ErrInfo)
    assert isinstance(err_info.exc, HttpProcessingError)
    assert request.message is ERROR  # by which the factory knows that there is no head
    assert request.payload.is_eof()
    assert connection.requests == []


async def test_error_of_our_own_can_be_put_in_its_turn(connect):
    """``_refuse``: a queued error is answered after what came before it, and nothing is read behind it."""
    refused = []

    class Handler(RequestHandler):
        def _make_error_handler(self, err_info):
            async def handler(request):
                refused.append(err_info.exc)
                return Written(keep_alive=False)

            return handler

    connection = connect(Handler)
    connection.gate.clear()
    connection.protocol.data_received(GET)
    await connection.request()
    error = ValueError("late")
    connection.protocol._messages.append((_ErrInfo(408, error, "late"), EMPTY_PAYLOAD))
    connection.protocol._close = True
    connection.protocol.data_received(GET)
    assert refused == []
    connection.gate.set()
    await connection.closed()
    assert len(connection.requests) == 1


async def test_idle_handler_waits_for_a_future_that_can_be_set(connect):
    """``_refuse`` wakes it, since no message arrived that would."""
    refused = asyncio.Event()

    class Handler(RequestHandler):
        def _make_error_handler(self, err_info):
            async def handler(request):
                refused.set()
                return Written(keep_alive=False)

            return handler

    connection = connect(Handler)
    await asyncio.sleep(0)  # until the handler's task has begun
    assert connection.protocol._waiter is not None
    assert not connection.protocol._waiter.done()
    connection.protocol._messages.append((_ErrInfo(408, ValueError("late"), "late"), EMPTY_PAYLOAD))
    connection.protocol._waiter.set_result(None)
    await asyncio.wait_for(refused.wait(), PATIENCE)
    await connection.closed()


async def test_close_takes_nothing_more(connect):
    """``_close`` is set with a refusal: what comes behind it must not become a request."""
    connection = connect()
    connection.protocol._close = True
    connection.protocol.data_received(GET)
    assert connection.protocol._request_count == 0


async def test_force_close_closes_now_and_takes_nothing_more(connect):
    """It ends silent connections, and those that are idle when the proxy drains."""
    connection = connect()
    connection.protocol.force_close()
    assert connection.transport.is_closing()
    assert connection.protocol.transport is None
    assert connection.protocol._force_close
    connection.protocol.data_received(GET)
    assert connection.protocol._request_count == 0


async def test_task_of_the_handler_can_be_waited_for_and_cancelled(connect):
    """``drain`` waits for the task of each busy connection, and cancels those that take too long."""
    connection = connect()
    connection.gate.clear()
    connection.protocol.data_received(GET)
    await connection.request()
    task = connection.protocol._task_handler
    assert isinstance(task, asyncio.Task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, PATIENCE)
    assert connection.cancelled
    assert connection.transport.is_closing()


async def test_handler_is_cancelled_when_the_client_goes_away(connect):
    """A client that leaves ends the upstream's request at once."""
    connection = connect()
    connection.gate.clear()
    connection.protocol.data_received(POST)
    request = await connection.request()
    connection.transport.lose(ConnectionResetError("left"))
    await connection.closed()
    assert isinstance(request.cancelled, ConnectionResetError)  # whoever waits for the body is told
    async with asyncio.timeout(PATIENCE):
        while not connection.cancelled:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0)


async def test_response_is_prepared_ended_and_asked_whether_to_go_on(connect):
    """``Written`` has nothing else, since everything has been written already."""
    connection = connect()
    connection.protocol.data_received(GET)
    request = await connection.request()
    connection.protocol.data_received(GET)
    await connection.request(2)
    assert request.finished
    assert not connection.transport.is_closing()
    connection.keeps_alive = False
    connection.protocol.data_received(GET)
    await connection.closed()
    assert connection.transport.written == b""  # aiohttp itself writes nothing


async def test_request_has_a_place_for_its_task(connect):
    """aiohttp sets it to None at the end, to break a cycle; ``Arrival`` has slots, so it needs that one."""
    connection = connect()
    connection.protocol.data_received(GET)
    request = await connection.request()
    connection.protocol.data_received(GET)
    await connection.request(2)
    assert vars(request)["_task"] is None
    assert hasattr(Arrival, "_task")


def test_arrival_has_what_is_asked_of_a_request():
    """aiohttp calls them by name on whatever the factory made."""
    assert {"_finish", "_cancel"} <= vars(Arrival).keys()
    assert {"prepare", "write_eof", "keep_alive"} <= vars(Written).keys()


async def test_unread_body_is_read_for_a_while_after_the_answer(connect):
    """To close while the client sends would reset the connection, and the answer with it (RFC 9112 9.6)."""
    connection = connect()
    connection.keeps_alive = False
    connection.protocol.data_received(POST + b"12345")
    await connection.request()
    await asyncio.sleep(0)
    assert not connection.transport.is_closing()
    connection.protocol.data_received(b"67890")
    await connection.closed()


async def test_connection_is_closed_when_it_is_idle_too_long(connect):
    """``keepalive_timeout`` is the one limit of time that aiohttp keeps."""
    connection = connect(keepalive_timeout=0.01)
    connection.protocol.data_received(GET)
    await connection.request()
    await connection.closed()


async def test_time_of_an_idle_connection_can_be_put_off(connect):
    """The fast lane's requests are unknown to aiohttp: its timer asks for the time at which to close, and waits on."""
    connection = connect(keepalive_timeout=0.01)
    await asyncio.sleep(0)  # until the handler's task has begun
    protocol = connection.protocol
    protocol._next_keepalive_close_time = asyncio.get_running_loop().time() + PATIENCE
    protocol._process_keepalive()
    assert not connection.transport.is_closing()
    assert protocol._keepalive_handle.when() > asyncio.get_running_loop().time() + PATIENCE / 2
    protocol._next_keepalive_close_time = 0.0
    protocol._process_keepalive()
    assert connection.transport.is_closing()


async def test_idle_connection_can_be_given_up_without_being_closed(connect):
    """``close`` ends aiohttp's task and takes nothing more; the transport is closed by whoever asked for that."""
    connection = connect()
    await asyncio.sleep(0)
    task = connection.protocol._task_handler
    connection.protocol.close()
    await asyncio.wait({task}, timeout=PATIENCE)
    assert task.done()
    assert not connection.transport.is_closing()
    connection.protocol.data_received(GET)
    assert connection.protocol._request_count == 0


async def test_message_is_in_the_queue_when_data_received_returns(connect):
    """``_locate`` asks the last one whether a body belongs to it."""
    connection = connect()
    connection.protocol.data_received(GET)
    assert connection.protocol._messages[-1][1] is EMPTY_PAYLOAD
    await connection.request()


# Flow control.


async def test_writing_paused_follows_the_loop(connect):
    """A relay that begins while the client takes no more must know it."""
    protocol = connect().protocol
    assert not protocol.writing_paused
    protocol.pause_writing()
    assert protocol.writing_paused
    protocol.resume_writing()
    assert not protocol.writing_paused


@pytest.fixture
def watched():
    """A handler that keeps what was done to the transport last, by the methods that we override."""

    class Handler(RequestHandler):
        last = ""

        def _pause_transport_reading(self):
            super()._pause_transport_reading()
            type(self).last = "paused"

        def _resume_transport_reading(self):
            super()._resume_transport_reading()
            type(self).last = "resumed"

    return Handler


async def test_body_that_nobody_reads_pauses_the_transport(connect, watched):
    """The presence of a client is watched from then on, since no loop tells of it any more."""
    connection = connect(watched)
    connection.gate.clear()
    connection.protocol.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n")
    request = await connection.request()
    while not connection.transport.paused:
        connection.protocol.data_received(b"x" * 2**16)
    assert watched.last == "paused"
    while connection.transport.paused:
        await request.payload.readany()
    assert watched.last == "resumed"


async def test_body_that_is_read_again_asks_for_what_was_held_back(connect):
    """``parse`` keeps what follows a paused body, and gets its turn by an empty ``data_received``."""
    asked = []

    class Handler(RequestHandler):
        def data_received(self, data):
            asked.append((data[:1], self._reading_paused))
            super().data_received(data)

    connection = connect(Handler)
    connection.gate.clear()
    connection.protocol.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    request = await connection.request()
    assert not connection.protocol._reading_paused
    while not connection.protocol._reading_paused:
        connection.protocol.data_received(b"1000\r\n" + b"x" * 4096 + b"\r\n")
    asked.clear()
    while connection.protocol._reading_paused:
        await request.payload.readany()
    assert set(asked) == {(b"", False)}
    connection.protocol._pause_transport_reading()  # as the fast lane does
    assert not connection.protocol._reading_paused


async def test_flood_of_pipelined_requests_pauses_the_transport(connect, watched):
    """The same, in the queue of requests."""
    connection = connect(watched)
    connection.gate.clear()
    for _ in range(100):
        if not connection.transport.paused:
            connection.protocol.data_received(GET * 10)
    assert connection.transport.paused
    assert watched.last == "paused"
    connection.gate.set()
    async with asyncio.timeout(PATIENCE):
        while connection.transport.paused:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0)
    assert watched.last == "resumed"


async def test_flood_behind_an_upgrade_pauses_the_transport(connect, watched):
    """The same, in the tail that waits for the other protocol."""
    connection = connect(watched)
    connection.gate.clear()
    connection.protocol.data_received(UPGRADE)
    for _ in range(100):
        if not connection.transport.paused:
            connection.protocol.data_received(b"x" * 2**16)
    assert connection.transport.paused
    assert watched.last == "paused"


# The upgrade.


async def test_what_comes_behind_an_upgrade_is_kept_and_not_parsed(connect):
    """``switch`` hands it to the tunnel: it belongs to another protocol."""
    connection = connect()
    connection.gate.clear()
    connection.protocol.data_received(UPGRADE + b"GET / HTTP/1.1\r\n")
    await connection.request()
    connection.protocol.data_received(b"\r\n")
    assert connection.protocol._message_tail == b"GET / HTTP/1.1\r\n\r\n"
    assert connection.protocol._request_count == 1


async def test_tail_that_was_taken_is_not_parsed_at_the_end(connect):
    """The tunnel's last bytes must not become a request when it ends."""
    connection = connect()
    connection.gate.clear()
    connection.keeps_alive = False
    connection.protocol.data_received(UPGRADE + GET)
    await connection.request()
    connection.protocol._message_tail = b""
    connection.gate.set()
    await connection.closed()
    assert len(connection.requests) == 1


async def test_declined_upgrade_goes_on_as_http(connect):
    """What came behind it is the next request."""
    connection = connect()
    connection.protocol.data_received(UPGRADE + GET)
    request = await connection.request(2)
    assert request.message.path == "/x?y=1"


# The whole, once: these facts together are a Downstream.


async def test_downstream_is_made_by_calling_the_listener():
    """The loop calls what it was given; options that aiohttp refuses would fail each connection here."""
    protocol = downstream()
    assert (protocol.link.client.peer, protocol.link.client.tls) == (None, False)
    assert not protocol.busy
    await ended(protocol)


async def test_a_client_that_left_before_its_answer_leaves_no_trace():
    """aiohttp would log a trace for every exception of a handler, and that a client leaves is none of anybody's."""
    left = asyncio.Event()

    async def handle(arrival):
        left.set()
        return False

    with no_surprises():
        protocol = downstream(handle)
        task = protocol._task_handler
        protocol.data_received(GET)
        await asyncio.wait_for(left.wait(), PATIENCE)
        await asyncio.wait({task}, timeout=PATIENCE)
        assert task.done()
        await ended(protocol)


async def test_unread_errors_have_an_arrival_without_a_head():
    """The factory knows them by ``ERROR``, which is one object."""
    seen = []

    async def handle(arrival):
        seen.append((arrival.head.method, arrival.refusal and arrival.refusal.status))
        return False

    with no_surprises():
        protocol = downstream(handle)
        task = protocol._task_handler
        protocol.data_received(b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
        await asyncio.wait({task}, timeout=PATIENCE)
    assert seen == [(b"", 400)]
    await asyncio.sleep(0)
