"""How many requests to one upstream may be in flight, and the bounded queue of those that wait for their turn.

An upstream that has stalled must not gather every connection of the process: what is too much is told so at once, or
after a bounded wait (https://www.rfc-editor.org/rfc/rfc9110#section-15.6.4).
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from corsproxy.errors import Overloaded, UpstreamError

Turn = asyncio.Future[None]


class Places:
    """``free`` may be counted down by whoever finds it above zero: nobody waits then.  ``leave`` gives a place back."""

    __slots__ = ("_loop", "_patience", "_queue", "_waiting", "free")

    def __init__(self, count: int, queue: int, patience: float) -> None:
        self.free = count
        self._queue = queue
        self._patience = patience  # seconds
        self._waiting: deque[Turn] = deque()
        self._loop = asyncio.get_running_loop()

    async def enter(self) -> None:
        """Take a place, in turn.

        Raises Overloaded when the queue is full, or when no place was free in time.
        """
        if self.free > 0:
            self.free -= 1
            return
        if len(self._waiting) >= self._queue:
            raise Overloaded("it has as many requests in flight and waiting as it is allowed", limit="max_queue")
        turn: Turn = self._loop.create_future()
        self._waiting.append(turn)
        timer = self._loop.call_later(self._patience, self._refuse, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):
                    self._waiting.remove(turn)
            elif turn.exception() is None:  # its turn had come in the same moment
                self.leave()
            raise
        finally:
            timer.cancel()

    def leave(self) -> None:
        """Give the place of one request to who waits longest, or back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else its client has left in this very moment
                turn.set_result(None)
                return
        self.free += 1

    def refuse_all(self, error: UpstreamError) -> None:
        """End every wait."""
        for turn in self._waiting:
            if not turn.done():
                turn.set_exception(error)
        self._waiting.clear()

    def _refuse(self, turn: Turn) -> None:
        if not turn.done():
            self._waiting.remove(turn)
            turn.set_exception(Overloaded("it has as many requests in flight as it is allowed", limit="timeouts.queue"))
