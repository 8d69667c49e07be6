"""Event streams, WebSockets and idle connections, through a proxy.

``python -m benchmarks.load.streams sse PORT SECONDS CONNECTIONS PREFIX UPSTREAM_PORT``
``python -m benchmarks.load.streams websocket PORT SECONDS CONNECTIONS PREFIX``
``python -m benchmarks.load.streams idle PORT SECONDS CONNECTIONS PREFIX``

``sse``: an event goes to all subscribers, and the next one when all have it.  ``websocket``: each connection sends a
message when it has the last one back.  ``idle``: connections that asked once and then stay silent, until a line is read
from standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from time import perf_counter

import uvloop

from benchmarks import rule
from benchmarks.load import requests

MESSAGE = b"m" * 64
# With a mask of zeros a frame is valid and needs no masking.
FRAME = b"\x81" + bytes([0x80 | len(MESSAGE)]) + bytes(4) + MESSAGE
ECHO = b"\x81" + bytes([len(MESSAGE)]) + MESSAGE
HANDSHAKE = {
    "Origin": rule.ORIGIN,
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Subscriber(asyncio.Protocol):
    """One page that listens to the events."""

    def __init__(self, request: bytes, stage: Stage) -> None:
        self._request = request
        self._stage = stage
        self._line_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = transport
        transport.write(self._request)  # type: ignore[attr-defined]  # the loop's own transport

    def data_received(self, data: bytes) -> None:
        events = data.count(b"\n\n") + (self._line_ended and data[:1] == b"\n")
        self._line_ended = data[-1:] == b"\n" and data[-2:] != b"\n\n"
        if events:
            self._stage.arrived(events)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stage.broke()


class Stage:
    """Counts what all connections received, and says when the expected number is there."""

    def __init__(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        self._expected = self.count = 0
        self.over = False

    def arrived(self, number: int) -> None:
        self.count += number
        if self.count >= self._expected and not self._waiting.done():
            self._waiting.set_result(None)

    def broke(self) -> None:
        if not self.over and not self._waiting.done():
            self._waiting.set_exception(RuntimeError("a connection was closed"))

    async def reach(self, expected: int) -> None:
        """Return when so many have arrived in all; raises RuntimeError or TimeoutError."""
        self._expected = expected
        if self.count < expected:
            self._waiting = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(10):
                await self._waiting


async def sse(port: int, seconds: float, connections: int, prefix: str, upstream: int) -> dict[str, float]:
    """Events delivered."""
    loop, stage = asyncio.get_running_loop(), Stage()
    request = requests.head("GET", f"{prefix}/sse", {"Origin": rule.ORIGIN, "Accept": "text/event-stream"})
    opened = [
        (await loop.create_connection(lambda: Subscriber(request, stage), "127.0.0.1", port))[0]
        for _ in range(connections)
    ]
    await stage.reach(connections)  # the first event comes with the answer's head
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream)
    start, first = perf_counter(), stage.count
    expected = first
    while perf_counter() - start < seconds:
        expected += connections
        writer.write(b"GET /tick HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await stage.reach(expected)
    elapsed = perf_counter() - start
    stage.over = True
    for transport in opened:
        transport.abort()
    return {"requests": stage.count - first, "seconds": elapsed}


class Talker(asyncio.Protocol):
    """One page that speaks over a WebSocket."""

    def __init__(self, request: bytes, stage: Stage) -> None:
        self._request = request
        self._stage = stage
        self._received = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = transport
        transport.write(self._request)  # type: ignore[attr-defined]  # the loop's own transport

    def data_received(self, data: bytes) -> None:
        if data == ECHO:
            self._next()
            return
        self._received += data
        if not self._open and b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            if b" 101 " not in head[:16]:
                self._stage.broke()
                return
            self._open = True
            self._out.write(FRAME)  # type: ignore[attr-defined]
        while self._received.startswith(ECHO):
            self._received = self._received[len(ECHO) :]
            self._next()

    def _next(self) -> None:
        self._stage.count += 1
        if not self._stage.over:
            self._out.write(FRAME)  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        self._stage.broke()


async def websocket(port: int, seconds: float, connections: int, prefix: str) -> dict[str, float]:
    """Messages that came back."""
    loop, stage = asyncio.get_running_loop(), Stage()
    request = requests.head("GET", f"{prefix}/ws", HANDSHAKE)
    opened = [
        (await loop.create_connection(lambda: Talker(request, stage), "127.0.0.1", port))[0] for _ in range(connections)
    ]
    await asyncio.sleep(0.1)  # the handshakes
    start, first = perf_counter(), stage.count
    await asyncio.sleep(seconds)
    elapsed, count = perf_counter() - start, stage.count - first
    stage.over = True
    for transport in opened:
        transport.abort()
    if count < connections:
        raise RuntimeError(f"only {count} messages came back")
    return {"requests": count, "seconds": elapsed}


class Idler(asyncio.Protocol):
    """A connection that asks once."""

    def __init__(self, request: bytes, stage: Stage) -> None:
        self._request = request
        self._stage = stage
        self.alive = True
        self._answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not self._answered:
            self._answered = True
            self._stage.arrived(1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False


async def idle(port: int, seconds: float, connections: int, prefix: str) -> None:
    """Hold connections; prints how many stand, and ends when a line is read."""
    loop, stage = asyncio.get_running_loop(), Stage()
    request = requests.small(prefix)[0]
    start = perf_counter()
    held: list[Idler] = []
    while len(held) < connections and perf_counter() - start < seconds:
        batch = [
            loop.create_connection(lambda: Idler(request, stage), "127.0.0.1", port)
            for _ in range(min(50, connections - len(held)))
        ]
        made = await asyncio.gather(*batch, return_exceptions=True)
        held += [pair[1] for pair in made if not isinstance(pair, BaseException)]
    with suppress(TimeoutError, RuntimeError):  # who does not answer is not held
        await stage.reach(len(held))
    print(json.dumps({"held": sum(each.alive for each in held), "asked": connections}), flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)


def main() -> None:
    """Run the part that is named."""
    what, port, seconds, connections, prefix = sys.argv[1:6]
    numbers = int(port), float(seconds), int(connections), prefix
    if what == "sse":
        print(json.dumps(uvloop.run(sse(*numbers, int(sys.argv[6])))))
    elif what == "websocket":
        print(json.dumps(uvloop.run(websocket(*numbers))))
    else:
        uvloop.run(idle(*numbers))


if __name__ == "__main__":
    main()
