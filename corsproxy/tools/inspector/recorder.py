"""The last exchanges, kept by reference in a ring.

Rules: while nobody watches, an exchange costs one append; whatever is derived from it is derived when somebody asks.
Memory is bounded by the ring: the heads of so many exchanges, and no body.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from corsproxy.proxy.exchange import Exchange

MOST: Final = 500  # exchanges that are kept


class Recorded(NamedTuple):
    """An exchange and its number, which counts from 1 and is never given twice."""

    number: int
    exchange: Exchange


class Recorder:
    """An observer that keeps the last ``most`` exchanges."""

    def __init__(self, most: int = MOST) -> None:
        self._kept: deque[Exchange] = deque(maxlen=most)
        self._seen = 0
        self._watchers: set[asyncio.Event] = set()

    def __call__(self, exchange: Exchange) -> None:
        """Keep an exchange, and forget the oldest."""
        self._kept.append(exchange)
        self._seen += 1
        for watcher in self._watchers:
            watcher.set()

    @property
    def last(self) -> int:
        """The number of the newest exchange; 0 before the first."""
        return self._seen

    def all(self) -> list[Recorded]:
        """Every exchange that is still there, the oldest first."""
        first = self._seen - len(self._kept) + 1
        return [Recorded(number, exchange) for number, exchange in enumerate(self._kept, first)]

    @contextmanager
    def watched(self) -> Iterator[asyncio.Event]:
        """An event that is set by every exchange; whoever waits for it clears it."""
        event = asyncio.Event()
        self._watchers.add(event)
        try:
            yield event
        finally:
            self._watchers.discard(event)

    def wake(self) -> None:
        """Set every watcher's event, without an exchange."""
        for watcher in self._watchers:
            watcher.set()

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)
