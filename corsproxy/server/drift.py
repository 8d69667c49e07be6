"""Upstreams that send CORS headers of their own, where a policy writes them: which are worth a line.

Rules: the first time that an upstream sends a set of them, and never again; an answer of each endpoint is looked at
once in a second, since an API changes with a release and not with a request, so that all others cost a look-up; what is
remembered is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any, ClassVar, Final, NamedTuple

from corsproxy.config.table import Rule
from corsproxy.cors.policy import Policy
from corsproxy.http.answers import printable
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.response import is_grant

REMEMBERED: Final = 1000  # endpoints, and sets of headers; the one that was met longest ago is forgotten first
INTERVAL: Final = 1.0  # seconds between two looks at an endpoint
_LONGEST: Final = 100  # characters of a name
_MOST: Final = 10  # names

_LONG_AGO: Final = 1e-9  # an exchange whose answer never came is older


class Drifted(NamedTuple):
    """An upstream sends CORS headers that a policy replaces; ``names`` are as people write them, sorted."""

    rule: Rule
    policy: Policy
    names: tuple[str, ...]

    @property
    def message(self) -> str:
        """What it means."""
        written = f" ({self.policy.where})" if self.policy.where else ""
        return (
            f"the upstream {self.rule.upstream.name} sends {', '.join(self.names)} of its own; no page sees that, "
            f"since policy {self.policy.name}{written} decides"
        )

    @property
    def fix(self) -> str:
        """What decides who decides."""
        return (
            f"have the upstream send none, or set `upstream_cors: keep` in the rule {self.rule.name} "
            f"({self.rule.where}), and the upstream decides"
        )


class Drift:
    """Notices what upstreams say of CORS by themselves."""

    met_in_process: ClassVar[Counter[str]] = Counter()  # what was noticed, by upstream, for the metrics

    def __init__(self) -> None:
        self._due: dict[str, float] = {}  # by endpoint, on the clock of exchanges
        self._known: dict[tuple[str, tuple[str, ...]], None] = {}

    def meet(self, exchange: Exchange) -> Drifted | None:
        """Look at an exchange, if it is time to; None where there is nothing new."""
        if exchange.heard < self._due.get(exchange.upstream, _LONG_AGO):
            return None
        rule = exchange.rule
        if rule is None or rule.policy is None:
            return None
        _remember(self._due, exchange.upstream, exchange.heard + INTERVAL)
        names = sorted({_shown(name) for name, _ in exchange.answered if is_grant(name.lower())})[:_MOST]
        found = (rule.upstream.name, tuple(names))
        if not names or found in self._known:
            return None
        _remember(self._known, found, None)
        self.met_in_process[rule.upstream.name] += 1
        return Drifted(rule, rule.policy, tuple(names))


def _remember(memory: dict[Any, Any], key: Hashable, value: object) -> None:
    memory.pop(key, None)
    memory[key] = value  # at the end
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]


def _shown(name: bytes) -> str:
    return printable(name.title()[:_LONGEST].decode("latin-1"))
