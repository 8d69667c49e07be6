"""The names of policies and upstreams."""

from __future__ import annotations

import re

from corsproxy.config.findings import Findings
from corsproxy.config.written import Path

# They appear in logs, metrics and answers, and must not look like a URL or a path there.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def check_name(path: Path, findings: Findings) -> None:
    """Record a problem when the last step of ``path`` is no name."""
    if not _NAME.fullmatch(str(path[-1])):
        findings.refuse_key(path, f"{path[-1]!r} is no name; use letters, digits, hyphens, dots and underscores")
