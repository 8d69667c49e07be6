"""A server as a process: on a port of its own, waited for, and ended for certain."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from corsproxy.conformance.target import Broken

_PATIENCE: Final = 20.0  # seconds to start, and then to end
_PAUSE: Final = 0.01  # seconds between two looks at the port
_PORTS: Final = (10_000, 30_000)  # below those of clients, on every usual system


def free_port() -> int:
    """A port that nobody listens on now, and that the kernel gives to no client.

    One of those that it does give would now and then be the client's own: who asks again and again whether a port is
    open then connects to itself.
    """
    while True:
        port = random.randrange(*_PORTS)  # noqa: S311  # nothing is guarded by it
        with suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port


@asynccontextmanager
async def process(
    command: Sequence[str], *, port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """Run a command that listens on a port of 127.0.0.1, from when it takes connections to the end of the context.

    What it prints goes to a file in the folder.  Raises Broken, with its last words, where it does not listen.
    """
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        running = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        await _listening(running, port, log)
        yield
    finally:
        await _end(running)


async def _listening(running: asyncio.subprocess.Process, port: int, log: Path) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            while running.returncode is None:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        pass
    state = "does not listen" if running.returncode is None else f"ended with {running.returncode}"
    raise Broken(f"the server {state}: {_last_words(log)}")


def _last_words(log: Path) -> str:
    return log.read_text("utf-8", "replace").strip()[-600:] or "it printed nothing"


async def _end(running: asyncio.subprocess.Process) -> None:
    """End it and everything that it has started."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(running.pid, kind)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE / 4):
                await running.wait()
                return
