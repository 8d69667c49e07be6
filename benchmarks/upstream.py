"""The upstream for what nginx cannot serve: it reads uploads whole, broadcasts events, and echoes WebSocket messages.

``python -m benchmarks.upstream PORT``.  It does only what the load generators ask of it:

- ``GET /sse`` subscribes; ``GET /tick`` sends one event to every subscriber and is answered behind it
- ``GET /ws`` with a handshake echoes frames of up to 64 KiB
- any other request is read to its end, and answered with the bytes of its body
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys
from typing import Final, cast

import uvloop

EVENT: Final = b"data: " + b"e" * 100 + b"\n\n"
_CHUNK: Final = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
_SUBSCRIBED: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n" + _CHUNK
)
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_KEY: Final = re.compile(rb"\r\nsec-websocket-key: *([^\r\n]+)", re.IGNORECASE)
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # https://www.rfc-editor.org/rfc/rfc6455#section-1.3

subscribers: set[asyncio.Transport] = set()


class Connection(asyncio.Protocol):
    """One connection of a proxy."""

    def __init__(self) -> None:
        self._unread = b""
        self._left = 0  # bytes of a counted body that are still to come
        self._chunks = False  # inside a chunked body
        self._body = 0
        self._frames = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        subscribers.discard(self._out)

    def data_received(self, data: bytes) -> None:
        if self._left and len(data) <= self._left:  # the middle of an upload: counted, not kept
            self._left -= len(data)
            if not self._left:
                self._answer_body()
            return
        self._unread += data
        if self._frames:
            self._echo()
        else:
            self._read()

    def _read(self) -> None:
        while self._unread:
            if self._left:
                taken = min(self._left, len(self._unread))
                self._left -= taken
                self._unread = self._unread[taken:]
                if not self._left:
                    self._answer_body()
            elif self._chunks:
                if not self._read_chunk():
                    return
            elif not self._read_head():
                return

    def _read_head(self) -> bool:
        end = self._unread.find(b"\r\n\r\n") + 4
        if end < 4:
            return False
        head, self._unread = self._unread[:end], self._unread[end:]
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/sse"):
            subscribers.add(self._out)
            self._out.write(_SUBSCRIBED)
        elif path.startswith(b"/tick"):
            for subscriber in subscribers:
                subscriber.write(_CHUNK)
            self._out.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif path.startswith(b"/ws") and (key := _KEY.search(head)):
            self._accept(key[1].strip())
            return False
        else:
            self._begin_body(head)
        return True

    def _begin_body(self, head: bytes) -> None:
        length = _LENGTH.search(head)
        self._left = self._body = int(length[1]) if length else 0
        self._chunks = bool(_CHUNKED.search(head))
        if not self._left and not self._chunks:
            self._answer_body()

    def _read_chunk(self) -> bool:
        line, found, rest = self._unread.partition(b"\r\n")
        if not found:
            return False
        size = int(line.split(b";")[0], 16)
        if len(rest) < size + 2:
            return False
        self._body += size
        self._unread = rest[size + 2 :]
        if not size:
            self._chunks = False
            self._answer_body()
        return True

    def _answer_body(self) -> None:
        body = b"%d" % self._body
        self._body = 0
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        self._out.write(head % len(body) + body)

    def _accept(self, key: bytes) -> None:
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324  # RFC 6455 names it
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._out.write(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self._frames = True
        if self._unread:
            self._echo()

    def _echo(self) -> None:
        """Send every whole frame back, unmasked (https://www.rfc-editor.org/rfc/rfc6455#section-5.2)."""
        unread, answers = self._unread, []
        while len(unread) >= 6:
            length, start = unread[1] & 0x7F, 2
            if length == 126:
                length, start = int.from_bytes(unread[2:4], "big"), 4
            if len(unread) < start + 4 + length:
                break
            mask, payload = unread[start : start + 4], unread[start + 4 : start + 4 + length]
            unread = unread[start + 4 + length :]
            if any(mask):
                key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
                payload = (int.from_bytes(payload, "big") ^ key).to_bytes(length, "big")
            size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big")
            answers.append((b"\x88" if self._unread[0] & 15 == 8 else b"\x81") + size + payload)
        self._unread = unread
        self._out.write(b"".join(answers))


async def serve(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
