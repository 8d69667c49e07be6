"""A probe on a terminal: the verdict, each finding with what was sent and what came back, and the rule.

Whatever the API has sent is escaped: no terminal obeys it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Final

import click

from corsproxy.cli.style import wants_colour
from corsproxy.http.answers import printable
from corsproxy.tools.probing.answers import Answered
from corsproxy.tools.probing.judgement import Finding
from corsproxy.tools.probing.kinds import Severity
from corsproxy.tools.probing.report import Report, as_json, sent_lines
from corsproxy.tools.probing.watching import Change, ChangeKind, Watched

_COLOURS: Final = {Severity.HIGH: "red", Severity.MEDIUM: "red", Severity.LOW: "yellow", Severity.NOTE: ""}
_WIDTH: Final = 8
_LONGEST: Final = 300  # characters of a line
_WORDS: Final = {
    ChangeKind.HEADER_CAME: ("it sends {subject} of its own now", "yellow"),
    ChangeKind.HEADER_WENT: ("it sends {subject} no more", ""),
    ChangeKind.FINDING_CAME: ("new: {finding}", "yellow"),
    ChangeKind.FINDING_WENT: ("gone: {finding}", "green"),
    ChangeKind.UNREACHABLE: ("{subject}", "red"),
    ChangeKind.REACHABLE: ("it answers again", "green"),
}


def print_json(made: Report) -> None:
    """A report for programs."""
    click.echo(json.dumps(as_json(made), indent=2))


def print_report(made: Report) -> None:
    """A report for people."""
    _echo(_report(made))


def print_rule(made: Report) -> None:
    """The rule, as it may stand in a file."""
    _echo(["", "# corsproxy check -c FILE, then corsproxy serve -c FILE: in front of the API, this puts it right", ""])
    click.echo(made.rule, nl=False)


def print_changes(watched: Watched, *, as_json: bool) -> None:
    """What has changed since the last time: for programs an object for each time, with the whole report."""
    if as_json:
        click.echo(json.dumps(_changes(watched)))
    else:
        _echo(map(_change, watched.changes))


def _echo(lines: Iterable[str]) -> None:
    colour, encoding = wants_colour(sys.stdout), sys.stdout.encoding or "utf-8"
    for line in lines:
        click.echo(line.encode(encoding, "backslashreplace").decode(encoding), color=colour)
    sys.stdout.flush()


def _report(made: Report) -> Iterator[str]:
    word, colour = ("at risk", "red") if made.at_risk else ("no risk found", "green")
    yield f"{click.style(word, fg=colour, bold=True)}   {made.shown_url}  ({len(made.answers.all)} requests)"
    for finding in made.findings:
        yield ""
        yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    severity = click.style(f"{finding.severity!s:{_WIDTH}}", fg=_COLOURS[finding.severity] or None, bold=True)
    yield f"{severity}{click.style(finding.what, bold=True)}  {click.style(f'[{finding.kind}]', dim=True)}"
    yield _labelled("risk" if finding.severity >= Severity.MEDIUM else "means", finding.risk)
    if finding.severity > Severity.NOTE:
        for answered in finding.evidence:
            yield from _evidence(answered)
        yield _labelled("cure", finding.cure, "green")


def _evidence(answered: Answered) -> Iterator[str]:
    yield from _block("sent", sent_lines(answered))
    came = [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in answered.telling]
    yield from _block("got", [str(answered.status or "no answer"), *came])


def _block(label: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield _labelled("" if number else label, printable(line[:_LONGEST]))


def _labelled(label: str, text: str, colour: str = "") -> str:
    return f"{'':{_WIDTH}}{click.style(f'{label:7}', dim=True)}{click.style(text, fg=colour or None)}"


def _change(change: Change) -> str:
    template, colour = _WORDS[change.kind]
    finding = f"{change.finding.severity} {change.finding.what} [{change.finding.kind}]" if change.finding else ""
    return click.style(template.format(subject=printable(change.subject), finding=finding), fg=colour or None)


def _changes(watched: Watched) -> dict[str, object]:
    return {
        "changes": [{"change": change.kind.value, "subject": change.subject} for change in watched.changes],
        "report": as_json(watched.report) if watched.report is not None else None,
    }
