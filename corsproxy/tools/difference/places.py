"""Hosts and paths, taken apart so finely that either table answers each piece by one rule.

Rules: a piece is what one host entry and one path prefix of the two tables take and no more specific one of them does;
every piece has a request in it.  Requests that servers read in two ways (``//orders``, ``/a%2Fb``) are in pieces of
their own, since a table refuses them where the two readings belong to different rules (see ``http.target``).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from corsproxy.config.table import NO_PREFIXES, Prefixes, Rule, RuleTable

_NAMES: Final = ("api.example.com", "api.example.net", "api.example.org")
_LABELS: Final = ("api", "a", "b", "www")


class Cell(NamedTuple):
    """A piece of the space: ``host`` is "" (any), ``*.example.com`` or exact, ``path`` a prefix, "" for all.

    ``reading`` is the path as the most lenient server reads it; elsewhere than at ``path`` it is a piece of its own.
    """

    host: str
    path: str
    reading: str

    @property
    def plain(self) -> bool:
        """Whether all servers read its paths in one way."""
        return self.path == self.reading


class Pair(NamedTuple):
    """The rules that take a piece, in the old table and in the new one; None: it is refused."""

    old: Rule | None
    new: Rule | None


NO_RULE: Final = Pair(None, None)


@dataclass(frozen=True)
class Space:
    """All hosts and paths, as two tables tell them apart."""

    old: RuleTable
    new: RuleTable

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The host entries of both tables, and "" for any other host."""
        return frozenset({"", *(rule.host for table in (self.old, self.new) for rule in table.rules)})

    def cells(self) -> Iterator[tuple[Cell, Pair]]:
        """Every piece that either table serves."""
        for host in sorted(self.hosts):
            paths = self.paths(host)
            for reading in sorted(paths):
                path: str | None = reading
                while path is not None:
                    cell = Cell(host, path, reading)
                    if (pair := self.pair(cell)) != NO_RULE:
                        yield cell, pair
                    path = parent_path(path, paths)

    def pair(self, cell: Cell) -> Pair:
        """The rules that take a piece."""
        name = self.host_in(cell.host)
        return Pair(_find(self.old, name, cell), _find(self.new, name, cell))

    def locate(self, host: str, key: str, lenient: str) -> Cell:
        """The piece that a request is in: its host in lower case, and its path as ``http.target`` reads it."""
        entry = host if host in self.hosts else next((name for name in _parents(host) if name in self.hosts), "")
        paths = self.paths(entry)
        return Cell(entry, _longest(paths, key), _longest(paths, lenient))

    def paths(self, host: str) -> frozenset[str]:
        """The prefixes that can matter at a host entry, and "" for any other path."""
        found = (prefixes.rules for table in (self.old, self.new) for prefixes in _prefixes(table, host))
        return frozenset({""}.union(*found))

    def host_in(self, entry: str) -> str:
        """A host that this entry takes and no more specific one."""
        if entry and not entry.startswith("*."):
            return entry
        below = entry[1:]
        names = (f"{label}{below}" for label in _LABELS) if below else iter(_NAMES)
        new = (f"a{number}{below}" for number in itertools.count())
        return next(name for name in itertools.chain(names, new) if self.locate(name, "", "").host == entry)


def parent_path(path: str, paths: AbstractSet[str]) -> str | None:
    """The longest of the other prefixes that takes this one, None for ""."""
    return _longest(paths, path[: path.rfind("/")]) if path else None


def parent_host(host: str, hosts: AbstractSet[str]) -> str | None:
    """The most specific of the other host entries that takes what this one does, None for ""."""
    if not host:
        return None
    return next((name for name in _parents(host.removeprefix("*.")) if name in hosts), "")


def _find(table: RuleTable, host: str, cell: Cell) -> Rule | None:
    rule = table.find(host, cell.path or "/")
    return rule if rule is table.find(host, cell.reading or "/") else None


def _prefixes(table: RuleTable, host: str) -> Iterator[Prefixes]:
    """Where a look-up goes for a host entry, in that order, until a rule takes every path that is left."""
    exact = table.exact.get(host, NO_PREFIXES)
    wildcards = (table.wildcard.get(name[2:], NO_PREFIXES) for name in _parents(host))
    for prefixes in (exact, *wildcards, table.any_host):
        yield prefixes
        if "" in prefixes.rules:
            return


def _parents(host: str) -> Iterator[str]:
    """The wildcards that take a host, the narrowest first."""
    dot = host.find(".")
    while dot >= 0:
        yield f"*{host[dot:]}"
        dot = host.find(".", dot + 1)


def _longest(paths: AbstractSet[str], path: str) -> str:
    """The longest prefix of a path in whole segments; "" is one of every path."""
    while path not in paths:
        path = path[: path.rfind("/")]
    return path
