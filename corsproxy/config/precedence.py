"""From rules to the table: who wins, and who is never reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from corsproxy.config.findings import Findings
from corsproxy.config.table import NO_PREFIXES, Prefixes, Rule, RuleTable
from corsproxy.config.written import Path
from corsproxy.http.forwarded import Forwarding


def build_table(rules: Iterable[Rule], forwarding: Forwarding, request_id: bytes = b"") -> RuleTable:
    """The table of rules that differ in host or path."""
    ordered = sorted(rules, key=_precedence)
    hosts = {host: _prefixes(list(group)) for host, group in groupby(ordered, key=lambda rule: rule.host)}
    return RuleTable(
        forwarding=forwarding,
        rules=tuple(ordered),
        exact={host: prefixes for host, prefixes in hosts.items() if host and not host.startswith("*.")},
        wildcard={host[2:]: prefixes for host, prefixes in hosts.items() if host.startswith("*.")},
        any_host=hosts.get("", NO_PREFIXES),
        request_id=request_id,
    )


def refuse_unreachable(rules: Sequence[tuple[Path, Rule]], findings: Findings) -> None:
    """Record every rule that has the host and path of one before it: no request could reach it.

    Any other rule is reached: the more specific one takes only a part of what the other matches.
    """
    first: dict[tuple[str, str], Path] = {}
    for path, rule in rules:
        winner = first.setdefault((rule.host, rule.path), path)
        if winner is not path:
            line = findings.place(winner).line
            other = f"the one in line {line}" if line else "one before it"
            findings.refuse(
                (*path, "path"), f"no request reaches this rule; {other} has the same host and path and wins"
            )


def _precedence(rule: Rule) -> tuple[int, int, str, int, str]:
    wildcard = rule.host.startswith("*.")
    kind = 2 if not rule.host else int(wildcard)
    return kind, -rule.host.count(".") if wildcard else 0, rule.host, -_depth(rule.path), rule.path


def _prefixes(rules: Sequence[Rule]) -> Prefixes:
    return Prefixes({rule.path.rstrip("/"): rule for rule in rules}, max(_depth(rule.path) for rule in rules))


def _depth(path: str) -> int:
    return path.rstrip("/").count("/")
