"""Processes: started on a core, in a group of their own, and ended for certain.

Every one ends with this process, whatever happens to it: the kernel is asked to (PR_SET_PDEATHSIG), since a proxy that
a broken-off run left behind would spoil the next one.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from benchmarks.machine import tree

PATIENCE: Final = 15.0  # seconds for a process to answer

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Process:
    """A process on certain cores, which listens on a port of the loopback address; raises RuntimeError if it does not.

    What it prints goes to ``log``.
    """

    def __init__(
        self, command: Sequence[str], *, cores: set[int], port: int, log: Path, environment: Mapping[str, str]
    ) -> None:
        self.started = time.perf_counter()
        self.port = port
        self._log = log
        with log.open("wb") as output:
            self._popen = popen(command, cores=cores, output=output, environment=environment)

    @property
    def pid(self) -> int:
        """Of the first process; workers are below it."""
        return self._popen.pid

    def wait_until_listening(self) -> None:
        """Return when the port takes connections."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._popen.poll() is not None:
                raise RuntimeError(f"it ended with {self._popen.returncode}: {self.last_words()}")
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.002)
        raise RuntimeError(f"it does not listen after {PATIENCE:.0f} seconds: {self.last_words()}")

    def last_words(self) -> str:
        """The end of what it printed."""
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return " | ".join(lines[-3:])[-400:] or "it printed nothing"

    def stop(self) -> None:
        """End it and everything below it."""
        below = tree(self._popen.pid)
        for kind, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, kind)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(patience)
                break
        for pid in below:  # a worker that outlived its parent
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def popen(
    command: Sequence[str],
    *,
    cores: set[int],
    output: int | IO[bytes],
    environment: Mapping[str, str],
    listens: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a command on certain cores, as the head of a group, with as many files as it may have.

    One that ``listens`` has a pipe to its standard input.
    """
    return subprocess.Popen(  # noqa: S603  # the commands are those of peers.py
        command,
        stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONHASHSEED": "0", **environment},
        start_new_session=True,
        preexec_fn=_prepared(cores),  # noqa: PLW1509  # there are no threads here
    )


def _prepared(cores: set[int]) -> Callable[[], None]:
    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, cores)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    return prepare
