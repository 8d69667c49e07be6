"""The vectors hold on the engines that a table is exported to, but for those that stand here with the reason."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from corsproxy.config.load import load_config
from corsproxy.conformance.engines import ENGINES
from corsproxy.conformance.engines.engine import EngineProcess
from corsproxy.conformance.load import bundled
from corsproxy.conformance.report import Outcome
from corsproxy.conformance.runner import run
from corsproxy.conformance.target import Place, Refused, Target
from corsproxy.conformance.targets.corsproxy import configuration, host_of
from corsproxy.conformance.targets.process import free_port
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


class Exported(Target):
    """An engine with the settings as a table, exported."""

    title = name = "exported"

    def __init__(self, engine):
        self.engine, self.target = ENGINES[engine], TARGETS[engine]

    def version(self):
        return ""

    def cannot(self, setting):
        try:
            written = WrittenConfig.read(configuration({"x": setting}, SITE, 1), "config.yaml", {})
        except InvalidConfig:
            return ""
        return "; ".join(difference.loss for difference in export(written, self.target).differences)

    def batches(self, settings):
        yield {name: setting for name, setting in settings.items() if not setting.refusable}
        for name, setting in settings.items():
            if setting.refusable:
                yield {name: setting}

    @asynccontextmanager
    async def serving(self, settings, site):
        port = free_port()
        text = configuration(settings, site, port)
        try:
            load_config(text, "config.yaml", {})
        except InvalidConfig as invalid:
            raise Refused(str(invalid)) from None
        exported = export(WrittenConfig.read(text, "config.yaml", {}), self.target).text
        process = EngineProcess(self.engine, exported, site.folder)
        try:
            await asyncio.to_thread(process.wait_until_listening, "127.0.0.1", port)
            yield {name: Place("127.0.0.1", port, host_of(name)) for name in settings}
        finally:
            await asyncio.to_thread(process.stop)


class _Site:
    def upstream_of(self, setting):
        return "127.0.0.1", 2


SITE = _Site()


@pytest.mark.parametrize("name", sorted(BROKEN))
async def test_the_vectors_hold_where_a_table_is_exported_to(name):
    installed(name)
    suite = bundled()
    report = await run(Exported(name), suite, [vector for vector in suite.vectors if vector.topic in TOPICS])
    failed = {result.vector.id: result.why for result in report.of(Outcome.FAILED)}
    assert failed.keys() == BROKEN[name].keys(), failed
    assert len(report.of(Outcome.HELD)) > 400
