"""A difference on a terminal: what becomes allowed first, each with its rules and requests to try."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import click

from corsproxy.cli.style import wants_colour
from corsproxy.config.table import Rule
from corsproxy.cors.origin_language import EVERYTHING
from corsproxy.http.answers import printable
from corsproxy.tools.difference.abilities import Ability, Gain
from corsproxy.tools.difference.comparison import Example, Verdict
from corsproxy.tools.difference.names import Names
from corsproxy.tools.difference.places import Cell, Pair, Space
from corsproxy.tools.difference.regions import regions
from corsproxy.tools.difference.tables import Difference, Note, Placed, Remark
from corsproxy.tools.difference.witness import witness_of

_TITLES: Final = {
    Verdict.ALLOWED: ("newly allowed", "red"),
    Verdict.UNCERTAIN: ("the upstream decides", "yellow"),
    Verdict.DENIED: ("newly denied", "green"),
}
_LISTED: Final = 6  # of a list; --json has all
_WIDTH: Final = 10


def print_difference(found: Difference) -> None:
    """All of it, on standard output."""
    colour, encoding = wants_colour(sys.stdout), sys.stdout.encoding or "utf-8"
    for line in _lines(found):
        click.echo(line.encode(encoding, "backslashreplace").decode(encoding), color=colour)


def _lines(found: Difference) -> Iterator[str]:
    for verdict in _TITLES:
        for placed in found.changes:
            if placed.change.verdict is verdict:
                yield from _change(found.space, placed)
                yield ""
    for note in found.notes:
        yield from _note(found.space, note)
        yield ""
    yield _summary(found)


def _change(space: Space, placed: Placed) -> Iterator[str]:
    change, cell = placed.change, placed.cells[0]
    title, colour = _TITLES[change.verdict]
    pages = _few([_pages(example) for example in change.origins.examples])
    yield f"{click.style(title, fg=colour, bold=True)}   pages of {pages}"
    if change.verdict is Verdict.UNCERTAIN:
        yield _labelled("which", _undecided(placed.pairs))
    else:
        label = "may" if change.verdict is Verdict.ALLOWED else "may not"
        yield _labelled(label, "; ".join(_may(gain) for gain in change.gains))
    yield from _places(space, placed.cells)
    yield from _rules(placed.pairs)
    for gain in change.gains or (None,):
        shown = witness_of(gain, change.origins.examples[0].origin, space.host_in(cell.host), cell.path)
        yield _labelled("try", printable(str(shown)), "cyan")


def _pages(example: Example) -> str:
    entry = example.entry
    if entry.exact:
        return printable(entry.text)
    if entry == EVERYTHING:
        return f"{'any origin' if example.whole else 'any other origin'} (such as {example.origin})"
    text = entry.text if entry.pattern else f"/{entry.text}/"
    return printable(f"{text} ({'' if example.whole else 'not all; '}such as {example.origin})")


def _undecided(pairs: Sequence[Pair]) -> str:
    before, after = pairs[0]
    if before is not None and before.policy is None and after is not None and after.policy is None:
        return "it did so before, and is another one now, or is asked otherwise"
    if after is not None and after.policy is None:
        return "from now on, by its own CORS headers"
    return "no longer: what it allowed until now is not known here"


def _may(gain: Gain) -> str:
    names = _names(gain)
    return {
        Ability.READ: "read what GET, HEAD and POST answer, and open WebSockets",
        Ability.METHODS: f"ask with {names}",
        Ability.HEADERS: f"set {names}",
        Ability.CREDENTIALS: "send cookies and other credentials",
        Ability.EXPOSED: f"read {names} of answers",
        Ability.PRIVATE_NETWORK: "reach a private network",
        Ability.SEND: "have simple requests reach the upstream",
        Ability.TIMING: "see detailed timings of what they read",
        Ability.MEASURE: "see detailed timings of what they embed",
        Ability.EMBED: "embed answers, by Cross-Origin-Resource-Policy",
    }[gain.ability]


def _names(gain: Gain) -> str:
    kind = "method" if gain.ability is Ability.METHODS else "header"
    names: Names = gain.names
    listed = sorted(names.listed) if kind == "method" else [name.title() for name in sorted(names.listed)]
    if names.all_but:
        return f"any {kind}{' but ' + _few(listed) if listed else ''}"
    return _few(listed)


def _note(space: Space, note: Note) -> Iterator[str]:
    yield f"{click.style('note', bold=True)}   {printable(_remark(note))}"
    if note.remark is Remark.SPELLING:
        yield _labelled("such as", printable(_few(list(dict.fromkeys(map(_odd, note.cells))))))
    else:
        yield from _places(space, note.cells)


def _remark(note: Note) -> str:
    return {
        Remark.SERVED: f"requests are taken now, and go to {note.after}; they were refused before",
        Remark.REFUSED: f"requests are refused now; they went to {note.before}",
        Remark.UPSTREAM: f"requests go to {note.after} now; they went to {note.before}",
        Remark.SPELLING: f"paths are {note.after} now that servers read in two ways, one of them under another rule",
        Remark.MAX_AGE: f"browsers may keep a preflight's answer for {note.after} now; before, for {note.before}",
        Remark.RULE: f"other keys of the rule differ: {note.after}",
    }[note.remark]


def _odd(cell: Cell) -> str:
    host = cell.host or "any host"
    return f"{cell.path}/{cell.reading[len(cell.path) :]} at {host}"


def _places(space: Space, cells: Iterable[Cell]) -> Iterator[str]:
    for region in regions(space, cells):
        yield _labelled("at", printable(str(region)))


def _rules(pairs: Sequence[Pair]) -> Iterator[str]:
    yield _labelled("rule", _few(list(dict.fromkeys(_rule(pair.new) for pair in pairs))))
    yield _labelled("before", _few(list(dict.fromkeys(_rule(pair.old) for pair in pairs))))


def _rule(rule: Rule | None) -> str:
    if rule is None:
        return "none"
    policy = f"policy {rule.policy.name} in {rule.policy.where}" if rule.policy else "no policy"
    return printable(f"{rule.name} in {rule.where} ({policy})")


def _few(texts: Sequence[str]) -> str:
    if len(texts) > _LISTED:
        return f"{', '.join(texts[:_LISTED])} and {len(texts) - _LISTED} more"
    return ", ".join(texts)


def _summary(found: Difference) -> str:
    counts = {
        title: sum(placed.change.verdict is verdict for placed in found.changes)
        for verdict, (title, _) in _TITLES.items()
    }
    said = [f"{count} {title}" for title, count in counts.items() if count]
    return ", ".join(said) if said else "no page may do more or less than before"


def _labelled(label: str, text: str, colour: str = "") -> str:
    return f"    {label:{_WIDTH}}{click.style(text, fg=colour or None)}"
