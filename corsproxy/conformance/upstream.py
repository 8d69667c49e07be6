"""The server behind every target: it does what the vector says whose id is in the path, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

from corsproxy.conformance.braces import LONG, filled
from corsproxy.conformance.model import Behaviour, Vector
from corsproxy.conformance.wire import LIMIT, NotHttp, Received, read_request

_FRAMED: Final = frozenset({"content-length", "transfer-encoding"})
_REASONS: Final = {200: "OK", 204: "No Content", 304: "Not Modified", 404: "Not Found", 500: "Internal Server Error"}


class Upstream:
    """An HTTP/1.1 server whose answers are the vectors'."""

    def __init__(self, vectors: Mapping[str, Vector]) -> None:
        self._vectors = vectors
        self._received: dict[str, list[Received]] = defaultdict(list)
        self._connections: set[asyncio.Task[None]] = set()
        self.address = ("127.0.0.1", 0)

    def received(self, vector_id: str) -> list[Received]:
        """Every request that has arrived for a vector."""
        return self._received[vector_id]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve until the context is left."""
        server = await asyncio.start_server(self._serve, *self.address, limit=LIMIT)
        self.address = server.sockets[0].getsockname()[:2]
        try:
            yield
        finally:
            server.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a callback of start_server is one
        self._connections.add(task)
        try:
            with suppress(ConnectionError, NotHttp):
                while (request := await read_request(reader)) is not None and await self._answer(request, writer):
                    pass
        except asyncio.CancelledError:
            pass  # the end of the run
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        """Do what the vector says; whether the connection goes on."""
        vector = self._vector(request.target)
        if vector is None:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return True
        seen = self._received[vector.id]
        behaviour = vector.exchanges[min(len(seen), len(vector.exchanges) - 1)].upstream
        seen.append(request)
        if behaviour.how == "silent":
            await asyncio.Event().wait()
        if behaviour.how == "reset":
            writer.transport.abort()
        if behaviour.how in {"close", "reset"}:
            return False
        values = {"upstream": "{}:{}".format(*self.address), "id": vector.id, **LONG, **vector.values}
        data = _answer_bytes(behaviour, request.method, values)
        writer.write(data[: len(data) - len(behaviour.body) // 2] if behaviour.how == "cut" else data)
        await writer.drain()
        if behaviour.status == 101:
            await asyncio.Event().wait()
        return behaviour.how == "answer"

    def _vector(self, target: str) -> Vector | None:
        """Whose request this is: the first id among the segments of the path."""
        segments = target.replace("?", "/").replace("#", "/").split("/")
        return next((self._vectors[segment] for segment in segments if segment in self._vectors), None)


def _answer_bytes(behaviour: Behaviour, method: str, values: Mapping[str, str]) -> bytes:
    body = filled(behaviour.body, values)
    if behaviour.how == "raw":
        return body.encode("latin-1")
    head = [
        *(_head(interim.status, interim.headers) for interim in behaviour.interim),
        _head(behaviour.status, [*behaviour.headers, *_framing(behaviour, len(body))]),
    ]
    if behaviour.chunked:
        body = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n" if body else "0\r\n\r\n"
    bodyless = method == "HEAD" or behaviour.status in {101, 204, 304}
    return (filled("".join(head), values) + ("" if bodyless else body)).encode("latin-1")


def _framing(behaviour: Behaviour, length: int) -> list[str]:
    written = {line.partition(":")[0].lower() for line in behaviour.headers}
    if behaviour.status in {101, 204, 304} or written & _FRAMED:
        return []
    return ["Transfer-Encoding: chunked"] if behaviour.chunked else [f"Content-Length: {length}"]


def _head(status: int, lines: list[str]) -> str:
    return "\r\n".join([f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", *lines]) + "\r\n\r\n"


@contextmanager
def refusing() -> Iterator[tuple[str, int]]:
    """A port that refuses connections: it is bound, so that nobody else gets it, but nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()
