"""Which lanes a client's connection has: both, or aiohttp's alone.

The fast lane is turned off by CORSPROXY_FAST_LANE=off, which changes nothing but speed, and by itself, with a warning,
where aiohttp has changed in what the lane relies on.  What is touched of aiohttp stands in ``listener``, and here where
both lanes meet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

from corsproxy.proxy.arrival import Leads
from corsproxy.proxy.fast_lane import FastLane
from corsproxy.proxy.listener import Downstream
from corsproxy.proxy.reception import Listener

if TYPE_CHECKING:
    from corsproxy.config.load import Limits

log: Final = logging.getLogger("corsproxy")

SWITCH: Final = "CORSPROXY_FAST_LANE"

# Beyond what the ordinary lane relies on; tests/proxy/test_listener_contract.py says what each means.
_NEEDED: Final = (
    "_keepalive_timeout",
    "_messages",
    "_next_keepalive_close_time",
    "_pause_transport_reading",
    "_process_keepalive",
    "_resume_transport_reading",
    "_waiter",
    "close",
)


class FastDownstream(Downstream):
    """A client's connection that has both lanes."""

    # The loop asks once whom to call with what the client sends; it is told the lane, without a layer.
    data_received: Callable[[bytes], None]  # type: ignore[assignment]  # a method, to whoever calls it

    __slots__ = ("data_received", "lane")

    def __init__(self, manager: Listener, walk: Leads, limits: Limits, **options: Any) -> None:  # noqa: ANN401
        super().__init__(manager, walk, limits, **options)
        self.lane = FastLane(self, self.link, walk, limits, self._late_head, self._loop)
        self.link = self.lane
        self.data_received = self.lane.data_received

    @property
    def busy(self) -> bool:
        """Whether a whole head has arrived that has not been answered, or that was the connection's last."""
        return self.lane.arrival is not None or super().busy

    @property
    def fresh(self) -> bool:
        """Whether the first request of a new connection may be on its way."""
        return not self.lane.idle_since and super().fresh

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        super().connection_made(transport)
        self.lane.open = self.link.refusal is None

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        self.lane.lost()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        super().pause_writing()
        self.lane.pause_writing()

    def resume_writing(self) -> None:
        """The client takes more again."""
        super().resume_writing()
        self.lane.resume_writing()

    def answered(self) -> None:
        """A request of the ordinary lane has been answered, and another may come."""
        super().answered()
        self.lane.open = self.between_messages

    def finish(self) -> asyncio.Future[None] | None:
        """End the connection after the exchange under way, which the result waits for; at once when there is none."""
        self.lane.open = False
        if self.lane.arrival is None:
            return super().finish()
        self.ending = True
        finished: asyncio.Future[None] = self._loop.create_future()
        self.lane.finish(finished)
        return finished

    def force_close(self) -> None:
        """Close the connection now."""
        self.lane.open = False
        super().force_close()

    def _process_keepalive(self) -> None:
        """Close the connection if it has been idle for too long, in either lane."""
        self._next_keepalive_close_time = max(
            self._next_keepalive_close_time, self.lane.idle_since + self._keepalive_timeout
        )
        super()._process_keepalive()

    # what the fast lane asks of it

    def read(self, data: bytes) -> None:
        """Take what the client sent, in the ordinary lane."""
        super().data_received(data)

    def pause_source(self) -> None:
        """Read no more from the client for now."""
        self._pause_transport_reading()

    def resume_source(self) -> None:
        """Read on."""
        self._resume_transport_reading()

    def end(self) -> None:
        """Close the connection."""
        transport = self.transport
        self.close()
        if transport is not None:
            transport.close()


def lanes(environment: Mapping[str, str]) -> type[Downstream]:
    """The connections that this process makes."""
    if environment.get(SWITCH, "").lower() in {"off", "0", "false", "no"}:
        return Downstream
    missing = [name for name in _NEEDED if not hasattr(RequestHandler, name)]
    if missing or not EMPTY_PAYLOAD.is_eof():
        what = ", ".join(missing) or "its empty payload"
        log.warning("aiohttp has changed in %s: every request takes the ordinary, slower lane", what)
        return Downstream
    return FastDownstream
