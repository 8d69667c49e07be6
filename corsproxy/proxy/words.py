"""What the proxy says about a denial on the wire: what was denied and by which rule, never what would be allowed.

Pure.  The words for the developer (the browser's sentence and the fix) are in ``cors.words``; they go to the log, not
to whoever asked.
"""

from __future__ import annotations

from corsproxy.config.table import Rule
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.http.answers import quoted

_DENIED = {
    Outcome.DENIED_ORIGIN: "the origin {} is not allowed",
    Outcome.PREFLIGHT_DENIED_ORIGIN: "the origin {} is not allowed",
    Outcome.PREFLIGHT_DENIED_METHOD: "the method {} is not allowed",
    Outcome.PREFLIGHT_DENIED_HEADERS: "the request headers {} are not allowed",
    Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK: "private network access is not allowed",
}


def denial(decision: Decision, rule: Rule) -> str:
    """One line that says what was denied and by which rule."""
    return f"{_DENIED[decision.outcome].format(quoted(decision.subject))} by the rule {rule.name}"
