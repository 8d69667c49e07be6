"""``corsproxy check``: what a configuration means, whether its tests hold, or everything that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import click

from corsproxy.cli.output import write_output
from corsproxy.cli.source import Source, sources_options

if TYPE_CHECKING:
    from corsproxy.cli.check_report import Report


@click.command()
@sources_options
@click.option(
    "--tests",
    "tests_files",
    metavar="FILE",
    multiple=True,
    envvar="CORSPROXY_CHECK_TESTS",
    show_envvar=True,
    help="A file of tests, besides those in the configuration.  Again for more.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    envvar="CORSPROXY_CHECK_FORMAT",
    show_envvar=True,
    help="What is printed: for people, for programs, for code scanning, or for the log of a GitHub workflow.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="CORSPROXY_CHECK_JSON",
    show_envvar=True,
    help="The same as --format json.",
)
@click.option(
    "--junit",
    metavar="FILE",
    envvar="CORSPROXY_CHECK_JUNIT",
    show_envvar=True,
    help="Write the results of the tests to FILE as well, as JUnit's XML.",
)
def check(
    sources: tuple[Source, ...], tests_files: tuple[str, ...], form: str, as_json: bool, junit: str | None
) -> None:  # click passes a flag so
    """Say what a configuration means, run the tests in it, or say everything that is wrong with it.

    Prints the table that results: the rules in the order in which they win, where each was written, and what each
    policy grants; the same of its shadow, where it has one.  What is invalid exits with 1 and every problem as
    FILE:LINE:COLUMN, or the name of the flag or variable, with the smallest correction; so does a test that fails, with
    its explanation.  Nothing is connected to and nothing is started.

    \b
        corsproxy check -c config.yaml
        corsproxy check -c config.yaml --tests tests.yaml --junit results.xml
        corsproxy check -c config.yaml --format sarif > corsproxy.sarif
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    from corsproxy.cli.check_report import examine  # noqa: PLC0415  # --help needs none of it

    form = "json" if as_json else form
    if form == "json" and len(sources) > 1:
        raise click.UsageError("the JSON is of one configuration; name one file, or choose another --format")
    if tests_files and not all(source.file for source in sources):
        raise click.UsageError("--tests needs a configuration file; name it with -c FILE")
    reports = [examine(source, tests_files) for source in sources]
    _PRINTERS[form](reports)
    if junit:
        _write_junit(junit, reports)
    raise SystemExit(not all(report.well for report in reports))


def _write_junit(file: str, reports: Sequence[Report]) -> None:
    from corsproxy.cli.check_report import failure  # noqa: PLC0415
    from corsproxy.tools.checking.as_junit import Suite, as_junit  # noqa: PLC0415

    suites = [
        Suite(
            report.file,
            report.problems,
            [(result, None if result.passed else failure(result)) for result in report.results],
        )
        for report in reports
    ]
    write_output(file, as_junit(suites), "--junit")


def _print_text(reports: Sequence[Report]) -> None:
    from corsproxy.cli.check_text import print_reports  # noqa: PLC0415

    print_reports(reports)


def _print_json(reports: Sequence[Report]) -> None:
    from corsproxy.cli.check_json import report_as_json  # noqa: PLC0415

    (report,) = reports
    click.echo(json.dumps(report_as_json(report), indent=2))


def _print_sarif(reports: Sequence[Report]) -> None:
    from corsproxy.tools.checking.as_sarif import as_sarif  # noqa: PLC0415

    findings = [finding for report in reports for finding in report.findings()]
    click.echo(json.dumps(as_sarif(findings), indent=2))


def _print_github(reports: Sequence[Report]) -> None:
    from corsproxy.tools.checking.as_github import as_github  # noqa: PLC0415

    for line in as_github(finding for report in reports for finding in report.findings()):
        click.echo(line)


_PRINTERS: Final[dict[str, Callable[[Sequence[Report]], None]]] = {
    "text": _print_text,
    "json": _print_json,
    "sarif": _print_sarif,
    "github": _print_github,
}
