"""Where the problems of one configuration are collected, each with its place.

Rules: nothing stops at the first problem; what only follows from another problem is not reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from corsproxy.config.scalars import written
from corsproxy.config.sections import meant
from corsproxy.config.written import Found, Node, Path, Place, Unusable
from corsproxy.errors import InvalidConfig, Problem

Parsed = TypeVar("Parsed")

_LISTED = 8  # names that fit into a message


class Findings:
    """The problems and warnings of one configuration.

    ``root`` is None for a configuration that was written nowhere (flags); then a problem names its path instead.
    """

    def __init__(self, file: str, root: Node | None = None, problems: Iterable[Problem] = ()) -> None:
        self.file = file
        self.root = root
        self.problems = list(problems)
        self.warnings: list[Problem] = []

    def refuse(self, path: Path, message: str, correction: str = "", line: str = "") -> None:
        """Record a problem; ``correction`` is the text in place of the value at ``path``, ``line`` a whole line."""
        found = self._find(path)
        if found is None:
            self.problems.append(Problem(self.file, 0, 0, f"{dotted(path)}: {message}", line or correction))
            return
        # Of a list or mapping of which something was lost, nothing is said as a whole, nor that something is missing.
        if not found.node.lost:
            line = line or (found.line(written(correction)) if correction else "")
            self.problems.append(Problem(self.file, *found.place, message, line))

    def refuse_key(self, path: Path, message: str) -> None:
        """Record a problem with the key at the end of ``path``, and not with its value."""
        found = self._find(path)
        if found is None:
            self.refuse(path, message)
        else:
            self.problems.append(Problem(self.file, *found.key_place, message))

    def warn(self, path: Path, message: str) -> None:
        """Record something that may run, and probably is not meant."""
        found = self._find(path)
        place = found.key_place if found else (0, 0)
        self.warnings.append(Problem(self.file, *place, message if found else f"{dotted(path)}: {message}"))

    def parse(self, path: Path, parse: Callable[[str], Parsed], text: str) -> Parsed | None:
        """What ``parse`` makes of a text, or None after its objection was recorded."""
        try:
            return parse(text)
        except Unusable as unusable:
            self.refuse(path, str(unusable), unusable.correction)
            return None

    def refer(self, path: Path, kind: str, name: str, declared: Iterable[str], word: str = "") -> None:
        """Record that ``name`` is none of the declared ones, nor ``word``, which has a meaning of its own.

        A declaration whose content was unusable counts; where all of them were, nothing can be said.
        """
        section = {"policy": "policies", "upstream": "upstreams"}[kind]
        names = [*declared, *self.lost((section,))]
        if name in names or section in self.lost(()):
            return
        if near := meant(name, [*names, word]):
            self.refuse(path, f"unknown {kind} {name!r}; did you mean {near!r}?", near)
        elif names:
            shown = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
            self.refuse(path, f"unknown {kind} {name!r}; there are {shown}")
        else:
            self.refuse(path, f"unknown {kind} {name!r}; declare it under {section}")

    def lost(self, path: Path) -> set[str]:
        """The keys of the mapping at ``path`` whose values were unusable."""
        found = self._find(path)
        return found.node.lost if found and len(found.path) == len(path) else set()

    def where(self, path: Path) -> str:
        """A position as text, for people."""
        line, column = self.place(path)
        return f"{self.file}:{line}:{column}" if line else f"{self.file}: {dotted(path)}"

    def where_key(self, path: Path) -> str:
        """The position of a key as text, for people; "" of what was written nowhere."""
        found = self._find(path)
        return f"{self.file}:{found.key_place.line}:{found.key_place.column}" if found else ""

    def place(self, path: Path) -> Place:
        """The position of something, which is 0, 0 where it was written nowhere."""
        found = self._find(path)
        return found.place if found else Place(0, 0)

    def conclude(self) -> tuple[Problem, ...]:
        """The warnings of a configuration that may run.

        Raises InvalidConfig when there are problems, with all of them in the order of the file.
        """
        if self.problems:
            raise InvalidConfig(in_order(self.problems))
        return in_order(self.warnings)

    def _find(self, path: Path) -> Found | None:
        return self.root.find(path) if self.root else None


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems in the order of the file; one that an alias brought to two places is there once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column)))


def dotted(path: Path) -> str:
    """A path as people write it: rules[0].policy."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
