"""The vectors hold on the engines that a table is exported to, but for those that stand here with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from corsproxy.conformance.load import bundled
from corsproxy.conformance.report import Outcome
from corsproxy.conformance.runner import run
from corsproxy.conformance.target import Site
from corsproxy.conformance.targets import target_named
from corsproxy.conformance.targets.corsproxy import configuration
from corsproxy.errors import InvalidConfig
from corsproxy.tools.exporting.targets import TARGETS, export
from corsproxy.tools.written_config import WrittenConfig
from tests.engines import installed

# What the export claims to keep is every other vector of these topics.
TOPICS = (
    *("origins", "patterns", "star", "methods", "headers", "preflights", "actual", "caches", "exposure", "override"),
    *("network", "websocket", "routing", "unsafe"),
)
_INTERIM = "the engine passes 1xx answers on as they come, and browsers read no grant in them"
BROKEN = {
    "nginx": {
        "origin-space-around-before": "white space around a value is a part of it for nginx",
        "origin-space-around-behind": "white space around a value is a part of it for nginx",
        "websocket-denied-two": "nginx before 1.23 reads the first of two Origin lines; no browser sends two",
    },
    "haproxy": {"override-interim": _INTERIM},
    "caddy": {"override-interim": _INTERIM},
    "envoy": {},
}


SITE = Site(("127.0.0.1", 9), ("127.0.0.1", 9), Path())


def kept(name, setting):
    """Whether the export says that it keeps everything of a setting."""
    try:
        written = WrittenConfig.read(configuration({"x": setting}, SITE, 1), "config.yaml", {})
    except InvalidConfig:
        return False
    return export(written, TARGETS[name]).differences == ()


@pytest.mark.parametrize("name", sorted(BROKEN))
async def test_the_vectors_hold_where_a_table_is_exported_to(name):
    installed(name)
    suite = bundled()
    settings = {key for key, setting in suite.settings.items() if kept(name, setting)}
    claimed = [vector for vector in suite.vectors if vector.topic in TOPICS and vector.setting in settings]
    report = await run(target_named(name), suite, claimed)
    failed = {result.vector.id: result.why for result in report.of(Outcome.FAILED)}
    assert failed.keys() == BROKEN[name].keys(), failed
    assert len(report.of(Outcome.HELD)) > 400
