"""The way there, straight: a body of known length from the client's connection to the upstream's, as it comes.

Its bytes are counted, written and forgotten; nobody parses or queues them.  While there is no connection yet, or the
upstream takes no more, the client is not read from, so that no more than one read of the loop is ever held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from corsproxy.errors import MalformedRequest
from corsproxy.proxy.alarm import Alarm
from corsproxy.proxy.pieces import Piece

if TYPE_CHECKING:
    import asyncio

    from corsproxy.proxy.exchange import Exchange
    from corsproxy.proxy.relay import Relay
    from corsproxy.proxy.upstream import UpstreamConnection


class Reading(Protocol):
    """The client's connection, as far as a body needs it."""

    def pause_body(self) -> None:
        """Read no more for now."""

    def resume_body(self) -> None:
        """Read on."""


class Inflow:
    """A body on its way; ``take`` gets what the client sends, first of all what came with the head."""

    __slots__ = ("_client", "_connection", "_exchange", "_held", "_left", "_relay", "_silence")

    def __init__(self, length: int, client: Reading) -> None:
        self._left = length  # bytes that the client has not sent yet
        self._client = client
        self._held: list[Piece] = []  # what came before there was a connection
        self._connection: UpstreamConnection | None = None
        self._relay: Relay | None = None
        self._exchange: Exchange | None = None
        self._silence: Alarm | None = None

    def is_eof(self) -> bool:
        """Whether the client has sent all of it."""
        return not self._left

    def take(self, data: Piece) -> int:
        """Take what the client sent; how many bytes of it are behind the body."""
        if not self._left:
            return len(data)
        piece = data if len(data) <= self._left else data[: self._left]
        self._left -= len(piece)
        if self._connection is not None:
            self._pass(self._connection, piece)
        elif self._relay is None:  # no connection yet
            self._held.append(piece)
            if self._left:
                self._client.pause_body()
        return len(data) - len(piece)

    def flow_into(
        self,
        connection: UpstreamConnection,
        relay: Relay,
        exchange: Exchange,
        loop: asyncio.AbstractEventLoop,
        patience: float | None,
    ) -> None:
        """Pass on what came already, and from now on what comes; ``patience`` are the seconds of silence allowed."""
        self._connection, self._relay, self._exchange = connection, relay, exchange
        if self._left:
            self._silence = Alarm(loop, patience, self._late)
            self._client.resume_body()
            connection.follow(self)
        held, self._held = self._held, []
        for piece in held:
            self._pass(connection, piece)

    def cancel(self) -> None:
        """Pass nothing on any more; what still comes is discarded."""
        self._connection = None
        self._held.clear()
        if self._silence is not None:
            self._silence.clear()
            self._client.resume_body()

    def pause_source(self) -> None:
        """The upstream takes no more for now, so the client's silence is not its own."""
        if self._silence is not None and self._left:
            self._silence.clear()
            self._client.pause_body()

    def resume_source(self) -> None:
        """The upstream takes more again."""
        if self._silence is not None and self._left:
            self._silence.set()
            self._client.resume_body()

    def _pass(self, connection: UpstreamConnection, piece: Piece) -> None:
        if self._exchange is not None:
            self._exchange.request_bytes += len(piece)
        if self._silence is not None:
            self._silence.clear()
            if self._left:
                self._silence.set()
        connection.send(piece)
        if not self._left:
            connection.finish_request()

    def _late(self) -> None:
        relay = self._relay
        if relay is not None:
            relay.give_up(MalformedRequest(408, "the body stopped coming", "request_body_timeout"))
