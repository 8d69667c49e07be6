"""Where a command has its configuration from: a file, or the flags that stand for one API and one policy.

Rules: the command line wins over the environment, since a variable may have been set for something else; in one of the
two, a file and flags are two truths, and refused; where neither says anything, there is one place to look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from corsproxy.cli.config_file import file_option, read_config
from corsproxy.cli.one_api import FLAGS, PLACES, compile_one_api

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled

DEFAULT_FILE: Final = "/etc/corsproxy/config.yaml"
_NOTHING_SAID = (
    "nothing says what to serve; give -c FILE, or --upstream and --allow-origin "
    "(CORSPROXY_CONFIG, or CORSPROXY_UPSTREAM and CORSPROXY_ALLOW_ORIGINS)"
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the configuration is: in ``file``, or else, if that is "", in ``values`` by the names in ``said``."""

    file: str
    values: Mapping[str, Any]
    said: Mapping[str, str]

    def read(self) -> Compiled:
        """Read and compile it, each time anew.

        Raises InvalidConfig with every problem.
        """
        return read_config(self.file) if self.file else compile_one_api(self.values, self.said)


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``-c FILE``, and the flags of one API; the command gets them as one argument, ``source``."""

    @wraps(command)
    def gathered(file: str | None, **parameters: object) -> object:
        values = {flag.parameter: parameters.pop(flag.parameter) for flag in FLAGS}
        return command(source=_source(file or "", values), **parameters)

    return _with_options(gathered)


def sources_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, or any number of files as arguments; the command gets them as one argument, ``sources``."""

    @wraps(command)
    def gathered(file: str | None, files: tuple[str, ...], **parameters: object) -> object:
        values = {flag.parameter: parameters.pop(flag.parameter) for flag in FLAGS}
        return command(sources=_sources(file or "", files, values), **parameters)

    return click.argument("files", nargs=-1, metavar="[FILE]...")(_with_options(gathered))


def _with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for flag in reversed(FLAGS):
        command = flag.option()(command)
    return file_option(required=False)(command)


def _sources(file: str, files: tuple[str, ...], values: Mapping[str, Any]) -> tuple[Source, ...]:
    if not files:
        return (_source(file, values),)
    if click.get_current_context().get_parameter_source("file") is ParameterSource.COMMANDLINE:
        raise click.UsageError("-c FILE and files as arguments are two ways to say the same; choose one")
    _refuse_beside(files[0], _given(values, ParameterSource.COMMANDLINE))
    return tuple(Source(name, {}, {}) for name in files)


def _source(file: str, values: Mapping[str, Any]) -> Source:
    on_line = _given(values, ParameterSource.COMMANDLINE)
    in_environment = _given(values, ParameterSource.ENVIRONMENT)
    origin = click.get_current_context().get_parameter_source("file")
    if file and origin is ParameterSource.COMMANDLINE:
        _refuse_beside("-c", on_line)
        return Source(file, {}, {})
    if file and not on_line:
        _refuse_beside("CORSPROXY_CONFIG", {name: said for name, said in in_environment.items() if name not in PLACES})
        return Source(file, {}, {})
    said = in_environment | on_line
    if set(said) <= set(PLACES):
        return _default(on_line)
    for needed in FLAGS[:2]:
        if needed.parameter not in said:
            other = next(name for name in said.values())
            raise click.UsageError(f"{other} needs {needed.name} (or {needed.variable}) beside it")
    return Source("", {name: values[name] for name in said}, said)


def _given(values: Mapping[str, Any], origin: ParameterSource) -> dict[str, str]:
    """The parameters that were given there, and how each is written there."""
    context = click.get_current_context()
    by_line = origin is ParameterSource.COMMANDLINE
    given = [flag for flag in FLAGS if context.get_parameter_source(flag.parameter) is origin]
    return {flag.parameter: flag.name if by_line else flag.variable for flag in given if values[flag.parameter] != ()}


def _default(on_line: Mapping[str, str]) -> Source:
    if not Path(DEFAULT_FILE).exists():
        raise click.UsageError(_NOTHING_SAID)
    _refuse_beside(DEFAULT_FILE, on_line)
    return Source(DEFAULT_FILE, {}, {})


def _refuse_beside(file: str, given: Mapping[str, str]) -> None:
    if given:
        names = ", ".join(given.values())
        raise click.UsageError(f"{file} and {names} both say what to serve; remove one of them")
