"""What came of a run, counted.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from corsproxy.conformance.judge import Seen
from corsproxy.conformance.load import Topic
from corsproxy.conformance.model import Vector


class Outcome(StrEnum):
    """What became of a vector."""

    HELD = "held"
    FAILED = "failed"
    CANNOT = "cannot"  # the target has no way to express the setting, so that nothing was asked


@dataclass(frozen=True, slots=True)
class Result:
    """A vector, what became of it, and why: each difference, or what the target cannot do.

    ``seen`` is what came of each exchange, as far as there were any; ``lets_in`` says of a failure that somebody gets
    what the policy denies.
    """

    vector: Vector
    outcome: Outcome
    why: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()
    lets_in: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """How many vectors of a topic became what."""

    topic: Topic
    held: int
    failed: int
    cannot: int
    lets_in: int  # of those that failed

    @property
    def asked(self) -> int:
        """How many say something about the target."""
        return self.held + self.failed


@dataclass(frozen=True, slots=True)
class Report:
    """A run against one target."""

    target: str
    title: str
    version: str
    notes: tuple[str, ...]
    topics: tuple[Topic, ...]
    results: tuple[Result, ...]
    seconds: float

    @property
    def failed(self) -> tuple[Result, ...]:
        """What did not hold."""
        return self.of(Outcome.FAILED)

    def of(self, outcome: Outcome) -> tuple[Result, ...]:
        """The results of one outcome, in the order of the vectors."""
        return tuple(result for result in self.results if result.outcome is outcome)

    def scores(self) -> list[Score]:
        """The counts of each topic that has results."""
        counted = [(topic, [r for r in self.results if r.vector.topic == topic.name]) for topic in self.topics]
        return [_score(topic, results) for topic, results in counted if results]

    def total(self) -> Score:
        """The counts of all topics together."""
        return _score(Topic("", "all"), self.results)


def _score(topic: Topic, results: Sequence[Result]) -> Score:
    count = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    return Score(
        topic, count[Outcome.HELD], count[Outcome.FAILED], count[Outcome.CANNOT], sum(r.lets_in for r in results)
    )
