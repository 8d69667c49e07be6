"""The targets, by name: what each keeps, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from corsproxy.tools.exporting import caddy, envoy, gateway_api, haproxy, nginx, traefik
from corsproxy.tools.exporting.comments import above, remarks
from corsproxy.tools.exporting.features import OF_LISTENERS, Difference, Feature, differences
from corsproxy.tools.exporting.routes import Routes, routes_of
from corsproxy.tools.written_config import WrittenConfig


@dataclass(frozen=True, slots=True)
class Target:
    """An engine to export to."""

    name: str
    title: str
    kept: frozenset[Feature]
    render: Callable[[Routes], str]
    remark: Callable[[str, Iterable[str]], str] = above
    elsewhere: frozenset[Feature] = frozenset()  # what is not for this file to say


@dataclass(frozen=True, slots=True)
class Export:
    """A configuration for a target, and what is lost in it."""

    text: str
    differences: tuple[Difference, ...]


TARGETS: Final = {
    target.name: target
    for target in (
        Target("envoy", "Envoy", envoy.KEPT, envoy.render),
        Target("gateway-api", "Gateway API", gateway_api.KEPT, gateway_api.render, elsewhere=OF_LISTENERS),
        Target("nginx", "nginx", nginx.KEPT, nginx.render),
        Target("haproxy", "HAProxy", haproxy.KEPT, haproxy.render),
        Target("caddy", "Caddy", caddy.KEPT, caddy.render, caddy.remark),
        Target("traefik", "Traefik", traefik.KEPT, traefik.render, elsewhere=OF_LISTENERS),
    )
}


def export(written: WrittenConfig, target: Target) -> Export:
    """The table of a configuration for a target; whoever calls decides what to do about the differences."""
    lost = differences(written, target.kept | target.elsewhere)
    text = target.render(routes_of(written.compiled))
    return Export(target.remark(text, remarks(written.file, map(str, lost))), lost)
