"""The configuration file of a command: its option, and how it is read."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from corsproxy.errors import InvalidConfig, Problem

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled

STANDARD_INPUT = "-"


def file_option(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``-c FILE``, the same for every command that reads a configuration."""
    return click.option(
        "-c",
        "--config",
        "file",
        required=required,
        metavar="FILE",
        envvar="CORSPROXY_CONFIG",
        show_envvar=True,
        help="The rule table (YAML); - reads standard input.",
    )


def read_config(file: str) -> Compiled:
    """Read and compile a configuration file, with the environment of this process.

    Raises InvalidConfig for a file that cannot be read, too.
    """
    from corsproxy.config.load import load_config  # noqa: PLC0415  # --help does not need it

    # A name of its own for each process: two proxies in a row must not take each other for a loop.
    return load_config(_read(file), _name(file), os.environ, pseudonym=f"corsproxy-{secrets.token_hex(4)}")


def _name(file: str) -> str:
    return "standard input" if file == STANDARD_INPUT else file


def _read(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        message = f"the file cannot be read ({error.strerror}); name a readable one"
    except UnicodeDecodeError as error:
        message = f"byte {error.start} of the file is not UTF-8; save it as UTF-8"
    raise InvalidConfig((Problem(_name(file), 0, 0, message),))
