"""Reports for other programs: plain values, and JUnit's XML for whatever shows tests.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from corsproxy.conformance.report import Outcome, Report, Result, Score
from corsproxy.tools import junit


def plain(report: Report) -> dict[str, Any]:
    """A report as values that JSON knows."""
    return {
        "target": report.target,
        "title": report.title,
        "version": report.version,
        "notes": list(report.notes),
        "seconds": round(report.seconds, 3),
        "total": _score(report.total()),
        "topics": [{"topic": s.topic.name, "title": s.topic.title, **_score(s)} for s in report.scores()],
        "results": [_result(result) for result in report.results],
    }


def _score(score: Score) -> dict[str, int]:
    return {"held": score.held, "failed": score.failed, "lets_in": score.lets_in, "cannot": score.cannot}


def _result(result: Result) -> dict[str, Any]:
    vector = result.vector
    return {
        "id": vector.id,
        "topic": vector.topic,
        "title": vector.title,
        "outcome": result.outcome.value,
        "why": list(result.why),
        "lets_in": result.lets_in,
        "protects": vector.protects,
        "source": vector.source,
    }


def as_junit(reports: Sequence[Report]) -> bytes:
    """The reports as JUnit's XML: a suite for each target, a class for each topic, "cannot" as skipped."""
    return junit.document("corsproxy conformance", map(_suite, reports))


def _suite(report: Report) -> junit.Suite:
    name = f"conformance of {report.title} {report.version}"
    cases = [
        junit.Case(result.vector.id, f"{report.target}.{result.vector.topic}", _trouble(result), {"time": "0"})
        for result in report.results
    ]
    return junit.Suite(name, cases, {"time": f"{report.seconds:.3f}"})


def _trouble(result: Result) -> junit.Trouble | None:
    vector, why = result.vector, "; ".join(result.why)
    if result.outcome is Outcome.CANNOT:
        return junit.Trouble("skipped", why)
    if result.outcome is Outcome.FAILED:
        return junit.Trouble("failure", why, f"{vector.title}\n{vector.protects}\nsource: {vector.source}")
    return None
