"""Reports as one page that can be published: no script, nothing loaded from elsewhere.

Rules: whatever comes from a target, a vector or the wire goes through ``_text``, and nothing else escapes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import Final

from corsproxy import __version__
from corsproxy.conformance.judge import Seen
from corsproxy.conformance.report import Outcome, Report, Result, Score
from corsproxy.conformance.wire import Response

_URL: Final = re.compile(r"https://[^\s;,]+")
_SHOWN: Final = 2_000  # characters of what was sent or came back

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>CORS conformance: {title}</title>
<style>
{style}</style>
</head>
<body>
<h1>CORS conformance</h1>
<p class="lead">{count} vectors: raw requests, and what has to come of them on the wire and in a browser, from the Fetch
standard, HTTP and the bugs that servers have had. Each target is configured as well as it can be for each policy; what
it cannot express is counted apart. Where somebody gets what the policy denies, the failure is one that lets in; the
others break what should work, or leave it to chance.</p>
{matrix}
{targets}
<footer>Measured {date} by corsproxy {version}. A vector that fails says what may happen, not that it has.</footer>
</body>
</html>
"""


def page(reports: Sequence[Report], date: str) -> str:
    """The whole page; ``date`` is when it was measured."""
    style = (files("corsproxy.conformance") / "page" / "style.css").read_text("utf-8")
    return _PAGE.format(
        title=_text(", ".join(report.title for report in reports)),
        style=style,
        count=max((len(report.results) for report in reports), default=0),
        matrix=_matrix(reports),
        targets="\n".join(_target(report) for report in reports),
        date=_text(date),
        version=_text(__version__),
    )


def _text(value: str) -> str:
    """The one way from any text into the page; control characters are shown as escapes."""
    shown = "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in value)
    return html.escape(shown)


def _matrix(reports: Sequence[Report]) -> str:
    heads = "".join(f"<th>{_text(r.title)}<small>{_text(r.version)}</small></th>" for r in reports)
    topics = dict.fromkeys(score.topic for report in reports for score in report.scores())
    rows = [_row(topic.title, [_of_topic(report, topic.name) for report in reports]) for topic in topics]
    rows.append(_row("all", [report.total() for report in reports]))
    body = "\n".join(rows)
    table = f"<table>\n<thead><tr><th></th>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _of_topic(report: Report, topic: str) -> Score | None:
    return next((score for score in report.scores() if score.topic.name == topic), None)


def _row(title: str, scores: Iterable[Score | None]) -> str:
    return f"<tr><th>{_text(title)}</th>{''.join(map(_cell, scores))}</tr>"


def _cell(score: Score | None) -> str:
    if score is None:
        return "<td></td>"
    cannot = f"<small>{score.cannot} cannot</small>" if score.cannot else ""
    cannot = f'<small class="lets-in">{score.lets_in} let in</small>{cannot}' if score.lets_in else cannot
    if not score.asked:
        return f"<td>{cannot}</td>"
    return f'<td class="{"failed" if score.failed else "held"}">{score.held}/{score.asked}{cannot}</td>'


def _target(report: Report) -> str:
    total = report.total()
    said = f"{total.held} of {total.asked} held" if total.failed else f"all {total.held} held"
    parts = [f"<h2>{_text(report.title)} {_text(report.version)} <small>{said}</small></h2>"]
    if report.notes:
        parts.append(f'<ul class="notes">{"".join(f"<li>{_text(note)}</li>" for note in report.notes)}</ul>')
    parts += [_failure(result) for result in report.failed]
    reasons: dict[str, int] = {}
    for result in report.of(Outcome.CANNOT):
        for why in result.why:
            reasons[why] = reasons.get(why, 0) + 1
    items = "".join(f"<li>{_text(why)} ({count} vectors)</li>" for why, count in reasons.items())
    if items:
        parts.append(f'<p class="notes">What it cannot express:</p><ul class="notes">{items}</ul>')
    return f"<section>{''.join(parts)}</section>"


def _failure(result: Result) -> str:
    vector = result.vector
    mark = " <strong>lets in</strong>" if result.lets_in else ""
    found = "".join(f"<li>{_text(why)}</li>" for why in result.why)
    return (
        f"<details><summary><code>{_text(vector.id)}</code>{_text(vector.title)}{mark}</summary><div>"
        f'<p class="harm">{_text(vector.protects)}</p><ul class="found">{found}</ul>'
        f"{''.join(_exchange(seen) for seen in result.seen)}"
        f'<p class="source">Source: {_linked(vector.source)}</p></div></details>\n'
    )


def _exchange(seen: Seen) -> str:
    sent = _wire("sent", seen.sent.decode("latin-1"))
    came = _wire("came back", seen.problem if seen.answer is None else "".join(_answer(seen.answer)))
    return f'<div class="wire">{sent}{came}</div>'


def _wire(title: str, text: str) -> str:
    text = text.replace("\r\n", "\n").rstrip("\n")
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}\n... {len(text)} characters"
    return f"<div><h4>{title}</h4><pre>{_text(shown or 'nothing')}</pre></div>"


def _answer(answer: Response) -> Iterator[str]:
    for interim in answer.interim:
        yield from (*_answer(interim), "\n")
    yield f"{answer.status}\n"
    yield from (f"{name.decode('latin-1')}: {value.decode('latin-1')}\n" for name, value in answer.headers)
    if answer.body:
        yield f"\n{answer.body.decode('utf-8', 'backslashreplace')}"


def _linked(source: str) -> str:
    """A text with its URLs as links."""
    parts, end = [], 0
    for match in _URL.finditer(source):
        url = _text(match[0].rstrip(":"))
        parts += [_text(source[end : match.start()]), f'<a href="{url}" rel="noreferrer">{url}</a>']
        end = match.start() + len(match[0].rstrip(":"))
    return "".join(parts) + _text(source[end:])
