"""The shadow of live traffic: exchanges that have ended, judged once more by a table that is only tried.

Rules that this file obeys:

- Nothing here is on the way of an answer: the walk has ended, and the shadow is asked in a later turn of the loop, when
  the answer has been handed to the system.  Whoever observes exchanges is told after that, with the shadow's verdict.
- Whatever fails here is logged, once for each shadow, and known to nobody else.
- The data plane's own ``plan`` and response head say what the other table would have done; no upstream is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from corsproxy.config.table import Rule, RuleTable
from corsproxy.cors.decision import Decision
from corsproxy.cors.fetch import Credentials, Headers, Request
from corsproxy.cors.flip import Asked, Change, Difference, Flip, Given, difference
from corsproxy.cors.outcome import Outcome
from corsproxy.http.fields import lines_of
from corsproxy.proxy.exchange import Exchange, Observer
from corsproxy.proxy.framing import NO_BODY
from corsproxy.proxy.plan import Answer, Forward, plan
from corsproxy.proxy.received import ResponseHead, Status, received_line
from corsproxy.proxy.response import delivery, response_head
from corsproxy.server.metric_families import NO_RULE, Snapshot

if TYPE_CHECKING:
    from corsproxy.config.shadow import Shadow

log: Final = logging.getLogger("corsproxy.shadow")

FAILED: Final = "failed"  # in place of a change: the shadow could not be asked
_SAME: Final = Difference(Change.SAME)
_QUIET: Final = frozenset({Change.SAME, Change.UNKNOWN})
_CHECKED_MODES: Final = frozenset({b"", b"cors"})  # of Sec-Fetch-Mode; a browser that does not say so is believed


class Shadowing:
    """Stands before whoever observes, and asks the shadow first."""

    def __init__(self, tell: Observer) -> None:
        self._tell = tell
        self._shadow: Shadow | None = None
        self._rules: Collection[Rule] = ()  # in force, and with a shadow
        self._pending: list[Exchange] = []
        self._counts: Counter[tuple[str, str]] = Counter()  # by rule and change
        self._failed = False

    def use(self, shadow: Shadow | None, table: RuleTable) -> Observer:
        """Try another shadow beside the table in force from now on, or none; who is to observe exchanges then."""
        self.flush()
        self._shadow, self._failed = shadow, False
        if shadow is None:
            self._rules = ()
            return self._tell
        self._rules = frozenset(table.rules) if shadow.rules is None else shadow.rules
        names = {rule.name for rule in table.rules} | {NO_RULE}
        self._counts = Counter({key: count for key, count in self._counts.items() if key[0] in names})
        return self

    def __call__(self, exchange: Exchange) -> None:
        """An exchange has ended."""
        if not self._pending:
            asyncio.get_running_loop().call_soon(self.flush)
        self._pending.append(exchange)

    def flush(self) -> None:
        """Ask about every exchange that has ended, and tell of it."""
        pending, self._pending = self._pending, []
        for exchange in pending:
            if self._shadow is not None:
                self._ask(exchange, self._shadow)
            try:
                self._tell(exchange)
            except Exception:
                log.exception("an observer failed")

    def snapshot(self) -> Snapshot:
        """The metrics of the shadow."""
        return {"corsproxy_shadow_verdicts_total": {key: [count] for key, count in self._counts.items()}}

    def _ask(self, exchange: Exchange, shadow: Shadow) -> None:
        rule = exchange.rule
        # What began under an earlier table is not this shadow's; what has no rule is only that of a whole table.
        if rule not in self._rules and (rule is not None or shadow.rules is not None):
            return
        try:
            found, planned = compared(exchange, shadow.table)
        except Exception:
            self._counts[_name(rule), FAILED] += 1
            if not self._failed:
                self._failed = True
                log.exception("the shadow failed on a request; nobody else has noticed, and it is said once")
            return
        self._counts[_name(rule), found.change] += 1
        if found.change not in _QUIET:
            exchange.shadow = _flip(found, planned)


def compared(exchange: Exchange, table: RuleTable) -> tuple[Difference, Answer | Forward]:
    """What a page would notice if another table had led this exchange, and what that would have planned."""
    planned = plan(table, exchange.head, exchange.peer)
    if planned.decision == exchange.decision and (planned.rule is None) == (exchange.rule is None):
        return _SAME, planned
    forward = planned if isinstance(planned, Forward) else None
    now = _given(exchange, exchange.rule, exchange.decision, _now(exchange, forward))
    then = _given(exchange, planned.rule, planned.decision, _then(exchange, planned))
    return difference(_asked(exchange, planned.decision), now, then), planned


def _given(exchange: Exchange, rule: Rule | None, decision: Decision, headers: Headers | None) -> Given:
    rejects = exchange.websocket or (rule is not None and rule.policy is not None and rule.policy.on_denied == "reject")
    stopped = rejects or decision.outcome is not Outcome.DENIED_ORIGIN
    return Given(decision, rule is not None, stopped, exchange.status, headers)


def _now(exchange: Exchange, forward: Forward | None) -> Headers:
    """The lines that were given, as far as a browser's checks look at them."""
    rule = exchange.rule
    if rule is not None and forward is not None and exchange.heard:
        return _answered(exchange, forward.under(rule, exchange.decision))
    if rule is not None and rule.policy is None:
        return tuple(exchange.answered)
    return lines_of(b"\r\n" + exchange.decision.lines)


def _then(exchange: Exchange, planned: Answer | Forward) -> Headers | None:
    """The lines that would have been given to the upstream's same answer; None where there was none to go by."""
    if isinstance(planned, Forward) and exchange.heard:
        return _answered(exchange, planned)
    if isinstance(planned, Forward) and planned.rule.policy is None and not exchange.asked:
        return None
    return lines_of(b"\r\n" + planned.decision.lines)


def _answered(exchange: Exchange, forward: Forward) -> Headers:
    received = [received_line(*field) for field in exchange.answered]
    head = ResponseHead(b"1.1", Status(exchange.status, b""), received)
    return lines_of(response_head(forward, head, delivery(NO_BODY, version=b"1.1", closes=False), lambda: b""))


def _asked(exchange: Exchange, other: Decision) -> Asked:
    fields, origin = exchange.head.fields, exchange.origin
    own = Outcome.SAME_ORIGIN in {exchange.decision.outcome, other.outcome}
    own = own or fields.first(b"sec-fetch-site") == b"same-origin"
    is_fetch = not exchange.websocket and fields.first(b"sec-fetch-mode") in _CHECKED_MODES
    method = fields.first(b"access-control-request-method") if exchange.method == b"OPTIONS" else b""
    credentials = Credentials.INCLUDE if is_fetch and fields.first(b"cookie") else Credentials.SAME_ORIGIN
    return Asked(
        origin, credentials, bool(origin) and is_fetch and not own, _wanted(exchange, method) if method else None
    )


def _wanted(exchange: Exchange, method: bytes) -> Request:
    """The request that a preflight asks for."""
    asked = b",".join(exchange.head.fields.all(b"access-control-request-headers"))
    headers = tuple(
        (name.strip(), b"?") for name in asked.split(b",") if name.strip()
    )  # a value that no safelist knows
    return Request(url=exchange.url, origin=exchange.origin, method=method, headers=headers)


def _flip(found: Difference, planned: Answer | Forward) -> Flip:
    rule = planned.rule
    policy = rule.policy if rule is not None else None
    return Flip(
        found,
        planned.decision,
        rule.name if rule is not None else "",
        rule.where if rule is not None else "",
        policy.name if policy is not None else "none",
        policy.where if policy is not None else "",
    )


def _name(rule: Rule | None) -> str:
    return rule.name if rule is not None else NO_RULE
