"""The configuration file of a command: its option, and how it is read."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.server.config_file import ConfigFile
    from corsproxy.tools.written_config import WrittenConfig

STANDARD_INPUT = "-"
STANDARD_INPUT_NAME = "standard input"  # in problems


def file_option(
    *, required: bool, text: str = "The rule table (YAML); - reads standard input."
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``-c FILE``, the same for every command that reads a configuration; ``text`` is what --help says of it."""
    return click.option(
        "-c",
        "--config",
        "file",
        required=required,
        metavar="FILE",
        envvar="CORSPROXY_CONFIG",
        show_envvar=True,
        help=text,
    )


def read_config(file: str) -> Compiled:
    """Read and compile a configuration file, with the environment of this process.

    Raises InvalidConfig for a file that cannot be read, too.
    """
    source, content = config_source(file)
    return source.compile(content)


def config_source(file: str) -> tuple[ConfigFile, bytes]:
    """Where a configuration can be read again, and what it holds now; raises InvalidConfig when it cannot be read."""
    from corsproxy.server.config_file import ConfigFile  # noqa: PLC0415  # --help does not need it

    # A name of its own for each process: two proxies in a row must not take each other for a loop.
    pseudonym = f"corsproxy-{secrets.token_hex(4)}"
    if file == STANDARD_INPUT:
        return ConfigFile(STANDARD_INPUT_NAME, dict(os.environ), pseudonym), sys.stdin.buffer.read()
    source = ConfigFile(file, dict(os.environ), pseudonym)
    return source, source.read()


def read_written(file: str) -> WrittenConfig:
    """Read a configuration file and keep its text, for commands that point into it; raises InvalidConfig."""
    from corsproxy.tools.written_config import WrittenConfig  # noqa: PLC0415  # --help does not need it

    source, content = config_source(file)
    written = WrittenConfig.read(source.decode(content), source.file, source.environment)
    return replace(written, compiled=source.with_shadow(written.compiled, written.text))
