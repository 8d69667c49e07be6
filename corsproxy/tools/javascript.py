"""Just enough of JavaScript to read the arguments of a pasted call: literals; any other expression is UNKNOWN.

No library of Python's that is kept up reads a call out of the middle of a script, and none of the meaning of an
expression is needed: ``JSON.stringify(order)`` is a body, whatever it says.  Rules: nothing is evaluated; every loop
moves on, so that no text takes longer than it is long.
"""

from __future__ import annotations

import re
from typing import Final, cast


class Unknown:
    """What stands for an expression that is not a literal."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()
Literal = str | int | float | bool | None | Unknown | list["Literal"] | dict[str, "Literal"]

_BLANK: Final = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_STRING: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\'|`((?:[^`\\]|\\.)*)`', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9A-Fa-f]+)\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}
_WORDS: Final[dict[str, Literal]] = {"true": True, "false": False, "null": None, "undefined": None}
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_MAX_DEPTH: Final = 20


def arguments(script: str, start: int) -> list[Literal]:
    """The arguments of the call whose opening parenthesis stands before ``start``."""
    return _Reader(script, start).items(")")


class _Reader:
    def __init__(self, script: str, position: int) -> None:
        self.script = script
        self.position = position
        self.depth = 0

    def items(self, closing: str) -> list[Literal]:
        """Values between commas, up to the closing bracket or the end of the script."""
        found: list[Literal] = []
        while not self.closes(closing):
            begun = self.position
            found.append(self.value())
            if not self.at(",") and self.position == begun:
                return found  # a bracket of somebody else's closes what this one has opened
        return found

    def at(self, mark: str) -> bool:
        """Whether this mark comes next; it is taken."""
        self.position = cast("re.Match[str]", _BLANK.match(self.script, self.position)).end()
        if not self.script.startswith(mark, self.position):
            return False
        self.position += 1
        return True

    def closes(self, bracket: str) -> bool:
        """Whether this bracket comes next, which is taken, or nothing any more."""
        return self.at(bracket) or self.position >= len(self.script)

    def value(self) -> Literal:
        """One expression: its value where it is a literal."""
        begun = self.position
        literal = self.literal()
        if self.ends():
            return literal
        self.position = begun
        self.skip()
        return UNKNOWN

    def ends(self) -> bool:
        """Whether the expression is over, so that what was read is all of it."""
        self.position = cast("re.Match[str]", _BLANK.match(self.script, self.position)).end()
        return self.position >= len(self.script) or self.script[self.position] in ",)]};"

    def literal(self) -> Literal:
        self.depth += 1
        try:
            return UNKNOWN if self.depth > _MAX_DEPTH else self.literal_here()
        finally:
            self.depth -= 1

    def literal_here(self) -> Literal:
        if self.at("{"):
            return self.mapping()
        if self.at("["):
            return self.items("]")
        if match := _STRING.match(self.script, self.position):
            self.position = match.end()
            return unescaped(next(group for group in match.groups() if group is not None))
        if match := _NUMBER.match(self.script, self.position):
            self.position = match.end()
            return float(match[0]) if "." in match[0] else int(match[0])
        if match := _NAME.match(self.script, self.position):
            self.position = match.end()
            return _WORDS.get(match[0], UNKNOWN)
        return UNKNOWN

    def mapping(self) -> dict[str, Literal]:
        found: dict[str, Literal] = {}
        while not self.closes("}"):
            name = self.key()
            if name is not None and self.at(":"):
                found[name] = self.value()
            else:  # a shorthand, a spread, a method
                self.skip()
                if name is not None:
                    found[name] = UNKNOWN
            self.at(",")
        return found

    def key(self) -> str | None:
        if match := _STRING.match(self.script, self.position):
            self.position = match.end()
            return unescaped(next(group for group in match.groups() if group is not None))
        if match := _NAME.match(self.script, self.position) or _NUMBER.match(self.script, self.position):
            self.position = match.end()
            return match[0]
        return None

    def skip(self) -> None:
        """Pass over an expression, with everything in brackets inside it; at least one character."""
        open_brackets: list[str] = []
        begun = self.position
        while self.position < len(self.script):
            character = self.script[self.position]
            if not open_brackets and character in ",)]};" and self.position > begun:
                return
            if match := _STRING.match(self.script, self.position):
                self.position = match.end()
                continue
            if character in _CLOSING:
                open_brackets.append(_CLOSING[character])
            elif open_brackets and character == open_brackets[-1]:
                open_brackets.pop()
            self.position += 1


def unescaped(text: str) -> str:
    """The characters that a string literal's inside stands for; ``${...}`` of a template stays as it is written."""
    return _ESCAPE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code:
        number = int(code, 16)
        return chr(number) if number <= 0x10FFFF else "\ufffd"
    return _CONTROLS.get(match[4], match[4])
