"""A client's connection whose loop is played by the test: no sockets, no time, and no order but the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from corsproxy.config.load import Limits
from corsproxy.proxy.arrival import Arrival
from corsproxy.proxy.listener import Downstream
from corsproxy.proxy.reception import Listener
from tests.e2e.rig import PATIENCE


class Transport(asyncio.Transport):
    """The loop's side of a connection, played by the test; closing it tells the protocol, as loops do."""

    def __init__(self):
        super().__init__()
        self.protocol: asyncio.Protocol
        self.written, self.paused, self.closed = b"", False, asyncio.Event()

    def get_extra_info(self, name, default=None):
        return default

    def set_write_buffer_limits(self, high=None, low=None): ...

    def write(self, data):
        self.written += bytes(data)

    def can_write_eof(self):
        return False

    def is_closing(self):
        return self.closed.is_set()

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def is_reading(self):
        return not self.paused

    def close(self):
        self.lose(None)

    def abort(self):
        self.lose(None)

    def lose(self, error):
        if not self.closed.is_set():
            self.closed.set()
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, error)


async def nobody(arrival: Arrival) -> bool:
    """A handler that no request should reach."""
    raise AssertionError(arrival.head)


class Handling:
    """In the walk's place: each request is a task of ``handle``, whose result says whether the connection lives on."""

    def __init__(self, handle: Callable[[Arrival], Awaitable[bool]]) -> None:
        self._handle = handle
        self._tasks: dict[Arrival, asyncio.Task[None]] = {}

    def begin(self, arrival: Arrival) -> None:
        self._tasks[arrival] = asyncio.ensure_future(self._run(arrival))

    def abandon(self, arrival: Arrival) -> None:
        self._tasks[arrival].cancel()
        if not arrival.over:
            arrival.finish(keeps_alive=False)

    def trusts(self, peer: str) -> bool:
        return False

    async def _run(self, arrival: Arrival) -> None:
        keeps_alive = await self._handle(arrival)
        if not arrival.over:
            arrival.finish(keeps_alive=keeps_alive)


def downstream(handle=nobody, limits=None, protocol=Downstream) -> Downstream:
    """A connection to a Listener with this handler, or with a walk of the test's own."""
    walk = handle if hasattr(handle, "begin") else Handling(handle)
    connection = Listener(walk, limits or Limits(), protocol)()
    assert isinstance(connection, protocol)
    transport = Transport()
    transport.protocol = connection
    connection.connection_made(transport)
    return connection


async def ended(protocol: Downstream) -> None:
    """Break it off, and let the loop tell it."""
    task = protocol._task_handler
    protocol.break_off()
    if task is not None:
        await asyncio.wait({task}, timeout=PATIENCE)
    await asyncio.sleep(0)
