"""Memory stays flat, however large a body and however slow the peer: measured in a process of its own.

The peer that does not read is let go only when the other one has been stopped by backpressure, so all buffers are full
then.  The body is many times the bound; a proxy that collects it, or half of it, fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import (
    PATIENCE,
    ClientWire,
    RawUpstream,
    ServerWire,
    Wire,
    answer,
    config,
    request,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")

MEBI = 1024 * 1024
BODY = 64 * MEBI
BOUND = 12 * MEBI  # what may be added to the peak: some socket and stream buffers, and what the allocator keeps
PIECE = bytes(256 * 1024)

CHILD = """
import asyncio, sys
from corsproxy.config.load import load_config
from corsproxy.server.process import Server

async def main():
    server = Server(load_config(sys.stdin.read(), "config.yaml", {}))
    await server.start()
    print(server.addresses[0][1], flush=True)
    await asyncio.Event().wait()

try:
    import uvloop
except ImportError:
    asyncio.run(main())
else:
    uvloop.run(main())
"""


class Child:
    """A proxy process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def peak(self) -> int:
        """The most memory that the process ever had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def forget_peak(self) -> None:
        """Let the peak begin at what is used now: https://docs.kernel.org/filesystems/proc.html, clear_refs."""
        with contextlib.suppress(OSError):  # a container may forbid it; the start-up's peak then hides some growth
            Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[ClientWire]:
        _, client = await asyncio.get_running_loop().create_connection(ClientWire, "127.0.0.1", self.port)
        try:
            yield client
        finally:
            client.close()


@contextlib.contextmanager
def proxy_process(yaml_text: str) -> Iterator[Child]:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(yaml_text.encode())
        process.stdin.close()
        try:
            yield Child(process, int(process.stdout.readline()))
        finally:
            process.terminate()


async def pour(wire: Wire, chunked: bool, stopped: asyncio.Event) -> None:
    """Send a body of BODY bytes, and say when the other side was too slow to take it, or at the end if it never was."""
    piece = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE
    for _ in range(BODY // len(PIECE)):
        sending = asyncio.ensure_future(wire.send(piece))
        _, waiting = await asyncio.wait([sending], timeout=0.3)
        if waiting:
            stopped.set()
        await sending
    stopped.set()
    if chunked:
        await wire.send(b"0\r\n\r\n")


def framing(chunked: bool) -> bytes:
    return b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % BODY


async def warmed_up(child: Child) -> int:
    """The peak after an ordinary exchange, when everything that is loaded late has been loaded."""
    async with child.client() as client:
        await client.ask(b"POST /warm-up", body=PIECE)
    child.forget_peak()
    return child.peak()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_large_download_to_a_slow_client(chunked):
    stopped = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        while (await wire.request()).target == b"/warm-up":
            await wire.send(answer(b"200 OK", body=PIECE))
        await wire.send(answer(b"200 OK", framing(chunked)))
        await pour(wire, chunked, stopped)

    async with RawUpstream(script) as upstream:
        with proxy_process(config(upstream.url)) as child:
            before = await warmed_up(child)
            async with child.client() as client:
                client.pause()
                await client.send(request(b"GET /x"))
                await asyncio.wait_for(stopped.wait(), PATIENCE)
                client.resume()
                response = await client.response()
                grown = child.peak() - before
    assert len(response.body) == BODY
    assert grown < BOUND, f"{grown / MEBI:.1f} MiB for a body of {BODY / MEBI:.0f} MiB"


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_large_upload_to_a_slow_upstream(chunked):
    stopped = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        while (head := await wire.request_head()).target == b"/warm-up":
            await wire.read_sized(len(PIECE))
            await wire.send(answer(b"200 OK"))
        wire.pause()
        await stopped.wait()
        wire.resume()
        if chunked:
            await wire.read_chunked_into(head)
        else:
            head.body = await wire.read_sized(BODY)
        await wire.send(answer(b"200 OK", body=b"%d" % len(head.body)))

    async with RawUpstream(script) as upstream:
        with proxy_process(config(upstream.url)) as child:
            before = await warmed_up(child)
            async with child.client() as client:
                await client.send(request(b"POST /x", framing(chunked)))
                await pour(client, chunked, stopped)
                response = await client.response()
                grown = child.peak() - before
    assert response.body == b"%d" % BODY
    assert grown < BOUND, f"{grown / MEBI:.1f} MiB for a body of {BODY / MEBI:.0f} MiB"


@pytest.mark.parametrize("slow", ["client", "upstream"])
async def test_large_messages_through_a_tunnel(slow):
    """A WebSocket is bytes both ways; neither end may fill the proxy."""
    stopped = asyncio.Event()
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    async def script(wire: ServerWire) -> None:
        while (await wire.request()).target == b"/warm-up":
            await wire.send(answer(b"200 OK"))
        await wire.send(switch)
        if slow == "client":
            await pour(wire, False, stopped)
            await wire.until_ended()
        else:
            wire.pause()
            await stopped.wait()
            wire.resume()
            await wire.read_sized(BODY)
            await wire.send(b"done")

    async with RawUpstream(script) as upstream:
        with proxy_process(config(upstream.url)) as child:
            before = await warmed_up(child)
            async with child.client() as client:
                assert (await client.ask(b"GET /ws", b"Connection: Upgrade", b"Upgrade: websocket")).status == 101
                if slow == "client":
                    client.pause()
                    await asyncio.wait_for(stopped.wait(), PATIENCE)
                    client.resume()
                    await client.read_sized(BODY)
                else:
                    await pour(client, False, stopped)
                    assert await client.read_exactly(4) == b"done"
                grown = child.peak() - before
    assert grown < BOUND, f"{grown / MEBI:.1f} MiB for {BODY / MEBI:.0f} MiB of messages"
