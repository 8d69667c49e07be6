"""What has to change in a rule table, so that it grants what pages want; nothing that it grants is taken away.

Rules: a policy that several rules share is one policy, and what it gets all of them get; a place that no rule has is
nobody's until an upstream is named for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from corsproxy.config.table import Rule
from corsproxy.config.written import Path
from corsproxy.cors.pattern import Pattern
from corsproxy.cors.policy import Policy
from corsproxy.tools.learning.evidence import Tally, together
from corsproxy.tools.learning.places import Place
from corsproxy.tools.learning.unused import Unused, unused
from corsproxy.tools.learning.wanted import Counted, Finding, Reader, Wanted
from corsproxy.tools.written_config import WrittenConfig

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Widened(NamedTuple):
    """A policy that there is, and what it gets besides."""

    path: Path
    wanted: Wanted


@dataclass(slots=True)
class Added:
    """A policy that there was not, and who gets it."""

    name: str
    wanted: Wanted
    rules: list[int] = field(default_factory=list)  # entries of the present rules
    places: list[Place] = field(default_factory=list)  # of rules that are new


@dataclass(slots=True)
class Changes:
    """Everything that has to change."""

    widened: list[Widened] = field(default_factory=list)
    added: list[Added] = field(default_factory=list)
    forwarded: dict[Place, Tally] = field(default_factory=dict)  # new rules that need no policy
    unused: list[Unused] = field(default_factory=list)  # what could go

    def __bool__(self) -> bool:
        return bool(self.widened or self.added or self.forwarded)


def changes_of(
    counted: Counted, config: WrittenConfig | None, trusted: Sequence[Pattern], *, adds_rules: bool
) -> tuple[Changes, list[Finding]]:
    """The changes that requests ask for, and what of them is not learnt; ``adds_rules``: there may be new ones."""
    pages = [(kind, tally) for kind, tally in counted if kind.origin]
    reader = Reader(pages, trusted)
    return _Comparison(reader, config).compare(counted, adds_rules=adds_rules), reader.findings


class _Comparison:
    def __init__(self, reader: Reader, config: WrittenConfig | None) -> None:
        self._reader = reader
        self._config = config
        rules = config.compiled.table.rules if config else ()
        self._rules = {Place(rule.host, rule.path): rule for rule in rules}
        self._names = set(config.compiled.config.policies) if config else set()
        self._names.add("none")

    def compare(self, counted: Counted, *, adds_rules: bool) -> Changes:
        places: dict[Place, Counted] = {}
        for kind, tally in counted:
            places.setdefault(kind.place, []).append((kind, tally))
        shared: dict[Path, tuple[Policy, Counted]] = {}
        changes = Changes()
        for place, here in sorted(places.items()):
            rule = self._rules.get(place)
            pages = [(kind, tally) for kind, tally in here if kind.origin]
            if rule is None and adds_rules:
                self._new(changes, place, pages, together(tally for _, tally in here))
            elif rule is None:
                seen = together(tally for _, tally in here)
                reason = "no rule is for it; name its --upstream, and it gets one"
                self._reader.findings.append(Finding(f"requests for {place}", reason, seen, (str(place),)))
            elif pages:
                self._present(changes, rule, pages, shared)
        for path, (policy, pages) in shared.items():
            needed = self._reader.read(pages, policy)
            changes.unused += unused(policy.spec, needed)
            wanted = self._missing(policy, needed, pages)
            if wanted.shape != Wanted().shape:
                changes.widened.append(Widened(path, wanted))
        return changes

    def _present(
        self, changes: Changes, rule: Rule, pages: Counted, shared: dict[Path, tuple[Policy, Counted]]
    ) -> None:
        """Requests for a rule that there is."""
        config = self._config
        if config is None:  # pragma: no cover  # then there are no rules
            raise AssertionError
        index, path = config.index_of(rule), config.policy_path(rule)
        if rule.policy is not None and path is not None:
            shared.setdefault(path, (rule.policy, []))[1].extend(pages)
        elif config.compiled.config.rules[index].upstream_cors == "keep":
            seen = together(tally for _, tally in pages)
            reason = "its rule has `upstream_cors: keep`, so that the upstream decides"
            self._reader.findings.append(Finding(f"requests for {rule.name}", reason, seen, (rule.name,)))
        else:
            wanted = self._reader.read(pages)
            if wanted.origins:
                self._policy(changes, Place(rule.host, rule.path), wanted).rules.append(index)

    def _new(self, changes: Changes, place: Place, pages: Counted, seen: Tally) -> None:
        """Requests that no rule is for."""
        wanted = self._reader.read(pages)
        if wanted.origins:
            self._policy(changes, place, wanted).places.append(place)
        elif len(pages) == 0:
            changes.forwarded[place] = seen

    def _policy(self, changes: Changes, place: Place, wanted: Wanted) -> Added:
        """A new policy; one for all who need the same."""
        for added in changes.added:
            if added.wanted.shape == wanted.shape:
                added.wanted.add(wanted)
                return added
        stem = _NOT_IN_NAMES.sub("-", place.path.rpartition("/")[2]).strip("-.")[:50] or "pages"
        name, number = stem, 1
        while name in self._names:
            number += 1
            name = f"{stem}-{number}"
        self._names.add(name)
        changes.added.append(Added(name, wanted))
        return changes.added[-1]

    def _missing(self, policy: Policy, wanted: Wanted, pages: Counted) -> Wanted:
        """What of it the policy does not grant."""
        spec = policy.spec
        origins = {entry: seen for entry, seen in wanted.origins.items() if not _allows(policy, entry)}
        missing = Wanted(
            origins,
            _unlisted(wanted.methods, spec.allow_methods),
            _unlisted(wanted.headers, [name.lower() for name in spec.allow_headers]),
            _unlisted(wanted.exposed, [name.lower() for name in spec.expose_headers]),
            None if spec.allow_credentials else wanted.credentials,
            {flag: seen for flag, seen in wanted.flags.items() if not getattr(spec, flag)},
        )
        if missing.credentials is not None and "*" in spec.allow_origins:
            names = sorted({kind.origin for kind, _ in pages})
            reason = f"policy {spec.name} allows '*', which gets none; list origins instead: {', '.join(names)}"
            self._reader.findings.append(Finding("credentials", reason, missing.credentials))
            missing.credentials = None
        return missing


def _allows(policy: Policy, entry: str) -> bool:
    return entry in policy.spec.allow_origins or policy.allows_origin(entry.encode("ascii", "replace"))


def _unlisted(entries: dict[str, Tally], listed: Sequence[str]) -> dict[str, Tally]:
    return {} if "*" in listed else {entry: seen for entry, seen in entries.items() if entry not in listed}
