"""The listener: aiohttp's server, limits and keep-alive; what touches aiohttp's internals is here and in ``parsing``.

What aiohttp leaves to its applications is added: a time limit for the head, a limit of connections, its own errors
answered in this proxy's words, flow control handed to whoever relays, and raw bytes after an upgrade.

The file is longer than the others so that what an upgrade of aiohttp may break stands in few places;
tests/proxy/test_listener_contract.py has a test for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import StreamReader, web
from aiohttp.http import HttpProcessingError, HttpRequestParser, RawRequestMessage
from aiohttp.http_exceptions import BadHttpMethod
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo

from corsproxy.http.answers import OwnAnswer
from corsproxy.http.fields import is_token
from corsproxy.proxy.alarm import Alarm
from corsproxy.proxy.arrival import Arrival, Leads
from corsproxy.proxy.client_connection import ClientConnection, Flow, RawFlow
from corsproxy.proxy.farewell import FRESH
from corsproxy.proxy.head_limits import HEAD_TOO_LATE, too_large, unfinished
from corsproxy.proxy.occupancy import UNREAD
from corsproxy.proxy.parsing import ParsingHandler, read_head
from corsproxy.proxy.refusal import UNKNOWN_METHOD, Refused, own_answer
from corsproxy.proxy.request import Client
from corsproxy.proxy.sockets import peer_has_gone
from corsproxy.proxy.upstream import WRITE_BUFFER

if TYPE_CHECKING:
    from corsproxy.config.load import Limits
    from corsproxy.proxy.reception import Listener

_PRESENCE_INTERVAL: Final = 1.0  # seconds between two looks at a client that is not read from


class Downstream(ParsingHandler):
    """A client's connection."""

    __slots__ = (
        "_arrival",
        "_ended",
        "_flow",
        "_fresh_until",
        "_head_bytes",
        "_late_head",
        "_limits",
        "_line_read",
        "_presence",
        "_raw",
        "_recent",
        "_walk",
        "ending",
        "link",
        "served",
    )

    def __init__(
        self,
        manager: Listener,
        walk: Leads,
        limits: Limits,
        *,
        source: str | None = None,
        **options: Any,  # noqa: ANN401  # aiohttp's own
    ) -> None:
        super().__init__(manager, **options)
        self._walk = walk
        self._arrival: Arrival | None = None  # the request under way
        self._ended: asyncio.Future[bool] | None = None  # of the request that a handler of aiohttp's waits for
        # as far as is known before it is connected
        self.link = ClientConnection(self, Client(source, tls=False), finishing=manager.winding_down)
        self.served = 0  # requests answered, after which another may come
        self.ending = False  # a request that is under way is the last, whatever its answer has promised
        self._fresh_until = self._loop.time() + FRESH
        self._limits = limits
        self._flow: Flow | None = None
        self._raw: RawFlow | None = None
        self._late_head = Alarm(self._loop, limits.request_head_timeout, self._head_is_late)
        self._head_bytes = 0
        self._line_read = False  # whether the request line has come whole
        self._recent = b""  # what was read last before a request
        self._presence = Alarm(self._loop, _PRESENCE_INTERVAL, self._check_presence)

    @property
    def fresh(self) -> bool:
        """Whether the first request of a new connection may be on its way."""
        return not self.busy and self._loop.time() < self._fresh_until

    @property
    def busy(self) -> bool:
        """Whether a whole head has arrived that has not been answered, or that was the connection's last."""
        return self._arrival is not None or self._request_count > self.served

    @property
    def between_messages(self) -> bool:
        """Whether aiohttp has nothing to do and nothing unfinished, as far as is known, so that others may read."""
        return self.at_a_boundary and not self.busy and not self.link.finishing and self._raw is None

    def arrived(self, message: RawRequestMessage, payload: StreamReader) -> Arrival:
        """A request, refused at once where its head is larger than allowed: the parser limits single lines only."""
        arrival = Arrival(read_head(message), payload, self.link, keep_alive=not message.should_close)
        arrival.refusal = arrival.refusal or too_large(arrival.head, message.raw_headers, self._limits)
        return arrival

    async def lead(self, arrival: Arrival) -> bool:
        """The ordinary lane: wait for the end of the walk, which says whether the connection lives on."""
        ended: asyncio.Future[bool] = self._loop.create_future()
        self._arrival, self._ended = arrival, ended
        self._walk.begin(arrival)
        try:
            return await ended
        except asyncio.CancelledError:
            self._walk.abandon(arrival)
            raise

    def done(self, arrival: Arrival, *, keeps_alive: bool) -> None:  # noqa: ARG002  # the signature of an Owner
        """The walk of the request under way has ended."""
        self._arrival = self._flow = None
        self._fresh_until = 0.0
        ended, self._ended = self._ended, None
        if ended is not None and not ended.done():
            ended.set_result(keeps_alive and not self.ending)

    def answered(self) -> None:
        """A request has been answered, and another may come."""
        self.served += 1
        self._recent = b""  # an idle connection holds nothing

    def refresh(self) -> None:
        """The connection is not idle, whatever aiohttp knows of it: its time begins anew."""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def follow(self, flow: Flow | None) -> None:
        """Tell ``flow`` from now on when to pause."""
        self._flow = flow
        if flow is not None and self.writing_paused:
            flow.pause()

    def switch(self, raw: RawFlow) -> None:
        """HTTP has ended here: every byte from now on, and what came behind the request, goes to ``raw``."""
        self._raw = raw
        self.follow(raw)
        tail, self._message_tail = self._message_tail, b""
        if tail:
            raw.data(tail)

    def wind_down(self) -> None:
        """The connection ends with its next answer, which says so."""
        self.link.finishing = True

    def finish(self) -> asyncio.Future[None] | None:
        """End the connection after the exchange under way, which the result waits for; at once when there is none."""
        self.link.finishing = self.ending = True
        if self.busy:
            if self._flow is not None:
                self._flow.say_goodbye()
            return self._task_handler
        self.force_close()
        return None

    def break_off(self) -> None:
        """End the connection now."""
        if self._task_handler is not None:
            self._task_handler.cancel()
        if self.transport is not None:
            self.transport.abort()

    # what the loop tells it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        manager = cast("Listener", self._manager)
        peer = transport.get_extra_info("peername")
        tls = transport.get_extra_info("sslcontext") is not None
        self.link.client = Client(self.link.client.peer or (peer[0] if isinstance(peer, tuple) else None), tls)
        self.link.transport = cast("asyncio.Transport", transport)
        self.link.transport.set_write_buffer_limits(high=WRITE_BUFFER)
        super().connection_made(transport)
        self.link.refusal = manager.occupancy.enter(self.link.client.peer, len(manager.connections))
        if self.link.refusal is UNREAD:
            self.force_close()
        self._late_head.set()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        cast("Listener", self._manager).occupancy.leave(self.link.client.peer)
        self._late_head.clear()
        self._presence.clear()
        if self._arrival is not None:
            self._walk.abandon(self._arrival)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The client sent something."""
        if self._raw is not None:
            self._raw.data(data)
            return
        if not self.busy:
            self._recent = data
        self.parse(data)
        if self.busy:
            self._head_bytes, self._line_read = 0, False
            self._late_head.clear()
        elif not self._force_close:
            self._head_bytes += len(data)
            self._line_read = self._line_read or b"\n" in data
            self._late_head.set()
            if self._head_bytes > self._limits.max_request_head:
                self._refuse(self._too_large())

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        super().pause_writing()
        if self._flow is not None:
            self._flow.pause()

    def resume_writing(self) -> None:
        """The client takes more again."""
        super().resume_writing()
        if self._flow is not None:
            self._flow.resume()

    def _process_keepalive(self) -> None:
        """Close the connection if it has been idle for too long; aiohttp knows only the ordinary lane."""
        if self.busy:
            self.refresh()
        super()._process_keepalive()

    def _too_large(self) -> OwnAnswer:
        """Why a head is refused before it is whole."""
        return unfinished(self._limits, self._recent, line_read=self._line_read)

    # a client that is not read from

    def _pause_transport_reading(self) -> None:
        super()._pause_transport_reading()
        self._presence.set()

    def _resume_transport_reading(self) -> None:
        super()._resume_transport_reading()
        self._presence.clear()

    def _check_presence(self) -> None:
        """While its bytes are held back, a client that leaves is noticed by looking; its request must end with it."""
        if self.transport is None:
            return
        if peer_has_gone(self.transport):
            self.transport.abort()
        else:
            self._presence.set()

    # what is no request

    def _head_is_late(self) -> None:
        if self._head_bytes:
            self._refuse(HEAD_TOO_LATE)
        else:
            self.force_close()  # a silent connection: there is no request to answer

    def _refuse(self, own: OwnAnswer) -> None:
        """Answer what never became a request, in its turn, and read no more."""
        self._messages.append((_ErrInfo(own.status, Refused(own), own.detail), EMPTY_PAYLOAD))
        self._request_count += 1
        self._close = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _make_error_handler(self, err_info: _ErrInfo) -> Callable[[Any], Awaitable[web.StreamResponse]]:
        """What the parser refuses goes the way of every request, so that it has its answer, its record and its log.

        aiohttp's own handler would answer in its own words, without CORS, and log a traceback for each.
        """

        async def handler(unread: Arrival) -> web.StreamResponse:
            arrival = self._reread() if isinstance(err_info.exc, BadHttpMethod) else None
            if arrival is None:
                arrival, unread.refusal = unread, own_answer(err_info.exc, self._too_large())
            return await cast("Listener", self._manager).respond(arrival)

        return handler

    def _reread(self) -> Arrival | None:
        """The request whose method the parser does not know, so that an allowed page can read why it is refused.

        llhttp knows a list of methods, in upper case; a page that asks for "patch" is the usual case.
        """
        method, _, rest = self._recent.partition(b" ")
        parser = HttpRequestParser(self, self._loop, 2**16, max_field_size=self.max_field_size)
        try:
            messages, _, _ = parser.feed_data(b"GET " + rest)
        except HttpProcessingError:
            return None
        if not messages or not is_token(method):
            return None
        arrival = Arrival(read_head(messages[0][0], method), EMPTY_PAYLOAD, self.link, keep_alive=False)
        arrival.refusal = UNKNOWN_METHOD
        return arrival
