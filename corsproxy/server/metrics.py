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

_Labels = tuple[str, str, str, str]  # rule, upstream, class of the status, outcome


class _Histogram:
    """Durations, counted by bucket."""

    __slots__ = ("_bounds", "_first", "counts", "seconds")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._first = bounds[0]
        self.seconds = 0.0
        self.counts = [0] * (len(bounds) + 1)

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.seconds += seconds
        # Most durations are in the first bucket, or in one of its neighbours.
        self.counts[0 if seconds <= self._first else bisect_left(self._bounds, seconds)] += 1


class _Series:
    """The numbers of one rule, class of status, and outcome."""

    __slots__ = ("durations", "received", "sent", "waits")

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0
        self.durations = _Histogram(SECONDS)
        self.waits = _Histogram(SECONDS)


class Metrics:
    """Observes exchanges and counts them."""

    def __init__(self) -> None:
        self._found: dict[Rule | None, list[_Series | None]] = {}  # by class of the status and outcome, in one list
        self._series: dict[_Labels, _Series] = {}
        self._overhead = _Histogram(OVERHEAD_SECONDS)
        self._limits: Counter[str] = Counter()
        self._retries: Counter[str] = Counter()  # by upstream

    def __call__(self, exchange: Exchange) -> None:
        """Count one exchange."""
        cells = self._found.get(exchange.rule)
        if cells is None:
            cells = self._cells(exchange.rule)
        outcome = exchange.decision.outcome
        place = exchange.status // 100 * _OUTCOMES + outcome.number
        series = cells[place]
        if series is None:
            series = cells[place] = self._find(exchange.rule, exchange.status // 100, outcome)
        series.received += exchange.request_bytes
        series.sent += exchange.response_bytes
        duration = overhead = exchange.duration
        series.durations.add(duration)
        asked = exchange.asked
        if asked:
            overhead = asked - exchange.started
            heard = exchange.heard
            if heard:
                series.waits.add(heard - asked)
        self._overhead.add(overhead)

        if exchange.limit:
            self._limits[exchange.limit] += 1
        if exchange.retries and exchange.rule is not None:
            self._retries[exchange.rule.upstream.name] += exchange.retries

    def replaced(self, table: RuleTable) -> None:
        """Another table is in force: forget what it does not have."""
        names = {rule.name for rule in table.rules} | {NO_RULE}
        upstreams = {rule.upstream.name for rule in table.rules}
        self._retries = Counter({name: count for name, count in self._retries.items() if name in upstreams})
        self._found.clear()
        self._series = {labels: series for labels, series in self._series.items() if labels[0] in names}

    def snapshot(self) -> Snapshot:
        """The numbers as they are now."""
        return {
            "corsproxy_requests_total": _added(
                ((rule, status, outcome), [sum(series.durations.counts)])
                for (rule, _, status, outcome), series in self._series.items()
            ),
            "corsproxy_request_duration_seconds": _added(
                ((rule,), _numbers(series.durations))
                for (rule, _, status, _), series in self._series.items()
                if status != "1xx"
            ),
            "corsproxy_proxy_duration_seconds": {(): _numbers(self._overhead)},
            "corsproxy_upstream_duration_seconds": _added(
                ((upstream,), _numbers(series.waits))
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

    def _cells(self, rule: Rule | None) -> list[_Series | None]:
        """The places of a rule that is new."""
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        cells: list[_Series | None] = [None] * (_HUNDREDS * _OUTCOMES)
        self._found[rule] = cells
        return cells

    def _find(self, rule: Rule | None, hundred: int, outcome: Outcome) -> _Series:
        """A series that is new, unless another table had it under the same names."""
        status = f"{hundred}xx" if hundred else "none"
        name, upstream = (rule.name, rule.upstream.name) if rule else (NO_RULE, "")
        return self._series.setdefault((name, upstream, status, str(outcome)), _Series())


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


def _numbers(histogram: _Histogram) -> list[float]:
    return [histogram.seconds, *histogram.counts]


def _added(samples: Iterable[tuple[tuple[str, ...], list[float]]]) -> Samples:
    """Samples with the same labels as one."""
    added: Samples = {}
    for labels, values in samples:
        present = added.get(labels)
        added[labels] = [a + b for a, b in zip(present, values, strict=True)] if present else values
    return added
