"""The vectors that a policy covers which somebody states of a running server.  Pure.

Nothing can be scripted behind such a server, and nothing may be changed there: what is left are GET, HEAD and OPTIONS,
and what can be seen from outside.  A vector is covered where the stated policy decides its requests as the vector's own
policy does, with the stated origins in place of the vector's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from corsproxy.config.model import PolicyConfig
from corsproxy.config.policies import spec_of
from corsproxy.conformance.braces import LONG, request_bytes
from corsproxy.conformance.conclusion import asked
from corsproxy.conformance.load import Suite
from corsproxy.conformance.model import CLOSED, Behaviour, Conclusion, Exchange, Expectation, Setting, Vector
from corsproxy.cors.decision import Outcome
from corsproxy.cors.fetch import values_of
from corsproxy.cors.pattern import parse_pattern
from corsproxy.cors.policy import Policy, compile_policy

STATED: Final = "stated"  # the one setting of such a run

_ORIGINS: Final = ("https://app.example.com", "https://admin.example.com")  # whose place the stated ones take
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_EVERY_STATUS: Final[list[int | str]] = ["2xx", "3xx", "4xx", "5xx", CLOSED]


def covered(suite: Suite, stated: PolicyConfig) -> Suite:
    """The vectors that say something about a server with this policy; raises InvalidPolicy for one that cannot be."""
    policy = compile_policy(spec_of(STATED, stated))
    vectors = tuple(
        moved
        for vector in suite.vectors
        if (moved := _moved(vector, suite.settings[vector.setting], stated, policy)) is not None
    )
    return Suite(suite.topics, vectors, {STATED: Setting(policy=stated)})


def _moved(vector: Vector, setting: Setting, stated: PolicyConfig, policy: Policy) -> Vector | None:
    """The vector for the stated policy; None where that policy, or a server seen from outside, says nothing of it."""
    if setting.refusable or setting != Setting(policy=setting.policy) or "{root}" in vector.model_dump_json():
        return None
    if stated.allow_credentials and not setting.policy.allow_credentials:
        return None
    renamed = _renamed(vector, setting.policy, stated)
    if renamed is None:
        return None
    own = compile_policy(spec_of(vector.setting, setting.policy))
    if _outcomes(vector, own) != _outcomes(renamed, policy):
        return None
    exchanges = [_from_outside(exchange, renamed, setting.policy, stated) for exchange in renamed.exchanges]
    if not all(map(_is_observable, renamed.exchanges)) or all(e.expect == Expectation() for e in exchanges):
        return None
    return renamed.model_copy(update={"setting": STATED, "exchanges": exchanges})


def _renamed(vector: Vector, own: PolicyConfig, stated: PolicyConfig) -> Vector | None:
    """The vector with the stated origins; None where they are not enough."""
    if own.allow_origins == stated.allow_origins and own.allow_origin_regex == stated.allow_origin_regex:
        return vector
    if tuple(own.allow_origins) != _ORIGINS:
        return None
    exact = [origin for origin in stated.allow_origins if _is_exact(origin)]
    replaced = [(mine, theirs) for mine, theirs in zip(_ORIGINS, exact, strict=False)]
    replaced += [(urlsplit(mine).netloc, urlsplit(theirs).netloc) for mine, theirs in replaced]
    written = vector.model_dump()
    if any(mine in vector.model_dump_json() for mine in _ORIGINS[len(exact) :]):
        return None
    return Vector.model_validate(_replaced(written, replaced))


def _is_exact(origin: str) -> bool:
    return origin != "null" and parse_pattern(origin).exact


def _replaced(tree: Any, pairs: Sequence[tuple[str, str]]) -> Any:  # noqa: ANN401  # a tree of plain values
    """The texts of a tree with each first text of a pair replaced by the second."""
    if isinstance(tree, dict):
        return {key: _replaced(value, pairs) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_replaced(item, pairs) for item in tree]
    if isinstance(tree, str):
        for mine, theirs in pairs:
            tree = tree.replace(mine, theirs)
    return tree


def _outcomes(vector: Vector, policy: Policy) -> list[Outcome]:
    """What a policy says of every request of a vector."""
    return [_outcome(exchange, vector, policy) for exchange in vector.exchanges]


def _outcome(exchange: Exchange, vector: Vector, policy: Policy) -> Outcome:
    question = asked(request_bytes(exchange.request, {**LONG, **vector.values}))
    origins = values_of(question.headers, b"origin")
    methods = values_of(question.headers, b"access-control-request-method")
    if question.is_preflight and origins:
        headers = values_of(question.headers, b"access-control-request-headers")
        private = values_of(question.headers, b"access-control-request-private-network") == [b"true"]
        origin = origins[0] if len(origins) == 1 else b""
        return policy.judge_preflight(origin, methods, headers, private).outcome
    return policy.judge_actual(origins).outcome


def _is_observable(exchange: Exchange) -> bool:
    method = exchange.request.partition(" ")[0]
    return exchange.upstream == Behaviour() and method in _SAFE


def _from_outside(exchange: Exchange, vector: Vector, own: PolicyConfig, stated: PolicyConfig) -> Exchange:
    """What of an expectation can be seen from outside, of a server whose content nobody knows."""
    expect = exchange.expect
    question = asked(request_bytes(exchange.request, {**LONG, **vector.values}))
    changes: dict[str, object] = {"upstream": "either", "forwarded": None, "body": None, "whole": None, "answers": None}
    if not question.is_preflight and expect.status:
        changes["status"] = _EVERY_STATUS if CLOSED in expect.status else []
    changes["headers"] = {
        name: matcher
        for name, matcher in expect.headers.items()
        if name.startswith("Access-Control-") and (own.max_age == stated.max_age or name != "Access-Control-Max-Age")
    }
    if len(stated.allow_origins) == 1 and _is_exact(stated.allow_origins[0]):
        changes |= {"vary": [], "for_caches": False}  # the same line for everybody would do
    if not stated.allow_credentials:
        changes["allow_credentials"] = False if expect.allow_credentials else expect.allow_credentials
        if isinstance(expect.browser, Conclusion) and expect.browser.include == "allowed":
            changes["browser"] = expect.browser.model_copy(update={"include": None})
    return exchange.model_copy(update={"expect": expect.model_copy(update=changes)})
