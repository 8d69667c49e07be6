"""A probe's outcome: what was asked, what came back, and the findings, the worst first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from corsproxy.http.redaction import shown_target
from corsproxy.tools.probing.answers import Answered, Answers
from corsproxy.tools.probing.headers import caching, facts, values
from corsproxy.tools.probing.judgement import Finding, pages, preflights
from corsproxy.tools.probing.kinds import Severity
from corsproxy.tools.probing.questions import Target
from corsproxy.tools.probing.rule import written_rule


@dataclass(frozen=True)
class Report:
    """What an API does about CORS; made by ``report``."""

    target: Target
    answers: Answers
    findings: tuple[Finding, ...]

    @property
    def shown_url(self) -> str:
        """The URL that was probed, without secrets."""
        return shown_target(self.target.url.encode("latin-1"))

    @property
    def at_risk(self) -> bool:
        """Whether somebody is at risk: there is a finding of medium or high severity."""
        return any(finding.severity >= Severity.MEDIUM for finding in self.findings)

    @property
    def rule(self) -> str:
        """The configuration of this proxy that puts everything right, as YAML."""
        return written_rule(self.target, self.answers)


def report(target: Target, answered: Iterable[Answered]) -> Report:
    """Judge the answers to both rounds of questions."""
    answers = Answers(answered)
    findings = (
        *pages(answers, target),
        *preflights(answers, target),
        *caching(answers),
        *values(answers),
        *facts(answers),
    )
    return Report(target, answers, tuple(sorted(findings, key=lambda finding: -finding.severity)))


def as_json(made: Report) -> dict[str, Any]:
    """A report as plain data, with stable names."""
    return {
        "url": made.shown_url,
        "at_risk": made.at_risk,
        "requests": len(made.answers.all),
        "cors_headers": made.answers.own_headers,
        "findings": [_finding(finding) for finding in made.findings],
        "rule": made.rule,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.kind.value,
        "severity": str(finding.severity),
        "what": finding.what,
        "risk": finding.risk,
        "cure": finding.cure,
        "subject": finding.subject,
        "evidence": [_evidence(answered) for answered in finding.evidence],
    }


def _evidence(answered: Answered) -> dict[str, Any]:
    return {
        "request": sent_lines(answered),
        "status": answered.status,
        "headers": _plain(answered.telling),
    }


def sent_lines(answered: Answered) -> list[str]:
    """The request, as far as it matters: what the user has added is the user's secret."""
    asked = answered.question.asked
    first = f"{asked.method.decode('latin-1')} {shown_target(asked.url.encode('latin-1'))}"
    telling = [line for line in asked.headers if line[0].lower().startswith((b"origin", b"access-control-"))]
    return [first, *(f"{name}: {value}" for name, value in _plain(telling))]


def _plain(headers: Iterable[tuple[bytes, bytes]]) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]
