"""Findings as SARIF, which code scanning and editors read.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from corsproxy import __version__
from corsproxy.errors import Problem
from corsproxy.tools.checking.findings import KINDS, Finding

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_sarif(findings: Iterable[Finding]) -> dict[str, Any]:
    """A log of one run, ready for ``json.dumps``."""
    rules = [
        {"id": kind.name, "shortDescription": {"text": kind.meaning}, "defaultConfiguration": {"level": kind.level}}
        for kind in KINDS
    ]
    driver = {"name": "corsproxy", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding) for finding in findings],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding) -> dict[str, Any]:
    return {
        "ruleId": finding.kind.name,
        "ruleIndex": KINDS.index(finding.kind),
        "level": finding.kind.level,
        "message": {"text": finding.text},
        "locations": [{"physicalLocation": _location(finding.problem)}],
    }


def _location(problem: Problem) -> dict[str, Any]:
    path = PurePath(problem.file)
    # Relative to wherever it is run, as GitHub wants it; what is above that folder has its whole address.
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix(), errors="surrogateescape")
    location: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if problem.line:
        location["region"] = {"startLine": problem.line, "startColumn": problem.column}
    return location
