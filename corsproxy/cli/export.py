"""``corsproxy export``: the rule table in the configuration of another engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from corsproxy.cli.config_file import file_option, read_written
from corsproxy.cli.output import write_output
from corsproxy.cli.style import print_warnings
from corsproxy.errors import InvalidConfig, Problem

if TYPE_CHECKING:
    from corsproxy.tools.exporting.features import Difference

# Their renderers are imported when one is asked for.
TARGETS = ("envoy", "gateway-api", "nginx", "haproxy", "caddy", "traefik")


@click.command()
@file_option(required=True)
@click.option(
    "--to",
    "target",
    type=click.Choice(TARGETS),
    required=True,
    envvar="CORSPROXY_EXPORT_TO",
    show_envvar=True,
    help="The engine.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="CORSPROXY_EXPORT_OUTPUT",
    show_envvar=True,
    help="Write to this file, for its owner alone, in place of standard output.",
)
@click.option(
    "--best-effort",
    is_flag=True,
    envvar="CORSPROXY_EXPORT_BEST_EFFORT",
    show_envvar=True,
    help="Export what the engine can do, and say what is lost, in the output and as warnings.",
)
def export(file: str, target: str, output: Path | None, best_effort: bool) -> None:  # click passes a flag so
    """Write the rule table in the configuration of another engine.

    The engine then decides as this proxy does.  What it cannot do exactly is an error, with the line that asks for it
    and with who may do what because of it; --best-effort exports all the same and says so in the output.  Values from
    the environment stand in the output, secrets included.

    \b
        corsproxy export --to nginx -c config.yaml -o /etc/nginx/conf.d/corsproxy.conf
        corsproxy export --to gateway-api -c config.yaml --best-effort
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    from corsproxy.tools.exporting.targets import TARGETS as RENDERED  # noqa: PLC0415  # --help does not need it
    from corsproxy.tools.exporting.targets import export as exported  # noqa: PLC0415

    result = exported(read_written(file), RENDERED[target])
    lost = [_problem(difference) for difference in result.differences]
    if lost and not best_effort:
        raise InvalidConfig(tuple(lost))
    print_warnings(lost)
    if output is None:
        click.echo(result.text, nl=False)
    else:
        write_output(output, result.text.encode(), "--output", mode=0o600)


def _problem(difference: Difference) -> Problem:
    return Problem(difference.file, difference.line, difference.column, difference.loss)
