"""Observers of observers: who is told of which exchange.  They stand in the path of every request."""

from __future__ import annotations

from corsproxy.proxy.exchange import Exchange, Observer
from corsproxy.server.drift import INTERVAL, REMEMBERED


class Both:
    """Tells one observer, then the other."""

    __slots__ = ("_one", "_other")

    def __init__(self, one: Observer, other: Observer) -> None:
        self._one = one
        self._other = other

    def __call__(self, exchange: Exchange) -> None:
        """Tell both."""
        self._one(exchange)
        self._other(exchange)


class Notable:
    """Tells an observer of what the policy denied, and of other answers of each endpoint one in a second.

    That is all that a log which is off still has to look at: denials, and what upstreams say of CORS (``drift``).
    """

    __slots__ = ("_due", "_observer")

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._due: dict[str, float] = {}  # by endpoint, on the clock of exchanges

    def __call__(self, exchange: Exchange) -> None:
        """Tell it, if it is to be told."""
        heard = exchange.heard
        if heard and heard >= self._due.get(exchange.upstream, heard):
            if len(self._due) >= REMEMBERED:
                self._due.clear()
            self._due[exchange.upstream] = heard + INTERVAL
            self._observer(exchange)
        elif exchange.decision.denied:
            self._observer(exchange)
