"""HAProxy."""

from __future__ import annotations

from typing import Final

from corsproxy.conformance.engines.engine import Engine, system_program

HAPROXY: Final = Engine(
    name="haproxy",
    title="HAProxy",
    find=lambda: system_program("haproxy"),
    install="on Debian: apt-get install haproxy",
    file="haproxy.cfg",
    serve=lambda program, file, _: [program, "-db", "-f", str(file)],
    check=lambda program, file, _: [program, "-c", "-f", str(file)],
    version=("-v",),
)
