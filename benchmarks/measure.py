"""One measurement of one case on one proxy.

A measurement is a mapping of names to numbers: ``rate`` (requests, events or messages a second), ``cpu`` (microseconds
of the proxy's CPU time for each), ``share`` (of its core that the proxy used), ``load`` (of the other core, which the
load generator and the upstream share), and what a case has besides.  What cannot be measured is a FailedError.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from benchmarks import machine
from benchmarks.cases import Case
from benchmarks.fleet import Fleet, Running, discard
from benchmarks.load import requests
from benchmarks.peers import Peer
from benchmarks.processes import PATIENCE, popen
from benchmarks.site import HERE, Variation

Sample = dict[str, float]

_IDLE: Final = (1_000, 10_000)
_IDLE_SECONDS: Final = 12.0  # for opening them


class FailedError(Exception):
    """Why there is no figure."""


class Meter:
    """What a piece of work costs a proxy."""

    def __init__(self, running: Running) -> None:
        self._pid = running.process.pid
        self._core = machine.cores().load
        self._start = self._now()

    def _now(self) -> tuple[float, float, float, float]:
        return time.perf_counter(), machine.cpu_seconds(self._pid), *machine.busy_seconds(self._core)

    def sample(self, result: Mapping[str, float]) -> Sample:
        """The measurement, from what the load generator counted."""
        wall, cpu, busy, stolen = (after - before for after, before in zip(self._now(), self._start, strict=True))
        if not result["requests"]:
            raise FailedError("nothing was answered")
        return {
            "rate": result["requests"] / result["seconds"],
            "cpu": cpu / result["requests"] * 1e6,
            "share": cpu / wall,
            "load": busy / wall,
            "stolen": stolen / wall,
        }


def by_wrk(running: Running, case: Case, seconds: float, folder: Path) -> Sample:
    """As many requests as the proxy can answer, on connections that stay open."""
    if case.requests is None:
        raise ValueError(case.name)
    file = folder / "requests.bin"
    file.write_bytes(b"\0".join(case.requests(running.site, running.prefix)))
    url = f"http://127.0.0.1:{running.site.port}/"
    options = ["-t1", f"-c{case.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
    meter = Meter(running)
    text = _run(["wrk", *options, "-s", str(HERE / "wrk/requests.lua"), url, "--", str(file)], seconds)
    result = _result(text, "RESULT ")
    sample = meter.sample(result)
    broken = sum(result[kind] for kind in ("read", "write", "timeout", "connect"))
    if broken > result["requests"] / 1000:
        raise FailedError(f"{broken:.0f} of {result['requests']:.0f} requests broke off")
    if result["status"] and case.needs != "preflight":
        raise FailedError(f"{result['status']:.0f} of {result['requests']:.0f} answers were errors")
    return {**sample, "p50": result["p50"], "p99": result["p99"]}


def by_streams(running: Running, case: Case, seconds: float, _: Path) -> Sample:
    """Events or messages on connections that all speak at once."""
    arguments = [case.kind, running.site.port, seconds, case.connections, running.prefix, running.site.upstream_port]
    meter = Meter(running)
    return meter.sample(_result(_run(_module("streams", *arguments), seconds)))


def at_rate(running: Running, rate: float, connections: int, seconds: float) -> Sample:
    """Latencies at a fixed rate, in microseconds."""
    meter = Meter(running)
    text = _run(_module("open_loop", running.site.port, rate, seconds, connections, running.prefix), seconds)
    result = _result(text)
    sample = meter.sample({"requests": result.pop("answered"), "seconds": seconds})
    return {**sample, **result, "asked": rate}


def start_time(fleet: Fleet, peer: Peer) -> Sample:
    """Seconds from exec to the first whole answer."""
    running = fleet.launch(peer, Variation())
    try:
        return {"start": _first_answer(running)}
    finally:
        discard(running)


def _first_answer(running: Running) -> float:
    """Ask until there is an answer; the seconds since the process was started."""
    request = requests.small(running.prefix)[0]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", running.site.port), timeout=5) as sock:
            sock.sendall(request)
            if b" 200 " in sock.recv(65536)[:16]:
                return time.perf_counter() - running.process.started
        time.sleep(0.001)
    raise FailedError(f"no answer after {PATIENCE:.0f} seconds: {running.process.last_words()}")


def memory(fleet: Fleet, peer: Peer, case: Case, seconds: float, folder: Path) -> Sample:
    """Bytes held: at rest, with idle connections, after load; each on a process that did nothing before."""
    running = fleet.launch(peer, Variation())
    try:
        _first_answer(running)
        pid = running.process.pid
        sample: Sample = {"idle": machine.rss_bytes(pid)}
        for connections in _IDLE:
            sample |= _with_idle(running, connections)
    finally:
        discard(running)
    running = fleet.launch(peer, Variation())
    try:
        _first_answer(running)
        by_wrk(running, case, seconds, folder)
        sample["loaded"] = machine.rss_bytes(running.process.pid)
    finally:
        discard(running)
    return sample


def _with_idle(running: Running, connections: int) -> Sample:
    command = _module("streams", "idle", running.site.port, _IDLE_SECONDS, connections, running.prefix)
    with popen(
        command, cores={machine.cores().load}, output=subprocess.PIPE, environment={}, listens=True
    ) as generator:
        output, control = _pipes(generator)
        try:
            held = _result(output.readline().decode())["held"]
            used = machine.rss_bytes(running.process.pid)
        finally:
            control.write(b"\n")
            control.close()
            generator.wait(PATIENCE)
    return {f"held-{connections}": held, f"idle-{connections}": used}


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdout is None or process.stdin is None:
        raise ValueError("the generator has no pipes")
    return process.stdout, process.stdin


MEASURES: Final[Mapping[str, Callable[[Running, Case, float, Path], Sample]]] = {
    "wrk": by_wrk,
    "sse": by_streams,
    "websocket": by_streams,
}


def _module(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.load.{name}", *(str(argument) for argument in arguments)]


def _run(command: list[str], seconds: float) -> str:
    """What a load generator prints; raises FailedError when it fails or takes too long."""
    process = popen(command, cores={machine.cores().load}, output=subprocess.PIPE, environment={})
    try:
        output, _ = process.communicate(timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise FailedError("it took half a minute longer than it should") from None
    text = output.decode("utf-8", "replace")
    if process.returncode:
        raise FailedError(f"the load generator failed: {text.strip().splitlines()[-1:]}")
    return text


def _result(text: str, mark: str = "{") -> dict[str, float]:
    for line in text.splitlines():
        if line.startswith(mark):
            found: dict[str, float] = json.loads(line.removeprefix("RESULT "))
            return found
    raise FailedError(f"the load generator said {text.strip()[-200:]!r}")
