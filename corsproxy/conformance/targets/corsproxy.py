"""The proxy of this project, by ``corsproxy serve``: one process with a rule for each setting, told apart by host."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import yaml

from corsproxy import __version__
from corsproxy.config.load import load_config
from corsproxy.conformance.model import Setting
from corsproxy.conformance.process import free_port, process
from corsproxy.conformance.target import Place, Refused, Settings, Site, Target
from corsproxy.errors import InvalidConfig
from corsproxy.proxy.compilation import compiled
from corsproxy.proxy.lanes import SWITCH


class _Corsproxy(Target):
    lane: ClassVar[str]  # the value of the switch

    def version(self) -> str:
        return f"{__version__}{' (compiled)' if compiled() else ''}"

    def batches(self, settings: Settings) -> Iterator[Settings]:
        """All at once, but for those that might be refused, which would take the others with them."""
        yield {name: setting for name, setting in settings.items() if not setting.refusable}
        for name, setting in settings.items():
            if setting.refusable:
                yield {name: setting}

    @asynccontextmanager
    async def serving(self, settings: Settings, site: Site) -> AsyncIterator[Mapping[str, Place]]:
        port = free_port()
        text = configuration(settings, site, port)
        try:
            load_config(text, "config.yaml", {})
        except InvalidConfig as invalid:
            raise Refused("; ".join(problem.message for problem in invalid.problems)) from None
        file = site.folder / f"{self.name}.yaml"
        file.write_text(text, "utf-8")
        command = [sys.executable, "-m", "corsproxy", "serve", "-c", str(file), "--access-log", "off", "--no-watch"]
        async with process(command, port=port, folder=site.folder, environment={SWITCH: self.lane}):
            yield {name: Place("127.0.0.1", port, host_of(name)) for name in settings}


class FastLane(_Corsproxy):
    """As everybody runs it."""

    name = "corsproxy"
    title = "corsproxy"
    lane = "on"


class OrdinaryLane(_Corsproxy):
    """Every request through aiohttp's parser."""

    name = "corsproxy-ordinary"
    title = "corsproxy, ordinary lane"
    lane = "off"


def host_of(setting: str) -> str:
    """The host that a setting is served under."""
    return f"{setting}.test"


def configuration(settings: Settings, site: Site, port: int) -> str:
    """The rule table of some settings, as a file."""
    document = {
        "listen": f"127.0.0.1:{port}",
        "policies": {name: _policy(setting) for name, setting in settings.items()},
        "upstreams": {name: _upstream(setting, site) for name, setting in settings.items()},
        "rules": [_rule(name, setting) for name, setting in settings.items()],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _policy(setting: Setting) -> dict[str, Any]:
    written: dict[str, Any] = setting.policy.model_dump(exclude_unset=True)
    return written


def _upstream(setting: Setting, site: Site) -> dict[str, Any]:
    host, port = site.upstream_of(setting)
    timeouts = {"timeouts": {"response": setting.response_timeout}} if setting.response_timeout else {}
    return {"url": f"http://{host}:{port}", **timeouts}


def _rule(name: str, setting: Setting) -> dict[str, Any]:
    rule: dict[str, Any] = {"host": host_of(name), "upstream": name, "policy": name}
    if setting.path:
        rule["path"] = setting.path
    if setting.forward_origin:
        rule["forward_origin"] = setting.forward_origin
    if setting.max_request_body is not None:
        rule["limits"] = {"max_request_body": setting.max_request_body}
    return rule
