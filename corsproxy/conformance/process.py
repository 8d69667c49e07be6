"""A server as a process: on a port of its own, waited for, and ended for certain.

Rules: a process is the head of a group of its own, and the group is ended with it; nothing is left behind whatever
happens, since the kernel is asked to end the process with this one (PR_SET_PDEATHSIG); whoever waits for a server
learns its last words when it ends instead.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from corsproxy.conformance.target import Broken

_PATIENCE: Final = 20.0  # seconds to take connections
_BETWEEN_KNOCKS: Final = 0.005  # seconds
_GRACE: Final = 5.0  # seconds to end by itself
_PORTS: Final = (10_000, 30_000)  # below those of clients, on every usual system
_PR_SET_PDEATHSIG: Final = 1


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


class ServerProcess:
    """A running server; what it prints goes to a file in its folder."""

    def __init__(
        self, title: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._title = title
        self._log = folder / f"{title.replace(' ', '-')}.log"
        with self._log.open("wb") as output:
            self._popen = subprocess.Popen(  # noqa: S603  # the commands are those of this package
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509  # it calls the kernel and nothing else
            )

    def wait_until_listening(self, host: str, port: int) -> None:
        """Return when the address takes connections; raises Broken when it will not."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if self._popen.poll() is not None:
                raise Broken(f"{self._title} ended with {self._popen.returncode}: {self.last_words()}")
            with suppress(OSError), socket.create_connection((host, port), timeout=1):
                return
            time.sleep(_BETWEEN_KNOCKS)
        raise Broken(f"{self._title} does not listen after {_PATIENCE:.0f} seconds: {self.last_words()}")

    def last_words(self) -> str:
        """The end of what it printed."""
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return " | ".join(lines[-5:])[-1000:] or "it printed nothing"

    def stop(self) -> None:
        """End it and its workers."""
        for kind in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, kind)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(_GRACE)
                break
        with suppress(ProcessLookupError):  # a worker that outlived its parent
            os.killpg(self._popen.pid, signal.SIGKILL)


@asynccontextmanager
async def process(
    command: Sequence[str], *, port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """Run a command that listens on a port of 127.0.0.1, from when it takes connections to the end of the context.

    Raises Broken, with its last words, where it does not listen.
    """
    running = ServerProcess("the server", command, folder, environment)
    try:
        await asyncio.to_thread(running.wait_until_listening, "127.0.0.1", port)
        yield
    finally:
        await asyncio.to_thread(running.stop)


def _die_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
