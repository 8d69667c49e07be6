"""What ``corsproxy conformance`` prints for people: scores by topic, and each failure with what follows from it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

import click

from corsproxy.cli.style import print_table, wants_colour
from corsproxy.conformance.load import Suite
from corsproxy.conformance.model import Vector
from corsproxy.conformance.report import Outcome, Report, Result, Score
from corsproxy.conformance.targets import TARGETS, target_named
from corsproxy.http.answers import printable


def print_targets() -> None:
    """Every target, and what is missing to run it."""
    rows = []
    for name in TARGETS:
        target = target_named(name)
        missing = target.missing()
        rows.append((name, target.title, "" if missing else target.version(), missing))
    print_table(("TARGET", "NAME", "VERSION", "MISSING"), rows)


def print_vectors(suite: Suite, vectors: Sequence[Vector], *, as_json: bool) -> None:
    """The vectors by topic, or all that is in them as JSON."""
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


def print_reports(reports: Sequence[Report]) -> None:
    """Scores, failures and what cannot be expressed."""
    colour = wants_colour(sys.stdout)
    for number, report in enumerate(reports):
        if number:
            click.echo()
        click.echo(f"{report.title} {report.version}\n")
        rows = [_row(score, score.topic.title) for score in report.scores()]
        print_table(("TOPIC", "HELD", "FAILED", "LETS IN", "CANNOT"), [*rows, _row(report.total(), "all")])
        for line in _details(report):
            click.echo(line, color=colour)


def _row(score: Score, title: str) -> tuple[str, ...]:
    counts = (score.failed, score.lets_in, score.cannot)
    return title, f"{score.held}/{score.asked}", *(str(count or "") for count in counts)


def _details(report: Report) -> Iterator[str]:
    for result in report.failed:
        yield ""
        mark = click.style("  lets in", fg="red", bold=True) if result.lets_in else ""
        yield f"{click.style(result.vector.id, fg='red', bold=True)}  {printable(result.vector.title)}{mark}"
        yield from (f"  {label:9} {printable(text)}" for label, text in _lines(result))
    reasons = sorted({reason for result in report.of(Outcome.CANNOT) for reason in result.why})
    if reasons:
        yield ""
        yield from (f"cannot: {printable(reason)}" for reason in reasons)


def _lines(result: Result) -> Iterator[tuple[str, str]]:
    yield from (("found", why) for why in result.why)
    yield "so", result.vector.protects
    yield "source", result.vector.source
