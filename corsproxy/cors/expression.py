r"""A small reader of regular expressions, which derives from the text of one the origins that it is meant for.

It understands what expressions for origins are made of: literals and escaped punctuation, ``.``, classes, ``\d``,
``\w`` and ``\s``, groups with or without a name, alternation, ``? * + {n} {n,} {n,m}``, lazy or not, and anchors.
Anything else (flags, ``\b``, ``\x41``, ``[[:alpha:]]``, ``\pL``) is refused with its position: what cannot be read
cannot be checked.

Rules: what is spelled out by literals, by alternation, by ``?`` or by a class that enumerates (``[12]``) is taken as
meant, each branch giving a sample of its own.  What ranges over characters or counts is *free*: the sample holds some
filling of it and says so.  A lone ``.`` is read as the dot that was meant, and its place is noted.

The text must have been accepted by RE2 before: brackets balance and counts are in order.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterable
from typing import NamedTuple

from corsproxy.errors import InvalidOrigin

MAX_SAMPLES = 1000
MAX_DEPTH = 50  # of nested groups

_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d+)(,?)(\d*)\})\??")
_GROUP = re.compile(r"\?(?::|P?<\w+>)")
_COUNTS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_DIGITS, _WORD, _SPACE = set(string.digits), set(string.ascii_letters + string.digits + "_"), set(" \t\n\r\f\v")
_ASCII = {chr(code) for code in range(128)}
_CLASSES = {
    "d": _DIGITS,
    "w": _WORD,
    "s": _SPACE,
    "D": _ASCII - _DIGITS,
    "W": _ASCII - _WORD,
    "S": _ASCII - _SPACE,
}
# What a free place is filled with: the first of these that it takes, so that a sample is an origin if it can be one.
_FILLINGS = "a1" + string.ascii_lowercase + string.digits + "-_.:/[]+"


class Piece(NamedTuple):
    """A part of a sample; ``free`` when the expression also takes something else in its place."""

    text: str
    free: bool


Sample = tuple[Piece, ...]


class Reading(NamedTuple):
    """What an expression says: a sample of each branch, and the places of its unescaped dots."""

    samples: list[Sample]
    dots: list[int]


def read_expression(text: str) -> Reading:
    """The samples of an expression.

    Raises ``InvalidOrigin`` when it uses what this reader does not know, or branches too much.
    """
    reader = _Reader(text)
    return Reading(reader.alternation(), reader.dots)


def escape_dots(text: str, dots: Iterable[int]) -> str:
    """The expression with the dots at these places escaped."""
    places = set(dots)
    return "".join(f"\\{char}" if place in places else char for place, char in enumerate(text))


class _Reader:
    """A recursive descent over the text; each method returns the samples of what it has read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.dots: list[int] = []

    def alternation(self) -> list[Sample]:
        samples = self._sequence()
        while self._take("|"):
            samples = _bounded([*samples, *self._sequence()])
        return samples

    def _sequence(self) -> list[Sample]:
        samples: list[Sample] = [()]
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            samples = _joined(samples, self._repeated())
        return samples

    def _repeated(self) -> list[Sample]:
        samples = self._atom()
        while quantifier := _QUANTIFIER.match(self.text, self.at):
            self.at = quantifier.end()
            samples = _repeat(samples, *_counts(quantifier))
        return samples

    def _atom(self) -> list[Sample]:
        place = self.at
        char = self._next()
        if char == "(":
            return self._group(place)
        if char == "[":
            return self._class(place)
        if char == "\\":
            return self._escape(place)
        if char == ".":
            return self._dot(place)
        if char in "^$":
            return [()]  # the match is always full
        return [(Piece(char, free=False),)]

    def _dot(self, place: int) -> list[Sample]:
        if _QUANTIFIER.match(self.text, self.at):
            return [(Piece(_FILLINGS[0], free=True),)]
        self.dots.append(place)
        return [(Piece(".", free=False),)]

    def _escape(self, place: int) -> list[Sample]:
        char = self._next()
        if char in _CLASSES:
            return [_free(_CLASSES[char])]
        if char in "Az":
            return [()]
        if char.isalnum():
            raise self._unknown(place)
        return [(Piece(char, free=False),)]

    def _group(self, place: int) -> list[Sample]:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise InvalidOrigin(f"groups are nested more than {MAX_DEPTH} deep; list the origins in allow_origins")
        if named := _GROUP.match(self.text, self.at):
            self.at = named.end()
        elif self.text.startswith("?", self.at):
            raise self._unknown(place)
        samples = self.alternation()
        self.at += 1  # the closing parenthesis, which RE2 has seen
        self.depth -= 1
        return samples

    def _class(self, place: int) -> list[Sample]:
        negated = self._take("^")
        members: set[str] = set()
        enumerates = not negated
        first = self.at
        while self.at == first or self.text[self.at] != "]":
            item = self._class_item(place)
            enumerates = enumerates and len(item) == 1
            members |= item
        self.at += 1
        if enumerates:
            return [(Piece(member, free=False),) for member in sorted(members)]
        return [_free(_ASCII - members if negated else members)]

    def _class_item(self, place: int) -> set[str]:
        """The characters of one item of a class: itself, a range, or a class in short."""
        if self.text.startswith("[:", self.at):
            raise self._unknown(place)
        escaped = self.text[self.at] == "\\"
        low = self._class_char(place)
        if escaped and low in _CLASSES:
            return _CLASSES[low]
        if self.text[self.at] != "-" or self.text[self.at + 1] == "]":
            return {low}
        self.at += 1
        return {chr(code) for code in range(ord(low), ord(self._class_char(place)) + 1)}

    def _class_char(self, place: int) -> str:
        char = self._next()
        if char != "\\":
            return char
        char = self._next()
        if char.isalnum() and char not in _CLASSES:
            raise self._unknown(place)
        return char

    def _next(self) -> str:
        self.at += 1
        return self.text[self.at - 1]

    def _take(self, char: str) -> bool:
        taken = self.text.startswith(char, self.at)
        self.at += taken
        return taken

    def _unknown(self, place: int) -> InvalidOrigin:
        shown = self.text[place : place + 4]
        return InvalidOrigin(
            f"{shown!r} at character {place + 1} cannot be checked for safety; "
            "use literals, classes, groups, alternation and repeats"
        )


def _free(members: set[str]) -> Sample:
    filling = next((char for char in _FILLINGS if char in members), min(members, default="?"))
    return (Piece(filling, free=True),)


def _joined(left: list[Sample], right: list[Sample]) -> list[Sample]:
    if len(left) * len(right) > MAX_SAMPLES:
        raise _too_many()
    return [first + second for first, second in itertools.product(left, right)]


def _bounded(samples: list[Sample]) -> list[Sample]:
    if len(samples) > MAX_SAMPLES:
        raise _too_many()
    return samples


def _too_many() -> InvalidOrigin:
    return InvalidOrigin(f"it branches into more than {MAX_SAMPLES} origins; list them in allow_origins")


def _counts(quantifier: re.Match[str]) -> tuple[int, int | None]:
    sign, low, comma, high = quantifier.groups()
    if sign:
        return _COUNTS[sign]
    if high:
        return int(low), int(high)
    return int(low), None if comma else int(low)


def _repeat(samples: list[Sample], low: int, high: int | None) -> list[Sample]:
    if (low, high) == (0, 1):
        return [(), *samples]
    if low == high:
        repeated: list[Sample] = [()]
        for _ in range(low):
            repeated = _joined(repeated, samples)
        return repeated
    absent: list[Sample] = [] if low else [()]
    return absent + [(Piece("".join(piece.text for piece in sample) * max(low, 1), free=True),) for sample in samples]
