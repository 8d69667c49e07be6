"""A whole run: every case on every proxy, in turn, so that what disturbs the machine disturbs all of them.

One round measures each proxy once; ratios are formed within a round.  The bars against nginx are a matter of tenths, so
nginx and this project are measured one after the other and in every round; the others, of which bars speak in multiples
or not at all, in the first rounds only.  Nothing starts once the time is over.
"""

from __future__ import annotations

import statistics as mathematics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks import measure
from benchmarks.cases import CASES, Case
from benchmarks.check import STREAMED, WrongAnswerError, check
from benchmarks.fleet import Fleet
from benchmarks.measure import FailedError, Sample
from benchmarks.peers import Peer, subject
from benchmarks.site import Variation

# The generator of fixed rates is Python's, and shares its core with the upstream: beyond this it would be the limit.
_MAX_RATE: Final = 4000
_PLAIN: Final = {"": Variation()}
_CLOSE: Final = frozenset({"nginx", "corsproxy", "corsproxy-plain"})
FEW_ROUNDS: Final = 2  # of all others

Row = dict[str, Any]


@dataclass(slots=True)
class Session:
    """Collects samples, and the reasons where there are none."""

    fleet: Fleet
    peers: list[Peer]
    rounds: int
    seconds: float
    deadline: float  # of time.monotonic()
    folder: Path
    samples: list[Row] = field(default_factory=list)
    cannot: list[Row] = field(default_factory=list)
    _checked: dict[tuple[str, str], str] = field(default_factory=dict)

    def run(self, cases: list[Case]) -> None:
        """Measure all of them."""
        for case in cases:
            if time.monotonic() > self.deadline:
                self._skip(case, None, "", "the time was over")
                continue
            begun = time.monotonic()
            self._run_case(case)
            say(f"{case.title}: {time.monotonic() - begun:.0f} s")

    def _run_case(self, case: Case) -> None:
        steps = [
            (peer, label, variation)
            for peer in sorted(self.peers, key=lambda peer: peer.name not in _CLOSE)
            for label, variation in (case.variations or _PLAIN).items()
            if self._can(case, peer, label, variation)
        ]
        measured = self._measure_of(case)
        for number in range(case.rounds or self.rounds):
            for peer, label, variation in steps:
                if time.monotonic() > self.deadline:
                    return
                if number < FEW_ROUNDS or peer.name in _CLOSE:
                    self._measure(case, peer, label, number, lambda p=peer, v=variation: measured(p, v))  # type: ignore[misc]
        if case.variations:
            for peer, _, variation in steps:
                if variation != Variation():
                    self.fleet.stop(peer, variation)

    def _measure(self, case: Case, peer: Peer, label: str, number: int, measured: Callable[[], Sample]) -> None:
        try:
            sample = measured()
        except (FailedError, RuntimeError, OSError) as error:
            self._skip(case, peer, label, str(error))
            return
        self.samples.append({"case": case.name, "target": peer.name, "variation": label, "round": number, **sample})

    def _measure_of(self, case: Case) -> Callable[[Peer, Variation], Sample]:
        """How a case is measured once."""
        fleet, seconds, folder = self.fleet, self.seconds, self.folder
        if case.kind == "start":
            return lambda peer, _: measure.start_time(fleet, peer)
        if case.kind == "memory":
            small = CASES[0]
            return lambda peer, _: measure.memory(fleet, peer, small, seconds, folder)
        if case.kind == "latency":
            shared = min(_MAX_RATE, self._half_of_capacity(subject()))
            return lambda peer, variation: measure.at_rate(
                fleet.get(peer, variation), min(shared, self._half_of_capacity(peer)), case.connections, 2 * seconds
            )
        by = measure.MEASURES[case.kind]
        return lambda peer, variation: by(fleet.get(peer, _on(case, variation)), case, seconds, folder)

    def _half_of_capacity(self, peer: Peer) -> float:
        """Half of the small requests that a proxy answers in a second; measured now where no case did."""
        rates = [row["rate"] for row in self.samples if row["case"] == "small" and row["target"] == peer.name]
        if not rates and not peer.missing():
            sample = measure.by_wrk(self.fleet.get(peer, Variation()), CASES[0], self.seconds, self.folder)
            rates = [sample["rate"]]
        return mathematics.median(rates) / 2 if rates else _MAX_RATE

    def _can(self, case: Case, peer: Peer, label: str, variation: Variation) -> bool:
        """Whether a case can be measured on a proxy; the reason why not is kept."""
        if not all(peer.knows(each) for each in case.variations.values()):
            return False  # these cases compare a proxy with itself, and this one's configuration here is fixed
        reason = peer.cannot_vary(variation) or self._wrong(case, peer, _on(case, variation))
        if reason:
            self._skip(case, peer, label, reason)
        return not reason

    def _wrong(self, case: Case, peer: Peer, variation: Variation) -> str:
        """What a proxy does in place of the right thing; empty when it answers rightly."""
        if case.needs in peer.cannot:
            return peer.cannot[case.needs]
        key = (f"{peer.name} {variation}", case.needs)
        if key not in self._checked:
            self._checked[key] = ""
            try:
                check(case.needs, self.fleet.door(self.fleet.get(peer, variation)))
            except (WrongAnswerError, RuntimeError) as wrong:
                self._checked[key] = str(wrong)
        return self._checked[key]

    def _skip(self, case: Case, peer: Peer | None, label: str, reason: str) -> None:
        row = {"case": case.name, "target": peer.name if peer else "", "variation": label, "reason": reason}
        if row not in self.cannot:
            self.cannot.append(row)
            say(f"  cannot: {case.name} {row['target']} {label}: {reason}")


def _on(case: Case, variation: Variation) -> Variation:
    """A configuration with the upstream that a case needs."""
    return variation._replace(upstream="stream") if case.needs in STREAMED else variation


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)
