"""What all engines share: a command, a folder for its files, and the wait until it takes connections.

Rules: a process is the head of a group of its own, and the group is ended with it; nothing is left behind whatever
happens, since the kernel is asked to end the process with this one (PR_SET_PDEATHSIG); whoever waits for an engine
learns its last words when it ends instead.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from corsproxy.errors import CorsproxyError

PATIENCE: Final = 20.0  # seconds for an engine to take connections, or to judge a file
_BETWEEN_KNOCKS: Final = 0.005  # seconds
_GRACE: Final = 2.0  # seconds to end by itself
_PR_SET_PDEATHSIG: Final = 1


class NotRunning(CorsproxyError):
    """An engine ended, or does not listen; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A proxy that runs a file.

    ``serve`` and ``check`` make the commands from the program, the file and the folder that is theirs alone; ``wrap``
    turns what is exported into the file that is started, for an engine whose export is a part of one.
    """

    name: str
    title: str
    find: Callable[[], str]  # the program; "" where it is not installed
    install: str  # how to get it
    file: str  # what its configuration is called
    serve: Callable[[str, Path, Path], list[str]]
    check: Callable[[str, Path, Path], list[str]]
    version: tuple[str, ...]  # arguments that make it print one
    wrap: Callable[[str, Path], str] = field(default=lambda text, _: text)
    environment: Callable[[Path], Mapping[str, str]] = field(default=lambda _: {})

    def missing(self) -> str:
        """What has to be installed first; "" when it can run."""
        return "" if self.find() else f"{self.title} is not installed; {self.install}"

    def write(self, text: str, folder: Path) -> Path:
        """The configuration as a file in the folder."""
        path = folder / self.file
        path.write_text(self.wrap(text, folder), "utf-8")
        return path

    def complaint(self, text: str, folder: Path) -> str:
        """What the engine's own parser says against a configuration; "" when nothing."""
        command = self.check(self.find(), self.write(text, folder), folder)
        done = subprocess.run(  # noqa: S603  # the commands are those of this folder
            command,
            capture_output=True,
            env={**os.environ, **self.environment(folder)},
            timeout=PATIENCE,
            check=False,
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
        return (said or f"it ended with {done.returncode}") if done.returncode else ""

    def print_version(self) -> str:
        """What the program says of its version, in one line."""
        done = subprocess.run(  # noqa: S603  # as above
            [self.find(), *self.version], capture_output=True, timeout=PATIENCE, check=False
        )
        said = (done.stdout or done.stderr).decode("utf-8", "replace").strip()
        return said.splitlines()[0].strip() if said else ""


class EngineProcess:
    """A running engine; what it prints goes to a file in its folder."""

    def __init__(self, engine: Engine, text: str, folder: Path) -> None:
        command = engine.serve(engine.find(), engine.write(text, folder), folder)
        self._title = engine.title
        self._log = folder / f"{engine.name}.log"
        with self._log.open("wb") as output:
            self._popen = subprocess.Popen(  # noqa: S603  # as above
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **engine.environment(folder)},
                start_new_session=True,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509  # it calls the kernel and nothing else
            )

    def wait_until_listening(self, host: str, port: int) -> None:
        """Return when the address takes connections; raises NotRunning when it will not."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._popen.poll() is not None:
                raise NotRunning(f"{self._title} ended with {self._popen.returncode}: {self.last_words()}")
            with suppress(OSError), socket.create_connection((host, port), timeout=1):
                return
            time.sleep(_BETWEEN_KNOCKS)
        raise NotRunning(f"{self._title} does not listen after {PATIENCE:.0f} seconds: {self.last_words()}")

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


@contextmanager
def running(engine: Engine, text: str, address: tuple[str, int], folder: Path) -> Iterator[EngineProcess]:
    """The engine with a configuration that makes it listen at ``address``, from its first connection on.

    Raises NotRunning.  It blocks for the tenths of a second that an engine takes to start.
    """
    process = EngineProcess(engine, text, folder)
    try:
        process.wait_until_listening(*address)
        yield process
    finally:
        process.stop()


def beside_python(program: str) -> str:
    """A program of a PyPI package in this Python's own environment, or else on PATH; "" for none."""
    own = Path(sys.executable).parent / program
    return str(own) if own.exists() else shutil.which(program) or ""


def system_program(program: str) -> str:
    """A program on PATH or where Debian has servers, which is not on everybody's PATH; "" for none."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin") or ""


def _die_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
