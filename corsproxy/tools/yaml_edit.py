"""Small edits of a YAML text that leave everything else byte for byte: an entry to a list, a key to a mapping, a value.

Rules: positions are those of PyYAML's own nodes; nothing is parsed by hand and nothing is dumped anew, so that
comments, order and quoting stay (a round-trip library would write the whole file in its own style, and a diff of one
line would become one of a hundred).  What an edit means is for the caller to check, by loading the result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

import yaml

from corsproxy.config.written import Path
from corsproxy.errors import CorsproxyError

Value = str | bool | Sequence[str]

# As in ``config.document``: the reader written in C is twenty times as fast, and PyYAML may lack it.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What YAML takes for a text, and for the same text, without quotes.  An origin is one; "*", "null" and "yes" are not.
_PLAIN: Final = re.compile(
    r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[A-Za-z][A-Za-z0-9_\-./:]*[A-Za-z0-9/]", re.IGNORECASE
)

_FLOW: Final = re.compile(r"[\[\]{},]")  # ends a text without quotes in a flow collection


class NotEditable(CorsproxyError):
    """There is nothing at this path of the text that could be edited so."""


def add_entry(text: str, path: Path, entry: str) -> str:
    """The text with one more entry at the end of the list at ``path``; a single value becomes a list of two.

    Raises NotEditable where there is no list and no text.
    """
    node = _find(text, path)
    if isinstance(node, yaml.ScalarNode):
        return _replace(text, node, f"[{_in_a_list(text, node)}, {scalar(entry)}]")
    if not isinstance(node, yaml.SequenceNode):
        raise NotEditable(f"{_dotted(path)} is no list")
    if not node.value:
        return _replace(text, node, f"[{scalar(entry)}]")
    last = node.value[-1]
    if node.flow_style:
        return _insert(text, last.end_mark.index, f", {scalar(entry)}")
    return _insert_line(text, last, node.start_mark.column, f"- {scalar(entry)}")


def set_key(text: str, path: Path, key: str, value: Value) -> str:
    """The text with ``key: value`` in the mapping at ``path``, in place of what stood there or after the last key.

    Raises NotEditable where there is no mapping.
    """
    node = _find(text, path)
    if not isinstance(node, yaml.MappingNode):
        raise NotEditable(f"{_dotted(path)} is no mapping")
    for name, present in node.value:
        if name.value == key:
            return _replace(text, present, dumped(value))
    line = f"{key}: {dumped(value)}"
    if not node.value:
        return _replace(text, node, "{" + line + "}")
    last = node.value[-1][1]
    if node.flow_style:
        return _insert(text, last.end_mark.index, f", {line}")
    return _insert_line(text, last, node.start_mark.column, line)


def replace(text: str, path: Path, source: str) -> str:
    """The text with YAML ``source`` in place of the value at ``path``; raises NotEditable where there is none."""
    return _replace(text, _find(text, path), source)


def scalar(text: str) -> str:
    """A text as YAML, with quotes only where it needs them."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def dumped(value: Value) -> str:
    """A value as YAML, in one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return scalar(value)
    return f"[{', '.join(map(scalar, value))}]"


def _find(text: str, path: Path) -> yaml.Node:
    node = yaml.compose(text, _LOADER)
    for step in path:
        below = _below(node, step)
        if below is None:
            raise NotEditable(f"there is no {_dotted(path)}")
        node = below
    if node is None:
        raise NotEditable("there is nothing in this text")
    return node


def _below(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: yaml.Node = node.value[step]
        return found
    return None


def _source(text: str, node: yaml.Node) -> str:
    return text[node.start_mark.index : node.end_mark.index]


def _in_a_list(text: str, node: yaml.ScalarNode) -> str:
    """A value as it is written, in quotes where a list in brackets would read it otherwise: ``${NAME}``."""
    source = _source(text, node)
    return source if node.style or not _FLOW.search(source) else json.dumps(source)


def _replace(text: str, node: yaml.Node, source: str) -> str:
    old = _source(text, node)
    # A block's end is where the next token begins: what lies between (comments, empty lines) is not its own.
    kept = old[len(old.rstrip()) :]
    return text[: node.start_mark.index] + source + kept + text[node.end_mark.index :]


def _insert(text: str, index: int, source: str) -> str:
    return text[:index] + source + text[index:]


def _insert_line(text: str, last: yaml.Node, column: int, source: str) -> str:
    """A line of its own, after the one in which ``last`` ends, indented to ``column``."""
    end = _end(last)
    newline = text.find("\n", end)
    if newline < 0:
        return f"{text}\n{' ' * column}{source}\n"
    ending = "\r\n" if text[newline - 1] == "\r" else "\n"
    return _insert(text, newline + 1, f"{' ' * column}{source}{ending}")


def _end(node: yaml.Node) -> int:
    """Where the last scalar of a node ends; that of a block collection is the beginning of whatever follows it."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    index: int = node.end_mark.index
    return index


def _dotted(path: Path) -> str:
    return ".".join(map(str, path)) or "the document"
