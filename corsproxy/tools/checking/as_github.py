"""Findings as workflow commands, which GitHub shows beside the lines of a change.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from corsproxy.tools.checking.findings import Finding

# @actions/core does the same (packages/core/src/command.ts): a message ends with its line, a property also at , and :.
_DATA: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Final = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


def as_github(findings: Iterable[Finding]) -> Iterator[str]:
    """A line for each finding."""
    for finding in findings:
        problem = finding.problem
        place = {"line": str(problem.line), "col": str(problem.column)} if problem.line else {}
        properties = {"title": f"corsproxy {finding.kind.name}", "file": problem.file, **place}
        said = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items())
        yield f"::{finding.kind.level} {said}::{finding.text.translate(_DATA)}"
