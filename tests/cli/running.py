"""A command as its user meets it: a process, what it prints, what ends it.

Nothing sleeps: a test waits for a line, for the network, or for the end; ``PATIENCE`` runs out only where something
hangs.  Whatever a test does, a process that prints a stack trace fails it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.e2e.wire import PATIENCE, ClientWire

# Whatever a developer's shell has set must not decide whether a test passes.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("CORSPROXY_") and name != "NO_COLOR"}


class Ended(NamedTuple):
    """How a process ended, and what it had printed that no test had read."""

    code: int
    out: str
    err: str


class Running:
    """A process, started."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []  # of standard output, as far as they have been read
        self._clients: list[ClientWire] = []

    async def line(self, part: str) -> str:
        """The next line of standard output that holds this."""
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stdout.readline()).decode().removesuffix("\n"):
                self.lines.append(line)
                if part in line:
                    return line
        raise AssertionError(f"no line has {part!r}: {self.lines}, and then {await self.ended()}")

    async def port(self) -> int:
        """The port of the first address that it says it listens on."""
        return int(re.findall(r"://\S+?:(\d+)\b", await self.line("://"))[0])

    async def connect(self, port: int, host: str = "127.0.0.1") -> ClientWire:
        """A connection to it, closed at the end of the test."""
        _, client = await asyncio.get_running_loop().create_connection(ClientWire, host, port)
        self._clients.append(client)
        return client

    async def ended(self, *signals: int) -> Ended:
        """Send the signals, and wait for the end."""
        for number in signals:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        ended = Ended(self.process.returncode, (out or b"").decode(), err.decode())
        assert "Traceback" not in ended.out + ended.err, ended
        return ended

    def hang_up(self) -> None:
        for client in self._clients:
            client.close()


@contextlib.asynccontextmanager
async def running(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, stdout: int = asyncio.subprocess.PIPE
) -> AsyncIterator[Running]:
    """``corsproxy`` with these arguments; killed at the end of the test, where the test has not ended it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "corsproxy", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        env={**CLEAN, **(environment or {})},
    )
    command = Running(process)
    try:
        yield command
    finally:
        command.hang_up()
        if process.returncode is None:
            process.kill()
            await command.ended()


async def ran(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Ended:
    """How the command ended by itself."""
    async with running(*arguments, environment=environment) as command:
        return await command.ended()
