"""What a proxy is started for: its port, its upstream, how much of everything; and its configuration filled in."""

from __future__ import annotations

import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import rule

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent

# With these variables .venv runs this project with its hot modules compiled, which scripts/bench puts there.
COMPILED: Final = {"PYTHONPATH": str(ROOT / ".compiled"), "PYTHONSAFEPATH": "1"}

# Of clients, for every proxy that asks: two files each must fit into what the system allows.
MAX_CONNECTIONS: Final = min(12_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 100)

_NAME: Final = re.compile(r"@([A-Z_]+)@")


class Variation(NamedTuple):
    """What differs between two configurations of the same proxy."""

    upstream: str = "fixed"  # or "stream": uploads, event streams, WebSockets
    workers: int = 1
    rules: int = 1
    origins: int = 1
    access_log: bool = False
    watched: bool = False  # somebody has the inspector open


class Launch(NamedTuple):
    """How a proxy is started."""

    command: list[str]
    environment: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Site:
    """Where one proxy runs; ``folder`` is for its files alone."""

    port: int
    admin_port: int
    upstream_port: int
    folder: Path
    variation: Variation

    @property
    def origins(self) -> list[str]:
        """The origins of the rule; the one that is asked for comes last."""
        others = [f"https://tenant-{number}.example.com" for number in range(self.variation.origins - 1)]
        return [*others, rule.ORIGIN]

    @property
    def paths(self) -> list[str]:
        """The paths of the rules besides ``/``."""
        return [f"/service-{number}" for number in range(self.variation.rules - 1)]

    @property
    def environment(self) -> dict[str, str]:
        """The rule for proxies that are programs."""
        return {
            "PORT": str(self.port),
            "UPSTREAM": f"http://127.0.0.1:{self.upstream_port}",
            "ORIGIN": rule.ORIGIN,
            "METHODS": rule.METHODS,
            "HEADERS": rule.HEADERS,
            "MAX_AGE": str(rule.MAX_AGE),
        }

    def write(self, template: str, **values: object) -> Path:
        """The configuration in configs/ of that name, filled in, as a file."""
        known = {**self.environment, "UPSTREAM": self.upstream_port, "FOLDER": self.folder, **values}
        known["MAX_CONNECTIONS"] = MAX_CONNECTIONS
        path = self.folder / template
        path.write_text(fill((HERE / "configs" / template).read_text("utf-8"), known), "utf-8")
        return path


def fill(template: str, values: Mapping[str, object]) -> str:
    """A template with each ``@NAME@`` replaced; raises KeyError for a name without a value."""
    return _NAME.sub(lambda name: str(values[name[1]]), template)
