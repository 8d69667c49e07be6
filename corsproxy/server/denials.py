"""Which denials are worth a line: the first of each cause, and then one for ten, a hundred, a thousand of it.

Rules: a page that asks again every second must not bury the rest of a log, and neither must an attacker who makes up an
origin for each request; so causes are few, in memory and in lines.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from corsproxy.config.table import Rule
from corsproxy.cors.decision import Outcome
from corsproxy.cors.policy import Policy
from corsproxy.cors.words import sentence, websocket_refused
from corsproxy.proxy.exchange import Exchange

REMEMBERED: Final = 1000  # causes; the one that was met longest ago is forgotten first
LONGEST: Final = 200  # bytes of what was denied; longer ones that begin alike are taken for one
BURST: Final = 100  # new causes that are named at once
PER_SECOND: Final = 1.0  # further ones that are named in a second

_DENIED: Final = frozenset(outcome for outcome in Outcome if outcome.denied)  # looked up at every exchange
_TOLD: Final = frozenset(10**exponent for exponent in range(19))


@dataclass(frozen=True, slots=True)
class Denial:
    """A denial that is worth a line; ``count`` is how often its cause has been met, ``named`` whether it has its own.

    Where there are too many causes to name, those of a rule and an outcome are counted as one.
    """

    rule: Rule
    policy: Policy
    count: int
    named: bool


class Denials:
    """Counts denials by their cause: rule, outcome, what was denied, and whether a WebSocket was asked for."""

    def __init__(self) -> None:
        self._counts: OrderedDict[Hashable, int] = OrderedDict()
        self._budget = float(BURST)
        self._last = 0.0

    def meet(self, exchange: Exchange) -> Denial | None:
        """Count an exchange that was denied; None when it was not, or when nothing is to be said about it."""
        decision, rule = exchange.decision, exchange.rule
        if decision.outcome not in _DENIED or rule is None or rule.policy is None:
            return None
        subject: bytes | None = decision.subject[:LONGEST]
        cause = (rule.where, decision.outcome, subject, exchange.websocket)
        if cause not in self._counts and not self._may_name(exchange.started + exchange.duration):
            subject = None
            cause = (rule.where, decision.outcome, None, exchange.websocket)
        count = self._counts[cause] = self._counts.get(cause, 0) + 1
        self._counts.move_to_end(cause)
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        return Denial(rule, rule.policy, count, subject is not None) if count in _TOLD else None

    def _may_name(self, now: float) -> bool:
        self._budget = min(BURST, self._budget + max(0.0, now - self._last) * PER_SECOND)
        self._last = now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True


def browser_sentence(exchange: Exchange) -> str:
    """What the console of the browser says of an exchange that was denied."""
    if exchange.websocket:
        return websocket_refused(exchange.status, url=exchange.url)
    return sentence(exchange.decision, url=exchange.url, origin=exchange.origin.decode("latin-1"))
