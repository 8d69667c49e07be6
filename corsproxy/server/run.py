"""Running a server as a process: the event loop, the signals, and the end."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from corsproxy.server.process import DRAIN_SECONDS, Server

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.proxy.exchange import Observer

# New objects that the collector waits for.  A request leaves none in a cycle, so what it looks at is nearly always in
# use; at the default of 700 it would look after every few requests.
_COLLECT_AFTER = 20_000


def run(compiled: Compiled, observe: Observer | None, started: Callable[[Server], None]) -> None:
    """Serve until SIGINT or SIGTERM; a second signal ends what is still in flight.

    ``started`` is told when every address is listened on.  Raises OSError when one cannot be.
    """
    run_loop(_serve(compiled, observe, started))


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where there is one: it is a quarter faster; Windows has none."""
    try:
        import uvloop  # noqa: PLC0415  # not on Windows
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


async def _serve(compiled: Compiled, observe: Observer | None, started: Callable[[Server], None]) -> None:
    server = Server(compiled, observe)
    await server.start()
    gc.set_threshold(_COLLECT_AFTER)
    asked = stop_signals()
    started(server)
    await asked.get()
    stopping = asyncio.ensure_future(server.stop(DRAIN_SECONDS))
    again = asyncio.ensure_future(asked.get())
    await asyncio.wait({stopping, again}, return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if not stopping.done():
        stopping.cancel()
        await server.stop(0)


def stop_signals() -> asyncio.Queue[int]:
    """A queue that gets every SIGINT and SIGTERM."""
    asked: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, asked.put_nowait, number)
        except NotImplementedError:  # Windows' loops: KeyboardInterrupt ends the process there
            break
    return asked
