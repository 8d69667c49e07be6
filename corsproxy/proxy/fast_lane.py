"""The fast lane: a plain request on an idle connection is led to its answer without aiohttp, a task or a future.

It takes what ``head_reader`` reads: one complete head, with a body of known length or none.  Everything else goes to
aiohttp as it came, and so does all that follows in pieces.  While a request of this lane is under way, aiohttp takes
the connection for idle; what the client sends meanwhile is held, within bounds, and read when its turn has come.

The lane is an object of its own, and no part of aiohttp's protocol (``lanes``), so that it can be compiled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp.streams import EMPTY_PAYLOAD

from corsproxy.proxy.alarm import Alarm
from corsproxy.proxy.arrival import Arrival, Leads
from corsproxy.proxy.client_connection import ClientConnection, Flow, Owner
from corsproxy.proxy.head_reader import LONGEST_BLOCK, PlainRequest, read_plain_request
from corsproxy.proxy.inflow import Inflow

if TYPE_CHECKING:
    from corsproxy.config.load import Limits

_NO_BODY: Final[Any] = EMPTY_PAYLOAD  # as aiohttp says it, for a request of either lane

_MOST_HELD: Final = 64 * 1024  # bytes behind the request under way; a read of the loop may bring more at once

# Seconds in which the rest of a body is read and discarded after its answer, as aiohttp does in the ordinary lane.
_LINGER: Final = 10.0


class Ordinary(Owner, Protocol):
    """The other lane, and the connection that has both."""

    def read(self, data: bytes) -> None:
        """Take what the client sent."""

    def pause_source(self) -> None:
        """Read no more from the client for now."""

    def resume_source(self) -> None:
        """Read on."""

    def end(self) -> None:
        """Close the connection."""


class FastLane(ClientConnection):
    """The fast lane of one client's connection; ``open`` while the next request may take it."""

    __slots__ = (
        "_finished",
        "_flow",
        "_held",
        "_inflow",
        "_last",
        "_late_head",
        "_lingering",
        "_most_bytes",
        "_most_lines",
        "_now",
        "_ordinary",
        "_paused_body",
        "_paused_writing",
        "_walk",
        "arrival",
        "ending",
        "idle_since",
        "open",
    )

    def __init__(
        self,
        ordinary: Ordinary,
        link: ClientConnection,
        walk: Leads,
        limits: Limits,
        late_head: Alarm,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(ordinary, link.client, finishing=link.finishing)
        self._ordinary = ordinary
        self._walk = walk
        # What is larger goes to the ordinary lane, which tells a long target from a large head.
        self._most_bytes: int = min(limits.max_request_head, limits.max_target)
        self._most_lines: int = limits.max_request_headers
        self._late_head = late_head
        self._now: Callable[[], float] = loop.time
        self._lingering = Alarm(loop, _LINGER, self._close)
        self._flow: Flow | None = None
        self._held = b""
        self._last: PlainRequest | None = None
        self._inflow: Inflow | None = None  # the body of this lane's request
        self._finished: asyncio.Future[None] | None = None
        self._paused_body = False
        self._paused_writing = False
        self.open = False
        self.arrival: Arrival | None = None  # this lane's request under way
        self.idle_since = 0.0  # the loop's time when the last one ended; 0: there was none
        self.ending = False  # the request under way is the last, whatever its answer has promised

    def data_received(self, data: bytes) -> None:
        """The client sent something."""
        if self.open and data:
            plain = read_plain_request(data, self._most_bytes, self._most_lines, self._last)
            if plain is not None:
                self._take(plain)
                return
            self.open = False
        elif self._inflow is not None:
            behind = self._inflow.take(data)
            if behind:
                self._hold(data[-behind:])
            elif self._inflow.is_eof() and self.arrival is None:
                self._close()
            return
        elif self.arrival is not None:
            self._hold(data)
            return
        self._ordinary.read(data)

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        self._paused_writing = True
        if self._flow is not None:
            self._flow.pause()

    def resume_writing(self) -> None:
        """The client takes more again."""
        self._paused_writing = False
        if self._flow is not None:
            self._flow.resume()
        if self.arrival is None:
            self.resume_body()

    def finish(self, finished: asyncio.Future[None]) -> None:
        """End the connection after the request under way; ``finished`` is told of it."""
        self.finishing = self.ending = True
        self._finished = finished
        if self._flow is not None:
            self._flow.say_goodbye()

    def lost(self) -> None:
        """The client is gone."""
        self.open = False
        self._lingering.clear()
        if self.arrival is not None:
            self._walk.abandon(self.arrival)

    # what a request asks of it

    def follow(self, flow: Flow | None) -> None:
        """Tell ``flow`` from now on when to pause."""
        if self.arrival is None:
            super().follow(flow)
            return
        self._flow = flow
        if flow is not None and self._paused_writing:
            flow.pause()

    def pause_body(self) -> None:
        """Read no more of a body for now."""
        if not self._paused_body:
            self._paused_body = True
            self._ordinary.pause_source()

    def resume_body(self) -> None:
        """Read on."""
        if self._paused_body:
            self._paused_body = False
            self._ordinary.resume_source()

    def done(self, arrival: Arrival, *, keeps_alive: bool) -> None:
        """The walk of the request under way has ended."""
        if self.arrival is None:
            super().done(arrival, keeps_alive=keeps_alive)
            return
        self.arrival = self._flow = None
        self.idle_since = self._now()
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)
        if self.transport is None or self.transport.is_closing():
            return
        if self._paused_writing:  # who asks and does not read the answers is not asked for more
            self.pause_body()
        else:
            self.resume_body()
        if not keeps_alive or self.ending:
            self._end(arrival)
            return
        self._inflow = None
        self.open = True
        held = self._held
        if held:
            self._held = b""
            self.data_received(held)

    # inside

    def _take(self, plain: PlainRequest) -> None:
        self.open = False
        self._late_head.clear()
        self._last = plain if len(plain.block.text) <= LONGEST_BLOCK else None
        payload: Any = _NO_BODY
        if plain.length:
            payload = self._inflow = Inflow(plain.length, self)
            rest, plain.rest = plain.rest, b""  # the last request is remembered, and its body is not
            payload.take(rest)
        arrival = self.arrival = Arrival(plain.head, payload, self, keep_alive=True)
        self._walk.begin(arrival)

    def _hold(self, data: bytes) -> None:
        """Keep what came before its turn; a client that sends ever more of it is not read from."""
        self._held += data
        if len(self._held) > _MOST_HELD:
            self.pause_body()

    def _end(self, arrival: Arrival) -> None:
        """Close the connection, once the client has sent what it is about to send, or it would lose the answer."""
        if self._inflow is None or self._inflow.is_eof():
            self._close()
        else:
            arrival.half_close()
            self._lingering.set()

    def _close(self) -> None:
        self._ordinary.end()
