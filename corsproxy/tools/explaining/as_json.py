"""An explanation as plain data, for programs: the same value that people read, with stable names."""

from __future__ import annotations

from typing import Any

from corsproxy.cors.fetch import Headers, Request
from corsproxy.tools.explaining.explanation import Explanation
from corsproxy.tools.explaining.fix import Fix, NoFix
from corsproxy.tools.simulation import Exchanged


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Everything in an explanation, ready for ``json.dumps``."""
    verdict, rule, decision = explanation.fetched.verdict, explanation.rule, explanation.decision
    policy = rule.policy if rule else None
    return {
        "blocked": explanation.blocked,
        "unclear": explanation.unclear,
        "reason": verdict.blocked.value if verdict.blocked else None,
        "subject": verdict.subject.decode("latin-1"),
        "step": verdict.step.value if verdict.blocked else None,
        "request": request_as_json(explanation.request),
        "browsers": dict(explanation.sentences),
        "rule": {"name": rule.name, "where": rule.where} if rule else None,
        "policy": {"name": policy.name, "where": policy.where} if policy else None,
        "outcome": decision.outcome.value if decision else None,
        "steps": [step._asdict() for step in explanation.steps],
        "exchanges": [_exchanged(exchanged) for exchanged in explanation.exchanges],
        "fix": _fix(explanation.fix),
        "needed": [needed._asdict() for needed in explanation.needed],
        "looks_like_cors": list(explanation.lookalikes),
    }


def request_as_json(request: Request) -> dict[str, Any]:
    """What a page asks for."""
    return {
        "url": request.url,
        "origin": request.origin.decode("latin-1"),
        "method": request.method.decode("latin-1"),
        "headers": _headers(request.headers),
        "credentials": request.credentials.value,
        "mode": request.mode.value,
    }


def _exchanged(exchanged: Exchanged) -> dict[str, Any]:
    asked, answered = exchanged.asked, exchanged.answered
    return {
        "preflight": exchanged.preflight,
        "method": asked.method.decode("latin-1"),
        "url": asked.url,
        "request_headers": _headers(asked.headers),
        "status": answered.status,
        "response_headers": _headers(answered.headers),
    }


def _headers(headers: Headers) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def _fix(fix: Fix | NoFix | None) -> dict[str, Any] | None:
    if isinstance(fix, NoFix):
        return {"diff": None, "why_not": fix.reason}
    if fix is None:
        return None
    return {"diff": fix.diff, "allows": list(fix.allows), "warnings": list(fix.warnings)}
