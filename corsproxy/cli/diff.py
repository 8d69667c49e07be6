"""``corsproxy diff``: what a change of a configuration lets pages do, and what it no longer does."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from corsproxy.cli.config_file import STANDARD_INPUT, read_config
from corsproxy.errors import InvalidConfig

if TYPE_CHECKING:
    from corsproxy.config.table import RuleTable


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def diff(old: str, new: str, as_json: bool) -> None:  # click passes a flag so
    """Say what pages may do under NEW that they might not under OLD, and the other way round.

    Compares what the two tables mean, and not how they are written: each class of origins, at each host and path, with
    the methods, headers and credentials that become allowed or denied, the rules that decide, and a request to try.
    The comparison is exact: what it does not name is answered alike.

    \b
        corsproxy diff config.yaml new.yaml
        git show main:config.yaml | corsproxy diff - config.yaml

    Exits with 1 when a page may do something that it might not before, or may be the upstream lets it; with 0 when
    nothing is allowed newly, whatever is denied; with 2 when a file is invalid.
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    if old == new == STANDARD_INPUT:
        raise click.UsageError("standard input can be read once; name a file for one of the two")
    before, after = _table(old), _table(new)
    from corsproxy.tools.difference.tables import difference  # noqa: PLC0415  # --help needs none of them

    found = difference(before, after)
    if as_json:
        from corsproxy.tools.difference.as_json import as_json as plain  # noqa: PLC0415

        click.echo(json.dumps(plain(found), indent=2))
    else:
        from corsproxy.cli.difference_text import print_difference  # noqa: PLC0415

        print_difference(found)
    sys.exit(found.widens)


def _table(file: str) -> RuleTable:
    """The table of a file; ends the program with 2 where there is none, since 1 says that something is allowed."""
    try:
        return read_config(file).table
    except InvalidConfig as invalid:
        from corsproxy.cli.style import print_problems  # noqa: PLC0415  # only needed when something is wrong

        print_problems(invalid.problems)
        sys.exit(2)
