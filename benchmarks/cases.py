"""What is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from benchmarks.load import requests
from benchmarks.site import Site, Variation

Requests = Callable[[Site, str], list[bytes]]


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the report.

    ``kind`` names the way of measuring in measure.py.  A case with ``variations`` compares a proxy with itself, under
    other configurations; the first one is what the others are held against.
    """

    name: str
    title: str
    kind: str  # "wrk", "sse", "websocket", "latency", "memory", "start"
    needs: str  # the capability that is checked first
    requests: Requests | None = None
    connections: int = 64
    unit: str = "requests"
    variations: dict[str, Variation] = field(default_factory=dict)
    rounds: int | None = None  # fewer than the others, or more, where a bar leaves little room for noise
    quick: bool = False  # part of --quick


def _plain(make: Callable[[str], list[bytes]]) -> Requests:
    return lambda _, prefix: make(prefix)


def _rules(site: Site, prefix: str) -> list[bytes]:
    return requests.among_rules(site.paths, prefix)


def _origins(site: Site, prefix: str) -> list[bytes]:
    return requests.among_origins(site.origins, prefix)


_SMALL: Final = _plain(requests.small)
_BROWSER: Final = _plain(requests.browser)

CASES: Final = (
    Case("small", "small GET, 64 connections", "wrk", "get", _SMALL, quick=True),
    Case("small-1", "small GET, 1 connection", "wrk", "get", _SMALL, 1),
    Case("browser", "a browser's 13 headers", "wrk", "get", _BROWSER, quick=True),
    Case("various", "1,000 paths, 501 origins", "wrk", "get", _plain(requests.various)),
    Case("connection", "a new connection per request", "wrk", "get", _plain(requests.closing)),
    Case("preflight", "preflight, allowed", "wrk", "preflight", _plain(requests.preflight), quick=True),
    Case("preflight-denied", "preflight, denied", "wrk", "preflight", _plain(requests.denied_preflight)),
    Case(
        "preflights",
        "preflights, allowed, all different",
        "wrk",
        "preflight",
        _plain(requests.different_preflights),
        quick=True,
    ),
    Case(
        "preflights-denied",
        "preflights, denied, all different",
        "wrk",
        "preflight",
        _plain(requests.different_denied_preflights),
    ),
    Case("down-64k", "64 KiB down", "wrk", "download", _plain(partial(requests.download, "64k")), 32, quick=True),
    Case("down-10m", "10 MiB down", "wrk", "download", _plain(partial(requests.download, "10m")), 4, quick=True),
    Case("up-64k", "64 KiB up", "wrk", "upload", _plain(partial(requests.upload, "64k")), 32, quick=True),
    Case("up-10m", "10 MiB up", "wrk", "upload", _plain(partial(requests.upload, "10m")), 4),
    Case("sse", "events to 100 subscribers", "sse", "sse", connections=100, unit="events", quick=True),
    Case("websocket", "WebSocket echo", "websocket", "websocket", unit="messages", quick=True),
    Case("latency", "latency at a fixed rate", "latency", "get", connections=64, rounds=9),
    Case(
        "rules",
        "10 and 10,000 rules",
        "wrk",
        "get",
        _rules,
        variations={"10 rules": Variation(rules=10), "10,000 rules": Variation(rules=10_000)},
        rounds=9,
    ),
    Case(
        "origins",
        "10 and 10,000 origins",
        "wrk",
        "get",
        _origins,
        variations={"10 origins": Variation(origins=10), "10,000 origins": Variation(origins=10_000)},
        rounds=9,
    ),
    Case(
        "log",
        "access log off and on",
        "wrk",
        "get",
        _BROWSER,
        variations={"log off": Variation(), "log on": Variation(access_log=True)},
        rounds=9,
    ),
    Case(
        "workers",
        "1 and 2 workers",
        "wrk",
        "get",
        _SMALL,
        variations={"1 worker": Variation(), "2 workers": Variation(workers=2)},
    ),
    Case(
        "inspector",
        "inspector off and watched",
        "wrk",
        "get",
        _BROWSER,
        variations={"not watched": Variation(), "watched": Variation(watched=True)},
    ),
    Case("start", "exec to the first answer", "start", "get", rounds=5),
    Case("memory", "memory", "memory", "get", rounds=1),
)


def by_names(names: list[str]) -> list[Case]:
    """The cases of these names; raises ValueError that names the others."""
    unknown = set(names) - {case.name for case in CASES}
    if unknown:
        raise ValueError(f"no such case: {', '.join(sorted(unknown))}; scripts/bench --list names them")
    return [case for case in CASES if case.name in names]
