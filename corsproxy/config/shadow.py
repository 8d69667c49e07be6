"""The shadow: a second table that is asked about the requests of the one in force, and decides nothing.

It is a whole configuration of its own (``shadow: FILE``), or the table in force with other policies in some of its
rules (``rules[].shadow``); the two never together, and a shadow has none itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from corsproxy.config.exposure import check_credentials
from corsproxy.config.findings import Findings
from corsproxy.config.model import Config
from corsproxy.config.rules import Context
from corsproxy.config.table import Rule, RuleTable
from corsproxy.config.written import Path

_OF_A_SHADOW = "this configuration is itself tried as a shadow, and a shadow has none of its own; remove it here"
_TWICE = "the whole table has a shadow already; remove this one, or the key shadow at the top"


@dataclass(frozen=True, slots=True)
class Shadow:
    """A table that is tried.

    ``rules`` are those in force that have another policy in it, each with what it is there; None: it is a table of its
    own, for every request.  That one has been read from ``file``, and ``text`` is what stood there.
    """

    table: RuleTable
    rules: Mapping[Rule, Rule] | None = None
    file: str = ""
    text: str = ""

    def __str__(self) -> str:
        count = len(self.tried)
        return self.file or f"the {'policy of a rule' if count == 1 else f'policies of {count} rules'}"

    @property
    def tried(self) -> tuple[Rule, ...]:
        """Its rules that are not those in force."""
        return self.table.rules if self.rules is None else tuple(self.rules.values())


def compile_rule_shadows(config: Config, rules: Iterable[tuple[Path, Rule]], context: Context) -> dict[Rule, Rule]:
    """The rules that have a shadow, each with what it becomes there; that has to be as safe as what is in force."""
    found: dict[Rule, Rule] = {}
    for path, rule in rules:
        written = config.rules[cast("int", path[-1])]
        if written.shadow is not None:
            policy = context.policies.find((*path, "shadow"), written.shadow, f"{rule.name} (shadow)")
            check_credentials(written, rule.upstream, policy, path, context.findings)
            found[rule] = replace(rule, policy=policy)
    return found


def refuse_two_shadows(config: Config, findings: Findings) -> None:
    """Record every rule that has a shadow where the whole table has one."""
    if config.shadow:
        _refuse_of_rules(config, _TWICE, findings)


def refuse_shadows(config: Config, findings: Findings) -> None:
    """Record every shadow of a configuration that is one itself."""
    if config.shadow:
        findings.refuse_key(("shadow",), _OF_A_SHADOW)
    _refuse_of_rules(config, _OF_A_SHADOW, findings)


def _refuse_of_rules(config: Config, message: str, findings: Findings) -> None:
    for index, rule in enumerate(config.rules):
        if rule.shadow is not None:
            findings.refuse_key(("rules", index, "shadow"), message)
