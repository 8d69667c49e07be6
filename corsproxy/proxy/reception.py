"""All connections of clients: made for whoever connects, counted, wound down and ended together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import ERROR, RequestHandler

from corsproxy.proxy.arrival import NO_HEAD, Arrival, Leads, Written
from corsproxy.proxy.farewell import drain
from corsproxy.proxy.listener import Downstream
from corsproxy.proxy.occupancy import Occupancy

if TYPE_CHECKING:
    from corsproxy.config.load import Limits


class Listener(web.Server):
    """Makes a Downstream for each connection, whose requests ``walk`` leads to their answers."""

    def __init__(self, walk: Leads, limits: Limits, protocol: type[Downstream] = Downstream) -> None:
        super().__init__(cast("Any", self.respond), request_factory=cast("Any", _arrival), handler_cancellation=True)
        self.occupancy = Occupancy(limits, walk.trusts)
        self.winding_down = False  # whether every connection ends with its next answer
        self._walk = walk
        self._limits = limits
        self._protocol = protocol

    async def respond(self, arrival: Arrival) -> web.StreamResponse:
        """Handle one request; it is written when this returns."""
        downstream = cast("Downstream", arrival.downstream.owner)
        payload = cast("StreamReader", arrival.payload)
        keep_alive = await downstream.lead(arrival)
        if keep_alive:
            downstream.answered()
        elif payload.exception() is not None:
            downstream.force_close()  # what still comes is no body; the answer leaves first
        elif not payload.is_eof():
            arrival.half_close()
        return cast("web.StreamResponse", Written(keep_alive=keep_alive))

    def __call__(self, source: str | None = None) -> RequestHandler:
        """A protocol for a new connection, as the loop asks for it; ``source`` is the client, if not the peer."""
        limits = self._limits
        return self._protocol(
            self,
            self._walk,
            limits,
            source=source,
            loop=self._loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=limits.keepalive_timeout,
            max_line_size=limits.max_request_head,
            max_field_size=limits.max_request_head,
            max_headers=limits.max_request_head // 4,  # the shortest line is "a:" CRLF; the size is the limit
        )

    @property
    def limits(self) -> Limits:
        """The limits of new connections."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        self.occupancy.change(limits)

    def wind_down(self) -> None:
        """From now on every connection, new ones too, ends with its next answer, which says so."""
        self.winding_down = True
        for connection in self._downstreams():
            connection.wind_down()

    @property
    def in_flight(self) -> int:
        """Exchanges under way."""
        return sum(connection.busy for connection in self._downstreams())

    async def drain(self, seconds: float) -> None:
        """Close idle connections now, the others after their exchange, and break off what takes longer."""
        self.wind_down()
        await drain(self._downstreams, seconds)

    def _downstreams(self) -> list[Downstream]:
        return cast("list[Downstream]", self.connections)


def _arrival(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: Downstream,
    writer: AbstractStreamWriter,  # noqa: ARG001  # aiohttp's signature
    task: object,  # noqa: ARG001
) -> Arrival:
    if message is ERROR:
        return Arrival(NO_HEAD, payload, protocol.link, keep_alive=False)
    return protocol.arrived(message, payload)
