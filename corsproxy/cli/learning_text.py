"""What was learnt, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import click

from corsproxy.http.answers import printable
from corsproxy.tools.learning.evidence import Tally
from corsproxy.tools.learning.proposal import Opened, Proposal
from corsproxy.tools.learning.wanted import Finding

_WIDTH: Final = 10
_COLOURS: Final = {"+": "green", "-": "red"}
_OPENS: Final = {
    "rules": "requests go to {}",
    "allow_origins": "pages of {} may read the answers",
    "allow_methods": "pages may use {}",
    "allow_headers": "pages may send the header {}",
    "expose_headers": "pages may read the header {}",
    "allow_credentials": "cookies and HTTP log-in may go along",
}


def diff_lines(proposal: Proposal) -> Iterator[str]:
    """The diff, coloured."""
    for line in proposal.diff.splitlines():
        yield click.style(printable(line) if not line.isprintable() else line, fg=_COLOURS.get(line[:1]))


def remark_lines(proposal: Proposal, notes: Iterable[str]) -> Iterator[str]:
    """What the change opens, what was left out, and what else there is to know."""
    for opened in proposal.opened:
        yield f"{'opens':{_WIDTH}}{printable(_opens(opened))}"
    for finding in proposal.findings:
        yield f"{'left out':{_WIDTH}}{click.style(printable(_left_out(finding)), fg='yellow')}"
    for one in proposal.unused:
        enough = f"; {', '.join(one.enough) or 'nothing'} would do" if one.value == "*" else ""
        yield f"{'unused':{_WIDTH}}{printable(f'{one.key}: {one.value} of policy {one.policy}{enough}')}"
    for note in notes:
        yield f"{'note':{_WIDTH}}{printable(note)}"


def as_json(proposal: Proposal, notes: Iterable[str], *, written: bool) -> dict[str, Any]:
    """All of it as plain data."""
    return {
        "file": proposal.file,
        "changed": proposal.changed,
        "written": written,
        "opens": [
            {"key": key, "value": value, "rules": list(rules), "seen": _seen(seen)}
            for key, value, rules, seen in proposal.opened
        ],
        "left_out": [
            {"what": what, "reason": reason, "where": list(where), "seen": _seen(seen)}
            for what, reason, seen, where in proposal.findings
        ],
        "unused": [one._asdict() for one in proposal.unused],
        "notes": list(notes),
        "diff": proposal.diff,
        "config": proposal.after,
    }


def _opens(opened: Opened) -> str:
    words = _OPENS.get(opened.key, opened.key).format(opened.value)
    seen = f" (seen {opened.seen})" if opened.seen else ""
    return f"{words}: {', '.join(opened.rules)}{seen}"


def _left_out(finding: Finding) -> str:
    return f"{finding.what}: {finding.reason} ({', '.join((*finding.where, f'seen {finding.seen}'))})"


def _seen(tally: Tally | None) -> dict[str, Any] | None:
    if tally is None:
        return None
    times = {"first": tally.first, "last": tally.last}
    shown = {name: datetime.fromtimestamp(time, UTC).isoformat() if time else None for name, time in times.items()}
    return {"count": tally.count, "clients": len(tally.clients), **shown, "sources": sorted(tally.sources)}
