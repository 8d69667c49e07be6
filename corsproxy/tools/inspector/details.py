"""One exchange in full, as plain data: made when somebody opens it, from what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from corsproxy.config.table import Rule, RuleTable
from corsproxy.cors.decision import Decision
from corsproxy.cors.flip import Flip, remedy, said
from corsproxy.http.answers import printable
from corsproxy.proxy.exchange import Exchange
from corsproxy.tools.inspector.changes import Change, changes, hidden, of_request, of_response
from corsproxy.tools.inspector.exports import Message, as_curl, as_fetch
from corsproxy.tools.inspector.masking import masked, masked_url
from corsproxy.tools.inspector.reasons import Case, explained, policy_text
from corsproxy.tools.inspector.reenactment import asked, began, delivered, forwarded
from corsproxy.tools.inspector.rows import requested_method
from corsproxy.tools.written_config import WrittenConfig

Advise = Callable[[Decision, str], str]


@dataclass(frozen=True, slots=True)
class Known:
    """What stands beside the record: the table in force, the configuration's text where there is one, and advice."""

    table: RuleTable
    config: WrittenConfig | None
    advise: Advise


def case_of(exchange: Exchange, pair: Exchange | None) -> Case:
    """An exchange and its pair, told apart."""
    return Case(exchange, pair) if requested_method(exchange) else Case(pair, exchange)


def details(case: Case, known: Known) -> dict[str, Any]:
    """Everything about a preflight and its request."""
    exchange = case.main
    message = message_of(exchange, known.table)
    return {
        "timeline": timeline(case),
        "heads": [heads(one, known) for one in (case.preflight, case.actual) if one is not None],
        "explanation": explained(case, known.table, known.config),
        "rule": _rule(exchange.rule),
        "advice": _advice(exchange, known.advise),
        "shadow": [_shadow(one.shadow) for one in (case.preflight, case.actual) if one is not None and one.shadow],
        "policy_text": policy_text(exchange.rule, exchange.origin),
        "curl": as_curl(message),
        "fetch": as_fetch(message),
        "request_bytes": exchange.request_bytes,
        "response_bytes": exchange.response_bytes,
    }


def heads(exchange: Exchange, known: Known) -> dict[str, Any]:
    """Both heads of an exchange, line by line; None where a newer table no longer tells what was sent."""
    rule = exchange.rule
    up, down = forwarded(exchange, known.table), delivered(exchange, known.table)
    came, answered = masked(asked(exchange)), masked(tuple(exchange.answered))
    where = rule.policy.where if rule and rule.policy else ""
    request = changes(came, masked(up), of_request(rule)) if up else None
    response = changes(answered, masked(down), of_response(rule, where)) if down is not None else None
    return {
        "method": exchange.method.decode("latin-1"),
        "status": exchange.status,
        "upstream": exchange.upstream,
        "request": _lines(hidden(request, rule.request_edits.lines) if rule and request else request),
        "response": _lines(hidden(response, rule.response_edits.lines) if rule and response else response),
        "came": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in came],
    }


def message_of(exchange: Exchange, table: RuleTable) -> Message:
    """A masked exchange for exports."""
    return Message(
        exchange.method,
        masked_url(exchange.url),
        masked(asked(exchange)),
        exchange.status,
        masked(delivered(exchange, table) or ()),
        began(exchange),
        exchange.heard - exchange.started if exchange.heard else exchange.duration,
        exchange.duration,
        exchange.request_bytes,
        exchange.response_bytes,
    )


def timeline(case: Case) -> list[dict[str, Any]]:
    """What happened when, in milliseconds since the first of it."""
    start = (case.preflight or case.main).started
    events: list[tuple[float, str]] = []
    for exchange, word in ((case.preflight, "preflight"), (case.actual, "request")):
        if exchange is None:
            continue
        events.append((exchange.started, f"the {word} arrives"))
        if exchange.asked:
            events.append((exchange.asked, "the upstream is turned to"))
        if exchange.heard:
            events.append((exchange.heard, "the head of its answer is there"))
        end = f"{exchange.status} is on its way" if exchange.status else "the connection ends without an answer"
        events.append((exchange.started + exchange.duration, end))
    return [{"at": round((at - start) * 1000, 2), "what": what} for at, what in events]


def _rule(rule: Rule | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    policy = rule.policy
    name, where = (policy.name, policy.where) if policy else ("none", "")
    return {"name": rule.name, "where": rule.where, "policy": name, "policy_where": where}


def _shadow(flip: Flip) -> dict[str, str]:
    return {
        "said": printable(said(flip)),
        "rule": flip.rule,
        "where": flip.where,
        "policy": flip.policy,
        "policy_where": flip.policy_where,
        "fix": printable(remedy(flip)),
    }


def _advice(exchange: Exchange, advise: Advise) -> str:
    policy = exchange.rule.policy if exchange.rule is not None else None
    if policy is None or not exchange.decision.outcome.denied:
        return ""
    return advise(exchange.decision, policy.name)


def _lines(found: Sequence[Change] | None) -> list[dict[str, str]] | None:
    if found is None:
        return None
    return [
        {
            "kind": change.kind.value,
            "name": change.name.decode("latin-1"),
            "before": change.before.decode("latin-1"),
            "after": change.after.decode("latin-1"),
            "why": change.why,
            "where": change.where,
        }
        for change in found
    ]
