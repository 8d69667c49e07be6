"""One connection to an upstream: the project's own leg, a protocol over the loop's transport.

It serves one exchange at a time.  Everything that can go wrong becomes an UpstreamError, told to whoever waits for the
answer; a connection whose state is in any doubt is closed and never used again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final, Protocol, cast

from corsproxy.config.table import Endpoint, Timeouts
from corsproxy.errors import ConnectionLost, StaleConnection, UpstreamTimeout
from corsproxy.proxy.pieces import Piece
from corsproxy.proxy.reader import ResponseReader, Sink
from corsproxy.proxy.tunnel import Tunnel

WRITE_BUFFER: Final = 256 * 1024  # bytes on the way to a peer before its source is paused


class Receiver(Sink, Protocol):
    """Who receives the answer of one exchange."""

    def flush(self) -> None:
        """Everything that one read brought has been told; not called where it brought the end."""

    def done(self) -> None:
        """The answer is whole, and the connection serves somebody else or nobody from now on."""

    def failed(self, error: Exception) -> None:
        """There will be no (more) answer; anything but an UpstreamError is a bug of the receiver's own."""


class Source(Protocol):
    """Whoever writes to the upstream as fast as the client sends."""

    def pause_source(self) -> None:
        """The upstream takes no more for now."""

    def resume_source(self) -> None:
        """The upstream takes more again."""


class UpstreamConnection:
    """A connection to ``endpoint``; ``on_idle`` takes it back when it may serve again, ``on_lost`` forgets it.

    It is an asyncio.Protocol, and says so by its methods alone: compiled, it would pay for a base class with every
    attribute that it reads.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        endpoint: Endpoint,
        timeouts: Timeouts,
        on_idle: Callable[[UpstreamConnection], None],
        on_lost: Callable[[UpstreamConnection], None],
    ) -> None:
        self.endpoint = endpoint
        self.name = str(endpoint)  # for the record of each exchange
        self.served = 0  # exchanges begun on this connection
        self.answered = False  # whether the present exchange has brought any byte
        self.idle_since = 0.0
        self.expires = math.inf  # when it is too old to serve again
        self.failure: Exception | None = None  # why it ended, where that was the upstream's fault
        self._timeouts = timeouts
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._now: Callable[[], float] = self._loop.time
        self._receiver: Receiver | None = None
        self._reader: ResponseReader | None = None
        self._tunnel: Tunnel | None = None
        self._source: Source | None = None
        self._sent = False
        self._head = b""  # of a request, until the first piece of its body goes with it
        self._reading_paused = False
        self._writable: asyncio.Event = asyncio.Event()
        self._writable.set()
        self._deadline = math.inf  # of the next news, in the loop's time
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._total: asyncio.TimerHandle | None = None

    # what the walk does with it

    def begin(self, head: bytes, method: bytes, receiver: Receiver, *, upgrade: bytes, whole: bool) -> None:
        """Send a request head; ``whole``: no body follows.  Before a body it waits for ``send`` or ``push``."""
        self.served += 1
        self.answered = False
        self._receiver = receiver
        self._reader = ResponseReader(receiver, method, upgrade=upgrade)
        self._sent = False
        if self._timeouts.total is not None:
            self._total = self._loop.call_later(self._timeouts.total, self._overdue)
        if whole:
            self.transport.write(head)
            self.finish_request()
        else:
            self._head = head

    def send(self, data: Piece) -> None:
        """Send some of the request's body, the first with the head; who sends heeds ``follow`` or ``writable``."""
        if self.transport.is_closing():  # the end of the connection is told by another way
            return
        if self._head:
            head, self._head = self._head, b""
            self.transport.writelines((head, data))
        else:
            self.transport.write(data)

    def push(self) -> None:
        """Send a head whose body has not begun to come."""
        if self._head and not self.transport.is_closing():
            head, self._head = self._head, b""
            self.transport.write(head)

    async def writable(self) -> None:
        """Wait while the upstream takes no more."""
        await self._writable.wait()

    def follow(self, source: Source) -> None:
        """Tell ``source`` when to pause, until the exchange has ended."""
        self._source = source
        if not self._writable.is_set():
            source.pause_source()

    def finish_request(self) -> None:
        """The request has been sent whole; the time for the answer starts."""
        self._sent = True
        if self._reader is not None and not self._reader.begun:
            self._expire_in(self._timeouts.response)

    def abandon(self, receiver: Receiver) -> None:
        """``receiver`` waits no longer: the connection ends, unless it serves somebody else by now.

        Between the end of an exchange and the moment when its walk hears of it, the connection may be in use again.
        """
        if self._receiver is receiver:
            self.close()

    def close(self) -> None:
        """End the connection at once, whatever is under way, and tell nobody."""
        self._receiver = self._reader = self._tunnel = self._source = None
        self._writable.set()
        self.transport.abort()

    def pause_reading(self) -> None:
        """The client takes no more: stop reading, so that the kernel makes the upstream wait."""
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """The client takes more again; the silence was not the upstream's."""
        if self._reading_paused and not self.transport.is_closing():
            self._reading_paused = False
            self.transport.resume_reading()
            if self._reader is not None:
                self._expire_in(self._timeouts.idle)

    def switch(self, tunnel: Tunnel) -> None:
        """From now on every byte belongs to the new protocol."""
        self._tunnel = tunnel
        self._reader = None
        self._deadline = math.inf
        self.follow(tunnel)

    @property
    def usable(self) -> bool:
        """Whether an idle connection may still serve."""
        return not self.transport.is_closing()

    # what the loop tells it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER)

    def data_received(self, data: bytes) -> None:
        """The upstream sent something."""
        if self._tunnel is not None:
            self._tunnel.from_upstream(data)
            return
        reader, receiver = self._reader, self._receiver
        if reader is None or receiver is None:
            self.transport.abort()  # an answer that nobody asked for
            return
        self.answered = True
        try:
            reader.feed(data)
            if not reader.done:
                receiver.flush()
        except Exception as error:  # noqa: BLE001  # a bug of ours must reach whoever waits, who can still answer 500
            self._fail(error)
            return
        if reader.done:
            self._finished(reader, receiver)
        elif reader.begun and self._reader is reader:
            self._expire_in(self._timeouts.idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, cleanly when ``exc`` is None."""
        self._deadline = math.inf
        if self._timer is not None:
            self._timer.cancel()
        if self._total is not None:
            self._total.cancel()
        self._writable.set()
        if self._tunnel is not None:
            self._tunnel.upstream_lost()
        self._lost(exc)
        self._on_lost(self)

    def _lost(self, exc: Exception | None) -> None:
        """Tell whoever waits for an answer."""
        reader, receiver = self._reader, self._receiver
        if reader is None or receiver is None:  # idle, or a tunnel
            return
        if self.served > 1 and not self.answered:
            self._fail(StaleConnection("it closed a connection that was kept open for it"))
            return
        if exc is not None:
            self._fail(ConnectionLost("it broke the connection", str(exc)))
            return
        try:
            reader.eof()
            receiver.flush()
        except Exception as error:  # noqa: BLE001  # as above
            self._fail(error)
            return
        self._finished(reader, receiver)

    def eof_received(self) -> None:
        """The upstream sends nothing more; the loop closes its side, too."""

    def pause_writing(self) -> None:
        """The upstream takes no more for now."""
        self._writable.clear()
        if self._source is not None:
            self._source.pause_source()

    def resume_writing(self) -> None:
        """The upstream takes more again."""
        self._writable.set()
        if self._source is not None:
            self._source.resume_source()

    # inside

    def _finished(self, reader: ResponseReader, receiver: Receiver) -> None:
        if self._tunnel is not None:
            return
        self._reader = self._receiver = self._source = None
        self._deadline = math.inf
        if self._total is not None:
            self._total.cancel()
        if reader.reusable and self._sent:
            self._on_idle(self)
        else:
            self.transport.abort()
        receiver.done()

    def _fail(self, error: Exception) -> None:
        receiver, self.failure = self._receiver, error
        self.close()
        if receiver is not None:
            receiver.failed(error)

    def _expire_in(self, seconds: float | None) -> None:
        """Move the deadline; the timer is only made anew when it would fire too late, which is rare."""
        deadline = math.inf if seconds is None else self._now() + seconds
        self._deadline = deadline
        if deadline < math.inf and (self._timer is None or self._timer_due > deadline):
            if self._timer is not None:
                self._timer.cancel()
            self._set_timer(deadline)

    def _set_timer(self, due: float) -> None:
        self._timer_due = due
        self._timer = self._loop.call_at(due, self._check_deadline)

    def _check_deadline(self) -> None:
        self._timer = None
        if self._deadline == math.inf or self._reading_paused:
            return
        if self._now() < self._deadline:
            self._set_timer(self._deadline)
            return
        # As in Alarm: what came in time may still wait in the kernel, so the loop reads once more.
        self._timer = self._loop.call_later(0, self._expire, self._deadline)

    def _expire(self, deadline: float) -> None:
        self._timer = None
        if self._deadline != deadline or self._reading_paused:
            self._check_deadline()
            return
        begun = self._reader is not None and self._reader.begun
        what = "was silent in the middle of its answer" if begun else "did not answer in time"
        self._fail(UpstreamTimeout(f"it {what}", limit="timeouts.idle" if begun else "timeouts.response"))

    def _overdue(self) -> None:
        """The exchange has lasted as long as it may."""
        error = UpstreamTimeout("its answer was not whole in the time that is allowed", limit="timeouts.total")
        if self._tunnel is not None:
            self.transport.abort()
        elif self._receiver is not None:
            self._fail(error)
