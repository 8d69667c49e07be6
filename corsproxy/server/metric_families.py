"""Every metric there is: its name, its labels and what it means; and snapshots of their values, merged.  Pure.

Rules that this file obeys:

- Labels have few values, whatever clients send: rules and upstreams are those of the table, outcomes and limits are
  words of this program.  No origin, path, host, method or status of a request ever becomes a label.
- A snapshot is plain data, so that a worker can send it to another process.  What only ever grows outlives the worker
  that counted it; what says how things stand ends with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What the values of a metric are, and so what becomes of those of several workers."""

    COUNTER = "counter"  # added up; it only grows
    HISTOGRAM = "histogram"  # added up; the sum of what was measured, then a count for each bucket
    GAUGE = "gauge"  # added up, for as long as the worker lives
    INFO = "info"  # 1, with what is to be known in the labels


class Family(NamedTuple):
    """One metric; ``bounds`` are the upper bounds of a histogram's buckets, the last one, infinity, left out."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    bounds: tuple[float, ...] = ()


# From a cached answer nearby to what a browser still waits for.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# The proxy's own work is tens of microseconds; what is far above them waited for the event loop.
OVERHEAD_SECONDS: Final = (25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5)

_FAMILIES: Final = (
    Family(
        "corsproxy_requests_total",
        Kind.COUNTER,
        ("rule", "status", "outcome"),
        "Requests that have ended, by rule, class of the status, and CORS outcome.",
    ),
    Family(
        "corsproxy_request_duration_seconds",
        Kind.HISTOGRAM,
        ("rule",),
        "From the head of a request to the end of its answer, without WebSockets and other upgrades.",
        SECONDS,
    ),
    Family(
        "corsproxy_proxy_duration_seconds",
        Kind.HISTOGRAM,
        (),
        "From the head of a request until the upstream is asked, or until the proxy's own answer has been given.",
        OVERHEAD_SECONDS,
    ),
    Family(
        "corsproxy_upstream_duration_seconds",
        Kind.HISTOGRAM,
        ("upstream",),
        "From asking the upstream, a connection included, to the head of its answer.",
        SECONDS,
    ),
    Family("corsproxy_request_body_bytes_total", Kind.COUNTER, ("rule",), "Bytes of the bodies of requests."),
    Family(
        "corsproxy_response_body_bytes_total", Kind.COUNTER, ("rule",), "Bytes of the bodies of upstreams' answers."
    ),
    Family(
        "corsproxy_limits_hit_total",
        Kind.COUNTER,
        ("limit",),
        "Requests that met a limit, by the key of the limit in the configuration.",
    ),
    Family(
        "corsproxy_upstream_retries_total",
        Kind.COUNTER,
        ("upstream",),
        "Requests that were sent again, since an idle connection had been closed by the upstream.",
    ),
    Family(
        "corsproxy_upstream_ejections_total",
        Kind.COUNTER,
        ("upstream",),
        "Times that one of several endpoints was left out for a while, after failures in a row.",
    ),
    Family(
        "corsproxy_upstream_cors_headers_total",
        Kind.COUNTER,
        ("upstream",),
        "Times that an upstream was found to send CORS headers of its own that were new, where a policy replaces them.",
    ),
    Family(
        "corsproxy_shadow_verdicts_total",
        Kind.COUNTER,
        ("rule", "verdict"),
        "Requests that the shadow was asked about, by the rule in force and what would become of its verdict.",
    ),
    Family("corsproxy_requests_in_flight", Kind.GAUGE, (), "Requests that have a head and no whole answer yet."),
    Family("corsproxy_client_connections", Kind.GAUGE, (), "Connections of clients that are open, idle ones included."),
    Family(
        "corsproxy_upstream_connections",
        Kind.GAUGE,
        ("upstream", "state"),
        "Connections to upstreams that are open; the state is busy or idle.",
    ),
    Family(
        "corsproxy_reloads_total",
        Kind.COUNTER,
        ("result",),
        "Attempts to load the configuration again; the result is loaded or refused.",
    ),
    Family("corsproxy_config_info", Kind.INFO, ("hash",), "The configuration that is in force."),
    Family("corsproxy_workers", Kind.GAUGE, (), "Worker processes that run."),
    Family("corsproxy_workers_wanted", Kind.GAUGE, (), "Worker processes that should run."),
    Family("corsproxy_workers_replaced_total", Kind.COUNTER, (), "Workers that died or hung, and were replaced."),
    Family(
        "corsproxy_log_lines_dropped_total",
        Kind.COUNTER,
        (),
        "Lines of the log that were left out because its reader was too slow.",
    ),
    Family(
        "corsproxy_build_info",
        Kind.INFO,
        ("version", "python", "compiled", "lane"),
        "The program: its version, the Python that runs it, whether it is compiled, and the lane of its requests.",
    ),
    Family("corsproxy_cpu_seconds_total", Kind.COUNTER, (), "Processor time that was used, of user and system."),
)

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({family.name: family for family in _FAMILIES})

_LASTING: Final = frozenset({Kind.COUNTER, Kind.HISTOGRAM})

Samples = dict[tuple[str, ...], list[float]]  # by the values of the labels
Snapshot = dict[str, Samples]  # by the name of the family


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The snapshot of all workers together; the order does not matter."""
    merged: Snapshot = {}
    for snapshot in snapshots:
        for name, samples in snapshot.items():
            together = merged.setdefault(name, {})
            combine = max if FAMILIES[name].kind is Kind.INFO else sum
            for labels, values in samples.items():
                present = together.get(labels)
                if present is None:
                    together[labels] = list(values)
                else:
                    together[labels] = [combine(pair) for pair in zip(present, values, strict=True)]
    return merged


def lasting(snapshot: Snapshot) -> Snapshot:
    """What is kept of a worker that has ended: its counts, and nothing of how things stood."""
    return {name: samples for name, samples in snapshot.items() if FAMILIES[name].kind in _LASTING}


def remember(kept: bytes, last: bytes) -> bytes:
    """What is kept of the workers that have ended, as bytes, after one more has, whose last snapshot is known."""
    return to_json(lasting(merge([from_json(data) for data in (kept, last) if data])))


NO_RULE: Final = "none"  # no rule has this name: theirs have a slash


def to_json(snapshot: Snapshot) -> bytes:
    """A snapshot as bytes, for another process."""
    plain = {name: [[labels, values] for labels, values in samples.items()] for name, samples in snapshot.items()}
    return json.dumps(plain, separators=(",", ":")).encode()


def from_json(data: bytes) -> Snapshot:
    """What ``to_json`` made of a snapshot."""
    plain: Mapping[str, Sequence[tuple[list[str], list[float]]]] = json.loads(data)
    return {name: {tuple(labels): values for labels, values in samples} for name, samples in plain.items()}
