"""A JavaScript program's syntax tree, as far as configurations are written in it: literals, and names for them.

Rules: nothing is evaluated; a value is a literal, or a name that is declared once for a literal and never assigned to;
anything else is Unreadable, in the program's own words.  The parser is tree-sitter's, of the extra ``import``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

import tree_sitter
import tree_sitter_javascript

from corsproxy.tools.importing.imported import Unreadable, Value
from corsproxy.tools.javascript import unescaped

_WORDS: Final[dict[str, Value]] = {"true": True, "false": False, "null": None, "undefined": None}
_SHOWN: Final = 60  # characters of an expression in a message


class Expression(NamedTuple):
    """A regular expression's literal."""

    pattern: str
    flags: str


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_javascript.language()))


class Program:
    """A program that was parsed; raises Unreadable where it is no JavaScript."""

    def __init__(self, source: str) -> None:
        self.root = _parser().parse(source.encode()).root_node
        if self.root.has_error:
            line = next(node.start_point.row for node in self.nodes() if node.is_error or node.is_missing) + 1
            raise Unreadable(f"line {line} is no JavaScript; TypeScript and JSX have to be compiled first")
        self.declared = self._declared()

    def nodes(self, *types: str) -> Iterator[tree_sitter.Node]:
        """Every node of these types, or of any, in the order of the text."""
        pending = [self.root]
        while pending:
            node = pending.pop()
            if not types or node.type in types:
                yield node
            pending += reversed(node.children)

    def resolve(self, node: tree_sitter.Node) -> tree_sitter.Node:
        """What a name stands for, where it is declared once and never changed; the node itself otherwise."""
        return self.declared.get(words(node), node) if node.type == "identifier" else node

    def literal(self, node: tree_sitter.Node, what: str) -> Value:  # noqa: PLR0911  # one for each kind
        """The value of a literal: text, number, boolean, None, Expression, list or mapping.

        Raises Unreadable for any other expression; a mapping's values are nodes, read one at a time by ``literal``.
        """
        node = self.resolve(node)
        if node.type == "string":
            return unescaped(words(node)[1:-1])
        if node.type == "template_string" and not any(child.type == "template_substitution" for child in node.children):
            return unescaped(words(node)[1:-1])
        if node.type == "number" and words(node).isdecimal():
            return int(words(node))
        if words(node) in _WORDS:
            return _WORDS[words(node)]
        if node.type == "regex":
            pattern, flags = node.child_by_field_name("pattern"), node.child_by_field_name("flags")
            return Expression(words(pattern).replace(r"\/", "/") if pattern else "", words(flags) if flags else "")
        if node.type == "array":
            return [self.literal(child, what) for child in values(node)]
        if node.type == "object":
            return self._mapping(node, what)
        raise Unreadable(f"{what} is not a literal but {_shown(node)}, which only the program knows")

    def _mapping(self, node: tree_sitter.Node, what: str) -> dict[str, tree_sitter.Node]:
        found = {}
        for child in values(node):
            key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
            if child.type == "shorthand_property_identifier":
                found[words(child)] = self.declared.get(words(child), child)
            elif child.type == "pair" and key and value and key.type != "computed_property_name":
                found[words(key).strip("'\"")] = value
            elif child.type == "method_definition" and (name := child.child_by_field_name("name")):
                found[words(name)] = child
            else:
                raise Unreadable(f"{what} has {_shown(child)} in it, which only the program knows")
        return found

    def _declared(self) -> dict[str, tree_sitter.Node]:
        bound: dict[str, list[tree_sitter.Node]] = {}
        for node in self.nodes("variable_declarator"):
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name and value:
                bound.setdefault(words(name), []).append(value)
        changed = {words(owner) for node in self.nodes("assignment_expression") for owner in _owners(node)}
        # A method may change what it is called on (``origins.push``), and nobody reads a list through one in a call.
        changed |= {words(owner) for node in self.nodes("member_expression") for owner in _owners(node)}
        return {name: nodes[0] for name, nodes in bound.items() if len(nodes) == 1 and name not in changed}


def words(node: tree_sitter.Node) -> str:
    """The text of a node."""
    return (node.text or b"").decode()


def values(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """What stands between the commas of a list, a mapping or a call."""
    return [child for child in node.named_children if child.type != "comment"]


def line_of(node: tree_sitter.Node) -> int:
    """The line on which a node begins, from 1."""
    return node.start_point.row + 1


def _owners(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """The names that a chain of members, or the left side of an assignment, begins with."""
    inner = node.child_by_field_name("left" if node.type == "assignment_expression" else "object")
    while inner is not None:
        if inner.type == "identifier":
            yield inner
        inner = inner.child_by_field_name("object")


def _shown(node: tree_sitter.Node) -> str:
    text = " ".join(words(node).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
