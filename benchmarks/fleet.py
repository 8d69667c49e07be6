"""The upstreams and the proxies of a run, started when they are needed and all ended with it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from benchmarks import machine, rule
from benchmarks.check import Door, body
from benchmarks.peers import Peer
from benchmarks.processes import Process
from benchmarks.site import HERE, Site, Variation, fill


class Running(NamedTuple):
    """A proxy that runs."""

    peer: Peer
    site: Site
    process: Process

    @property
    def prefix(self) -> str:
        """What stands before the path of each request."""
        return self.peer.prefix(self.site)


class Fleet:
    """Starts and ends; ``with`` it, so that nothing is left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cores = machine.cores()
        self._running: dict[tuple[str, Variation], Running] = {}
        self._upstreams: dict[str, Process] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o755)  # Apache's and nginx's workers are another user
        bodies = self._folder / "bodies"
        bodies.mkdir(exist_ok=True)
        for name, size in rule.BODIES.items():
            (bodies / name).write_bytes(body(size))
        fixed, stream = machine.free_ports(2)
        self._upstreams["fixed"] = self._upstream(self._nginx(fixed), fixed)
        self._upstreams["stream"] = self._upstream([sys.executable, "-m", "benchmarks.upstream", str(stream)], stream)
        for process in self._upstreams.values():
            process.wait_until_listening()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()
        for process in self._upstreams.values():
            process.stop()

    def upstream_port(self, kind: str) -> int:
        """Of "fixed" or "stream"."""
        return self._upstreams[kind].port

    def door(self, running: Running) -> Door:
        """Where a proxy is asked."""
        lenient = bool(running.peer.differs)
        return Door(running.site.port, running.prefix, lenient, self.upstream_port("stream"))

    def get(self, peer: Peer, variation: Variation) -> Running:
        """A proxy of that kind, started now unless it runs; raises RuntimeError with its last words."""
        key = (peer.name, variation)
        if key not in self._running:
            self._running[key] = self.start(peer, variation)
        return self._running[key]

    def start(self, peer: Peer, variation: Variation) -> Running:
        """A new proxy, which the caller ends or ``stop`` does; raises RuntimeError with its last words."""
        running = self.launch(peer, variation)
        try:
            running.process.wait_until_listening()
        except RuntimeError:
            running.process.stop()
            raise
        return running

    def launch(self, peer: Peer, variation: Variation) -> Running:
        """A new proxy that may not listen yet."""
        port, admin_port = machine.free_ports(2)
        folder = self._folder / f"{peer.name}-{port}"
        folder.mkdir()
        folder.chmod(0o755)
        site = Site(port, admin_port, self.upstream_port(variation.upstream), folder, variation)
        command, environment = peer.launch(site)
        process = Process(
            command,
            cores=machine.proxy_cores(variation.workers),
            port=port,
            log=folder / "output.log",
            environment=environment,
        )
        return Running(peer, site, process)

    def stop(self, peer: Peer, variation: Variation) -> None:
        """End one."""
        running = self._running.pop((peer.name, variation), None)
        if running is not None:
            discard(running)

    def stop_all(self) -> None:
        """End all proxies."""
        for running in self._running.values():
            discard(running)
        self._running.clear()

    def _nginx(self, port: int) -> list[str]:
        values = {"PORT": port, "FOLDER": self._folder, "SMALL": rule.SMALL}
        config = self._folder / "upstream.conf"
        config.write_text(fill((HERE / "configs/upstream.conf").read_text("utf-8"), values), "utf-8")
        return ["nginx", "-e", str(self._folder / "upstream.error.log"), "-c", str(config)]

    def _upstream(self, command: list[str], port: int) -> Process:
        log = self._folder / f"upstream-{port}.log"
        return Process(command, cores={self._cores.load}, port=port, log=log, environment={})


def discard(running: Running) -> None:
    """End a proxy and remove its files."""
    running.process.stop()
    shutil.rmtree(running.site.folder, ignore_errors=True)


def version(command: list[str]) -> str:
    """The version number that a command prints, on whichever output it uses."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603  # ours
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    found = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "unknown"
