"""The end of all connections of clients: idle ones at once, the others after their exchange, none for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

# Seconds in which a new connection brings its first request if it was made for one.  One that browsers make in advance
# is older when the proxy ends, and holds up nothing.
FRESH: Final = 1.0

_STEP: Final = 0.02


class Leaving(Protocol):
    """A connection that is to end."""

    @property
    def fresh(self) -> bool:
        """Whether its first request may be on its way."""

    def finish(self) -> asyncio.Future[None] | None:
        """End it after the exchange under way, which the result waits for; at once when there is none."""

    def break_off(self) -> None:
        """End it now."""


async def drain(connections: Callable[[], Sequence[Leaving]], seconds: float) -> None:
    """End all that there are; a connection that has just been made may bring the request that it was made for."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + seconds
    for connection in connections():
        if not connection.fresh:
            connection.finish()
    # Three things end the wait for one: its request, its own end, its age.  To look is simpler than to be told.
    while any(connection.fresh for connection in connections()) and loop.time() < give_up:  # noqa: ASYNC110
        await asyncio.sleep(_STEP)
    busy = [ended for connection in connections() if (ended := connection.finish()) is not None]
    if busy and loop.time() < give_up:
        await asyncio.wait(busy, timeout=give_up - loop.time())
    for connection in connections():
        connection.break_off()
    await asyncio.gather(*busy, return_exceptions=True)
