"""A YAML error in words.

The reader's own messages speak of tokens and indicators, and the two readers that PyYAML has speak differently; here
the few mistakes that people make are told from what stands at the position, and the rest keep the reader's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple, cast

import yaml

from corsproxy.config.scalars import written
from corsproxy.config.written import Place
from corsproxy.errors import Problem

# https://yaml.org/spec/1.2.2/#51-character-set, without the byte order mark inside a text.  To compile it takes longer
# than to read most files.
_UNPRINTABLE = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_WORD = re.compile(r"[^\s,\[\]{}]+")
_REFERENCE_IN_FLOW = re.compile(r"(?<![\"'\w])\$\{[^}\s]*\}?[^\s,\]}]*")


def unprintable(text: str, file: str) -> Problem | None:
    """The problem with a text that contains a character which YAML has no place for."""
    if text.replace("\n", "").isprintable():  # Unicode's printable characters are all among YAML's
        return None
    match = re.search(_UNPRINTABLE, text)
    if match is None:
        return None
    lines = (text[: match.start()] + " ").splitlines()
    message = f"the character U+{ord(match[0]):04X} may not stand in YAML; remove it"
    return Problem(file, len(lines), len(lines[-1]), message)


class _Stop(NamedTuple):
    """Where a YAML reader stopped, and in what it was."""

    at: Place
    begun: Place  # where that began; ``at`` when the reader does not say
    context: str
    problem: str
    lines: list[str]

    def rest(self, place: Place) -> str:
        """The line from a position on."""
        return self.lines[place.line - 1][place.column - 1 :] if place.line <= len(self.lines) else ""

    def inside(self, place: Place) -> Place:
        """The position, or the end of the text where a reader counts a line more than there are."""
        return min(place, Place(len(self.lines), len(self.lines[-1]) + 1))


def explain(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """The problem that a YAML reader stopped at."""
    at = _place(error.problem_mark)
    begun = _place(error.context_mark) if error.context_mark else at
    stop = _Stop(at, begun, error.context or "", error.problem or "", text.splitlines())
    for context, problem, explanation in _EXPLANATIONS:
        if context in stop.context and problem in stop.problem:
            place, message, correction = explanation(stop)
            return Problem(file, *stop.inside(place), message, correction)
    return Problem(file, *stop.inside(at), f"this is no YAML: {stop.problem.partition('(')[0].strip()}")


def _place(mark: object) -> Place:
    where = cast("yaml.Mark", mark)
    return Place(where.line + 1, where.column + 1)


_Explanation = tuple[Place, str, str]  # where, what, and what to write instead


def _star(stop: _Stop) -> _Explanation:
    message = "a text cannot begin with * in YAML, where it means an alias; put it in quotes"
    return stop.begun, message, _quoted(stop.rest(stop.begun))


def _tab(stop: _Stop) -> _Explanation:
    return stop.at, "a tab cannot indent in YAML; use spaces", ""


def _first_character(stop: _Stop) -> _Explanation:
    rest = stop.rest(stop.at)
    if rest.startswith("\t"):
        return _tab(stop)
    return stop.at, f"a text cannot begin with {rest[:1]} in YAML; put it in quotes", _quoted(rest)


def _second_key(stop: _Stop) -> _Explanation:
    message = "a second key begins in this line, or the line is indented too far; begin a new line, or use quotes"
    return stop.at, message, ""


def _open_quote(stop: _Stop) -> _Explanation:
    return stop.begun, "a quote is opened here and never closed", ""


def _flow(stop: _Stop) -> _Explanation:
    """Inside [...] or {...}; a reference to the environment without quotes is the likely reason."""
    line = stop.rest(Place(stop.at.line, 1))
    if reference := _REFERENCE_IN_FLOW.search(line):
        place = Place(stop.at.line, reference.start() + 1)
        return place, "${...} needs quotes inside [ ] and { }", written(reference[0])
    brackets = "[ ]" if "sequence" in stop.context else "{ }"
    message = f"{brackets} begins here and is not closed where it should be; a comma or {brackets[2]} is missing"
    return stop.begun, message, ""


def _no_colon(stop: _Stop) -> _Explanation:
    return stop.begun, "a key needs a colon after it; write key: value", ""


def _indentation(stop: _Stop) -> _Explanation:
    return stop.at, "this does not belong to what stands before it; indent both the same, or put the text in quotes", ""


# What the context and the problem contain, in the words of either reader; the first that fits.
_EXPLANATIONS: Final[tuple[tuple[str, str, Callable[[_Stop], _Explanation]], ...]] = (
    ("alias", "", _star),
    ("", "tab", _tab),
    ("", "cannot start any token", _first_character),
    ("", "mapping values", _second_key),
    ("quoted scalar", "end of stream", _open_quote),
    ("flow", "", _flow),
    ("", "expected ':'", _no_colon),
    ("block", "", _indentation),
)


def _quoted(rest: str) -> str:
    return f'"{match[0]}"' if (match := _WORD.match(rest)) else ""
