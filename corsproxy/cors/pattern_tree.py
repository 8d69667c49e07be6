"""Patterns as the tree of one expression, in which what they share stands once, so that thousands are soon searched."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from corsproxy.cors.expression import Characters, Choice, Node, Repeat, literal
from corsproxy.cors.expression import Sequence as InOrder
from corsproxy.cors.pattern import Pattern

_DIGITS: Final = Characters(frozenset(string.digits), listed=False)
_LABEL: Final = Repeat(Characters(frozenset(string.ascii_lowercase + string.digits + "-_"), listed=False), 1, None)
_LABELS: Final = Repeat(InOrder((_LABEL, literal("."))), 1, None)
_ANY_PORT: Final = Repeat(InOrder((literal(":"), Repeat(_DIGITS, 1, None))), 0, 1)


def pattern_tree(patterns: Iterable[Pattern]) -> Node:
    """The origins of any of these, and texts that are no origins; ``*`` and ``null`` may not be among them."""
    alike: dict[tuple[str, bool, int | None, bool], list[str]] = {}
    for scheme, host, port, subdomains, any_port in patterns:
        alike.setdefault((scheme, subdomains, port, any_port), []).append(host)
    return Choice(tuple(_tree(*shared, hosts) for shared, hosts in alike.items()))


def _tree(scheme: str, subdomains: bool, port: int | None, any_port: bool, hosts: Iterable[str]) -> Node:  # noqa: FBT001  # fields of a Pattern
    labels = (_LABELS,) if subdomains else ()
    written = "" if port is None else f":{port}"
    behind = (_ANY_PORT,) if any_port else _literals(written)
    return InOrder((*_literals(f"{scheme}://"), *labels, _prefixes(sorted(hosts)), *behind))


def _prefixes(texts: Sequence[str]) -> Node:
    """Any of these sorted texts, beginnings that they share written once."""
    first, last = texts[0], texts[-1]
    shared = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    rests = groupby((text[shared:] for text in texts), key=lambda rest: rest[:1])
    branches = [_prefixes(list(group)) if start else InOrder(()) for start, group in rests]
    return InOrder((*_literals(first[:shared]), Choice(tuple(branches))))


def _literals(text: str) -> tuple[Node, ...]:
    return tuple(map(literal, text))
