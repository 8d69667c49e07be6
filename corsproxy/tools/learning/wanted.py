"""What the pages that were seen need of one policy: origins, methods, headers, and whether credentials go along.

Rules: nothing is wanted that no request has shown, and each thing carries what has shown it; a page that asks first is
believed, and what its requests carry besides may have been added on the way; what browsers grant unasked is not wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from corsproxy.cors.names import (
    SAFELISTED_METHODS,
    method_problems,
    request_header_problems,
    response_header_problems,
)
from corsproxy.cors.origin import read_origin
from corsproxy.cors.origin_list import is_insecure
from corsproxy.cors.pattern import ANY, Pattern
from corsproxy.cors.policy import Policy
from corsproxy.errors import PolicyProblem
from corsproxy.http.needs import COOKIES, LOGIN, SETS_COOKIE
from corsproxy.tools.learning.evidence import Kind, Tally, together
from corsproxy.tools.learning.suspects import NULL, covers

Counted = list[tuple[Kind, Tally]]

# A page that compares versions reads ETag; every other answer that has one means it for the browser's cache.
_ASK_FOR_ETAG: Final = frozenset({"if-match", "if-none-match"})


class Finding(NamedTuple):
    """What was seen and is not learnt, and why."""

    what: str
    reason: str
    seen: Tally
    where: tuple[str, ...] = ()  # rules and prefixes


@dataclass(slots=True)
class Wanted:
    """What a policy has to grant; each entry with what has shown it."""

    origins: dict[str, Tally] = field(default_factory=dict)
    methods: dict[str, Tally] = field(default_factory=dict)  # those that need a grant
    headers: dict[str, Tally] = field(default_factory=dict)
    exposed: dict[str, Tally] = field(default_factory=dict)
    credentials: Tally | None = None
    flags: dict[str, Tally] = field(default_factory=dict)  # keys that begin with dangerously_

    @property
    def lists(self) -> tuple[tuple[str, dict[str, Tally]], ...]:
        """The lists of a policy, by their keys."""
        return (
            ("allow_origins", self.origins),
            ("allow_methods", self.methods),
            ("allow_headers", self.headers),
            ("expose_headers", self.exposed),
        )

    @property
    def shape(self) -> tuple[object, ...]:
        """What two policies have in common that could be one."""
        lists = (frozenset(entries) for _, entries in self.lists)
        return (*lists, frozenset(self.flags), self.credentials is None)

    def add(self, more: Wanted) -> None:
        """Add what has shown the same for another place."""
        for (_, ours), (_, theirs) in zip(
            (*self.lists, ("", self.flags)), (*more.lists, ("", more.flags)), strict=True
        ):
            for entry, seen in theirs.items():
                ours[entry].add(seen)
        if self.credentials is not None and more.credentials is not None:
            self.credentials.add(more.credentials)


class Reader:
    """Reads what pages need; ``returning`` are the origins whose pages send cookies anywhere."""

    def __init__(self, counted: Counted, trusted: Sequence[Pattern]) -> None:
        self.findings: list[Finding] = []
        self._trusted = trusted
        self._returning = {kind.origin for kind, _ in counted if kind.credentials == COOKIES}

    def read(self, counted: Counted, policy: Policy | None = None) -> Wanted:
        """What these requests need; ``policy`` is the one that they have already."""
        credentials = policy is not None and policy.spec.allow_credentials
        counted = self._without_unsafe(counted, policy)
        wanted = Wanted()
        for _, tally in self._credentialed(counted):
            wanted.credentials = _sum(wanted.credentials, tally)
        for kind, tally in counted:
            self._origin(wanted, kind.origin, tally, credentials=credentials or wanted.credentials is not None)
            if not kind.websocket:
                self._names(wanted, kind, tally)
        self._headers(wanted, counted)
        if not _ASK_FOR_ETAG & wanted.headers.keys():
            wanted.exposed.pop("etag", None)
        return wanted

    def _without_unsafe(self, counted: Counted, policy: Policy | None) -> Counted:
        """Without the origins that no policy may give credentials to, where these are given."""
        unsafe = {kind.origin for kind, _ in counted if self._is_unsafe(kind.origin)}
        theirs = {kind.origin for kind, _ in self._credentialed(counted)}
        given = bool(theirs - unsafe)
        if policy is not None:
            unsafe = {origin for origin in unsafe if not policy.allows_origin(origin.encode("latin-1"))}
            given = given or policy.spec.allow_credentials
        out = unsafe if given else unsafe & theirs
        for origin in sorted(out):
            own = [(kind, tally) for kind, tally in counted if kind.origin == origin]
            reason = "null gets no credentials" if origin == NULL else "http is not encrypted, and credentials go along"
            where = tuple(sorted({str(kind.place) for kind, _ in own}))
            self.findings.append(Finding(origin, reason, together(tally for _, tally in own), where))
        return [(kind, tally) for kind, tally in counted if kind.origin not in out]

    def _is_unsafe(self, origin: str) -> bool:
        if origin == NULL:
            return True
        return _is_insecure(origin) and not any(str(pattern) == origin for pattern in self._trusted)

    def _credentialed(self, counted: Counted) -> Counted:
        """The requests that show credentials."""
        asking = {kind.origin for kind, _ in counted if kind.preflight and "authorization" in kind.headers}
        return [
            (kind, tally)
            for kind, tally in counted
            if kind.credentials == COOKIES
            or (kind.credentials == LOGIN and kind.origin not in asking)  # else the page's script has set it
            or (kind.credentials == SETS_COOKIE and kind.origin in self._returning)
        ]

    def _origin(self, wanted: Wanted, origin: str, tally: Tally, *, credentials: bool) -> None:
        entry = self._entry(origin, credentials=credentials)
        _count(wanted.origins, entry, tally)
        if origin == NULL:
            _count(wanted.flags, "dangerously_allow_null", tally)
        elif credentials and _is_insecure(origin):
            _count(wanted.flags, "dangerously_allow_insecure_origins", tally)

    def _entry(self, origin: str, *, credentials: bool) -> str:
        """The origin as it is listed: as it was seen, or by the pattern that somebody has named for it."""
        patterns = [pattern for pattern in self._trusted if covers(pattern, origin)]
        return next((str(pattern) for pattern in patterns if not (credentials and pattern == ANY)), origin)

    def _names(self, wanted: Wanted, kind: Kind, tally: Tally) -> None:
        if kind.method not in SAFELISTED_METHODS:
            if fault := _fault(method_problems, kind.method):
                self._refuse(f"method {kind.method}", fault, kind, tally)
            else:
                _count(wanted.methods, kind.method, tally)
        for name in kind.readable:
            if not _fault(response_header_problems, name):
                _count(wanted.exposed, name, tally)

    def _headers(self, wanted: Wanted, counted: Counted) -> None:
        asked = {(kind.origin, kind.method) for kind, _ in counted if kind.preflight}
        for kind, tally in counted:
            if kind.websocket or not (kind.preflight or (kind.origin, kind.method) not in asked):
                continue
            for name in kind.headers:
                if fault := _fault(request_header_problems, name):
                    self._refuse(f"header {name}", fault, kind, tally)
                else:
                    _count(wanted.headers, name, tally)

    def _refuse(self, what: str, reason: str, kind: Kind, tally: Tally) -> None:
        self.findings.append(Finding(what, reason, tally, (str(kind.place),)))


def _fault(problems: Callable[[Sequence[str]], Iterator[PolicyProblem]], name: str) -> str:
    """Why a name is nothing to list; "" for one that is."""
    if name == "*":
        return "'*' is no name, and no browser asks for it"
    found = next(iter(problems((name,))), None)
    return found.message if found else ""


def _is_insecure(origin: str) -> bool:
    read = read_origin(origin)
    return read is not None and is_insecure(read.scheme, read.host)


def _count(entries: dict[str, Tally], key: str, tally: Tally) -> None:
    entries[key] = _sum(entries.get(key), tally)


def _sum(present: Tally | None, more: Tally) -> Tally:
    whole = present or Tally()
    whole.add(more)
    return whole
