"""``corsproxy conformance``: how much of CORS a server gets right, and what follows where it does not."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from corsproxy.cli.style import print_table, wants_colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corsproxy.conformance.load import Suite
    from corsproxy.conformance.model import Vector
    from corsproxy.conformance.report import Report, Result, Score
    from corsproxy.conformance.target import Target


@click.command()
@click.argument("names", metavar="[TARGET]...", nargs=-1)
@click.option(
    "--topic", "topics", metavar="TOPIC", multiple=True, help="Only the vectors of this topic; may be repeated."
)
@click.option(
    "--vector", "ids", metavar="ID", multiple=True, help="Only this vector, or this family of them; may be repeated."
)
@click.option("--list", "listed", is_flag=True, help="Print the vectors and run nothing.")
@click.option("--targets", "targets", is_flag=True, help="Print the targets, and what is missing to run them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--junit", "junit_file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit's XML."
)
@click.option(
    "--html",
    "html_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page that can be published.",
)
def conformance(
    names: tuple[str, ...],
    topics: tuple[str, ...],
    ids: tuple[str, ...],
    listed: bool,
    targets: bool,
    as_json: bool,
    junit_file: Path | None,
    html_file: Path | None,
) -> None:
    """Put a server to the vectors: raw requests, and what has to come of them, on the wire and in a browser.

    TARGET is one of --targets; without any, this proxy is run.  Each target gets its own configuration for each policy,
    the best that it can do; what it cannot express is counted apart.  Exits with 1 when a vector fails.

    \b
        corsproxy conformance
        corsproxy conformance nginx --topic caches
        corsproxy conformance --vector origin-lookalike-suffix
        corsproxy conformance corsproxy nginx --html conformance.html
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    from corsproxy.conformance.choice import Unknown, chosen  # noqa: PLC0415  # --help needs none of them
    from corsproxy.conformance.load import bundled  # noqa: PLC0415

    if targets:
        _print_targets()
        return
    suite = bundled()
    try:
        vectors = chosen(suite, topics, ids)
    except Unknown as unknown:
        raise click.UsageError(str(unknown)) from None
    if listed:
        _print_vectors(suite, vectors, as_json=as_json)
        return
    reports = asyncio.run(_run([_target(name) for name in names or ("corsproxy",)], suite, vectors))
    _write(reports, junit_file, html_file)
    if as_json:
        from corsproxy.conformance.formats import plain  # noqa: PLC0415

        click.echo(json.dumps([plain(report) for report in reports], indent=2))
    else:
        _print_reports(reports)
    sys.exit(any(report.failed for report in reports))


def _target(name: str) -> Target:
    from corsproxy.conformance.targets import TARGETS, target_named  # noqa: PLC0415

    if name not in TARGETS:
        raise click.UsageError(f"there is no target {name!r}; it is one of {', '.join(TARGETS)}")
    target = target_named(name)
    if missing := target.missing():
        raise click.UsageError(f"{name} cannot be run here: {missing}")
    return target


async def _run(targets: Sequence[Target], suite: Suite, vectors: Sequence[Vector]) -> list[Report]:
    from corsproxy.conformance.runner import run  # noqa: PLC0415

    return [await run(target, suite, vectors) for target in targets]


def _write(reports: Sequence[Report], junit_file: Path | None, html_file: Path | None) -> None:
    from corsproxy.conformance.formats import junit  # noqa: PLC0415

    if junit_file is not None:
        junit_file.write_bytes(junit(reports))
    if html_file is not None:
        from corsproxy.conformance.html import page  # noqa: PLC0415

        today = datetime.now(tz=UTC).date().isoformat()
        html_file.write_text(page(reports, today), "utf-8")


def _print_targets() -> None:
    from corsproxy.conformance.targets import TARGETS, target_named  # noqa: PLC0415

    rows = []
    for name in TARGETS:
        target = target_named(name)
        missing = target.missing()
        rows.append((name, target.title, "" if missing else target.version(), missing))
    print_table(("TARGET", "NAME", "VERSION", "MISSING"), rows)


def _print_vectors(suite: Suite, vectors: Sequence[Vector], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([vector.model_dump(mode="json", exclude_defaults=True) for vector in vectors], indent=2))
        return
    for topic in suite.topics:
        if own := [vector for vector in vectors if vector.topic == topic.name]:
            click.echo(f"{topic.name}  {topic.title}")
            width = max(len(vector.id) for vector in own)
            for vector in own:
                click.echo(f"  {vector.id:{width}}  {vector.title}")
    click.echo(f"{len(vectors)} vectors")


def _print_reports(reports: Sequence[Report]) -> None:
    colour = wants_colour(sys.stdout)
    for number, report in enumerate(reports):
        if number:
            click.echo()
        click.echo(f"{report.title} {report.version}\n")
        rows = [_row(score, score.topic.title) for score in report.scores()]
        print_table(("TOPIC", "HELD", "FAILED", "CANNOT"), [*rows, _row(report.total(), "all")])
        for line in _details(report):
            click.echo(line, color=colour)


def _row(score: Score, title: str) -> tuple[str, str, str, str]:
    return title, f"{score.held}/{score.asked}", str(score.failed or ""), str(score.cannot or "")


def _details(report: Report) -> Iterator[str]:
    from corsproxy.conformance.report import Outcome  # noqa: PLC0415
    from corsproxy.http.answers import printable  # noqa: PLC0415

    for result in report.failed:
        yield ""
        yield f"{click.style(result.vector.id, fg='red', bold=True)}  {printable(result.vector.title)}"
        yield from (f"  {label:9} {printable(text)}" for label, text in _lines(result))
    reasons = sorted({reason for result in report.of(Outcome.CANNOT) for reason in result.why})
    if reasons:
        yield ""
        yield from (f"cannot: {printable(reason)}" for reason in reasons)


def _lines(result: Result) -> Iterator[tuple[str, str]]:
    yield from (("found", why) for why in result.why)
    yield "so", result.vector.protects
    yield "source", result.vector.source
