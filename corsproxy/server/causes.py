"""Which events are worth a line: the first of each cause, and then one for ten, a hundred, a thousand of it.

Rules: a page that asks again every second must not bury the rest of a log, and neither must an attacker who makes up an
origin for each request; so causes are few, in memory and in lines.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

REMEMBERED: Final = 1000  # causes; the one that was met longest ago is forgotten first
LONGEST: Final = 200  # bytes of what a client sent; longer texts that begin alike are taken for one
BURST: Final = 100  # new causes that are named at once
PER_SECOND: Final = 1.0  # further ones that are named in a second

_TOLD: Final = frozenset(10**exponent for exponent in range(19))


@dataclass(frozen=True, slots=True)
class Met:
    """An event that is worth a line: how often its cause has been met by now, and whether it has a line of its own."""

    count: int
    named: bool


class Causes:
    """Counts events by their cause; where there are too many to name, by what those have in common."""

    def __init__(self) -> None:
        self._counts: dict[Hashable, int] = {}  # the one that was met last comes last
        self._budget = float(BURST)
        self._last = 0.0

    def __len__(self) -> int:
        return len(self._counts)

    def meet(self, common: Hashable, own: Hashable, now: float) -> Met | None:
        """Count an event, at a time in seconds; None when nothing is to be said about it.

        ``own`` and ``common`` together are its cause, and ``own`` is what a client can make up.
        """
        named = True
        cause = (common, own)
        before = self._counts.pop(cause, 0)
        if not before and not self._may_name(now):
            named = False
            cause = (common, None)
            before = self._counts.pop(cause, 0)
        count = self._counts[cause] = before + 1
        if len(self._counts) > REMEMBERED:
            del self._counts[next(iter(self._counts))]
        return Met(count, named) if count in _TOLD else None

    def _may_name(self, now: float) -> bool:
        self._budget = min(BURST, self._budget + max(0.0, now - self._last) * PER_SECOND)
        self._last = now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True
