"""The admin listener: its own address, never reachable through the proxied one.

``/livez`` says that the process runs, ``/readyz`` that it takes requests (503 while it drains).
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence

from aiohttp import web
from aiohttp.http import HttpProcessingError

from corsproxy.server.colleagues import Colleagues

log = logging.getLogger("corsproxy.admin")


class Admin:
    """Health over HTTP on sockets that listen already; ``draining`` turns readiness off."""

    def __init__(self, sockets: Sequence[socket.socket], names: Sequence[str], colleagues: Colleagues) -> None:
        self.draining = False
        self.colleagues = colleagues
        self.names = list(names)
        self._sockets = sockets
        application = web.Application()
        application.add_routes([web.get("/livez", self._live), web.get("/readyz", self._ready)])
        log.addFilter(_is_our_fault)
        self._runner = web.AppRunner(application, access_log=None, logger=log)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every TCP socket."""
        return [(name[0], name[1]) for name in self._runner.addresses if isinstance(name, tuple)]

    async def start(self) -> None:
        """Take requests."""
        await self._runner.setup()
        for sock in self._sockets:
            await web.SockSite(self._runner, sock).start()

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        if self.draining:
            return web.Response(status=503, text="draining\n")
        return web.Response(text="ok\n")


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether a record deserves to be seen: aiohttp logs a trace for everything that a client sends and is no HTTP."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)
