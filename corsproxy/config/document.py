"""YAML text to nodes that know their line and column.

Rules: nothing is constructed but text, numbers, booleans, lists and mappings; what YAML would quietly let through (a
key twice, a second document, a merge key) is a problem; aliases are copied, under a bound, so that no file can become
much larger than it looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import yaml

from corsproxy.config import syntax
from corsproxy.config.environment import interpolate
from corsproxy.config.scalars import resolve
from corsproxy.config.written import Node, Path, Place, Unusable
from corsproxy.errors import Problem

MAX_NODES = 200_000
MAX_DEPTH = 32

# The reader written in C is twenty times as fast; where PyYAML was built without it, its own does the same.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_HARMLESS_TAGS = {None, "!", "tag:yaml.org,2002:str"}
_SMALLEST = "rules: [{path: /, upstream: http://127.0.0.1:8000, policy: none}]"


class _TooLarge(Exception):  # it ends the reading, and is not an error of this program
    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


def read_document(
    text: str, file: str, environment: Mapping[str, str], smallest: str = _SMALLEST
) -> tuple[Node | None, list[Problem]]:
    """The root of the one document in a text, and what is wrong with it; None where nothing can be used.

    ``smallest`` is a document that would do.
    """
    text = text.removeprefix("\ufeff")
    if problem := syntax.unprintable(text, file):
        return None, [problem]
    reader = _Reader(yaml.parse(text, _LOADER), file, environment, smallest)
    try:
        return reader.document(), reader.problems
    except yaml.MarkedYAMLError as error:
        return None, [*reader.problems, syntax.explain(error, text, file)]
    except _TooLarge as error:
        return None, [*reader.problems, Problem(file, *error.place, str(error))]


def place_of(path: Path, text: str, file: str, environment: Mapping[str, str]) -> Place:
    """Where the value at a path of a text stands, of a text that has been read without problems."""
    root, _ = read_document(text, file, environment)
    if root is None:  # pragma: no cover  # it has been read
        raise AssertionError
    return root.find(path).place


class _Reader:
    """Builds nodes from the events of a YAML parser."""

    def __init__(self, events: Iterator[yaml.Event], file: str, environment: Mapping[str, str], smallest: str) -> None:
        self.events = events
        self.file = file
        self.environment = environment
        self.smallest = smallest
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node | None] = {}
        self.nodes = 0

    def document(self) -> Node | None:
        """The root mapping, or None."""
        root = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent) and self.nodes:
                self.refuse(_place(event), "a second document begins here; a configuration is one document")
                return None
            if isinstance(event, yaml.NodeEvent):  # the other events mark the beginning and the end
                root = self.node(event, 0)
        if self.nodes == 0 or (root and root.value is None):
            self.problems.append(Problem(self.file, 0, 0, "there is no configuration in this file", self.smallest))
            return None
        if root and not isinstance(root.value, dict):
            key = self.smallest.partition(":")[0]
            self.refuse(root.place, f"a configuration is a mapping; begin with a key like {key}:", self.smallest)
            return None
        return root

    def refuse(self, place: Place, message: str, correction: str = "") -> None:
        self.problems.append(Problem(self.file, *place, message, correction))

    def node(self, event: yaml.Event, depth: int) -> Node | None:
        """The node that begins with this event; None when it cannot be used, which has been reported."""
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        self.count(1, event)
        if depth > MAX_DEPTH:
            message = f"more than {MAX_DEPTH} levels inside each other; no configuration needs them"
            raise _TooLarge(_place(event), message)
        begun = cast("yaml.ScalarEvent | yaml.CollectionStartEvent", event)
        node = self.untagged(begun, self.content(begun, depth))
        if begun.anchor:
            # Only now: an alias inside its own anchor would never end.
            self.anchors[begun.anchor] = node
        return node

    def content(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, depth: int) -> Node | None:
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event)
        read = self.sequence if isinstance(event, yaml.SequenceStartEvent) else self.mapping
        return read(event, depth)

    def count(self, nodes: int, event: yaml.Event) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            message = f"the file becomes more than {MAX_NODES:,} values here; remove the aliases that multiply them"
            raise _TooLarge(_place(event), message)

    def alias(self, event: yaml.AliasEvent) -> Node | None:
        if event.anchor not in self.anchors:
            message = f"*{event.anchor} is an alias of nothing; put it in quotes if it is meant as text"
            self.refuse(_place(event), message, f'"*{event.anchor}"')
            return None
        target = self.anchors[event.anchor]
        if target is None:
            return None
        self.count(target.size(), event)
        return target.copy()

    def untagged(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, node: Node | None) -> Node | None:
        if event.tag in _HARMLESS_TAGS:
            return node
        tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
        self.refuse(_place(event), f"the tag {tag} is not supported; remove it")
        return None

    def scalar(self, event: yaml.ScalarEvent) -> Node | None:
        try:
            text = interpolate(event.value, self.environment) if "${" in event.value else event.value
        except Unusable as unusable:
            self.refuse(_place(event), str(unusable), unusable.correction)
            return None
        bare = event.style in {None, ""} and event.tag is None
        # An empty value from the environment is an empty text, and not the absence of one.
        value = resolve(text) if bare and (text or not event.value) else text
        return Node(value, _place(event), text=text)

    def sequence(self, event: yaml.CollectionStartEvent, depth: int) -> Node:
        items: list[Node] = []
        node = Node(items, _place(event), flow=bool(event.flow_style))
        while not isinstance(item := next(self.events), yaml.SequenceEndEvent):
            below = self.node(item, depth + 1)
            if below is None:
                node.lost.add("")
            else:
                items.append(below)
        return node

    def mapping(self, event: yaml.CollectionStartEvent, depth: int) -> Node:
        values: dict[str, Node] = {}
        node = Node(values, _place(event), flow=bool(event.flow_style))
        while not isinstance(key := next(self.events), yaml.MappingEndEvent):
            name = self.key(key, node, depth)
            value = self.node(next(self.events), depth + 1)
            if name is None:
                continue
            if value is None:
                node.lost.add(name)
            else:
                values[name] = value
        return node

    def key(self, event: yaml.Event, node: Node, depth: int) -> str | None:
        """A key's text; None when it cannot be one, which has been reported."""
        place = _place(event)
        if not isinstance(event, yaml.ScalarEvent):
            self.node(event, depth + 1)
            self.refuse(place, "a key is plain text here, neither a list nor a mapping nor an alias")
            return None
        name = event.value
        if name == "<<" and not event.style:
            self.refuse(place, "merge keys are not supported; name a policy or an upstream, and refer to it")
        elif name in node.keys:
            first = node.keys[name]
            self.refuse(place, f"the key {name!r} stands here twice, first in line {first.line}; remove one of them")
        else:
            node.keys[name] = place
            return name
        node.lost.add(name)
        return None


def _place(event: yaml.Event) -> Place:
    mark = cast("yaml.Mark", event.start_mark)
    return Place(mark.line + 1, mark.column + 1)
