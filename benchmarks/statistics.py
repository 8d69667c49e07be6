"""Medians, spreads and ratios of samples; pure.

A *ratio* compares a proxy with another one in the same round, so that what slowed the machine down slowed both.
There are two: of rates, and of CPU time.  The rate says what a proxy can do only where the proxy was the limit; where
the load generator or the upstream was, all fast proxies look alike.  *Standing* is therefore the ratio of rates where
both proxies used up their core, and the inverse ratio of CPU time elsewhere; 1 is as good as the other, and more is
better.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

SATURATED: Final = 0.9  # share of its core from which on a proxy is the limit

Row = Mapping[str, Any]


class Spread(NamedTuple):
    """The median of some values, the smallest and the largest."""

    median: float
    low: float
    high: float


class Standing(NamedTuple):
    """How a proxy stands to another one in one case."""

    spread: Spread
    by: str  # "rate" or "CPU"


def spread(values: Iterable[float]) -> Spread | None:
    """None without a value."""
    found = list(values)
    return Spread(statistics.median(found), min(found), max(found)) if found else None


class Samples:
    """The samples of a run."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: dict[tuple[str, str, str], dict[int, Row]] = {}
        for row in rows:
            key = row["case"], row["target"], row["variation"]
            self._rows.setdefault(key, {})[row["round"]] = row

    def of(self, case: str, target: str, variation: str = "") -> dict[int, Row]:
        """By round; {} where nothing was measured."""
        return self._rows.get((case, target, variation), {})

    def variations(self, case: str, target: str) -> list[str]:
        """The configurations under which a case was measured on a proxy, in their order."""
        return [label for name, other, label in self._rows if (name, other) == (case, target)]

    def targets(self, case: str) -> list[str]:
        """Who was measured, in order."""
        return list(dict.fromkeys(target for name, target, _ in self._rows if name == case))

    def spread(self, case: str, target: str, figure: str, variation: str = "") -> Spread | None:
        """Of one figure over the rounds."""
        return spread(row[figure] for row in self.of(case, target, variation).values() if figure in row)

    def standing(self, case: str, target: str, base: str) -> Standing | None:
        """How a proxy stands to another one; None where they were never measured in the same round."""
        return _standing(self.of(case, target), self.of(case, base))

    def changed(self, case: str, target: str, variation: str, first: str) -> Standing | None:
        """How a proxy stands to itself under another configuration."""
        return _standing(self.of(case, target, variation), self.of(case, target, first))

    def ratio(self, case: str, target: str, base: str, figure: str) -> Spread | None:
        """Of one figure, within the rounds."""
        return _ratio(self.of(case, target), self.of(case, base), lambda row: float(row[figure]))

    def limited_by_load(self, case: str, target: str, variation: str = "") -> bool:
        """Whether a proxy never used up its core: its rate is then the load generator's or the upstream's."""
        share = self.spread(case, target, "share", variation)
        return share is not None and share.median < SATURATED


def _standing(ours: Mapping[int, Row], theirs: Mapping[int, Row]) -> Standing | None:
    by_cpu = any(
        (statistics.median(row["share"] for row in rows.values()) < SATURATED) for rows in (ours, theirs) if rows
    )
    found = (
        _ratio(theirs, ours, lambda row: float(row["cpu"]))
        if by_cpu
        else _ratio(ours, theirs, lambda row: float(row["rate"]))
    )
    return Standing(found, "CPU" if by_cpu else "rate") if found else None


def _ratio(over: Mapping[int, Row], under: Mapping[int, Row], figure: Callable[[Row], float]) -> Spread | None:
    rounds = sorted(set(over) & set(under))
    return spread(figure(over[number]) / figure(under[number]) for number in rounds if figure(under[number]))
