"""What commands share when they print.

Rules: for a terminal there are colours and tables, elsewhere plain text that other programs can read; NO_COLOR
(https://no-color.org) is honoured; what is wrong goes to standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

import click

from corsproxy.errors import Problem


def wants_colour(stream: TextIO) -> bool:
    """Whether colours may be printed there."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def print_problems(problems: Sequence[Problem]) -> None:
    """What is wrong, one problem after the other, and how many there are."""
    print_located(problems, "red")
    click.echo("1 problem" if len(problems) == 1 else f"{len(problems)} problems", err=True)


def print_warnings(warnings: Iterable[Problem]) -> None:
    """What may run and is probably not meant."""
    print_located((warning._replace(message=f"warning: {warning.message}") for warning in warnings), "yellow")


def print_located(problems: Iterable[Problem], colour: str) -> None:
    """Problems on standard error: the place, the words, and below them what to write instead."""
    for problem in problems:
        first, *correction = str(problem).split("\n", 1)
        place = first.removesuffix(problem.message)
        click.secho(place, bold=True, nl=False, err=True, color=wants_colour(sys.stderr))
        click.secho(problem.message, fg=colour, err=True, color=wants_colour(sys.stderr))
        for line in correction:
            click.secho(line, fg="green", err=True, color=wants_colour(sys.stderr))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: drawn on a terminal, aligned by spaces elsewhere."""
    if sys.stdout.isatty():
        _draw(columns, rows)
        return
    widths = [max(len(row[index]) for row in (columns, *rows)) for index in range(len(columns))]
    for row in (columns, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box  # noqa: PLC0415  # only for people
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, header_style="bold" if wants_colour(sys.stdout) else "", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # Text: nothing in a configuration is markup
    Console().print(table)
