"""docs/performance.md: the parts between its marks are a run's; the rest is written by hand and stays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import report

_PART: Final = re.compile(r"(<!-- generated: (.+?) -->\n)(.*?)(<!-- end of generated -->)", re.DOTALL)


def write(results: Mapping[str, Any], docs: Path) -> None:
    """Put a run's tables and plots into the page."""
    from benchmarks import plots  # noqa: PLC0415  # matplotlib is in the benchmark's own environment alone

    page = docs / "performance.md"
    drawn = plots.draw(results, docs / "images")
    figures = "\n\n".join(f"![{_ALTERNATIVES[path.stem]}](images/{path.name})" for path in drawn)
    page.write_text(filled(page.read_text("utf-8"), {**report.sections(results), "Plots": figures}), "utf-8")


_ALTERNATIVES: Final = {
    "performance-requests": "Bars for each proxy and each case of small requests, as ratios to tuned nginx;"
    " the same figures stand in the tables.",
    "performance-bodies": "The same for bodies, event streams and WebSockets.",
    "performance-resources": "Bars for each proxy: the time to its first answer, and its memory at rest.",
}


def filled(page: str, parts: Mapping[str, str]) -> str:
    """A page with each marked part replaced; raises KeyError for a mark that no run fills."""
    return _PART.sub(lambda found: f"{found[1]}\n{parts[found[2]]}\n\n{found[4]}", page)
