"""Reports as a part of a Markdown page, between two markers, so that a page can be kept up to date by a program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from corsproxy.conformance.report import Outcome, Report, Result
from corsproxy.errors import CorsproxyError

BEGIN: Final = "<!-- results: begin; made by scripts/conformance -->"
END: Final = "<!-- results: end -->"

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>|#])")


class NoMarkers(CorsproxyError):
    """A page has no place for the results."""


def updated(text: str, reports: Sequence[Report], date: str) -> str:
    """The page with these results in place of the old ones; raises NoMarkers where it has no place for them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoMarkers(f"the page has no place for results; write the lines {BEGIN} and {END}")
    results = "\n".join(_lines(reports, date))
    return f"{before}{BEGIN}\n\n{results}\n\n{END}{after}"


def _lines(reports: Sequence[Report], date: str) -> Iterator[str]:
    count = max((len(report.results) for report in reports), default=0)
    yield f"Measured on {date}, {count} vectors, by `scripts/conformance`."
    yield ""
    yield "| target | version | held | failed | of these, let in | cannot express |"
    yield "|---|---|--:|--:|--:|--:|"
    yield from (_row(report) for report in reports)
    yield ""
    yield from _topics(reports)
    for report in reports:
        if report.failed or report.of(Outcome.CANNOT) or report.notes:
            yield from _target(report)


def _row(report: Report) -> str:
    total = report.total()
    held = f"{total.held} of {total.asked}"
    return _cells([_text(report.title), _text(report.version), held, total.failed, total.lets_in, total.cannot])


def _topics(reports: Sequence[Report]) -> Iterator[str]:
    """Held of those that were asked, by topic: targets as rows, since there are more of them than fit side by side."""
    topics = list(dict.fromkeys(score.topic for report in reports for score in report.scores()))
    yield _cells(["held, by topic", *(topic.name for topic in topics)])
    yield "|---|" + "--:|" * len(topics)
    for report in reports:
        scores = {score.topic.name: score for score in report.scores()}
        found = (scores.get(topic.name) for topic in topics)
        yield _cells([_text(report.title), *(f"{s.held}/{s.asked}" if s and s.asked else "" for s in found)])


def _target(report: Report) -> Iterator[str]:
    yield ""
    yield f"### {_text(report.title)}"
    yield ""
    yield from (f"- {_text(note)}" for note in report.notes)
    cannot = dict.fromkeys(why for result in report.of(Outcome.CANNOT) for why in result.why)
    yield from (f"- cannot: {_text(why)}" for why in cannot)
    for title, results in (
        ("Lets in", [r for r in report.failed if r.lets_in]),
        ("Fails", [r for r in report.failed if not r.lets_in]),
    ):
        if results:
            yield from _failures(title, results)


def _failures(title: str, results: Sequence[Result]) -> Iterator[str]:
    """What may happen, each once, and the vectors that show it."""
    by_harm: dict[str, list[str]] = {}
    for result in results:
        by_harm.setdefault(result.vector.protects, []).append(result.vector.id)
    yield ""
    yield f"<details><summary>{title}: {len(results)}</summary>"
    yield ""
    yield from (f"- {_text(harm)}: {', '.join(f'`{vector}`' for vector in ids)}" for harm, ids in by_harm.items())
    yield ""
    yield "</details>"


def _cells(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _text(text: str) -> str:
    """Text in which nothing is Markdown."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
