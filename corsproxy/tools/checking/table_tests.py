"""Tests of the table, run: what a browser would make of each, and why one that fails does.

The verdict is that of ``explain``: the browser's over the preflight and the request, as the proxy would answer them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from corsproxy.config.tests import ANY_HOST, TableTest
from corsproxy.cors.fetch import Tainting
from corsproxy.cors.outcome import Outcome
from corsproxy.cors.policy import compile_policy
from corsproxy.cors.words import escaped
from corsproxy.tools.explaining.explanation import Explanation, explain
from corsproxy.tools.explaining.fix import NoFix, Obstacle, ask
from corsproxy.tools.written_config import WrittenConfig

_ALLOWED: Final = "allowed"
_NO_RULE: Final = "no-rule"
# What "blocked" does not stand for: it would hide that this table decides nothing.
_NOT_BLOCKED: Final = frozenset({_ALLOWED, _NO_RULE, Outcome.NO_POLICY.value})
_HOSTLESS: Final = NoFix("every rule is for a host, and this test names none; add `host` to it")

# The key of a policy that keeps back what the expected reason is about.
_KEYS: Final = {
    "preflight-denied-method": "allow_methods",
    "preflight-denied-headers": "allow_headers",
    "wildcard-with-credentials": "allow_credentials",
    "allow-credentials": "allow_credentials",
}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a test; ``explanation`` and ``granted`` are there only where it failed."""

    test: TableTest
    found: str  # in the words that can be expected
    explanation: Explanation | None = None
    granted: str = ""  # what allows a request that should be blocked, and where it is written

    @property
    def passed(self) -> bool:
        """Whether what was found is what was expected."""
        expected = self.test.expected
        return self.found == expected or (expected == "blocked" and self.found not in _NOT_BLOCKED)

    @property
    def name(self) -> str:
        """The request, as people say it."""
        request = self.test.request
        cookies = " with credentials" if request.credentials.value == "include" else ""
        headers = ", ".join(escaped(name) for name, _ in request.headers)
        said = f" with {headers}" if headers else ""
        return f"{escaped(request.method)} {self.test.asked} from {escaped(request.origin)}{said}{cookies}"


def run_tests(config: WrittenConfig, tests: Iterable[TableTest]) -> Iterator[Result]:
    """Every test against a configuration, in order."""
    for test in tests:
        result = Result(test, _word(ask(config, test.request)))
        yield result if result.passed else _explained(config, result)


def _word(obstacle: Obstacle) -> str:
    """What became of a request, in one word."""
    verdict, last = obstacle.fetched.verdict, obstacle.last
    if last is None or last.rule is None or last.decision is None:
        return _NO_RULE
    if verdict.blocked is None:
        return _ALLOWED
    outcome = last.decision.outcome
    return outcome.value if outcome.denied or outcome is Outcome.NO_POLICY else verdict.blocked.value


def _explained(config: WrittenConfig, result: Result) -> Result:
    explanation = explain(config, result.test.request)
    granted = _granted(config, explanation, result.test) if result.found == _ALLOWED else ""
    if result.found == _NO_RULE and result.test.asked.startswith("/") and not config.compiled.table.serves(ANY_HOST):
        explanation = replace(explanation, fix=_HOSTLESS)
    elif result.found != _NO_RULE and result.test.expected != _ALLOWED:
        explanation = replace(explanation, fix=None)  # it would let the request pass, which nobody wants
    notes = tuple(note for note in explanation.lookalikes if ANY_HOST not in note)  # nobody asks that host
    return replace(result, explanation=replace(explanation, lookalikes=notes), granted=granted)


def _granted(config: WrittenConfig, explanation: Explanation, test: TableTest) -> str:
    rule = explanation.rule
    path = config.policy_path(rule) if rule else None
    if rule is None or rule.policy is None or path is None or explanation.fetched.tainting is not Tainting.CORS:
        return ""  # the page and the API share an origin, so that no policy is asked
    if key := _KEYS.get(test.expected):
        return f"{key}  ({config.where((*path, key))})"
    spec = rule.policy.spec
    for index, entry in enumerate(spec.allow_origins):
        alone = replace(spec, allow_origins=(entry,), allow_origin_regex=None)
        if compile_policy(alone).allows_origin(test.request.origin):
            return f"{entry}  ({config.where((*path, 'allow_origins', index))})"
    return f"allow_origin_regex  ({config.where((*path, 'allow_origin_regex'))})"
