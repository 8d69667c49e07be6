"""The list: a row for each exchange, and a row for each rule, as plain data.

Rules: a row is all that the list and its filters need, and nothing secret; a preflight and the request that it asked
for name each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from corsproxy.config.table import Rule, RuleTable
from corsproxy.cors.decision import Outcome
from corsproxy.cors.flip import said
from corsproxy.http.answers import printable
from corsproxy.http.redaction import shown_target
from corsproxy.proxy.exchange import Exchange
from corsproxy.tools.inspector.masking import masked_url
from corsproxy.tools.inspector.recorder import Recorded
from corsproxy.tools.inspector.reenactment import began

_ALLOW_CREDENTIALS: Final = b"Access-Control-Allow-Credentials: true"
_ALLOWED: Final = frozenset({Outcome.ALLOWED, Outcome.PREFLIGHT_ALLOWED})


def pairs(recorded: Sequence[Recorded]) -> Mapping[int, int]:
    """Which exchange belongs to which: preflights and what they asked for, both ways.

    A browser may use a preflight's answer for many requests; it is paired with the first one.
    """
    waiting: dict[tuple[bytes, bytes, bytes, bytes], int] = {}
    found: dict[int, int] = {}
    for number, exchange in recorded:
        wanted = requested_method(exchange)
        key = (exchange.origin, exchange.host, exchange.target, wanted or exchange.method)
        if wanted:
            waiting[key] = number
        elif preflight := waiting.pop(key, 0):
            found[number], found[preflight] = preflight, number
    return found


def requested_method(exchange: Exchange) -> bytes:
    """The method that a preflight asks for; b"" of every other request."""
    if exchange.method != b"OPTIONS" or not exchange.origin:
        return b""
    return sent(exchange, b"access-control-request-method")


def sent(exchange: Exchange, name: bytes) -> bytes:
    """The value of the client's first line of that lower-case name, or b""."""
    return next((line.value for line in exchange.passed if line.name == name), b"")


def verdict(exchange: Exchange) -> str:
    """What it is in one word: "blocked", "allowed", or "" where this proxy does not decide."""
    outcome = exchange.decision.outcome
    if outcome.denied or (exchange.origin and exchange.rule is None):
        return "blocked"
    if outcome is Outcome.ALLOWED and _wants_credentials(exchange):
        return "blocked"
    return "allowed" if outcome in _ALLOWED else ""


def _wants_credentials(exchange: Exchange) -> bool:
    """Whether cookies came and the policy does not allow them (https://fetch.spec.whatwg.org/#cors-check, step 5)."""
    is_fetch = sent(exchange, b"sec-fetch-mode") in {b"", b"cors"} and not exchange.websocket
    return is_fetch and bool(sent(exchange, b"cookie")) and _ALLOW_CREDENTIALS not in exchange.decision.lines


def row(recorded: Recorded, pair: int) -> dict[str, Any]:
    """An exchange in the list; ``pair`` is 0 where there is none."""
    number, exchange = recorded
    rule = exchange.rule
    return {
        "id": number,
        "pair": pair,
        "began": round(began(exchange) * 1000),
        "method": printable(exchange.method.decode("latin-1")),
        "requested": printable(requested_method(exchange).decode("latin-1")),
        "target": shown_target(exchange.target),
        "url": masked_url(exchange.url),
        "origin": printable(exchange.origin.decode("latin-1")),
        "status": exchange.status,
        "outcome": exchange.decision.outcome.value,
        "verdict": verdict(exchange),
        "rule": rule.name if rule else "",
        "where": rule.where if rule else "",
        "policy": rule.policy.name if rule and rule.policy else "",
        "milliseconds": round(exchange.duration * 1000, 1),
        "websocket": exchange.websocket,
        "failure": printable(exchange.failure),
        "shadow": exchange.shadow.difference.change.value if exchange.shadow else "",
        "in_the_shadow": printable(said(exchange.shadow)) if exchange.shadow else "",
    }


def rule_rows(table: RuleTable, recorded: Iterable[Recorded]) -> list[dict[str, Any]]:
    """The rule table, each rule with what became of the exchanges that are kept."""
    counted: dict[Rule, list[Recorded]] = {}
    for one in recorded:
        if one.exchange.rule is not None:
            counted.setdefault(one.exchange.rule, []).append(one)
    return [_rule_row(rule, counted.get(rule, [])) for rule in table.rules]


def _rule_row(rule: Rule, recorded: Sequence[Recorded]) -> dict[str, Any]:
    denied = [one for one in recorded if verdict(one.exchange) == "blocked"]
    return {
        "name": rule.name,
        "where": rule.where,
        "upstream": ", ".join(str(endpoint) for endpoint in rule.upstream.endpoints),
        "policy": rule.policy.name if rule.policy else "none",
        "exchanges": len(recorded),
        "blocked": len(denied),
        "last_blocked": denied[-1].number if denied else 0,
    }
