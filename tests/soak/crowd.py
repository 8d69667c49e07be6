"""Very many connections at once, to a proxy in a process of its own, and what they cost it in memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from tests.e2e.rig import ClientWire, RawUpstream, Request, ServerWire, answer, config, request

MEBI: Final = 1024 * 1024
KIBI: Final = 1024
LARGE: Final = 64 * MEBI
HANDSHAKE: Final = (
    b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip
SWITCH: Final = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def next_request(wire: ServerWire) -> Request:
    """The next request, however long it takes: the patience of tests is too short for a crowd."""
    while True:
        with contextlib.suppress(TimeoutError):
            return await wire.request()


async def serve(wire: ServerWire) -> None:
    """A small answer, a switch, or a large body, as the target says."""
    while True:
        received = await next_request(wire)
        if received.target == b"/ws":
            await wire.send(SWITCH)
            await next_request(wire)  # there is none
        elif received.target == b"/large":
            wire._transport.set_write_buffer_limits(high=KIBI)
            await wire.send(answer(b"200 OK", b"Content-Length: %d" % LARGE))
            for _ in range(LARGE // (64 * KIBI)):
                if wire.lost:
                    return
                wire._transport.write(bytes(64 * KIBI))
                await wire._writable.wait()
        else:
            await wire.send(answer(b"200 OK", body=b"ok"))


class Proxy:
    """``corsproxy serve`` in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.pid = process.pid
        self.port = port

    def resident(self) -> int:
        """Bytes in memory, the pages shared with others included."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def connect(self) -> ClientWire:
        _, client = await asyncio.get_running_loop().create_connection(ClientWire, "127.0.0.1", self.port)
        return client


async def idle(proxy: Proxy) -> ClientWire:
    client = await proxy.connect()
    await client.ask(b"GET /x")
    return client


async def tunnel(proxy: Proxy) -> ClientWire:
    client = await proxy.connect()
    assert (await client.ask(b"GET /ws", *HANDSHAKE)).status == 101
    return client


async def slow(proxy: Proxy) -> ClientWire:
    client = await proxy.connect()
    client.pause()
    await client.send(request(b"GET /large"))
    return client


KINDS: Final[dict[str, tuple[int, Callable[[Proxy], Awaitable[ClientWire]]]]] = {
    "idle keep-alive connections": (10_000, idle),
    "WebSockets": (1_000, tunnel),
    "slow readers of a 64 MiB body": (500, slow),
}


async def measure(proxy: Proxy, kind: str, count: int, opens: Callable[[Proxy], Awaitable[ClientWire]]) -> str:
    """Open so many, wait until nothing moves, and say what they cost."""
    base = proxy.resident()
    clients: list[ClientWire] = []
    for start in range(0, count, 100):
        clients += await asyncio.gather(*(opens(proxy) for _ in range(min(100, count - start))))
    grown = await at_rest(proxy) - base
    for client in clients:
        client.close()
    return f"| {count:,} {kind} | {grown / MEBI:.0f} MiB | {grown / count / KIBI:.1f} KiB |"


async def at_rest(proxy: Proxy) -> int:
    """The resident memory once it has stood still for a second."""
    last, still = proxy.resident(), 0
    while still < 10:
        await asyncio.sleep(0.1)
        now = proxy.resident()
        still = still + 1 if abs(now - last) < MEBI else 0
        last = now
    return last


async def crowd(scale: float) -> None:
    """Print a row for each kind of connection; ``scale`` makes the crowds smaller."""
    needed = int(12_000 * scale) + 1_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))  # the proxy inherits it
    print("| connections | memory | each |\n|---|---|---|")  # noqa: T201
    async with RawUpstream(serve) as upstream:
        for kind, (count, opens) in KINDS.items():
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(config(upstream.url, limits={"max_connections": 20_000, "keepalive_timeout": 3600}))
                file.flush()
                await _alone(file.name, kind, max(1, int(count * scale)), opens)


async def _alone(path: str, kind: str, count: int, opens: Any) -> None:
    command = [sys.executable, "-m", "corsproxy", "serve", "-c", path]
    with subprocess.Popen(  # noqa: ASYNC220  # nothing else runs meanwhile
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            port = 0
            while not port:
                line = process.stdout.readline()
                assert line, "the proxy ended"
                port = int(line.rpartition(":")[2].split("/")[0]) if "://127.0.0.1:" in line else 0
            threading.Thread(target=process.stdout.read, daemon=True).start()  # a full pipe would stop the proxy
            proxy = Proxy(process, port)
            for _ in range(50):  # what is loaded late is loaded
                (await idle(proxy)).close()
            print(await measure(proxy, kind, count, opens), flush=True)  # noqa: T201
        finally:
            process.terminate()
