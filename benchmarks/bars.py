"""The promises, and whether a run keeps them; pure.

A bar is met by what was measured or it is not; one that could not be measured is not met, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from benchmarks.cases import CASES
from benchmarks.statistics import Samples, Spread

BASE: Final = "nginx"

# What a proxy has to reach of tuned nginx, in standing (see statistics.py).
OF_NGINX: Final = {
    "small": 0.75,
    "browser": 0.70,
    "preflight": 0.80,
    "preflights": 0.75,
    "down-64k": 0.9,
    "down-10m": 0.95,
    "up-64k": 0.85,
    "websocket": 0.7,
    "sse": 0.7,
}
OF_NGINX_UNCOMPILED: Final = {"small": 0.55, "browser": 0.50, "preflight": 0.65}
TIMES: Final = {  # on small GETs
    "envoy": 2,
    "caddy": 5,
    "undici": 2,
    "http-proxy-middleware": 6,
    "cors-anywhere": 15,
    "local-cors-proxy": 15,
    "mitmproxy": 15,
}
LOG_COST: Final = 0.10  # of the rate
WORKERS: Final = 1.8  # times one, for two
GROWTH: Final = 0.05  # from 10 to 10,000 rules or origins: what counts as "does not grow"
LATENCY: Final = 2.0  # times nginx's, at the 99th percentile
START: Final = 0.4  # seconds
RSS: Final = 60e6
IDLE: Final = 8e3  # bytes a connection, between 1,000 and 10,000


@dataclass(frozen=True, slots=True)
class Bar:
    """One promise and what was measured."""

    promise: str
    measured: str
    holds: bool | None  # None: not measured


class Found(NamedTuple):
    """A measured value with its words."""

    value: float
    words: str


def judge(results: Mapping[str, Any]) -> list[Bar]:
    """Every promise, held against a run."""
    samples, targets = Samples(results["samples"]), results["targets"]
    titles = {case.name: case.title for case in CASES}
    subject = results["subject"]
    plain = next((name for name, about in targets.items() if about["ours"] and not about["compiled"]), None)
    bars = [
        _at_least(f"{titles[case]}: {bar:.2f} of nginx", _against(samples, case, subject, BASE), bar)
        for case, bar in OF_NGINX.items()
    ]
    bars += [
        _at_least(f"small GET: {times} times {other}", _against(samples, "small", subject, other), times)
        for other, times in TIMES.items()
    ]
    bars += _own(samples, subject)
    bars += [
        _at_least(
            f"not compiled, {titles[case]}: {bar:.2f} of nginx",
            _against(samples, case, plain, BASE) if plain else None,
            bar,
        )
        for case, bar in OF_NGINX_UNCOMPILED.items()
    ]
    return bars


def _own(samples: Samples, name: str) -> list[Bar]:
    """What is promised of this project without comparing it with others, but for the latency."""
    return [
        _at_most("access log: costs at most 10 %", _loss(samples, name, "log", "log on", "log off"), LOG_COST),
        _at_least("2 workers: 1.8 times one", scaling(samples, name), WORKERS),
        _at_most("10,000 rules cost what 10 do", _loss(samples, name, "rules", "10,000 rules", "10 rules"), GROWTH),
        _at_most(
            "10,000 origins cost what 10 do", _loss(samples, name, "origins", "10,000 origins", "10 origins"), GROWTH
        ),
        _at_most("p99 at half load: 2 times nginx's", _latency(samples, name), LATENCY),
        _at_most("first answer: 400 ms after exec", _figure(samples.spread("start", name, "start"), "ms", 1e3), START),
        _at_most("at rest: 60 MB", _figure(samples.spread("memory", name, "idle"), "MB", 1e-6), RSS),
        _at_most("an idle connection: 8 KB", idle_bytes(samples, name), IDLE),
    ]


def _at_least(promise: str, found: Found | None, bar: float) -> Bar:
    return _bar(promise, found, lambda value: value >= bar)


def _at_most(promise: str, found: Found | None, bar: float) -> Bar:
    return _bar(promise, found, lambda value: value <= bar)


def _bar(promise: str, found: Found | None, keeps: Callable[[float], bool]) -> Bar:
    if found is None:
        return Bar(promise, "not measured", None)
    return Bar(promise, found.words, keeps(found.value))


def _against(samples: Samples, case: str, name: str, other: str) -> Found | None:
    standing = samples.standing(case, name, other)
    if standing is None:
        return None
    median, low, high = standing.spread
    return Found(median, f"{median:.2f} ({low:.2f} to {high:.2f}), by {standing.by}")


def _loss(samples: Samples, name: str, case: str, variation: str, first: str) -> Found | None:
    """The share of what a proxy can do that another configuration takes."""
    standing = samples.changed(case, name, variation, first)
    if standing is None:
        return None
    loss = 1 - standing.spread.median
    low, high = 1 - standing.spread.high, 1 - standing.spread.low
    return Found(loss, f"{loss:.1%} ({low:.1%} to {high:.1%}), by {standing.by}")


def scaling(samples: Samples, name: str) -> Found | None:
    """How much more two workers do than one.

    Where the machine has no core for the second one, both share the first, and the figure is projected: twice as much,
    less what a request costs more with two.
    """
    one, two = samples.of("workers", name, "1 worker"), samples.of("workers", name, "2 workers")
    if not one or not two:
        return None
    if max(row["share"] for row in two.values()) > 1.2:
        standing = samples.changed("workers", name, "2 workers", "1 worker")
        return Found(standing.spread.median, f"{standing.spread.median:.2f}") if standing else None
    cost = {key: samples.spread("workers", name, "cpu", key) for key in ("1 worker", "2 workers")}
    before, after = cost["1 worker"], cost["2 workers"]
    if before is None or after is None:
        return None
    value = 2 * before.median / after.median
    return Found(value, f"{value:.2f}, projected from CPU time: no core is left for the second")


def _latency(samples: Samples, name: str) -> Found | None:
    ratio = samples.ratio("latency", name, BASE, "p99")
    return Found(ratio.median, f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})") if ratio else None


def _figure(found: Spread | None, unit: str, scale: float) -> Found | None:
    if found is None:
        return None
    median, low, high = (value * scale for value in found)
    spread = f" ({low:.0f} to {high:.0f})" if high > low else ""
    return Found(found.median, f"{median:.0f} {unit}{spread}")


def idle_bytes(samples: Samples, name: str) -> Found | None:
    """What an idle connection holds: between 1,000 and 10,000, so that what is made once does not count."""
    for row in samples.of("memory", name).values():
        more = row["held-10000"] - row["held-1000"]
        if more > 0:
            value = (row["idle-10000"] - row["idle-1000"]) / more
            return Found(value, f"{value / 1e3:.1f} KB, with {row['held-10000']:.0f} connections")
    return None
