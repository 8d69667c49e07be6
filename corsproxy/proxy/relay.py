"""The way back: what the upstream answers, written to the client as it comes.

One write takes the head and the first piece of the body.  While the client reads slower than the upstream sends, the
upstream's connection is not read, so that no more than a write buffer is ever held.  Once the head has left, a failure
can only break the client's connection: a truncated body must never look complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Final

from corsproxy.errors import ResponseTooLarge
from corsproxy.http.fields import HOP_BY_HOP
from corsproxy.proxy.framing import CHUNKED, LENGTH, UNTIL_CLOSE, Framing
from corsproxy.proxy.pieces import Piece
from corsproxy.proxy.plan import Forward
from corsproxy.proxy.received import Field, ResponseHead
from corsproxy.proxy.response import Delivery, Told, delivery, interim_head, response_head, switching_head
from corsproxy.proxy.sockets import reset
from corsproxy.proxy.tunnel import Tunnel
from corsproxy.proxy.upstream import UpstreamConnection

if TYPE_CHECKING:
    from corsproxy.proxy.arrival import Arrival

_WORTH_A_COPY: Final = 4096  # bytes; to copy fewer costs less than to hand over two pieces

_now: Final[Callable[[], float]] = perf_counter


class Relay:
    """Brings the answer to one request back; ``ended`` is told how it went: None, or the error."""

    __slots__ = (
        "_arrival",
        "_chunked",
        "_client",
        "_connection",
        "_date",
        "_ended",
        "_endless",
        "_exchange",
        "_forward",
        "_most",
        "_over",
        "_parts",
        "_version",
        "continued",
        "delivered",
        "tunnel",
    )

    def __init__(
        self,
        arrival: Arrival,
        forward: Forward,
        connection: UpstreamConnection,
        client: asyncio.Transport,
        date: Callable[[], bytes],
        ended: Callable[[Arrival, Exception | None], None],
    ) -> None:
        self.delivered: Delivery | None = None  # known when the head has come
        self.tunnel: Tunnel | None = None  # once the upstream has agreed to an upgrade
        self.continued = False  # whether any interim response has been passed on
        self._arrival = arrival
        self._forward = forward
        self._connection = connection
        self._client = client
        self._exchange = arrival.exchange
        self._version = arrival.head.version
        self._date = date
        self._ended = ended
        self._over = False
        self._parts: list[Piece] = []
        self._chunked = False
        self._endless = False  # an event stream
        self._most = forward.rule.max_response_body

    def pause(self) -> None:
        """The client takes no more for now."""
        self._connection.pause_reading()

    def resume(self) -> None:
        """The client takes more again."""
        self._connection.resume_reading()

    def say_goodbye(self) -> None:
        """End an event stream as its upstream could have: the page's EventSource connects again, to whoever is next.

        https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model: an event that is cut off is
        dropped, and the end of the answer is a reason to reconnect.
        """
        if self._endless and not self._over:
            self._connection.abandon(self)
            self.end(())
            self.done()

    def say_continue(self) -> None:
        """Ask the client for its body in place of an upstream that does not."""
        if not self.continued and self.delivered is None:
            self.continued = True
            self._client.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def failed(self, error: Exception) -> None:
        """The exchange ends here; what the client has got decides what it can still be told."""
        if self._over:
            return
        if self.delivered is not None:
            self._break_off(self.delivered)
        self._end(error)

    def give_up(self, error: Exception) -> None:
        """The body cannot be sent whole: the upstream must not take what came of it for all."""
        self._connection.abandon(self)
        self.failed(error)

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        self._over = True
        self._connection.abandon(self)

    def done(self) -> None:
        """The answer is whole, and the upstream's connection has been taken care of."""
        if not self._over:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        self._over = True
        self._ended(self._arrival, error)

    # what the upstream's connection tells (Receiver)

    def interim(self, head: ResponseHead) -> None:
        """Pass a 1xx on."""
        # https://www.rfc-editor.org/rfc/rfc9110#section-15.2: never to an HTTP/1.0 client.
        if self._version != b"1.0":
            self.continued = True
            self._parts.append(interim_head(self._forward, head))

    def head(self, head: ResponseHead, framing: Framing) -> None:
        """Rewrite the head; it waits for the first piece of the body."""
        self._exchange.heard = _now()
        if self._most is not None and framing.length > self._most:
            raise self._too_large()
        forward, closes = self._forward, self._arrival.closes()
        told = head.told
        if told is not None and told.serves(forward, framing, self._version, self._date, closes=closes):
            delivered = told.delivered
            self._parts.append(told.data)
        else:
            delivered = delivery(framing, version=self._version, closes=closes)
            data = response_head(forward, head, delivered, self._date)
            self._parts.append(data)
            if head.repeats:
                head.told = Told(forward, head, framing, delivered, self._date, data)
        self._chunked = delivered.framing is CHUNKED
        self._endless = framing.kind is not LENGTH and _is_event_stream(head.fields)
        self._exchange.status = head.status
        self._exchange.answered = head.fields
        self.delivered = delivered

    def body(self, piece: Piece) -> None:
        """Pass a piece on, in the client's framing."""
        self._exchange.response_bytes += len(piece)
        if self._most is not None and self._exchange.response_bytes > self._most:
            raise self._too_large()
        if not self._chunked:
            self._parts.append(piece)
        elif piece:  # an empty chunk would be the last
            self._parts += (b"%x\r\n" % len(piece), piece, b"\r\n")

    def end(self, trailers: Sequence[Field]) -> None:
        """Nothing is missing."""
        if self._chunked:
            self._parts.append(b"0\r\n%b\r\n" % trailer_lines(trailers))
        self.flush()

    def switched(self, head: ResponseHead, rest: bytes) -> None:
        """Tell the client, and tunnel from now on."""
        self._exchange.heard = _now()
        self._exchange.status = head.status
        self._parts.append(switching_head(self._forward, head, self._date))
        if rest:
            self._exchange.response_bytes += len(rest)
            self._parts.append(rest)
        self.flush()
        self.tunnel = Tunnel(self._connection, self._client, self._exchange, self.done)
        self._connection.switch(self.tunnel)
        self._arrival.downstream.switch(self.tunnel)

    def flush(self) -> None:
        """Write what has been told since the last time, at once."""
        parts = self._parts
        if not parts:
            return
        self._parts = []
        if self._client.is_closing():  # the client has gone; whoever waits for it is about to hear so
            return
        if len(parts) == 1:
            self._client.write(parts[0])
        elif len(parts) == 2 and len(parts[1]) < _WORTH_A_COPY:
            self._client.write(b"".join(parts))
        else:
            self._client.writelines(parts)

    def _too_large(self) -> ResponseTooLarge:
        return ResponseTooLarge(
            f"its body is larger than the {self._most} bytes that the rule allows", limit="max_response_body"
        )

    def _break_off(self, delivered: Delivery) -> None:
        """A framed body shows that it is cut short; one that ends with the connection only does when it is reset."""
        self.flush()
        if delivered.framing is UNTIL_CLOSE:
            reset(self._client)
        else:
            self._client.close()


def _is_event_stream(lines: Sequence[Field]) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in lines)


# Fields that decide framing, routing or access may not come late (RFC 9110 6.5.1); the CORS ones are the policy's.
_NO_TRAILERS: Final = (b"access-control-", b"content-", b"set-cookie", b"vary", b"timing-allow-origin")


def trailer_lines(trailers: Sequence[Field]) -> bytes:
    """The trailer section's lines, without what has no place there."""
    return b"".join(b"%b: %b\r\n" % field for field in trailers if _may_come_late(field[0].lower()))


def _may_come_late(name: bytes) -> bool:
    return name not in HOP_BY_HOP and not name.startswith(_NO_TRAILERS)
