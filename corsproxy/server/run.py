"""Running a server as a process, or as several: the event loop, the signals, and the end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from corsproxy.server.colleagues import Alone, State
from corsproxy.server.ending import Patience, end
from corsproxy.server.listening import Listening
from corsproxy.server.passed_sockets import PassedSockets
from corsproxy.server.process import Mount, Server

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.proxy.exchange import Observer
    from corsproxy.server.watch import Watch

# New objects that the collector waits for.  A request leaves none in a cycle, so what it looks at is nearly always in
# use; at the default of 700 it would look after every few requests.
_COLLECT_AFTER = 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How a configuration is run; the defaults are those of a proxy on a developer's machine."""

    workers: int = 1
    hang_after: float = 30.0  # seconds of silence after which a worker is replaced
    patience: Patience = field(default_factory=Patience)
    watch: Watch | None = None  # None: the configuration stays what it is
    watching: bool = True  # whether a changed file is noticed, or only SIGHUP
    shadow_first: bool = False  # whether a changed file is tried as a shadow before it comes in force
    mount: Mount | None = None  # pages of the admin listener that know one process, so that there may be no workers


# Makes the observer of one process, there, since it may need a thread, and those do not survive a fork.
Observing = Callable[[], AbstractContextManager["Observer | None"]]


def run(compiled: Compiled, observing: Observing, started: Callable[[Listening], None], plan: Plan) -> int:
    """Serve until SIGINT or SIGTERM; a second signal ends what is still in flight.  The exit code.

    ``observing`` is entered in each process that serves, and left at its end.  ``started`` is told when requests are
    taken.  Raises OSError when an address cannot be listened on, and UnusableCertificate when a file of TLS cannot be
    loaded.
    """
    gc.freeze()  # or the lower threshold would have all that was imported looked at, before the first answer
    gc.set_threshold(_COLLECT_AFTER)
    listening = Listening(compiled, PassedSockets(os.environ, os.getpid()))
    try:
        if plan.workers > 1:
            return _supervise(compiled, observing, started, listening, plan)
        with observing() as observe:
            run_loop(_serve(compiled, observe, started, listening, plan))
        return 0
    finally:
        listening.close()


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where there is one: it is a quarter faster; Windows has none."""
    try:
        import uvloop  # noqa: PLC0415  # not on Windows
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


async def _serve(
    compiled: Compiled,
    observe: Observer | None,
    started: Callable[[Listening], None],
    listening: Listening,
    plan: Plan,
) -> None:
    server = Server(compiled, observe, mount=plan.mount)
    alone = Alone(server.snapshot)
    await server.start(listening, alone)
    asked = stop_signals()
    reloading = _keep_reloading(server, compiled, plan, alone)
    started(listening)
    await asked.get()
    if reloading is not None:
        reloading.cancel()
    await end(server, plan.patience, asked.get())


def _keep_reloading(server: Server, compiled: Compiled, plan: Plan, alone: Alone) -> asyncio.Task[None] | None:
    if plan.watch is None:
        return None
    from corsproxy.server.reload import Reloader, Reloads  # noqa: PLC0415  # only who has a file pays for its import

    alone.state = State(plan.watch.config_hash)
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    reloads = Reloads(plan.watch, compiled, shadow_first=plan.shadow_first)
    return asyncio.ensure_future(Reloader(server, reloads, alone).run(asked, watching=plan.watching))


def _supervise(
    compiled: Compiled,
    observing: Observing,
    started: Callable[[Listening], None],
    listening: Listening,
    plan: Plan,
) -> int:
    # What workers need is imported here, once, and shared by all of them.
    from corsproxy.server.metric_families import remember  # noqa: PLC0415  # only several workers need it
    from corsproxy.server.reload import Reloads, check_files  # noqa: PLC0415
    from corsproxy.server.supervisor import Supervisor  # noqa: PLC0415
    from corsproxy.server.worker import Job, ignore_signals, work  # noqa: PLC0415

    check_files(compiled)

    def main(current: Compiled, sock: socket.socket) -> None:
        ignore_signals()
        source = plan.watch.source if plan.watch else None
        with observing() as observe:
            run_loop(work(Job(current, source, listening, observe, beat=min(1.0, plan.hang_after / 4)), sock))

    supervisor = Supervisor(
        compiled,
        main,
        count=plan.workers,
        hang_after=plan.hang_after,
        reloads=Reloads(plan.watch, compiled, shadow_first=plan.shadow_first) if plan.watch else None,
        watching=plan.watching,
        remember=remember,
        started=partial(started, listening),
    )
    gc.freeze()  # a collection in a worker would write to each object, and so copy the memory that all of them share
    return supervisor.run(plan.patience)


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
