"""A configuration as text, compiled, and how to get from a compiled rule back to where it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from corsproxy.config.document import read_document
from corsproxy.config.load import Compiled, load_config
from corsproxy.config.model import PolicyConfig
from corsproxy.config.table import Rule
from corsproxy.config.written import Node, Path, Place


@dataclass(frozen=True, slots=True)
class WrittenConfig:
    """A configuration file's text and what it means; made by ``read``."""

    text: str
    file: str
    environment: Mapping[str, str]
    compiled: Compiled
    _root: Node = field(repr=False)

    @classmethod
    def read(cls, text: str, file: str, environment: Mapping[str, str]) -> WrittenConfig:
        """Compile a text; raises InvalidConfig with every problem."""
        text = text.removeprefix("\ufeff")  # positions are counted without it
        compiled = load_config(text, file, environment)
        root, _ = read_document(text, file, environment)
        if root is None:  # pragma: no cover  # load_config would have raised
            raise AssertionError
        return cls(text, file, environment, compiled, root)

    def changed(self, text: str) -> WrittenConfig:
        """The same file with another text; raises InvalidConfig."""
        return self.read(text, self.file, self.environment)

    def index_of(self, rule: Rule) -> int:
        """Which entry of ``rules`` a compiled rule was."""
        found = self._root.child("rules")
        nodes = found.below() if found else []
        places = [f"{self.file}:{node.place.line}:{node.place.column}" for node in nodes]
        return places.index(rule.where)

    def where(self, path: Path) -> str:
        """Where something is written, or else the last of its parents that is: FILE:LINE:COLUMN."""
        line, column = self._root.find(path).place
        return f"{self.file}:{line}:{column}"

    def same(self, path: Path, other: Path) -> bool:
        """Whether two paths lead to the same words of the text, as those of an alias and its anchor do."""
        return self._root.find(path).node.place == self._root.find(other).node.place

    def place(self, path: Path) -> Place:
        """Where the last step of a path that is written stands."""
        return self._root.find(path).key_place

    def policy_path(self, rule: Rule) -> Path | None:
        """Where the policy of a rule is written; None where it has none."""
        index = self.index_of(rule)
        written = self.compiled.config.rules[index].policy
        if isinstance(written, PolicyConfig):
            return ("rules", index, "policy")
        return ("policies", written) if written in self.compiled.config.policies else None
