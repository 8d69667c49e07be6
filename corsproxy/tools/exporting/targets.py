"""The targets, by name: what each keeps, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from corsproxy.tools.exporting import caddy, envoy, haproxy, nginx
from corsproxy.tools.exporting.comments import heading
from corsproxy.tools.exporting.features import Difference, Feature, differences
from corsproxy.tools.exporting.routes import Routes, routes_of
from corsproxy.tools.written_config import WrittenConfig


@dataclass(frozen=True, slots=True)
class Target:
    """An engine to export to."""

    name: str
    title: str
    kept: frozenset[Feature]
    render: Callable[[Routes], str]
    comments: Callable[[str, Iterable[str]], str] = heading  # what comes before it


@dataclass(frozen=True, slots=True)
class Export:
    """A configuration for a target, and what is lost in it."""

    text: str
    differences: tuple[Difference, ...]


TARGETS: Final = {
    target.name: target
    for target in (
        Target("envoy", "Envoy", envoy.KEPT, envoy.render),
        Target("nginx", "nginx", nginx.KEPT, nginx.render),
        Target("haproxy", "HAProxy", haproxy.KEPT, haproxy.render),
        Target("caddy", "Caddy", caddy.KEPT, caddy.render),
    )
}


def export(written: WrittenConfig, target: Target) -> Export:
    """The table of a configuration for a target; whoever calls decides what to do about the differences."""
    lost = differences(written, target.kept)
    said: Sequence[str] = [str(difference) for difference in lost]
    return Export(target.comments(written.file, said) + target.render(routes_of(written.compiled)), lost)
