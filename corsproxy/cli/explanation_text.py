"""An explanation on a terminal: the verdict, the browsers' words, where it was decided, and what to change."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TextIO

import click

from corsproxy.cli.style import print_table, wants_colour
from corsproxy.cors.decision import Outcome
from corsproxy.cors.words import escaped
from corsproxy.http.answers import printable
from corsproxy.tools.explaining.demands import Needed
from corsproxy.tools.explaining.explanation import Explanation
from corsproxy.tools.explaining.fix import Fix, NoFix
from corsproxy.tools.explaining.steps import State, Step

_MARKS: Final = {
    State.PASSED: ("ok", "green"),
    State.FAILED: ("NO", "red"),
    State.NOT_REACHED: ("-", ""),
    State.NOTE: ("", ""),
}
_DENIED: Final = {
    Outcome.DENIED_ORIGIN: "the origin",
    Outcome.PREFLIGHT_DENIED_ORIGIN: "the origin",
    Outcome.PREFLIGHT_DENIED_METHOD: "the method",
    Outcome.PREFLIGHT_DENIED_HEADERS: "the headers",
    Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK: "private network access to",
}
_COLOURS: Final = {"blocked": "red", "allowed": "green", "unclear": "yellow"}
_WIDTH: Final = 10


def print_explanations(explanations: Sequence[Explanation]) -> None:
    """All of them, on standard output: one in full; of several a table, and those in full that are blocked."""
    if len(explanations) > 1:
        print_table(("verdict", "request", "page", "why"), [_row(explanation) for explanation in explanations])
        explanations = [explanation for explanation in explanations if explanation.blocked or explanation.unclear]
    for number, explanation in enumerate(explanations):
        if number:
            click.echo()
        print_lines(explanation_lines(explanation), sys.stdout)


def print_lines(lines: Iterable[str], stream: TextIO) -> None:
    """Lines of an explanation, coloured where that may be, and escaped where the stream cannot hold them."""
    colour, encoding = wants_colour(stream), stream.encoding or "utf-8"  # Firefox' quotation marks
    for line in lines:
        click.echo(line.encode(encoding, "backslashreplace").decode(encoding), stream, color=colour)


def _word(explanation: Explanation) -> str:
    if explanation.unclear:
        return "unclear"
    return "blocked" if explanation.blocked else "allowed"


def _row(explanation: Explanation) -> tuple[str, str, str, str]:
    request, blocked = explanation.request, explanation.fetched.verdict.blocked
    asked = f"{escaped(request.method)} {printable(request.url)}"
    why = blocked.value.replace("-", " ") if blocked else ""
    return (_word(explanation), asked, escaped(request.origin), why)


def explanation_lines(explanation: Explanation) -> Iterator[str]:
    """One explanation in full, with colours."""
    yield _verdict(explanation)
    yield ""
    for browser, sentence in explanation.sentences.items():
        yield _labelled(browser, sentence, "red" if browser == "Chromium" else "")  # one harmless line already
    if explanation.rule:
        yield _labelled("rule", f"{explanation.rule.name}  ({explanation.rule.where})")
        policy = explanation.rule.policy
        yield _labelled("policy", f"{policy.name}  ({policy.where})" if policy else "none")
    if explanation.decision and explanation.decision.outcome.denied:
        yield _labelled("denied", f"{_DENIED[explanation.decision.outcome]} {escaped(explanation.decision.subject)}")
    yield ""
    for number, step in enumerate(explanation.steps, 1):
        yield from _step(number, step)
    yield from _fix(explanation.fix)
    yield from _needed(explanation.needed)
    if explanation.lookalikes:
        yield ""
        yield from _list("note", explanation.lookalikes, "yellow")


def _verdict(explanation: Explanation) -> str:
    request = explanation.request
    word = click.style(_word(explanation), fg=_COLOURS[_word(explanation)], bold=True)
    cookies = " with credentials" if request.credentials.value == "include" else ""
    return f"{word}   {escaped(request.method)} {printable(request.url)} from {escaped(request.origin)}{cookies}"


def _step(number: int, step: Step) -> Iterator[str]:
    mark, colour = _MARKS[step.state]
    dim = step.state is State.NOT_REACHED
    text = click.style(step.title, dim=dim, bold=step.state is State.FAILED)
    clause = click.style(f"#{step.clause.partition('#')[2]}", dim=True)
    yield f"{number:3} {click.style(f'{mark:2}', fg=colour or None)} {text}  {clause}"
    if step.found:
        failed = step.state is State.FAILED
        yield " " * 8 + click.style(printable(step.found), fg="red" if failed else None, dim=not failed)
    if step.state is State.FAILED:
        yield " " * 8 + click.style(step.clause, dim=True)


def _fix(fix: Fix | NoFix | None) -> Iterator[str]:
    if fix is None:
        return
    yield ""
    if isinstance(fix, NoFix):
        yield _labelled("change", printable(fix.reason), "yellow")
        return
    yield _labelled("change", "this was tried, and lets the request pass:")
    for line in fix.diff.splitlines():
        yield "    " + click.style(line, fg={"+": "green", "-": "red"}.get(line[:1]))
    yield from _list("then", fix.allows, "")
    yield from _list("careful", fix.warnings, "yellow")


def _needed(answers: Iterable[Needed]) -> Iterator[str]:
    for answer in answers:
        yield _labelled("needed", f"the answer to {answer.of}, status {answer.status}:")
        for line in answer.headers:
            yield "    " + click.style(printable(line), fg="green")


def _list(label: str, texts: Iterable[str], colour: str) -> Iterator[str]:
    for text in texts:
        yield _labelled(label, printable(text), colour)


def _labelled(label: str, text: str, colour: str = "") -> str:
    return f"{label:{_WIDTH}}{click.style(text, fg=colour or None)}"
