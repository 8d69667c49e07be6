"""The plots of a run, as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.bars import BASE, OF_NGINX
from benchmarks.statistics import Samples

OURS: Final = "#c2410c"
NGINX: Final = "#15803d"
OTHERS: Final = "#94a3b8"
_PANELS: Final = {
    "performance-requests": ("small", "browser", "preflight", "preflights", "connection", "various"),
    "performance-bodies": ("down-64k", "down-10m", "up-64k", "up-10m", "sse", "websocket"),
}
_LOW: Final = 0.005  # below it a bar could not be seen anyway

mpl.rcParams.update({"svg.hashsalt": "corsproxy", "svg.fonttype": "path", "font.size": 9})


def draw(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the plots for which there are figures."""
    samples = Samples(results["samples"])
    titles = {case["name"]: case["title"] for case in results["cases"]}
    written = []
    for name, cases in _PANELS.items():
        shown = [case for case in cases if samples.targets(case)]
        if shown:
            written.append(_save(_against_nginx(results, samples, shown, titles), folder / f"{name}.svg"))
    if samples.targets("memory") and samples.targets("start"):
        written.append(_save(_resources(results, samples), folder / "performance-resources.svg"))
    return written


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    # matplotlib leaves blanks at the ends of lines
    path.write_text("\n".join(line.rstrip() for line in path.read_text("utf-8").splitlines()) + "\n", "utf-8")
    return path


def _against_nginx(results: Mapping[str, Any], samples: Samples, cases: list[str], titles: Mapping[str, str]) -> Figure:
    rows = (len(cases) + 1) // 2
    figure = Figure(figsize=(10, 0.6 + rows * (0.7 + 0.22 * len(results["targets"]))), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False).flatten()
    for panel, case in zip(panels, cases, strict=False):
        _bars(panel, results, samples, case)
        panel.set_title(titles[case], loc="left", fontweight="bold")
    for panel in panels[len(cases) :]:
        panel.set_visible(False)
    figure.supxlabel("tuned nginx = 1, more is better; a line is the spread of the rounds, the dashes are the bar")
    return figure


def _bars(panel: Axes, results: Mapping[str, Any], samples: Samples, case: str) -> None:
    found = {target: standing for target in results["targets"] if (standing := samples.standing(case, target, BASE))}
    order = sorted(found, key=lambda target: found[target].spread.median)
    for place, target in enumerate(order):
        median, low, high = found[target].spread
        panel.barh(place, max(median, _LOW), color=_colour(results, target), height=0.7)
        panel.plot([low, high], [place, place], color="#334155", linewidth=1)
        panel.text(max(high, _LOW) * 1.08, place, f"{median:.2f}", va="center", fontsize=8)
    panel.set_yticks(range(len(order)), [results["targets"][target]["title"] for target in order])
    panel.set_xscale("log")
    largest = max((standing.spread.high for standing in found.values()), default=1)
    panel.set_xlim(_LOW / 1.5, largest * 2)
    panel.set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    panel.axvline(1, color=NGINX, linewidth=0.8)
    if case in OF_NGINX:
        panel.axvline(OF_NGINX[case], color=OURS, linewidth=0.8, linestyle="--")
    panel.spines[["top", "right"]].set_visible(False)


def _colour(results: Mapping[str, Any], target: str) -> str:
    if results["targets"][target]["ours"]:
        return OURS
    return NGINX if target == BASE else OTHERS


def _resources(results: Mapping[str, Any], samples: Samples) -> Figure:
    figure = Figure(figsize=(10, 0.8 + 0.25 * len(results["targets"])), layout="constrained")
    left, right = figure.subplots(1, 2)
    for panel, case, name, scale, title in (
        (left, "start", "start", 1e3, "milliseconds from exec to the first answer"),
        (right, "memory", "idle", 1e-6, "MB at rest"),
    ):
        values = {
            target: found.median * scale
            for target in results["targets"]
            if (found := samples.spread(case, target, name))
        }
        order = sorted(values, key=lambda target: values[target], reverse=True)
        panel.barh(range(len(order)), [values[target] for target in order], color=[_colour(results, t) for t in order])
        panel.set_yticks(range(len(order)), [results["targets"][target]["title"] for target in order])
        for place, target in enumerate(order):
            panel.text(values[target], place, f" {values[target]:.0f}", va="center", fontsize=8)
        panel.set_title(title, loc="left", fontweight="bold")
        panel.spines[["top", "right"]].set_visible(False)
    return figure
