"""The options of commands that learn: which origins are meant, and where what a running proxy learns goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from corsproxy.cors.pattern import Pattern


class Trusted(click.ParamType["Pattern"]):
    """An origin or a pattern."""

    name = "origin"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Pattern:
        """The pattern; ends the program where there is none."""
        from corsproxy.cors.pattern import Pattern, parse_pattern  # noqa: PLC0415  # --help does not need it
        from corsproxy.errors import InvalidOrigin  # noqa: PLC0415

        if isinstance(value, Pattern):
            return value
        try:
            return parse_pattern(str(value))
        except InvalidOrigin as invalid:
            self.fail(str(invalid), param, ctx)


def trust_option(command: Any) -> Any:  # noqa: ANN401  # click's own way
    """``--trust``, the same for every command that learns."""
    return click.option(
        "--trust",
        "trusted",
        multiple=True,
        type=Trusted(),
        metavar="ORIGIN",
        envvar="CORSPROXY_TRUST",
        show_envvar=True,
        help="An origin to learn although it looks like an attack (null, too), or a pattern to write in place of the "
        "origins that it covers; again for more.",
    )(command)


class Learning(NamedTuple):
    """What a running proxy was asked to learn: where it goes, "" for nothing, and who is meant."""

    output: str
    trusted: tuple[Pattern, ...]


def learning_options(metavar: str, help_: str, **kind: Any) -> Callable[[Callable[..., Any]], Any]:  # noqa: ANN401  # click's
    """``--learn`` and ``--trust``; the command gets them as one argument, ``learning``."""

    def decorated(command: Callable[..., Any]) -> Any:  # noqa: ANN401  # as above
        @wraps(command)
        def gathered(learn: str, trusted: tuple[Pattern, ...], **parameters: object) -> object:
            if trusted and not learn:
                raise click.UsageError("--trust says what may be learnt; give --learn, or leave it out")
            return command(learning=Learning(learn, trusted), **parameters)

        option = click.option(
            "--learn", default="", metavar=metavar, envvar="CORSPROXY_LEARN", show_envvar=True, help=help_, **kind
        )
        return option(trust_option(gathered))

    return decorated
