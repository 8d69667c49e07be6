"""Which denials, and which flips of the shadow, are worth a line, by their causes."""

from __future__ import annotations

from dataclasses import dataclass

from corsproxy.config.table import Rule
from corsproxy.cors.policy import Policy
from corsproxy.cors.words import sentence, websocket_refused
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.causes import LONGEST, Causes, Met


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
        self.causes = Causes()

    def meet(self, exchange: Exchange) -> Denial | None:
        """Count an exchange that was denied; None when it was not, or when nothing is to be said about it."""
        decision, rule = exchange.decision, exchange.rule
        if not decision.denied or rule is None or rule.policy is None:
            return None
        # By its number: an enum's member costs a call of Python's for its hash.
        common = (rule.where, decision.outcome.number, exchange.websocket)
        met = self.causes.meet(common, decision.subject[:LONGEST], _end(exchange))
        return Denial(rule, rule.policy, met.count, met.named) if met is not None else None


class Flips:
    """Counts what the shadow would have decided otherwise, by rule, reason, origin and method."""

    def __init__(self) -> None:
        self.causes = Causes()

    def meet(self, exchange: Exchange) -> Met | None:
        """Count an exchange; None when the shadow agrees, or when nothing is to be said about it."""
        flip = exchange.shadow
        if flip is None:
            return None
        found = flip.difference
        common = (exchange.rule.where if exchange.rule is not None else "", flip.where, found.change, found.reason)
        own = (exchange.origin[:LONGEST], exchange.method[:LONGEST], found.subject[:LONGEST], exchange.websocket)
        return self.causes.meet(common, own, _end(exchange))


def _end(exchange: Exchange) -> float:
    return exchange.started + exchange.duration


def browser_sentence(exchange: Exchange) -> str:
    """What the console of the browser says of an exchange that was denied."""
    if exchange.websocket:
        return websocket_refused(exchange.status, url=exchange.url)
    return sentence(exchange.decision, url=exchange.url, origin=exchange.origin.decode("latin-1"))
