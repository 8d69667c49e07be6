"""Instruction counts of the hot path, held against a committed baseline: ``python -m benchmarks.gate [--renew]``.

A whole ``corsproxy serve`` runs under callgrind, as its users run it, so that no refactoring can move the hot path out
of sight.  It is asked over one connection at a time, and callgrind writes down what it counted whenever the process
takes a new connection; the counts between two connections, divided by the requests on the first, are instructions for
each.  What comes again on its connection is remembered there, so requests of which no two are alike are counted, too.
The counts do not depend on the machine's speed or load; they do on the versions of Python, its packages and the C
library, and a little on addresses, which is what the room is for.  The baseline is therefore kept for each minor
version of Python, and for the compiled and the plain build.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from benchmarks.machine import free_ports
from benchmarks.site import COMPILED

ROOT: Final = Path(__file__).resolve().parent.parent
BASELINE: Final = ROOT / "benchmarks/gate-baseline.json"
ROOM: Final = 0.05

_ORIGIN: Final = b"Origin: https://app.example.com\r\n"
_BODY: Final = b'{"id":7}'
_WARM_UP: Final = 200
_REQUESTS: Final = 200
_PATIENCE: Final = 60.0


class GateError(Exception):
    """Why nothing could be counted."""


def _get(number: int) -> bytes:
    """A simple GET; the number names what is asked for, and the browser that asks."""
    return b"GET /books/%d HTTP/1.1\r\nHost: localhost\r\n%bAccept: application/json\r\nUser-Agent: b/%d\r\n\r\n" % (
        number,
        _ORIGIN,
        number,
    )


def _preflight(number: int) -> bytes:
    """One that is granted."""
    return (
        b"OPTIONS /books/%d HTTP/1.1\r\nHost: localhost\r\n%bAccess-Control-Request-Method: PUT\r\n"
        b"Access-Control-Request-Headers: authorization,content-type\r\nUser-Agent: b/%d\r\n\r\n"
    ) % (number, _ORIGIN, number)


def _answer_to(head: bytes) -> bytes:
    """What the upstream says, alike whenever the same is asked for."""
    path = head.split(b" ", 2)[1]
    return b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "%b"\r\nContent-Length: %d\r\n\r\n%b' % (
        path,
        len(_BODY),
        _BODY,
    )


# What is counted, each on a connection of its own.
_COUNTED: Final[Mapping[str, list[bytes]]] = {
    "GET": [_get(7)] * _REQUESTS,
    "GET, all different": [_get(number) for number in range(1000, 1000 + _REQUESTS)],
    "preflight": [_preflight(7)] * _REQUESTS,
    "preflight, all different": [_preflight(number) for number in range(2000, 2000 + _REQUESTS)],
}


def count(python: Path, environment: Mapping[str, str]) -> dict[str, float]:
    """Instructions for one small GET and for one granted preflight, each of both kinds; raises GateError."""
    with tempfile.TemporaryDirectory() as folder, _upstream() as upstream:
        port, admin = free_ports(2)
        config = Path(folder, "corsproxy.yaml")
        config.write_text(_config(port, admin, upstream), "utf-8")
        output = Path(folder, "callgrind")
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}"]
        command += ["--dump-before=accept4", str(python), "-m", "corsproxy", "serve", "-c", str(config)]
        log = Path(folder, "log")
        with log.open("wb") as stream:
            process = subprocess.Popen(  # noqa: S603  # our own command
                [*command, "--access-log", "off"], cwd=ROOT, env={**environment, "PYTHONHASHSEED": "0"}, stdout=stream,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            _drive(process, port)
        except (OSError, GateError) as error:
            raise GateError(f"{error}: {log.read_text('utf-8', 'replace')[-500:]}") from error
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
            process.kill()
        counted = _parts(output)
    return {name: total / _REQUESTS for name, total in zip(_COUNTED, counted, strict=True)}


def _drive(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        if process.poll() is not None or time.monotonic() > deadline:
            raise GateError("the proxy does not start under callgrind")
        time.sleep(0.1)
    _ask(port, [_get(7)] * _WARM_UP)
    subprocess.run(  # noqa: S603
        ["callgrind_control", "--instr=on", str(process.pid)],  # noqa: S607  # wherever the system has it
        check=True,
        capture_output=True,
        timeout=_PATIENCE,
    )
    _ask(port, [_get(7)] * (_WARM_UP // 10))  # nothing is translated yet; it counts into a part of its own
    for requests in _COUNTED.values():
        _ask(port, requests)
    _ask(port, [_get(7)])


def _ask(port: int, requests: Sequence[bytes]) -> None:
    """Send one request after the other on a connection of its own; raises GateError on a wrong answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as sock:
        for request in requests:
            sock.sendall(request)
            received = b""
            while not received.endswith(_BODY) and b" 204 " not in received[:16]:
                data = sock.recv(65536)
                if not data:
                    raise GateError(f"the proxy answered {received[:80]!r}")
                received += data
            if b"Access-Control-Allow-Origin: https://app.example.com\r\n" not in received:
                raise GateError(f"the page may not read {received[:200]!r}")


def _parts(output: Path) -> list[int]:
    """The instructions of what is counted, in its order.

    Before each accept4() callgrind writes a file.  The loop may call it again until nobody waits, so the files between
    two connections may be two: one with everything, one with nearly nothing.
    """
    totals = []
    for file in sorted(output.parent.glob(f"{output.name}.*"), key=lambda path: int(path.suffix[1:])):
        lines = file.read_text("utf-8", "replace").splitlines()
        totals += [int(line.split()[1]) for line in lines if line.startswith("totals:")]
    large = [total for total in totals if total > max(totals, default=0) / 100]
    if len(large) <= len(_COUNTED):
        raise GateError(f"callgrind wrote {totals}: not the warm-up and all that is counted")
    return large[-len(_COUNTED) :]


@contextmanager
def _upstream() -> Iterator[int]:
    """A server that answers every head; its port."""
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve, args=(server,), daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


def _serve(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        received = b""
        while data := connection.recv(65536):
            received += data
            while b"\r\n\r\n" in received:
                head, _, received = received.partition(b"\r\n\r\n")
                connection.sendall(_answer_to(head))


def _config(port: int, admin: int, upstream: int) -> str:
    return (
        f"listen: 127.0.0.1:{port}\nadmin: 127.0.0.1:{admin}\n"
        f"rules:\n  - upstream: http://127.0.0.1:{upstream}\n    policy:\n"
        "      allow_origins: [https://app.example.com]\n      allow_methods: [GET, PUT]\n"
        "      allow_headers: [Content-Type, Authorization]\n      allow_credentials: true\n"
    )


def build_of(python: Path, environment: Mapping[str, str]) -> str:
    """The key of the baseline: which Python, on which processor, and whether the hot modules are compiled."""
    code = "import sys, corsproxy.proxy.plan as m; print('%d.%d' % sys.version_info[:2], m.__file__)"
    done = subprocess.run(  # noqa: S603  # our own environment
        [str(python), "-c", code], cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=True
    )
    version, file = done.stdout.split(None, 1)
    return f"{version} {platform.machine()} {'plain' if file.strip().endswith('.py') else 'compiled'}"


def unavailable() -> str:
    """Why nothing can be counted here; empty when it can."""
    missing = [name for name in ("valgrind", "callgrind_control") if not shutil.which(name)]
    return f"no {missing[0]}; Debian: apt-get install valgrind" if missing else ""


def judge(counted: Mapping[str, float], baseline: Mapping[str, float]) -> list[str]:
    """What takes more instructions than the baseline has room for."""
    return [
        f"{name}: {counted[name]:,.0f} instructions, {counted[name] / allowed - 1:+.1%} of {allowed:,.0f}; "
        "make it cheaper, or say in the change why it must cost more and run scripts/bench --gate --renew"
        for name, allowed in baseline.items()
        if counted[name] > allowed * (1 + ROOM)
    ]


def main() -> int:
    """Count and compare, or write the baseline."""
    parser = argparse.ArgumentParser(prog="scripts/bench --gate", description="Instructions of the hot path.")
    parser.add_argument("--renew", action="store_true", help="write what was counted as the new baseline")
    parser.add_argument("--python", type=Path, default=ROOT / ".venv/bin/python", help="of the environment to measure")
    asked = parser.parse_args()
    if reason := unavailable():
        raise SystemExit(reason)
    baselines = json.loads(BASELINE.read_text("utf-8")) if BASELINE.exists() else {}
    builds = [{**os.environ}]
    if Path(COMPILED["PYTHONPATH"]).exists():
        builds.append({**os.environ, **COMPILED})
    problems = []
    for environment in builds:
        build = build_of(asked.python, environment)
        counted = count(asked.python, environment)
        print(f"{build}: " + ", ".join(f"{name} {value:,.0f}" for name, value in counted.items()) + " instructions")
        if asked.renew:
            baselines[build] = {name: round(value) for name, value in counted.items()}
        elif build in baselines:
            problems += judge(counted, baselines[build])
        else:
            problems.append(f"no baseline for {build}; scripts/bench --gate --renew writes one")
    if asked.renew:
        BASELINE.write_text(json.dumps(dict(sorted(baselines.items())), indent=2) + "\n", "utf-8")
        return 0
    print("\n".join(problems) or "within the baseline")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
