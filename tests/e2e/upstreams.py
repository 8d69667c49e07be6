"""Upstreams for tests: one that does to its connections whatever a script says, and one that behaves well."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Self

from aiohttp import web

from tests.e2e.messages import Request
from tests.e2e.wire import PATIENCE, ServerWire, TransferError

Script = Callable[[ServerWire], Awaitable[None]]


class RawUpstream:
    """A server that runs a script on each connection and keeps the exact bytes that came.

    ``connections`` are in the order of their arrival, ``requests`` in the order in which the script read them.  An
    error in a script fails the test that it belongs to; a proxy that hangs up on a script is none.
    """

    def __init__(self, script: Script, *, unix_path: Path | None = None) -> None:
        self.script = script
        self.unix_path = unix_path
        self.port = 0  # until it listens, and on a unix socket
        self.connections: list[ServerWire] = []
        self.requests: list[Request] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._arrived = asyncio.Event()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self.unix_path:
            self._server = await loop.create_unix_server(self._accept, str(self.unix_path))
        else:
            self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for wire in self.connections:
            wire.close()
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result

    @property
    def authority(self) -> bytes:
        return f"127.0.0.1:{self.port}".encode()

    @property
    def url(self) -> str:
        return f"unix:{self.unix_path}" if self.unix_path else f"http://127.0.0.1:{self.port}"

    def named(self, host: str, scheme: str = "http") -> str:
        """Its URL under another name of this machine."""
        return f"{scheme}://{host}:{self.port}"

    async def connection(self, index: int = 0) -> ServerWire:
        """The nth connection, once it is there."""
        async with asyncio.timeout(PATIENCE):
            while len(self.connections) <= index:
                self._arrived.clear()
                await self._arrived.wait()
        return self.connections[index]

    async def scripts_done(self) -> None:
        """Wait until the script has ended on every connection that there is."""
        async with asyncio.timeout(PATIENCE):
            await (await self.connection()).until(lambda: self.requests)
            await asyncio.wait(self._tasks)

    def _accept(self) -> ServerWire:
        upstream = self

        class Accepted(ServerWire):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                upstream._begin(self)

        return Accepted(self.requests)

    def _begin(self, wire: ServerWire) -> None:
        self.connections.append(wire)
        self._tasks.append(asyncio.ensure_future(self._run(wire)))
        self._arrived.set()

    async def _run(self, wire: ServerWire) -> None:
        try:
            await self.script(wire)
        except TransferError:  # the proxy ended the connection, which is its right; tests judge by what it sent
            wire.close()


def answering(*answers: bytes) -> Script:
    """Answers the first requests of each connection in turn, the last answer for all that follow."""

    async def script(wire: ServerWire) -> None:
        index = 0
        while True:
            await wire.request()
            await wire.send(answers[min(index, len(answers) - 1)])
            index += 1

    return script


def answering_then_close(data: bytes) -> Script:
    """Reads one request, sends the bytes, and ends the connection in order."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(data)
        wire.close()

    return script


def answering_then_reset(data: bytes, after: asyncio.Event | None = None) -> Script:
    """Reads one request, sends the bytes, and breaks off with a reset, once ``after`` is set."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(data)
        if after:
            await after.wait()
        wire.reset()

    return script


async def silent(wire: ServerWire) -> None:
    """Reads the request and never answers."""
    await wire.request()
    await wire.until_ended()


async def echoing(wire: ServerWire) -> None:
    """Answers every request with its own body."""
    while True:
        request = await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(request.body) + request.body)


class ApiUpstream:
    """A well-behaved HTTP/1.1 API: aiohttp's server around one handler.  ``requests`` are those that reached it."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        self.handler = handler
        self.requests: list[web.BaseRequest] = []
        self.port = 0
        self._runner: web.ServerRunner

    async def __aenter__(self) -> Self:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            self.requests.append(request)
            return await self.handler(request)

        self._runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """The URL of a port that refuses connections: it is bound, so nobody else gets it, but nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextlib.contextmanager
def unreachable() -> Iterator[str]:
    """The URL of a port whose connections never come about."""
    with black_hole("127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def black_hole(host: str, port: int) -> Iterator[int]:
    """A port whose connections never come about: its backlog is full, so the kernel drops every SYN."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket(family))
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
