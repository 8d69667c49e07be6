"""The origins that a list allows, as a set that can be compared with others: exactly, and with an origin to show.

Rules: ``contains`` says of every value of an Origin header what the compiled policy says of it, which a test holds it
to; an origin to show is one that a page can have, spelled so that people can read it, and whether there is one is never
decided by trying.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

from corsproxy.cors.automaton import Automaton
from corsproxy.cors.expression import Choice, Node, read_expression
from corsproxy.cors.origin import Origin
from corsproxy.cors.pattern import ANY, NULL, OriginSet, Pattern, compile_patterns, parse_pattern
from corsproxy.cors.pattern_tree import pattern_tree
from corsproxy.cors.samples import read_samples, spelled
from corsproxy.cors.serialized import is_loopback, split_origin
from corsproxy.cors.universe import search

_LABELS: Final = ("a", "b", "app", "www")
_PORTS: Final = (None, 3000, 8443, 4444)
_STRANGERS: Final = ("https://stranger.example", "https://other.example", "http://localhost:3000", "null")


@dataclass(frozen=True)
class Entry:
    """One entry of a list of origins, or the expression beside it (then ``pattern`` is None)."""

    text: str
    pattern: Pattern | None

    def covers(self, origin: bytes) -> bool:
        """Whether this entry by itself allows this value of an Origin header."""
        if self.exact:
            return origin == self.text.encode("ascii")
        if self.pattern is not None:
            return self._set.match(origin)
        return split_origin(origin) is not None and self._automaton.takes(origin.decode("ascii"))

    @property
    def exact(self) -> bool:
        """Whether it is one origin and nothing more."""
        return self.pattern is not None and self.pattern.exact

    @cached_property
    def tree(self) -> Node:
        """The expression of it, ``*`` and ``null`` apart."""
        return pattern_tree([self.pattern]) if self.pattern else read_expression(self.text).tree

    @cached_property
    def _automaton(self) -> Automaton:
        return Automaton(self.tree)

    @cached_property
    def _set(self) -> OriginSet:
        return compile_patterns([self.pattern] if self.pattern else [])

    def lies_in(self, other: Entry) -> bool:
        """Whether an exact entry is covered by another one."""
        return other.covers(self.text.encode("ascii"))

    def meets(self, other: Entry) -> bool:
        """Whether the two may have origins in common, as far as a look at them tells."""
        ours, theirs = self.pattern, other.pattern
        if ours is None or theirs is None or ANY in (ours, theirs):
            return True
        ports = ours.any_port or theirs.any_port or ours.port == theirs.port
        return ours.scheme == theirs.scheme and ports and _hosts_meet(ours, theirs)

    def examples(self) -> Iterator[str]:
        """Texts that people would take for examples of it; not all of them have to be ones."""
        if self.pattern is None:
            yield from _samples(self.text)
        elif self.pattern == ANY:
            yield from _STRANGERS
        elif self.exact:
            yield self.text
        else:
            hosts = [f"{label}.{self.pattern.host}" for label in _LABELS]
            for host in hosts if self.pattern.subdomains else [self.pattern.host]:
                usual = _PORTS[1:] if is_loopback(host) else _PORTS
                ports = usual if self.pattern.any_port else [self.pattern.port]
                yield from (str(Origin(self.pattern.scheme, host, port)) for port in ports)


EVERYTHING: Final = Entry("*", ANY)


class OriginLanguage:
    """The origins that a list and an expression beside it allow."""

    def __init__(self, texts: Iterable[str], expression: str | None = None) -> None:
        patterns = list(map(parse_pattern, texts))
        entries = [Entry(str(pattern), pattern) for pattern in patterns]
        if expression is not None:
            entries.append(Entry(expression, None))
        self.entries = tuple(entries)
        self.any = ANY in patterns
        self._patterns = frozenset(patterns)
        self._set = compile_patterns(patterns)
        self._expressions = [entry for entry in entries if entry.pattern is None]

    def contains(self, origin: bytes) -> bool:
        """Whether this value of an Origin header is allowed."""
        return self._set.match(origin) or any(entry.covers(origin) for entry in self._expressions)

    def has_whole(self, entry: Entry) -> bool:
        """Whether all of an entry is allowed, as far as a look at the list tells: one other entry covers it."""
        if self.any or entry in self._expressions:
            return True
        return entry.pattern is not None and not self._patterns.isdisjoint(_wider(entry.pattern))

    def examples(self) -> Iterator[str]:
        """An example or two of each entry that is more than one origin."""
        return (
            example for entry in self.entries if not entry.exact for example in itertools.islice(entry.examples(), 2)
        )

    def machine(self, entry: Entry) -> Automaton | None:
        """What of this set may meet an entry, ready to be searched; None when nothing does."""
        near = [other for other in self.entries if other.pattern != NULL and entry.meets(other)]
        patterns = [other.pattern for other in near if other.pattern and (not other.exact or other.lies_in(entry))]
        trees = [other.tree for other in near if other.pattern is None]
        if patterns:
            trees.append(pattern_tree(patterns))
        return Automaton(Choice(tuple(trees))) if trees else None


def witness(
    entry: Entry, within: Sequence[OriginLanguage] = (), without: Sequence[Sequence[OriginLanguage]] = ()
) -> str | None:
    """An origin that the entry and every set of ``within`` allows, and of each group of ``without`` not every set.

    None: there is none.
    """

    def fits(origin: bytes) -> bool:
        return (
            entry.covers(origin)
            and all(language.contains(origin) for language in within)
            and not any(all(language.contains(origin) for language in group) for group in without)
        )

    for example in itertools.chain(entry.examples(), *(language.examples() for language in within)):
        if fits(example.encode("ascii", "replace")):
            return example
    if entry.exact or any(all(language.has_whole(entry) for language in group) for group in without):
        return None
    return _search(entry, within, without)


def _search(entry: Entry, within: Sequence[OriginLanguage], without: Sequence[Sequence[OriginLanguage]]) -> str | None:
    inside = [language.machine(entry) for language in within if not language.any]
    groups = [[language.machine(entry) for language in group if not language.any] for group in without]
    own = [] if entry == EVERYTHING else [Automaton(entry.tree)]
    if None in inside:
        return None
    return search(
        [*own, *(machine for machine in inside if machine is not None)],
        [[machine for machine in group if machine is not None] for group in groups if None not in group],
    )


def _wider(pattern: Pattern) -> Iterator[Pattern]:
    """The pattern itself, and all that cover it."""
    if not pattern.scheme:
        yield pattern
        return
    labels = pattern.host.split(".")
    above = [".".join(labels[start:]) for start in range(1, len(labels))]
    hosts = [(pattern.host, pattern.subdomains), *((host, True) for host in above)]
    ports = {(pattern.port, pattern.any_port), (None, True)}
    for (host, subdomains), (port, any_port) in itertools.product(hosts, ports):
        yield Pattern(pattern.scheme, host, port, subdomains, any_port)


def _hosts_meet(ours: Pattern, theirs: Pattern) -> bool:
    if ours.subdomains and theirs.subdomains:
        first, second = f".{ours.host}", f".{theirs.host}"
        return first.endswith(second) or second.endswith(first)
    return _host_lies_in(ours, theirs) or _host_lies_in(theirs, ours)


def _host_lies_in(ours: Pattern, theirs: Pattern) -> bool:
    if not theirs.subdomains:
        return not ours.subdomains and ours.host == theirs.host
    return f".{ours.host}".endswith(f".{theirs.host}") and (ours.subdomains or ours.host != theirs.host)


@cache
def _samples(expression: str) -> tuple[str, ...]:
    return tuple(map(spelled, read_samples(expression).samples))
