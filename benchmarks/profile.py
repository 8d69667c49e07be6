"""Where the time of one case goes, by function: ``python -m benchmarks.profile CASE``, with py-spy."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from benchmarks import measure
from benchmarks.cases import CASES
from benchmarks.check import STREAMED
from benchmarks.fleet import Fleet
from benchmarks.peers import BENCH_BIN, subject
from benchmarks.report import table
from benchmarks.site import Variation

SECONDS: Final = 6
_SHOWN: Final = 25


def main() -> None:
    """Load the proxy with one case and print what it spends its time on."""
    driven = {case.name: case for case in CASES if case.kind in measure.MEASURES and not case.variations}
    parser = argparse.ArgumentParser(prog="scripts/bench --profile", description=__doc__)
    parser.add_argument("case", choices=list(driven))
    case = driven[parser.parse_args().case]
    folder = Path(tempfile.mkdtemp(prefix="corsproxy-profile-"))
    try:
        with Fleet(folder) as fleet:
            upstream = "stream" if case.needs in STREAMED else "fixed"
            running = fleet.get(subject(), Variation(upstream=upstream))
            stacks = folder / "stacks.txt"
            # --native sees what is compiled: the parsers, uvloop, and the modules that mypyc compiled
            spy = [str(BENCH_BIN / "py-spy"), "record", "--native", "--format", "raw", "--rate", "500"]
            spy += ["--duration", str(SECONDS - 1), "--pid", str(running.process.pid), "--output", str(stacks)]
            with subprocess.Popen(spy, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT) as sampler:  # noqa: S603
                sample = measure.MEASURES[case.kind](running, case, SECONDS, folder)
                sampler.wait()
            text = stacks.read_text("utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{case.title}: {sample['cpu']:.1f} microseconds of CPU time each, while it was sampled\n")
    print(shares(text))


def shares(stacks: str) -> str:
    """The functions in which the time went, as a table: by themselves, and with what they call; pure."""
    alone: Counter[str] = Counter()
    within: Counter[str] = Counter()
    total = 0
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        names = frames.split(";")
        if names[-1].startswith("epoll_pwait"):  # waiting, which the sampler takes for work
            continue
        total += int(count)
        alone[names[-1]] += int(count)
        for name in set(names):
            within[name] += int(count)
    rows = [
        [f"`{name}`", f"{own / total:.1%}", f"{within[name] / total:.1%}"] for name, own in alone.most_common(_SHOWN)
    ]
    return table(["function", "alone", "with what it calls"], rows)


if __name__ == "__main__":
    main()
