r"""A small reader of regular expressions: from the text of one to its tree, which everything else is read off.

It understands what expressions for origins are made of: literals and escaped punctuation, ``.``, classes, ``\d``,
``\w`` and ``\s``, groups with or without a name, alternation, ``? * + {n} {n,} {n,m}``, lazy or not, and anchors.
Anything else (flags, ``\b``, ``\x41``, ``[[:alpha:]]``, ``\pL``) is refused with its position: what cannot be read
cannot be checked.

The text must have been accepted by RE2 before: brackets balance and counts are in order.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from typing import NamedTuple

from corsproxy.errors import InvalidOrigin

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
_ANY_CHARACTER = frozenset(_ASCII - {"\n"})


class Characters(NamedTuple):
    """One character of several; ``listed``: each of them is spelled out, as in ``a`` and ``[12]``."""

    members: frozenset[str]
    listed: bool


class Dot(NamedTuple):
    """``.``; ``lone``: no count follows, so that it may well stand for itself."""

    lone: bool
    members: frozenset[str] = _ANY_CHARACTER


class Anchor(NamedTuple):
    """The beginning of the text, or its end."""

    end: bool


class Sequence(NamedTuple):
    """One after the other."""

    parts: tuple[Node, ...]


class Choice(NamedTuple):
    """One of several."""

    branches: tuple[Node, ...]


class Repeat(NamedTuple):
    """Again and again; ``high`` None: without end."""

    part: Node
    low: int
    high: int | None


Node = Characters | Dot | Anchor | Sequence | Choice | Repeat


class Expression(NamedTuple):
    """An expression, read, and the places of its unescaped dots."""

    tree: Node
    dots: list[int]


def read_expression(text: str) -> Expression:
    """The tree of an expression.

    Raises ``InvalidOrigin`` when it uses what this reader does not know.
    """
    reader = _Reader(text)
    return Expression(reader.alternation(), reader.dots)


def escape_dots(text: str, dots: Iterable[int]) -> str:
    """The expression with the dots at these places escaped."""
    places = set(dots)
    return "".join(f"\\{char}" if place in places else char for place, char in enumerate(text))


def literal(char: str) -> Characters:
    """A character that stands for itself."""
    return Characters(frozenset(char), listed=True)


class _Reader:
    """A recursive descent over the text; each method returns the tree of what it has read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.dots: list[int] = []

    def alternation(self) -> Node:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self._repeated())
        return Sequence(tuple(parts))

    def _repeated(self) -> Node:
        part = self._atom()
        while quantifier := _QUANTIFIER.match(self.text, self.at):
            self.at = quantifier.end()
            part = Repeat(part, *_counts(quantifier))
        return part

    def _atom(self) -> Node:
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
            return Anchor(end=char == "$")
        return literal(char)

    def _dot(self, place: int) -> Node:
        if _QUANTIFIER.match(self.text, self.at):
            return Dot(lone=False)
        self.dots.append(place)
        return Dot(lone=True)

    def _escape(self, place: int) -> Node:
        char = self._next()
        if char in _CLASSES:
            return Characters(frozenset(_CLASSES[char]), listed=False)
        if char in "Az":
            return Anchor(end=char == "z")
        if char.isalnum():
            raise self._unknown(place)
        return literal(char)

    def _group(self, place: int) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise InvalidOrigin(f"groups are nested more than {MAX_DEPTH} deep; list the origins in allow_origins")
        if named := _GROUP.match(self.text, self.at):
            self.at = named.end()
        elif self.text.startswith("?", self.at):
            raise self._unknown(place)
        tree = self.alternation()
        self.at += 1  # the closing parenthesis, which RE2 has seen
        self.depth -= 1
        return tree

    def _class(self, place: int) -> Node:
        negated = self._take("^")
        members: set[str] = set()
        listed = not negated
        first = self.at
        while self.at == first or self.text[self.at] != "]":
            item = self._class_item(place)
            listed = listed and len(item) == 1
            members |= item
        self.at += 1
        return Characters(frozenset(_ASCII - members if negated else members), listed)

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


def _counts(quantifier: re.Match[str]) -> tuple[int, int | None]:
    sign, low, comma, high = quantifier.groups()
    if sign:
        return _COUNTS[sign]
    if high:
        return int(low), int(high)
    return int(low), None if comma else int(low)
