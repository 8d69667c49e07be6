"""The proposal: what of a configuration would change, the text with it, and everything that it opens.

What is opened is not what was meant to be written: the two configurations are compiled and compared, rule by rule.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from corsproxy.config.table import Rule, RuleTable
from corsproxy.cors.names import SAFELISTED_METHODS
from corsproxy.cors.pattern import ANY, Pattern
from corsproxy.cors.policy import Policy
from corsproxy.cors.spec import PolicySpec
from corsproxy.proxy.exchange import Exchange
from corsproxy.tools.learning.changes import Changes, changes_of
from corsproxy.tools.learning.evidence import Tally, together
from corsproxy.tools.learning.live import Learner
from corsproxy.tools.learning.places import Places
from corsproxy.tools.learning.suspects import suspects
from corsproxy.tools.learning.unused import Unused
from corsproxy.tools.learning.wanted import Counted, Finding
from corsproxy.tools.learning.writing import NEW, written
from corsproxy.tools.written_config import WrittenConfig


@dataclass(frozen=True, slots=True)
class Basis:
    """What a proposal starts from.

    ``config`` is the present configuration, None for a new one in ``file``; ``upstream`` is where new rules lead, ""
    for none; ``trusted`` are the origins and patterns that somebody has named as meant.
    """

    config: WrittenConfig | None = None
    upstream: str = ""
    trusted: tuple[Pattern, ...] = ()
    file: str = "config.yaml"
    environment: Mapping[str, str] = field(default_factory=dict)


class Opened(NamedTuple):
    """What becomes possible: the key, its value, and the rules under which it does."""

    key: str
    value: str
    rules: tuple[str, ...]
    seen: Tally | None = None  # what has shown it


@dataclass(frozen=True, slots=True)
class Proposal:
    """The configuration as it would be; made by ``propose``."""

    file: str
    before: str
    after: str
    opened: tuple[Opened, ...]
    findings: tuple[Finding, ...]
    unused: tuple[Unused, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after

    @property
    def diff(self) -> str:
        """The lines that differ."""
        old, new = self.before.splitlines(), self.after.splitlines()
        name = self.file if self.before else "/dev/null"
        return "\n".join(difflib.unified_diff(old, new, name, self.file, lineterm="", n=2))


def propose(counted: Counted, basis: Basis) -> Proposal:
    """The smallest change under which all that was seen (``Evidence.kinds``) works, but for what is suspicious.

    Raises InvalidConfig where the result could not be served, which a pattern that is trusted can bring about.
    """
    config = basis.config
    counted, findings = _without_suspects(counted, basis)
    changes, refused = changes_of(counted, config, basis.trusted, adds_rules=bool(basis.upstream))
    before = config.text if config else ""
    after = written(before or NEW, changes, basis.upstream) if changes else before
    opened: tuple[Opened, ...] = ()
    if after != before:
        compiled = WrittenConfig.read(after, config.file if config else basis.file, _environment(basis))
        opened = tuple(_opened(config.compiled.table if config else None, compiled.compiled.table, _shown(changes)))
    file = config.file if config else basis.file
    return Proposal(file, before, after, opened, (*findings, *refused), tuple(changes.unused))


def propose_from(exchanges: Iterable[Exchange], basis: Basis) -> Proposal:
    """The same for exchanges that somebody has recorded; raises InvalidConfig."""
    learner = Learner(Places(basis.config.compiled.table if basis.config else None))
    for exchange in exchanges:
        learner(exchange)
    return propose(learner.evidence.kinds(), basis)


def _environment(basis: Basis) -> Mapping[str, str]:
    return basis.config.environment if basis.config else basis.environment


def _without_suspects(counted: Counted, basis: Basis) -> tuple[Counted, list[Finding]]:
    """What may be learnt, and the origins that may not."""
    seen: dict[str, Tally] = {}
    for kind, tally in counted:
        if kind.origin:
            seen[kind.origin] = together([seen.get(kind.origin, Tally()), tally])
    allowed = _allowed(basis.config, seen)
    found = suspects(seen, allowed, basis.trusted)
    out = {suspect.origin for suspect in found}
    findings = [
        Finding(
            suspect.origin,
            suspect.reason,
            seen[suspect.origin],
            tuple(sorted({str(kind.place) for kind, _ in counted if kind.origin == suspect.origin})),
        )
        for suspect in found
    ]
    return [(kind, tally) for kind, tally in counted if kind.origin not in out], findings


def _allowed(config: WrittenConfig | None, seen: Mapping[str, Tally]) -> set[str]:
    """The origins that the present policies list, and those of the seen ones that they cover; ``*`` says nothing."""
    policies = [rule.policy for rule in config.compiled.table.rules if rule.policy] if config else []
    lists = [policy for policy in policies if str(ANY) not in policy.spec.allow_origins]
    listed = {entry for policy in lists for entry in policy.spec.allow_origins if "*" not in entry}
    return listed | {
        origin for origin in seen for policy in lists if policy.allows_origin(origin.encode("latin-1", "replace"))
    }


def _shown(changes: Changes) -> dict[tuple[str, str], Tally]:
    """What has shown each grant, by its key and value."""
    shown: dict[tuple[str, str], Tally] = {}
    for wanted in (*(one.wanted for one in changes.widened), *(one.wanted for one in changes.added)):
        flags = {**wanted.flags, **({"allow_credentials": wanted.credentials} if wanted.credentials else {})}
        granted = [(key, entry, seen) for key, entries in wanted.lists for entry, seen in entries.items()]
        for key, value, seen in (*granted, *((flag, "true", seen) for flag, seen in flags.items())):
            shown[key, value] = together([shown.get((key, value), Tally()), seen])
    return shown


def _opened(before: RuleTable | None, after: RuleTable, shown: Mapping[tuple[str, str], Tally]) -> Iterator[Opened]:
    """What every rule grants that it did not, with all the rules that do."""
    old = {rule.name: rule for rule in before.rules} if before else {}
    opened: dict[tuple[str, str], list[str]] = {}
    for rule in after.rules:
        present = old.get(rule.name)
        if present is None:
            opened.setdefault(("rules", ", ".join(map(str, rule.upstream.endpoints))), []).append(rule.name)
        for granted in _granted(rule.policy) - _granted(_policy(present)):
            opened.setdefault(granted, []).append(rule.name)
    order = ("rules", *PolicySpec.__dataclass_fields__)
    for key, value in sorted(opened, key=lambda found: (order.index(found[0]), found[1])):
        yield Opened(key, value, tuple(opened[key, value]), shown.get((key, value)))


def _policy(rule: Rule | None) -> Policy | None:
    return rule.policy if rule is not None else None


def _granted(policy: Policy | None) -> set[tuple[str, str]]:
    """Every grant of a policy, as a key and a value."""
    if policy is None:
        return set()
    spec = policy.spec
    lists = ("allow_origins", "allow_methods", "allow_headers", "expose_headers")
    flags = [key for key in PolicySpec.__dataclass_fields__ if key.startswith(("dangerously_", "allow_credentials"))]
    return {
        *((key, entry) for key in lists for entry in getattr(spec, key) if entry not in SAFELISTED_METHODS),
        *((key, "true") for key in flags if getattr(spec, key)),
    }
