"""nginx: what is exported is a part of its ``http`` block, so that it can be dropped into conf.d."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from corsproxy.conformance.engines.engine import Engine, system_program

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def _whole(part: str, folder: Path) -> str:
    """A main file around a part, with everything that nginx writes in the folder; one worker, as this user."""
    paths = "\n".join(f'    {name}_temp_path "{folder}/{name}";' for name in _TEMPORARY)
    return (
        f'worker_processes 1;\npid "{folder}/nginx.pid";\nerror_log stderr warn;\ndaemon off;\n'
        f"events {{ worker_connections 1024; }}\nhttp {{\n    access_log off;\n{paths}\n{part}\n}}\n"
    )


NGINX: Final = Engine(
    name="nginx",
    title="nginx",
    find=lambda: system_program("nginx"),
    install="on Debian: apt-get install nginx-light",
    file="nginx.conf",
    serve=lambda program, file, folder: [program, "-e", "stderr", "-p", str(folder), "-c", str(file)],
    check=lambda program, file, folder: [program, "-t", "-e", "stderr", "-p", str(folder), "-c", str(file)],
    version=("-v",),
    wrap=_whole,
)
