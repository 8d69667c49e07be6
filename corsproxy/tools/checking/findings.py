"""What ``corsproxy check`` has found, as a list that editors, CI and people can be shown alike."""

from __future__ import annotations

from typing import Final, NamedTuple

from corsproxy.errors import Problem


class Kind(NamedTuple):
    """A kind of finding, by the name that tools know it by."""

    name: str
    level: str  # "error" or "warning", which is the same word in every format
    meaning: str


INVALID: Final = Kind("invalid-config", "error", "What is written cannot be used.")
DOUBTFUL: Final = Kind("doubtful-config", "warning", "What is written can be used, and is probably not meant.")
FAILED: Final = Kind("failed-test", "error", "A test of the rule table has failed.")
KINDS: Final = (INVALID, DOUBTFUL, FAILED)


class Finding(NamedTuple):
    """One finding; ``details`` are lines that explain it."""

    kind: Kind
    problem: Problem
    details: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Everything but the place, over several lines."""
        return "\n".join(filter(None, (self.problem.message, self.problem.correction, *self.details)))
