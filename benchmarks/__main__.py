"""``scripts/bench``: what is asked for, measured, and written down."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks import machine, pages, plots, report
from benchmarks.cases import CASES, Case, by_names
from benchmarks.fleet import Fleet, version
from benchmarks.peers import BASE, BENCH_BIN, NODE, PEERS, VARIANTS, Peer, is_compiled, subject
from benchmarks.session import FEW_ROUNDS, Session, say
from benchmarks.site import ROOT

OUTPUT: Final = ROOT / "build/bench"

_VERSIONS: Final = {
    "nginx": ["nginx", "-v"],
    "nginx-default": ["nginx", "-v"],
    "haproxy": ["haproxy", "-v"],
    "apache": ["apache2", "-v"],
    "envoy": [str(BENCH_BIN / "envoy"), "--version"],
    "caddy": [str(BENCH_BIN / "caddy"), "version"],
    "mitmproxy": [str(BENCH_BIN / "mitmdump"), "--version"],
    "aiohttp": [str(BENCH_BIN / "python"), "-c", "import aiohttp; print(aiohttp.__version__)"],
}


def main() -> int:
    """Run; the exit code is 1 when nothing could be measured."""
    asked = _arguments()
    if asked.list:
        _list()
        return 0
    if asked.results:
        results = json.loads(asked.results.read_text("utf-8"))
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is ended then, too
        results = _measured(asked)
        if not results["samples"]:
            say("nothing could be measured")
            return 1
    _write(results, asked.output)
    if asked.write_docs:
        pages.write(results, ROOT / "docs")
        say("docs/performance.md and its plots are written; look at them")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="nginx, this project and one Node.js peer, the main cases: two minutes")
    add("--cases", type=_names, metavar="A,B", help="only these cases")
    add("--targets", type=_names, metavar="X,Y", help="only these proxies, and tuned nginx")
    add("--rounds", type=int, metavar="N", help="how often nginx and this project are measured (6, with --quick 4)")
    add("--seconds", type=int, default=1, metavar="S", help="how long each measurement takes (1)")
    add("--minutes", type=float, default=25, metavar="M", help="nothing is started after so many minutes (25)")
    add("--output", type=Path, default=OUTPUT, metavar="FOLDER", help="where results.json, report.md and plots go")
    add("--results", type=Path, metavar="FILE", help="measure nothing: write the report of these results")
    add("--write-docs", action="store_true", help="put the tables and plots into docs/performance.md")
    add("--list", action="store_true", help="name the cases and the proxies")
    asked = parser.parse_args()
    asked.rounds = asked.rounds or (4 if asked.quick else 6)
    return asked


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _list() -> None:
    for title, rows in (("cases", CASES), ("targets", PEERS)):
        print(f"{title}:")
        for row in rows:
            missing = row.missing() if isinstance(row, Peer) else ""
            print(f"  {row.name:24}{row.title}{f'   ({missing})' if missing else ''}")


def _measured(asked: argparse.Namespace) -> dict[str, Any]:
    cases, peers = _chosen(asked)
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="corsproxy-bench-"))
    try:
        with Fleet(folder) as fleet:
            deadline = started + asked.minutes * 60
            session = Session(fleet, peers, asked.rounds, asked.seconds, deadline, folder)
            try:
                session.run(cases)
            except KeyboardInterrupt:
                say("broken off; what was measured until now is written")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": _command(),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "machine": machine.description(),
        "rounds": asked.rounds,
        "few_rounds": min(asked.rounds, FEW_ROUNDS),
        "seconds": asked.seconds,
        "subject": subject().name,
        "targets": {peer.name: _about(peer) for peer in peers},
        "cases": [{"name": case.name, "title": case.title, "unit": case.unit, "kind": case.kind} for case in cases],
        "samples": session.samples,
        "cannot": session.cannot,
    }


def _command() -> str:
    """What to type for another such run; which Python is measured is part of it."""
    python = os.environ.get("PYTHON", "")
    return f"PYTHON={shlex.quote(python)} " * bool(python) + shlex.join(["scripts/bench", *sys.argv[1:]])


def _chosen(asked: argparse.Namespace) -> tuple[list[Case], list[Peer]]:
    """What is measured, and on what; says what is not installed."""
    known = {peer.name: peer for peer in PEERS}
    names = asked.targets or (["undici", subject().name] if asked.quick else list(known))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no such proxy: {', '.join(unknown)}; scripts/bench --list names them")
    try:
        cases = by_names(asked.cases) if asked.cases else [case for case in CASES if case.quick or not asked.quick]
    except ValueError as error:
        raise SystemExit(str(error)) from None
    if missing := BASE.missing():
        raise SystemExit(f"everything is compared with nginx: {missing}")
    peers = [peer for peer in PEERS if peer.name in {BASE.name, *names}]
    for peer in peers:
        if peer.missing():
            say(f"without {peer.title}: {peer.missing()}")
    return cases, [peer for peer in peers if not peer.missing()]


def _about(peer: Peer) -> dict[str, Any]:
    """What the report says of a proxy besides its figures."""
    ours = peer in VARIANTS
    return {
        "title": peer.title,
        "differs": peer.differs,
        "ours": ours,
        "compiled": ours and is_compiled(peer),
        "version": _version(peer),
    }


def _version(peer: Peer) -> str:
    if peer.python:
        return version([str(peer.python), "-m", "corsproxy", "--version"])
    package = NODE / "node_modules" / peer.name / "package.json"
    if package.exists():
        return f"{json.loads(package.read_text('utf-8'))['version']}, Node.js {version(['node', '--version'])}"
    return version(_VERSIONS[peer.name])


def _write(results: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    text = report.whole(results)
    (folder / "report.md").write_text(text, "utf-8")
    plots.draw(results, folder)
    print(text)
    say(f"{folder}/report.md, results.json and plots are written")


if __name__ == "__main__":
    sys.exit(main())
