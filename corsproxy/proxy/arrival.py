"""One request as the listener received it, and what the walk knows of it so far.

It has the shape that aiohttp's RequestHandler handles, since the ordinary lane is a handler of aiohttp's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import StreamReader
from aiohttp.streams import EMPTY_PAYLOAD

from corsproxy.http.answers import OwnAnswer
from corsproxy.proxy.client_connection import ClientConnection
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.inflow import Inflow
from corsproxy.proxy.plan import Answer, Forward
from corsproxy.proxy.request import Fields, RequestHead

if TYPE_CHECKING:
    from corsproxy.proxy.relay import Relay

# What stands for the head of a request that could not be read.
NO_HEAD: Final = RequestHead(b"", b"", b"1.1", Fields(()))


class Cancellable(Protocol):
    """Something under way that can be given up."""

    def cancel(self) -> object:
        """Give it up, if it has not ended."""


class Arrival:
    """A request under way, and the client's connection as far as the walk may use it.

    ``refusal`` is the answer that it gets whatever the rule table says: the connection is one too many, its head is too
    large or could not be read.  In the last case ``head`` is NO_HEAD, and nobody knows which rule it was meant for.
    """

    __slots__ = (
        "_task",
        "_wants_keep_alive",
        "client",
        "connecting",
        "downstream",
        "exchange",
        "head",
        "over",
        "payload",
        "planned",
        "refusal",
        "relay",
        "repeated",
        "sending",
    )

    def __init__(
        self, head: RequestHead, payload: StreamReader | Inflow, downstream: ClientConnection, *, keep_alive: bool
    ) -> None:
        self.head = head
        self.payload = payload
        self.downstream = downstream
        client = self.client = downstream.client
        self.refusal: OwnAnswer | None = downstream.refusal
        self._wants_keep_alive = keep_alive
        self.planned: Answer | Forward | None = None
        self.relay: Relay | None = None  # of the attempt under way
        self.connecting: Cancellable | None = None
        self.sending: Cancellable | None = None  # the body
        self.repeated = False  # whether this is the second attempt
        self.over = False
        self._task: object = None  # aiohttp's; it sets this to None at the end, to break a cycle
        fields = head.fields
        exchange = self.exchange = Exchange(client.peer or "", head.method, head.target, fields.host, fields.origin)
        exchange.head, exchange.peer, exchange.passed = head, client, fields.passed
        if client.tls:
            exchange.scheme = "https"
        if fields.unusual:
            exchange.websocket = bool(fields.upgrade())
        if fields.traceparent:
            exchange.traceparent = fields.traceparent

    def finish(self, *, keeps_alive: bool) -> None:
        """The walk has ended; ``keeps_alive``: the client's connection may serve another request."""
        self.over = True
        self.relay = self.connecting = self.sending = None  # they know this arrival: left to the collector, they cost
        self.downstream.done(self, keeps_alive=keeps_alive)

    def stop(self) -> None:
        """Give up whatever is under way for this request, and tell nobody."""
        if self.connecting is not None:
            self.connecting.cancel()
        if self.sending is not None:
            self.sending.cancel()
        if self.relay is not None:
            self.relay.abandon()

    @property
    def accept(self) -> Sequence[bytes]:
        """The values of the Accept lines."""
        return self.head.fields.all(b"accept")

    def closes(self) -> bool:
        """Whether the connection ends with this exchange, as far as is known now.

        A request whose body has not arrived whole ends it: the rest would have to be read before the next request.
        """
        payload = self.payload  # most requests have none, and aiohttp's word for that is Python
        arrived = payload is EMPTY_PAYLOAD or payload.is_eof()
        return not self._wants_keep_alive or not arrived or self.downstream.finishing

    def half_close(self) -> None:
        """Say at once that nothing more comes, while aiohttp still reads and discards for a while.

        To close while the client sends would reset the connection, and the answer with it
        (https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
        """
        transport = self.downstream.transport
        if transport is not None and not transport.is_closing() and transport.can_write_eof():
            transport.write_eof()

    # what aiohttp's RequestHandler asks of a request

    def _finish(self) -> None:
        pass

    def _cancel(self, error: BaseException) -> None:
        """Nobody needs to be told: the walk has been abandoned by then."""


class Leads(Protocol):
    """Whoever leads requests to their answers."""

    def begin(self, arrival: Arrival) -> None:
        """Lead one request; ``Arrival.finish`` is called at the end."""

    def abandon(self, arrival: Arrival) -> None:
        """Nobody waits for the answer any more; ``Arrival.finish`` is called, if it was not."""

    def trusts(self, peer: str) -> bool:
        """Whether a peer is a trusted proxy."""


class Written:
    """What aiohttp gets as a response: it has been written already; only whether to go on is left to say."""

    __slots__ = ("keep_alive",)

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive

    async def prepare(self, request: object) -> None:
        """Nothing is left to prepare."""

    async def write_eof(self) -> None:
        """Nothing is left to write."""
