"""The fast lane: a plain request on an idle connection is led to its answer without aiohttp, a task or a future.

It takes what ``head_reader`` reads: one complete head, with a body of known length or none.  Everything else goes to
aiohttp as it came, and so does all that follows in pieces.  While a request of this lane is under way, aiohttp takes
the connection for idle; what the client sends meanwhile is held, within bounds, and read when its turn has come.

What is touched of aiohttp stands in ``listener``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiohttp.streams import EMPTY_PAYLOAD

from corsproxy.proxy.alarm import Alarm
from corsproxy.proxy.arrival import Arrival, Leads
from corsproxy.proxy.head_reader import PlainRequest, read_plain_request
from corsproxy.proxy.inflow import Inflow
from corsproxy.proxy.listener import Downstream
from corsproxy.proxy.reception import Listener

if TYPE_CHECKING:
    from corsproxy.config.load import Limits

_MOST_HELD: Final = 64 * 1024  # bytes behind the request under way; a read of the loop may bring more at once

# Seconds in which the rest of a body is read and discarded after its answer, as aiohttp does in the ordinary lane.
_LINGER: Final = 10.0


class FastDownstream(Downstream):
    """A client's connection that has both lanes."""

    __slots__ = ("_finished", "_free", "_held", "_inflow", "_lingering", "_most_bytes", "_paused_body")

    def __init__(self, manager: Listener, walk: Leads, limits: Limits, **options: Any) -> None:  # noqa: ANN401
        super().__init__(manager, walk, limits, **options)
        # What is larger goes to the ordinary lane, which tells a long target from a large head.
        self._most_bytes = min(limits.max_request_head, limits.max_target)
        self._free = False  # whether the next request may take this lane
        self._held = b""
        self._inflow: Inflow | None = None  # the body of this lane's request
        self._finished: asyncio.Future[None] | None = None
        self._lingering = Alarm(self._loop, _LINGER, self._close_now)
        self._paused_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        super().connection_made(transport)
        self._free = self.refusal is None

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        self._free = False
        self._lingering.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The client sent something."""
        if self._free and data:
            plain = read_plain_request(data, self._most_bytes, self._limits.max_request_headers)
            if plain is not None:
                self._take(plain)
                return
            self._free = False
        elif self._inflow is not None:
            data = self._inflow.take(data)
            if data:
                self._hold(data)
            elif self._inflow.is_eof() and self._arrival is None:
                self._close_now()
            return
        elif self._arrival is not None and self._ended is None:
            self._hold(data)
            return
        super().data_received(data)

    def resume_writing(self) -> None:
        """The client takes more again."""
        super().resume_writing()
        if self._arrival is None:
            self.resume_body()

    def answered(self) -> None:
        """A request of the ordinary lane has been answered, and another may come."""
        super().answered()
        self._free = self.between_messages

    def done(self, arrival: Arrival, *, keeps_alive: bool) -> None:
        """The walk of the request under way has ended."""
        ordinary = self._ended is not None
        super().done(arrival, keeps_alive=keeps_alive)
        if not ordinary:
            self._go_on(arrival, keeps_alive=keeps_alive)

    def finish(self) -> asyncio.Future[None] | None:
        """End the connection after the exchange under way, which the result waits for; at once when there is none."""
        self._free = False
        if self._arrival is None or self._ended is not None:
            return super().finish()
        self.finishing = self.ending = True
        finished = self._finished = self._loop.create_future()
        if self._flow is not None:
            self._flow.say_goodbye()
        return finished

    def pause_body(self) -> None:
        """Read no more of a body for now."""
        if not self._paused_body:
            self._paused_body = True
            self._pause_transport_reading()

    def resume_body(self) -> None:
        """Read on."""
        if self._paused_body:
            self._paused_body = False
            self._resume_transport_reading()

    def _take(self, plain: PlainRequest) -> None:
        if self.transport is None:  # it is being closed
            return
        self._free = False
        self._late_head.clear()
        payload: Any = EMPTY_PAYLOAD
        if plain.length:
            payload = self._inflow = Inflow(plain.length, self)
            payload.take(plain.rest)
        arrival = self._arrival = Arrival(plain.head, payload, self, keep_alive=True)
        self._walk.begin(arrival)

    def _hold(self, data: bytes) -> None:
        """Keep what came before its turn; a client that sends ever more of it is not read from."""
        self._held += data
        if len(self._held) > _MOST_HELD:
            self.pause_body()

    def _go_on(self, arrival: Arrival, *, keeps_alive: bool) -> None:
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)
        if self.transport is None or self.transport.is_closing():
            return
        if self.writing_paused:  # who asks and does not read the answers is not asked for more
            self.pause_body()
        else:
            self.resume_body()
        if not keeps_alive or self.ending:
            self._end(arrival)
            return
        self._inflow = None
        self.refresh()
        self._free = True
        held, self._held = self._held, b""
        if held:
            self.data_received(held)

    def _end(self, arrival: Arrival) -> None:
        """Close the connection, once the client has sent what it is about to send, or it would lose the answer."""
        if self._inflow is None or self._inflow.is_eof():
            self._close_now()
        else:
            arrival.half_close()
            self._lingering.set()

    def _close_now(self) -> None:
        transport = self.transport
        self.close()
        if transport is not None:
            transport.close()
