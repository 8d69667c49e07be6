"""One end of a connection, byte by byte: what was sent, what came, and how it ended.

The messages are read by a parser of this suite's own, which is stricter than any browser: a header line that RFC 9112
does not allow, two lengths, a broken chunk, or a body that ends early is an error here.  Nothing sleeps; every wait is
for bytes or for the end of the connection, and ``PATIENCE`` runs out only where something hangs.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from typing import Final, Self, cast

from tests.e2e.messages import (
    Fields,
    Message,
    NotHTTPError,
    Request,
    Response,
    content_length,
    is_chunked,
    parse_line,
    request,
)

PATIENCE: Final = 20.0  # seconds
BODYLESS: Final = {204, 304}
CHUNK: Final = re.compile(rb"([0-9A-Fa-f]+)(;[^\r\n]*)?\r\n")


class TransferError(Exception):
    """The connection ended inside a message.  ``how`` is "closed" or "reset", ``body`` what had arrived of the body."""

    def __init__(self, how: str, body: bytes = b"") -> None:
        super().__init__(f"{how} in the middle of a message, after {len(body)} bytes of body")
        self.how = how
        self.body = body


class Wire(asyncio.Protocol):
    """One end of a connection."""

    def __init__(self) -> None:
        self.received = bytearray()  # everything that ever came
        self.taken = 0  # how much of it has been read by the test
        self.ended = ""  # "closed": the other side said that it is done; "reset": it broke off
        self.lost = False  # nothing can be sent any more
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._transport: asyncio.Transport

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of its subclasses
        self._writable.set()
        self._transport.set_write_buffer_limits(high=0)  # "sent" means handed to the kernel

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._news.set()

    def eof_received(self) -> bool:
        self.ended = self.ended or "closed"
        self._news.set()
        return True  # this side may still write

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = self.ended or ("reset" if exc else "closed")
        self.lost = True
        self._writable.set()
        self._news.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What tests call.

    async def send(self, data: bytes) -> Self:
        """Write, and wait until the kernel has all of it."""
        self._transport.write(data)
        if self._transport.is_closing():  # the loop is about to tell; whoever sends on and on must let it
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await self._writable.wait()
        return self

    async def send_bytewise(self, data: bytes) -> None:
        """Write every byte by itself, in segments of its own."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for index in range(len(data)):
            await self.send(data[index : index + 1])

    def pause(self) -> None:
        """Stop to read, as a slow peer does."""
        self._transport.pause_reading()

    def resume(self) -> None:
        self._transport.resume_reading()

    def finish(self) -> None:
        """Send FIN; the other direction stays open."""
        self._transport.write_eof()

    def close(self) -> None:
        self._transport.close()

    def reset(self) -> None:
        """Break off with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    @property
    def socket(self) -> socket.socket:
        own: socket.socket = self._transport.get_extra_info("socket")
        return own

    @property
    def pending(self) -> bytes:
        """What came and has not been read by the test yet."""
        return bytes(self.received[self.taken :])

    async def until(self, satisfied: Callable[[], object]) -> None:
        """Wait for news until the condition holds; TransferError when the connection ended without it."""
        async with asyncio.timeout(PATIENCE):
            while not satisfied():
                if self.ended:
                    raise TransferError(self.ended, self.pending)
                self._news.clear()
                await self._news.wait()

    async def until_ended(self) -> str:
        """Wait for the other side's end and say how it ended: "closed" or "reset"."""
        await self.until(lambda: self.ended)
        return self.ended

    async def read_to_end(self) -> bytes:
        """Everything up to the other side's end; TransferError when that is a reset."""
        await self.until(lambda: self.ended)
        data = self.pending
        if self.ended == "reset":
            raise TransferError("reset", data)
        self.taken = len(self.received)
        return data

    async def read_exactly(self, count: int) -> bytes:
        await self.until(lambda: len(self.received) - self.taken >= count)
        return self._take(self.taken + count)

    async def read_until(self, end: bytes) -> bytes:
        """Up to and with the first occurrence."""
        await self.until(lambda: self.received.find(end, self.taken) >= 0)
        return self._take(self.received.index(end, self.taken) + len(end))

    def _take(self, position: int) -> bytes:
        data = bytes(self.received[self.taken : position])
        self.taken = position
        return data

    async def read_head(self) -> tuple[bytes, Fields]:
        """A start line and its header lines."""
        head = await self.read_until(b"\r\n\r\n")
        start, *lines = head[:-4].split(b"\r\n")
        return start, [parse_line(line) for line in lines]

    async def read_sized(self, length: int) -> bytes:
        """A body of a known length."""
        return await self.read_exactly(length)

    async def read_chunk(self) -> bytes:
        """One chunk's data; b"" is the last one, whose trailers follow."""
        match = CHUNK.fullmatch(await self.read_until(b"\r\n"))
        if not match:
            raise NotHTTPError(f"no chunk head before {self.pending[:80]!r}")
        size = int(match[1], 16)
        if not size:
            return b""
        data = await self.read_exactly(size + 2)
        if not data.endswith(b"\r\n"):
            raise NotHTTPError(f"a chunk that does not end: {data[-20:]!r}")
        return data[:-2]

    async def read_chunks(self) -> bytes:
        """A chunked body up to and with the last chunk; ``TransferError.body`` has what came of a broken one."""
        body = bytearray()
        try:
            while chunk := await self.read_chunk():
                body += chunk
        except TransferError as broken:
            raise TransferError(broken.how, bytes(body)) from None
        return bytes(body)

    async def read_trailers(self) -> Fields:
        trailers = []
        while line := (await self.read_until(b"\r\n"))[:-2]:
            trailers.append(parse_line(line))
        return trailers

    async def read_chunked_into(self, message: Message) -> None:
        message.body = await self.read_chunks()
        message.trailers = await self.read_trailers()


class ClientWire(Wire):
    """The client's end: it asks, and reads the answers."""

    async def ask(self, line: bytes, *lines: bytes, body: bytes | None = None, version: bytes = b"1.1") -> Response:
        """Send one request and read its final answer, which no interim answer may precede."""
        await self.send(request(line, *lines, body=body, version=version))
        return await self.response(line.split(b" ")[0])

    async def response(self, to: bytes = b"GET") -> Response:
        """The next response, interim ones included, to a request of the given method."""
        response = await self.response_head()
        status = response.status
        if to == b"HEAD" or status < 200 or status in BODYLESS or (to == b"CONNECT" and status < 300):
            return response
        if is_chunked(response):
            await self.read_chunked_into(response)
        elif (length := content_length(response)) is not None:
            response.body = await self.read_sized(length)
        else:
            response.body = await self.read_to_end()
        return response

    async def response_head(self) -> Response:
        """The next response's head; its body is left on the wire."""
        response = Response(*await self.read_head())
        if not re.fullmatch(rb"HTTP/1\.[01] [1-9]\d\d [\t\x20-\x7e\x80-\xff]*", response.start):
            raise NotHTTPError(f"not a status line: {response.start!r}")
        is_chunked(response)
        content_length(response)
        return response


class ServerWire(Wire):
    """The upstream's end of one connection: it reads requests, and answers what its script says."""

    def __init__(self, requests: list[Request]) -> None:
        super().__init__()
        self.requests = requests  # the upstream's list of all requests that were read

    async def request(self) -> Request:
        """The next request, whole; TransferError when the connection ends before."""
        request = await self.request_head()
        if is_chunked(request):
            await self.read_chunked_into(request)
        else:
            request.body = await self.read_sized(content_length(request) or 0)
        return request

    async def request_head(self) -> Request:
        """The next request's head; its body is left on the wire."""
        request = Request(*await self.read_head())
        if not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e\x80-\xff]+ HTTP/1\.1", request.start):
            raise NotHTTPError(f"not a request line: {request.start!r}")
        self.requests.append(request)
        return request
