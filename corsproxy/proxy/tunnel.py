"""After a 101: a tunnel of bytes between client and upstream.

What the two speak now is theirs; nothing is parsed, re-framed or timed.  Each side's pace holds back the other, and the
end of one is the end of both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from corsproxy.proxy.exchange import Exchange


class Side(Protocol):
    """The upstream's connection, as far as a tunnel needs it."""

    transport: asyncio.Transport

    def pause_reading(self) -> None:
        """The client takes no more for now."""

    def resume_reading(self) -> None:
        """The client takes more again."""


class Tunnel:
    """Both directions; ``ended`` is told when the upstream's side has ended."""

    __slots__ = ("_client", "_ended", "_exchange", "_upstream")

    def __init__(
        self, upstream: Side, client: asyncio.Transport, exchange: Exchange, ended: Callable[[], None]
    ) -> None:
        self._ended = ended
        self._upstream = upstream
        self._client = client
        self._exchange = exchange

    # what the client's connection tells (RawFlow)

    def data(self, data: bytes) -> None:
        """The client sent something."""
        self._exchange.request_bytes += len(data)
        if not self._upstream.transport.is_closing():
            self._upstream.transport.write(data)

    def pause(self) -> None:
        """The client takes no more for now."""
        self._upstream.pause_reading()

    def resume(self) -> None:
        """The client takes more again."""
        self._upstream.resume_reading()

    def say_goodbye(self) -> None:
        """End both sides.

        A close frame (RFC 6455 5.5.1) would be kinder, but nobody here knows where a frame ends, and one in the middle
        of another would be read as its content.
        """
        self._upstream.transport.close()

    # what the upstream's connection tells

    def from_upstream(self, data: bytes) -> None:
        """The upstream sent something."""
        self._exchange.response_bytes += len(data)
        if not self._client.is_closing():
            self._client.write(data)

    def pause_source(self) -> None:
        """The upstream takes no more for now."""
        if not self._client.is_closing():
            self._client.pause_reading()

    def resume_source(self) -> None:
        """The upstream takes more again."""
        if not self._client.is_closing():
            self._client.resume_reading()

    def upstream_lost(self) -> None:
        """The upstream's side has ended; what it sent is still delivered."""
        self._client.close()
        self._ended()
