"""Probing again and again: what has changed since the last time.

Rules: what is compared are findings and the names of headers, never their values: an API that echoes the Origin, or
that counts, is the same API.  The clock is the caller's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from corsproxy.tools.probing.asking import Unreachable
from corsproxy.tools.probing.judgement import Finding
from corsproxy.tools.probing.report import Report


class ChangeKind(StrEnum):
    """What may change."""

    HEADER_CAME = "header-came"  # the API sends a CORS header that it did not send before
    HEADER_WENT = "header-went"
    FINDING_CAME = "finding-came"
    FINDING_WENT = "finding-went"
    UNREACHABLE = "unreachable"
    REACHABLE = "reachable"


class Change(NamedTuple):
    """One change: the header's name, the finding's, or why there is no answer."""

    kind: ChangeKind
    subject: str
    finding: Finding | None = None


class Watched(NamedTuple):
    """A probe, None if the API gave no answer, and what has changed since the one before."""

    report: Report | None
    changes: tuple[Change, ...] = ()


async def watch(probe: Callable[[], Awaitable[Report]], wait: Callable[[], Awaitable[None]]) -> AsyncIterator[Watched]:
    """Probe, wait, and so on for ever; raises Unreachable if the first probe gets no answer."""
    last = await probe()
    yield Watched(last)
    silent = False
    while True:
        await wait()
        try:
            now = await probe()
        except Unreachable as error:
            changes = () if silent else (Change(ChangeKind.UNREACHABLE, str(error)),)
            silent = True
            yield Watched(None, changes)
            continue
        back = (Change(ChangeKind.REACHABLE, now.shown_url),) if silent else ()
        yield Watched(now, (*back, *changes_between(last, now)))
        last, silent = now, False


def changes_between(before: Report, after: Report) -> Iterator[Change]:
    """What is in one report and not in the other: headers first, since that is what a proxy's policy stands for."""
    for kind, old, new in ((ChangeKind.HEADER_CAME, before, after), (ChangeKind.HEADER_WENT, after, before)):
        known = old.answers.own_headers
        yield from (Change(kind, name.title()) for name in new.answers.own_headers if name not in known)
    for kind, old, new in ((ChangeKind.FINDING_CAME, before, after), (ChangeKind.FINDING_WENT, after, before)):
        same = set(map(_identity, old.findings))
        yield from (
            Change(kind, finding.kind.value, finding) for finding in new.findings if _identity(finding) not in same
        )


def _identity(finding: Finding) -> tuple[object, ...]:
    return finding.kind, finding.severity, finding.subject
