"""A server that answers each path as it is told, byte for byte: also what no well-behaved library would write."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self

from corsproxy.cors.fetch import WireResponse

_BODILESS = frozenset({204, 304})


class Scripted:
    """On a port of its own; ``answers`` has a path's answer to OPTIONS, and that to every other method."""

    def __init__(self) -> None:
        self.answers: Mapping[str, tuple[WireResponse, WireResponse]] = {}
        self.port = 0
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, target, _ = head.split(b" ", 2)
                preflight, actual = self.answers[target.decode()]
                writer.write(_bytes(preflight if method == b"OPTIONS" else actual))
        except (asyncio.IncompleteReadError, ConnectionError):  # the browser has gone
            pass
        finally:
            writer.close()


def _bytes(answer: WireResponse) -> bytes:
    lines = [b"HTTP/1.1 %d \r\n" % answer.status, *(b"%b: %b\r\n" % line for line in answer.headers)]
    if answer.status not in _BODILESS:
        lines.append(b"Content-Length: 0\r\n")
    return b"".join((*lines, b"\r\n"))
