"""Policies, by name and inside rules."""

from __future__ import annotations

from typing import Any

from corsproxy.config.findings import Findings
from corsproxy.config.model import Config, PolicyConfig
from corsproxy.config.names import check_name
from corsproxy.config.written import Path
from corsproxy.cors.policy import Policy, PolicySpec, compile_policy
from corsproxy.errors import InvalidPolicy

NO_POLICY = "none"


class Policies:
    """The policies of a configuration, compiled once each."""

    def __init__(self, config: Config, findings: Findings) -> None:
        self.findings = findings
        self.named = {name: self._named(name, written) for name, written in config.policies.items()}
        self.used: set[str] = set()

    def find(self, path: Path, written: str | PolicyConfig, inline_name: str) -> Policy | None:
        """The policy that a rule has at ``path``; None for "none", and after a problem was recorded.

        A policy inside a rule is called ``inline_name``.
        """
        if isinstance(written, PolicyConfig):
            return self._compile(inline_name, path, written)
        self.used.add(written)
        if written != NO_POLICY and written not in self.named:
            self.findings.refer(path, "policy", written, self.named, NO_POLICY)
        return self.named.get(written)

    def warn_of_unused(self) -> None:
        """Record the names that no rule uses."""
        for name in self.named:
            if name not in self.used:
                message = f"no rule uses the policy {name!r}; remove it, or name it in a rule"
                self.findings.warn(("policies", name), message)

    def _named(self, name: str, written: PolicyConfig) -> Policy | None:
        path: Path = ("policies", name)
        check_name(path, self.findings)
        if name == NO_POLICY:
            self.findings.refuse_key(path, "the name 'none' means no policy; choose another one")
        return self._compile(name, path, written)

    def _compile(self, name: str, path: Path, written: PolicyConfig) -> Policy | None:
        try:
            return compile_policy(spec_of(name, written), self.findings.where_key(path))
        except InvalidPolicy as invalid:
            for field, index, message, correction in invalid.problems:
                place = (*path, field) if index is None else (*path, field, index)
                if correction.partition(":")[0] in PolicyConfig.model_fields:
                    self.findings.refuse(place, message, line=correction)
                else:
                    self.findings.refuse(place, message, correction)
            return None


def spec_of(name: str, written: PolicyConfig) -> PolicySpec:
    """The same keys in the engine's type, whose lists cannot change."""
    keys: dict[str, Any] = written.model_dump()
    lists = {key: tuple(value) for key, value in keys.items() if isinstance(value, list)}
    return PolicySpec(name=name, **(keys | lists))
