"""What was written, and where: the nodes of a configuration file.

Rules: a node belongs to one parent, so that what is taken out of one place stays in every other; positions are those of
the text, from 1, whatever is taken out later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from corsproxy.errors import CorsproxyError

Path = tuple[str | int, ...]  # ("rules", 0, "path")
Scalar = str | int | float | bool | None


class Unusable(CorsproxyError, ValueError):
    """A value cannot be what its key means; ``correction`` is the value to write instead, or ""."""

    def __init__(self, message: str, correction: str = "") -> None:
        super().__init__(message)
        self.correction = correction


class Nothing:
    """What stands for a YAML null in plain data, so that it is never taken for a key's own None."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = Nothing()


class Place(NamedTuple):
    """A position in a text, both from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Node:
    """A value of a YAML document.

    ``lost`` are the keys whose values could not be used and were taken out: they were written, so they are not missing,
    and what depends on them is not to be judged.
    """

    value: Scalar | list[Node] | dict[str, Node]
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)  # where the keys of a mapping stand
    flow: bool = False  # [a, b] and {a: b}
    text: str = ""  # of a scalar, before it became a number, true or nothing
    lost: set[str] = field(default_factory=set)

    def plain(self) -> object:
        """The value without positions: str, int, float, bool, NOTHING, list and dict."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return NOTHING if self.value is None else self.value

    def below(self) -> list[Node]:
        """The nodes directly inside this one."""
        if isinstance(self.value, dict):
            return list(self.value.values())
        return self.value if isinstance(self.value, list) else []

    def size(self) -> int:
        """How many nodes there are, this one included."""
        return 1 + sum(node.size() for node in self.below())

    def copy(self) -> Node:
        """A tree of its own with the same content."""
        value = self.value
        if isinstance(value, dict):
            value = {key: node.copy() for key, node in value.items()}
        elif isinstance(value, list):
            value = [node.copy() for node in value]
        return Node(value, self.place, dict(self.keys), self.flow, self.text, set(self.lost))

    def child(self, step: str | int) -> Node | None:
        """What stands under a key or at an index, or None."""
        if isinstance(self.value, dict):
            return self.value.get(str(step)) if isinstance(step, str) else None
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            return self.value[step]
        return None

    def find(self, path: Path) -> Found:
        """What a path leads to, as far as it exists.

        A step that fits nothing is passed over: one value may stand where a list of them is meant, and the names that
        pydantic gives to the branches of a union stand nowhere.
        """
        nodes, steps = [self], list[str | int]()
        for step in path:
            below = nodes[-1].child(step)
            if below is not None:
                nodes.append(below)
                steps.append(step)
        return Found(tuple(nodes), tuple(steps))


class Found(NamedTuple):
    """The nodes along a path, the root first, and the steps between them."""

    nodes: tuple[Node, ...]
    path: Path

    @property
    def node(self) -> Node:
        """The last one."""
        return self.nodes[-1]

    @property
    def key_place(self) -> Place:
        """Where the key stands that leads to the last node; of a list's entry, where that begins."""
        if self.path and isinstance(step := self.path[-1], str):
            return self.nodes[-2].keys[step]
        return self.node.place

    @property
    def place(self) -> Place:
        """Where to point at: a text or number itself; the key of a list or mapping, and of what is empty."""
        empty = self.node.value is None and not self.node.text
        return self.key_place if empty or isinstance(self.node.value, dict | list) else self.node.place

    def line(self, value: str) -> str:
        """The line of YAML that has ``value`` (in YAML) in place of the last node."""
        step = self.path[-1] if self.path else ""
        if isinstance(step, str):
            return f"{step}: {value}" if step else value
        return value if self.nodes[-2].flow else f"- {value}"
