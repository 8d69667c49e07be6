"""Reports for other programs: plain values, and JUnit's XML for whatever shows tests.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

from corsproxy.conformance.report import Outcome, Report, Result, Score

# What XML 1.0 has no way to say (https://www.w3.org/TR/xml/#charsets).
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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


def junit(reports: Sequence[Report]) -> bytes:
    """The reports as JUnit's XML: a suite for each target, a class for each topic, "cannot" as skipped."""
    root = ET.Element("testsuites")
    for report in reports:
        total = report.total()
        suite = ET.SubElement(
            root,
            "testsuite",
            name=f"conformance of {_text(report.title)} {_text(report.version)}",
            tests=str(len(report.results)),
            failures=str(total.failed),
            skipped=str(total.cannot),
            time=f"{report.seconds:.3f}",
        )
        for result in report.results:
            _case(suite, report, result)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


def _case(suite: ET.Element, report: Report, result: Result) -> None:
    vector = result.vector
    case = ET.SubElement(suite, "testcase", classname=f"{report.target}.{vector.topic}", name=vector.id, time="0")
    why = _text("; ".join(result.why))
    if result.outcome is Outcome.CANNOT:
        ET.SubElement(case, "skipped", message=why)
    if result.outcome is Outcome.FAILED:
        failure = ET.SubElement(case, "failure", message=why)
        failure.text = _text(f"{vector.title}\n{vector.protects}\nsource: {vector.source}")


def _text(text: str) -> str:
    return _NO_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
