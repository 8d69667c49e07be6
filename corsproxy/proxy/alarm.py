"""A timer that may be set and cleared without asking whether it is.

When its time has come, the loop reads once more before it rings: after a stall of the process, what a peer sent in time
still waits in the kernel, and libuv runs its timers before it looks there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls back once, ``seconds`` after it was set; None: never.  Setting it while it is set changes nothing."""

    __slots__ = ("_handle", "_loop", "_ring", "_seconds")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float | None, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Start, if it is not started."""
        if self._handle is None and self._seconds is not None:
            self._handle = self._loop.call_later(self._seconds, self._due)

    def clear(self) -> None:
        """Do not call back."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _due(self) -> None:
        self._handle = self._loop.call_later(0, self._fire)

    def _fire(self) -> None:
        self._handle = None
        self._ring()
