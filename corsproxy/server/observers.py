"""Observers of observers: who is told of which exchange.  They stand in the path of every request."""

from __future__ import annotations

from corsproxy.proxy.exchange import Exchange, Observer


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


class OnlyDenied:
    """Tells an observer of what the policy denied, and of nothing else."""

    __slots__ = ("_observer",)

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def __call__(self, exchange: Exchange) -> None:
        """Tell it, if it is to be told."""
        if exchange.decision.denied:
            self._observer(exchange)
