"""A worker: a process that serves, on sockets that its parent has opened, and does what the parent orders."""

from __future__ import annotations

import asyncio
import faulthandler
import json
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from corsproxy.errors import CorsproxyError
from corsproxy.server.ending import Patience, end
from corsproxy.server.messages import Kind
from corsproxy.server.process import Prepared, Server
from corsproxy.server.reload import as_shadow
from corsproxy.server.worker_channel import Order, WorkerChannel

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.proxy.exchange import Observer
    from corsproxy.server.config_file import ConfigFile
    from corsproxy.server.listening import Listening

# Signals that only the parent obeys; see worker_channel.py.
_PARENTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker is started with."""

    compiled: Compiled
    source: ConfigFile | None  # of the next configuration; None: there will be no other
    listening: Listening
    observe: Observer | None
    beat: float  # seconds between two signs of life


def ignore_signals() -> None:
    """Leave the signals to the parent; and when it ends a worker that hangs, say where it hung."""
    signal.set_wakeup_fd(-1)
    for number in _PARENTS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    faulthandler.enable()


async def work(job: Job, sock: socket.socket) -> None:
    """Serve until the parent says otherwise, or is gone.

    Raises UnusableCertificate when a file has become unusable since the parent looked at it.
    """
    server = Server(job.compiled, job.observe)
    channel = WorkerChannel(server.snapshot)
    await asyncio.get_running_loop().create_unix_connection(lambda: channel, sock=sock)
    await server.start(job.listening, channel)
    channel.tell(Kind.READY)
    channel.beat(job.beat)
    reloading = _Reloading(job.source, server, channel) if job.source else None
    while True:
        order = await channel.orders.get()
        if order[0] is Kind.DRAIN:
            await end(server, Patience(**json.loads(order[1])), _until_end(channel))
            return
        if order[0] is Kind.END:
            await server.stop(0)
            return
        if reloading is not None:
            await reloading.obey(order)


async def _until_end(channel: WorkerChannel) -> None:
    while (await channel.orders.get())[0] is not Kind.END:
        pass


class _Reloading:
    """The orders about the configuration: made ready first, and put in force when every worker has it ready."""

    def __init__(self, source: ConfigFile, server: Server, channel: WorkerChannel) -> None:
        self._source = source
        self._server = server
        self._channel = channel
        self._prepared: Prepared | None = None

    async def obey(self, order: Order) -> None:
        """Take one step."""
        kind, payload = order
        if kind is Kind.LOAD:
            await self._load(json.loads(payload))
        elif self._prepared is not None:
            if kind is Kind.COMMIT:
                self._server.put_in_force(self._prepared)
            else:
                self._prepared.pools.discard()
            self._prepared = None

    async def _load(self, written: dict[str, Any]) -> None:
        generation = written["generation"]
        try:
            compiled = await asyncio.to_thread(self._source.compile, written["content"].encode(), written["shadow"])
            if written["tried"]:
                compiled = as_shadow(self._server.compiled, compiled, self._source.file)
            self._prepared = self._server.prepare(compiled, frozenset(written["renewed"]))
        except CorsproxyError as error:
            self._channel.tell(Kind.REFUSED, json.dumps({"generation": generation, "problem": str(error)}).encode())
        else:
            self._channel.tell(Kind.PREPARED, str(generation).encode())
