"""What is counted of each exchange.

Rules: an observer in the path of every request, so that an exchange costs a look-up and a few additions; names, labels
and formats are made when somebody asks.  prometheus_client's own objects would cost a lock for each number.
"""

from __future__ import annotations

import platform
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Protocol

from corsproxy import __version__
from corsproxy.config.table import Rule, RuleTable, Upstream
from corsproxy.cors.decision import Outcome
from corsproxy.proxy.compilation import compiled
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.pool import Pool
from corsproxy.server.colleagues import State
from corsproxy.server.drift import Drift
from corsproxy.server.log_writer import LogWriter
from corsproxy.server.metric_families import NO_RULE, OVERHEAD_SECONDS, SECONDS, Samples, Snapshot

# Rules of a table that has been replaced are forgotten with this; the numbers under their names are not.
_REMEMBERED: Final = 16_384

_OUTCOMES: Final = len(Outcome)
_HUNDREDS: Final = 10

# Tuples of no certain length: compiled, one of fifteen numbers is made anew each time that it is handed to somebody.
_BOUNDS: Final[tuple[float, ...]] = SECONDS
_OVERHEAD_BOUNDS: Final[tuple[float, ...]] = OVERHEAD_SECONDS
_BUCKETS: Final = len(_BOUNDS) + 1  # and one for what is longer
_FIRST: Final = SECONDS[0]  # most durations are in the first bucket, or in one of its neighbours
_FIRST_OVERHEAD: Final = OVERHEAD_SECONDS[0]

_Labels = tuple[str, str, str, str]  # rule, upstream, class of the status, outcome


class _Series:
    """The numbers of one rule, class of status, and outcome.

    They are few objects: where thousands of rules take turns, each one is a piece of memory that is not at hand.
    """

    __slots__ = ("counts", "received", "seconds", "sent", "waited")

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0
        self.seconds = 0.0
        self.waited = 0.0
        self.counts = [0] * (2 * _BUCKETS)  # durations by bucket, then waits


class Metrics:
    """Observes exchanges and counts them."""

    def __init__(self) -> None:
        # By class of the status and outcome, and then by rule.
        self._found: list[dict[Rule | None, _Series]] = [{} for _ in range(_HUNDREDS * _OUTCOMES)]
        self._series: dict[_Labels, _Series] = {}
        self._overhead = [0] * (len(_OVERHEAD_BOUNDS) + 1)
        self._overhead_seconds = 0.0
        self._limits: Counter[str] = Counter()
        self._retries: Counter[str] = Counter()  # by upstream

    def __call__(self, exchange: Exchange) -> None:
        """Count one exchange."""
        outcome = exchange.decision.outcome
        found = self._found[exchange.status // 100 * _OUTCOMES + outcome.number]
        series = found.get(exchange.rule)
        if series is None:
            series = self._find(found, exchange.rule, exchange.status // 100, outcome)
        series.received += exchange.request_bytes
        series.sent += exchange.response_bytes
        duration = overhead = exchange.duration
        series.seconds += duration
        series.counts[0 if duration <= _FIRST else bisect_left(_BOUNDS, duration)] += 1
        asked = exchange.asked
        if asked:
            overhead = asked - exchange.started
            heard = exchange.heard
            if heard:
                wait = heard - asked
                series.waited += wait
                series.counts[_BUCKETS + (0 if wait <= _FIRST else bisect_left(_BOUNDS, wait))] += 1
        self._overhead_seconds += overhead
        self._overhead[0 if overhead <= _FIRST_OVERHEAD else bisect_left(_OVERHEAD_BOUNDS, overhead)] += 1

        if exchange.limit:
            self._limits[exchange.limit] += 1
        if exchange.retries and exchange.rule is not None:
            self._retries[exchange.rule.upstream.name] += exchange.retries

    def replaced(self, table: RuleTable) -> None:
        """Another table is in force: forget what it does not have."""
        names = {rule.name for rule in table.rules} | {NO_RULE}
        upstreams = {rule.upstream.name for rule in table.rules}
        self._retries = Counter({name: count for name, count in self._retries.items() if name in upstreams})
        for found in self._found:
            found.clear()
        self._series = {labels: series for labels, series in self._series.items() if labels[0] in names}

    def snapshot(self) -> Snapshot:
        """The numbers as they are now."""
        return {
            "corsproxy_requests_total": _added(
                ((rule, status, outcome), [sum(series.counts[:_BUCKETS])])
                for (rule, _, status, outcome), series in self._series.items()
            ),
            "corsproxy_request_duration_seconds": _added(
                ((rule,), [series.seconds, *series.counts[:_BUCKETS]])
                for (rule, _, status, _), series in self._series.items()
                if status != "1xx"
            ),
            "corsproxy_proxy_duration_seconds": {(): [self._overhead_seconds, *self._overhead]},
            "corsproxy_upstream_duration_seconds": _added(
                ((upstream,), [series.waited, *series.counts[_BUCKETS:]])
                for (_, upstream, _, _), series in self._series.items()
                if upstream
            ),
            "corsproxy_request_body_bytes_total": _added(
                ((rule,), [series.received]) for (rule, *_), series in self._series.items()
            ),
            "corsproxy_response_body_bytes_total": _added(
                ((rule,), [series.sent]) for (rule, *_), series in self._series.items()
            ),
            "corsproxy_limits_hit_total": {(limit,): [count] for limit, count in self._limits.items()},
            "corsproxy_upstream_retries_total": {(upstream,): [count] for upstream, count in self._retries.items()},
            "corsproxy_upstream_cors_headers_total": {(name,): [count] for name, count in Drift.met_in_process.items()},
            "corsproxy_log_lines_dropped_total": {(): [LogWriter.dropped_in_process]},
            "corsproxy_cpu_seconds_total": {(): [time.process_time()]},
        }

    def _find(self, found: dict[Rule | None, _Series], rule: Rule | None, hundred: int, outcome: Outcome) -> _Series:
        """A series that is new, unless another table had it under the same names."""
        status = f"{hundred}xx" if hundred else "none"
        name, upstream = (rule.name, rule.upstream.name) if rule else (NO_RULE, "")
        series = self._series.setdefault((name, upstream, status, str(outcome)), _Series())
        if len(found) >= _REMEMBERED:
            found.clear()
        found[rule] = series
        return series


class Connection(Protocol):
    """A connection of a client."""

    @property
    def busy(self) -> bool:
        """Whether a request on it is under way."""


def standing(pools: Mapping[Upstream, Pool], clients: Collection[Connection], lane: str) -> Snapshot:
    """How things stand in this process."""
    ejections = (((upstream.name,), [float(pool.ejections)]) for upstream, pool in pools.items())
    python = platform.python_version()
    connections = ((upstream.name, pool.connections()) for upstream, pool in pools.items())
    return {
        "corsproxy_requests_in_flight": {(): [sum(client.busy for client in clients)]},
        "corsproxy_client_connections": {(): [len(clients)]},
        "corsproxy_upstream_connections": _added(
            ((name, state), [count])
            for name, counts in connections
            for state, count in zip(("busy", "idle"), counts, strict=True)
        ),
        "corsproxy_upstream_ejections_total": _added(ejections),
        "corsproxy_build_info": {(__version__, python, "yes" if compiled() else "no", lane): [1]},
    }


def of_state(state: State) -> Snapshot:
    """The metrics of what all processes share."""
    return {
        "corsproxy_reloads_total": {("loaded",): [state.reloads], ("refused",): [state.refused_reloads]},
        "corsproxy_config_info": {(state.config_hash,): [1]},
        "corsproxy_workers": {(): [state.workers]},
        "corsproxy_workers_wanted": {(): [state.workers_wanted]},
        "corsproxy_workers_replaced_total": {(): [state.workers_replaced]},
    }


def _added(samples: Iterable[tuple[tuple[str, ...], list[float]]]) -> Samples:
    """Samples with the same labels as one."""
    added: Samples = {}
    for labels, values in samples:
        present = added.get(labels)
        added[labels] = [a + b for a, b in zip(present, values, strict=True)] if present else values
    return added
