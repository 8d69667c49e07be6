"""What all engines share: how they are found, started and asked about a configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from corsproxy.conformance.process import ServerProcess

PATIENCE: Final = 20.0  # seconds for an engine to judge a file


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


@contextmanager
def running(engine: Engine, text: str, address: tuple[str, int], folder: Path) -> Iterator[None]:
    """The engine with a configuration that makes it listen at ``address``, from its first connection on.

    Raises Broken.  It blocks for the tenths of a second that an engine takes to start.
    """
    command = engine.serve(engine.find(), engine.write(text, folder), folder)
    process = ServerProcess(engine.title, command, folder, engine.environment(folder))
    try:
        process.wait_until_listening(*address)
        yield
    finally:
        process.stop()


def beside_python(program: str) -> str:
    """A program of a PyPI package in this Python's own environment, or else on PATH; "" for none."""
    own = Path(sys.executable).parent / program
    return str(own) if own.exists() else shutil.which(program) or ""


def system_program(program: str) -> str:
    """A program on PATH or where Debian has servers, which is not on everybody's PATH; "" for none."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin") or ""
