"""The end of a process that serves, the same whoever asks for it: step by step, and at once when asked again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from corsproxy.server.process import Server

log: Final = logging.getLogger("corsproxy.process")


class Patience(NamedTuple):
    """How long an end may take, in seconds."""

    delay: float = 0.0  # not ready, and serving on
    timeout: float = 10.0  # for requests in flight, after the proxy has stopped listening


async def end(server: Server, patience: Patience, hurry: Awaitable[object]) -> None:
    """End a server; once ``hurry`` is done, break what is left."""
    leaving = asyncio.ensure_future(_leave(server, patience))
    hurrying = asyncio.ensure_future(hurry)
    await asyncio.wait({leaving, hurrying}, return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    if leaving.done():
        leaving.result()
    else:
        leaving.cancel()
        await server.stop(0)


async def _leave(server: Server, patience: Patience) -> None:
    if patience.delay:
        log.info("not ready any more; serving on for %gs (a second signal ends it at once)", patience.delay)
        await server.wind_down(patience.delay)
    if server.in_flight and patience.timeout:
        plural = "exchange" if server.in_flight == 1 else "exchanges"
        log.info(
            "waiting up to %gs for %d %s in flight (a second signal ends it at once)",
            *(patience.timeout, server.in_flight, plural),
        )
    await server.stop(patience.timeout)
