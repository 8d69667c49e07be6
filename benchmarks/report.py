"""What a run says, as Markdown; pure.  ``sections`` are the parts that docs/performance.md takes over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from benchmarks.bars import BASE, idle_bytes, judge, scaling
from benchmarks.statistics import SATURATED, Samples, Spread

Results = Mapping[str, Any]

_GROUPS: Final = (
    ("Small requests", ("small", "small-1", "browser", "various", "connection")),
    ("Preflights", ("preflight", "preflight-denied", "preflights", "preflights-denied")),
    ("Bodies and streams", ("down-64k", "down-10m", "up-64k", "up-10m", "sse", "websocket")),
)
THROUGHPUT: Final = tuple(name for _, names in _GROUPS for name in names)


def whole(results: Results) -> str:
    """The report of one run."""
    parts = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections(results).items())
    return f"# Benchmark of {results['when']}\n\n{parts}\n"


def sections(results: Results) -> dict[str, str]:
    """The parts of the report, by their titles."""
    samples = Samples(results["samples"])
    written = {
        "Machine": _machine(results),
        "Outcome": _outcome(results),
        "Against nginx": _standings(results, samples),
        "CPU time": _cpu(results, samples),
        "Latency": _latency(results, samples),
        "Configurations": _variations(results, samples),
        "Start and memory": _resources(results, samples),
        "What could not be measured": _cannot(results),
        "Every figure": _figures(results, samples),
    }
    return {title: text or "Not measured in this run." for title, text in written.items()}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = [_line(head), _line([":--", *["--:"] * (len(head) - 1)])]
    return "\n".join([*lines, *(_line(row) for row in rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _title(results: Results, target: str) -> str:
    return str(results["targets"][target]["title"])


def _cases(results: Results, names: Iterable[str]) -> dict[str, str]:
    titles = {case["name"]: case["title"] for case in results["cases"]}
    return {name: titles[name] for name in names if name in titles}


def _machine(results: Results) -> str:
    machine = results["machine"]
    versions = table(
        ["proxy", "version", "its rule differs"],
        [[about["title"], about["version"], about["differs"]] for about in results["targets"].values()],
    )
    return (
        f"`{results['command']}`, {results['when']}, {results['minutes']} minutes; {results['rounds']} rounds of "
        f"{results['seconds']} s, {results['few_rounds']} of the other projects' proxies.\n"
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['kernel']}, "
        f"Python {machine['python']}.\n\n{versions}"
    )


def _outcome(results: Results) -> str:
    words = {True: "yes", False: "**no**", None: "not measured"}
    bars = judge(results)
    kept = sum(bar.holds is True for bar in bars)
    rows = [[bar.promise, bar.measured, words[bar.holds]] for bar in bars]
    return f"{kept} of {len(bars)} hold.\n\n{table(['bar', 'measured', 'holds?'], rows)}"


def _standings(results: Results, samples: Samples) -> str:
    tables = []
    for title, names in _GROUPS:
        cases = _cases(results, names)
        if not cases:
            continue
        rows = [
            [_title(results, target), *(_standing(samples, case, target) for case in cases)]
            for target in results["targets"]
        ]
        tables.append(f"**{title}**\n\n{table(['nginx, tuned = 1', *cases.values()], rows)}")
    note = (
        "More is better. A figure in *italics* is a ratio of CPU time, because one of the two proxies did not use up "
        f"its core ({SATURATED:.0%}) and the rate was not its own limit; the others are ratios of rates."
    )
    return "\n\n".join([note, *tables])


def _standing(samples: Samples, case: str, target: str) -> str:
    standing = samples.standing(case, target, BASE)
    if standing is None:
        return "cannot"
    words = f"{standing.spread.median:.2f}"
    return f"*{words}*" if standing.by == "CPU" else words


def _cpu(results: Results, samples: Samples) -> str:
    cases = _cases(results, THROUGHPUT)
    rows = [
        [_title(results, target), *(_median(samples.spread(case, target, "cpu"), "{:,.0f}") for case in cases)]
        for target in results["targets"]
    ]
    return "Microseconds of the proxy's CPU time for each request, event or message.\n\n" + table(
        ["proxy", *cases.values()], rows
    )


def _median(found: Spread | None, form: str, scale: float = 1) -> str:
    return form.format(found.median * scale) if found else "cannot"


def _range(found: Spread | None, form: str, scale: float = 1) -> str:
    if found is None:
        return "cannot"
    median, low, high = (form.format(value * scale) for value in found)
    return f"{median} ({low} to {high})"


def _latency(results: Results, samples: Samples) -> str:
    rows = [
        [
            _title(results, target),
            _median(samples.spread("latency", target, "asked"), "{:,.0f}"),
            *(_range(samples.spread("latency", target, figure), "{:,.0f}") for figure in ("p50", "p99", "p999")),
            _median(samples.spread("latency", target, "share"), "{:.2f}"),
            _median(samples.spread("latency", target, "late"), "{:,.0f}"),
        ]
        for target in samples.targets("latency")
    ]
    if not rows:
        return ""
    head = ["microseconds", "a second", "p50", "p99", "p99.9", "share of its core", "generator late, p99"]
    note = (
        "Small GETs at a fixed rate: half of what this project answers in this run, at most 4,000 a second, and half "
        "of a proxy's own capacity where that is less. The time runs from the moment when a request was due."
    )
    return f"{note}\n\n{table(head, rows)}"


def _variations(results: Results, samples: Samples) -> str:
    rows = []
    for case in results["cases"]:
        for target in samples.targets(case["name"]):
            labels = samples.variations(case["name"], target)
            if not any(labels):
                continue
            for label in labels:
                changed = samples.changed(case["name"], target, label, labels[0])
                rows.append(
                    [
                        f"{_title(results, target)}: {label}",
                        _range(samples.spread(case["name"], target, "rate", label), "{:,.0f}"),
                        _range(samples.spread(case["name"], target, "cpu", label), "{:.1f}"),
                        f"{changed.spread.median:.2f} by {changed.by}" if changed and label != labels[0] else "1",
                    ]
                )
    workers = [
        f"{_title(results, target)}: 2 workers against one: {found.words}."
        for target in samples.targets("workers")
        if (found := scaling(samples, target))
    ]
    if not rows:
        return ""
    head = ["", "a second", "CPU microseconds", "against the first"]
    return "\n\n".join([table(head, rows), *workers])


_WHEN: Final = ("at rest", "1,000 idle", "10,000 idle", "after load")


def _resources(results: Results, samples: Samples) -> str:
    rows = []
    for target in results["targets"]:
        memory = {
            figure: samples.spread("memory", target, figure) for figure in ("idle", "idle-1000", "idle-10000", "loaded")
        }
        start = samples.spread("start", target, "start")
        if not start and not any(memory.values()):
            continue
        idle = idle_bytes(samples, target)
        rows.append(
            [
                _title(results, target),
                _range(start, "{:.0f}", 1e3),
                *(_median(found, "{:.1f}", 1e-6) for found in memory.values()),
                idle.words if idle else "cannot",
            ]
        )
    if not rows:
        return ""
    head = ["", "exec to first answer, ms", *(f"{when}, MB" for when in _WHEN), "a connection"]
    return f"Memory is resident memory of all processes of a proxy.\n\n{table(head, rows)}"


def _cannot(results: Results) -> str:
    rows = [
        [" ".join(filter(None, [row["target"] or "all", row["variation"]])), row["case"], row["reason"]]
        for row in results["cannot"]
    ]
    return table(["proxy", "case", "why"], rows) if rows else "Everything was."


def _figures(results: Results, samples: Samples) -> str:
    parts = []
    for name, title in _cases(results, THROUGHPUT).items():
        rows = [
            [
                _title(results, target),
                _range(samples.spread(name, target, "rate"), "{:,.0f}"),
                _range(samples.spread(name, target, "cpu"), "{:.1f}"),
                _median(samples.spread(name, target, "share"), "{:.2f}"),
                _median(samples.spread(name, target, "load"), "{:.2f}"),
                _range(samples.ratio(name, target, BASE, "rate"), "{:.2f}"),
                _range(samples.ratio(name, target, BASE, "cpu"), "{:.2f}"),
            ]
            for target in samples.targets(name)
        ]
        head = [
            title, "a second", "CPU microseconds", "its core", "load's core", "rate / nginx's", "CPU / nginx's"
        ]  # fmt: skip
        parts.append(table(head, rows))
    return (
        "Median (smallest to largest round). Where a proxy used less than 0.9 of its core, it was not the limit.\n\n"
        + ("\n\n".join(parts))
    )
