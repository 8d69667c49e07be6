"""A load generator that counts every answer: none may be missing, wrong or somebody else's.

Each client asks for a path of its own, again and again, and the upstream answers with the path that it was asked for.
A client does what HTTP asks of one and no more: it ends a connection whose answer says ``Connection: close``, and never
sends a request twice.  So a request that is lost is a failure, and so is an answer cut short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from tests.e2e.rig import PATIENCE, ServerWire, answer

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def telling_the_path(wire: ServerWire) -> None:
    """The upstream."""
    while True:
        await wire.send(answer(b"200 OK", body=(await wire.request()).target))


class Load:
    """Clients at work from ``async with`` to its end; ``reached`` waits for a number of answers."""

    def __init__(self, connect: Connect, clients: int = 6) -> None:
        self.answered = 0
        self.connections = 0
        self.failures: list[str] = []
        self._connect = connect
        self._clients = clients
        self._ending = False
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.ensure_future(self._work(number)) for number in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def end(self) -> None:
        """Ask nothing more, and wait for what is under way."""
        self._ending = True
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self._tasks)

    async def reached(self, more: int) -> None:
        """That many answers more have come."""
        wanted = self.answered + more
        async with asyncio.timeout(PATIENCE):
            while self.answered < wanted and not self.failures:
                self._news.clear()
                await self._news.wait()

    async def _work(self, number: int) -> None:
        try:
            while not self._ending:
                await self._converse(number)
        except Exception as failure:  # noqa: BLE001  # whatever it is, it is a request that was lost
            self.failures.append(f"client {number} after {self.answered} answers: {failure!r}")
            self._news.set()

    async def _converse(self, number: int) -> None:
        """One connection, to its end."""
        reader, writer = await self._connect()
        self.connections += 1
        try:
            closes = False
            while not closes and not self._ending:
                path = b"/%d/%d" % (number, self.answered)
                writer.write(b"GET %b HTTP/1.1\r\nHost: api.example.com\r\n\r\n" % path)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
                body = await reader.readexactly(length)
                if not head.startswith(b"http/1.1 200 ") or body != path:
                    raise AssertionError((path, head, body))
                closes = b"\r\nconnection: close\r\n" in head
                self.answered += 1
                self._news.set()
        finally:
            writer.close()
