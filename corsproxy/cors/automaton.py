"""Sets of texts as automata: what an expression takes, and whether one set has something that others have not.

Rules: exact, never by trying texts; states are made when a search first reaches them, so that nothing is paid for what
no text of interest leads to.  The search is breadth first, so that the text it finds is a shortest one, and letters
come before digits, so that people can read it.

Libraries that do this (greenery 4.2, interegular 0.3) build every automaton whole and know another dialect than RE2's:
a label of 63 characters in a host of 253 is more than greenery finishes in a minute.
"""

from __future__ import annotations

import string
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Final, Protocol

from corsproxy.cors.expression import Anchor, Characters, Choice, Dot, Node, Repeat, read_expression
from corsproxy.cors.expression import Sequence as InOrder

ALPHABET: Final = string.ascii_lowercase + string.digits + "-_.:/[]+"  # of serialized origins, in order of preference

State = Any  # whatever a machine keeps; None: no text that goes on from here is taken


class Machine(Protocol):
    """Something that reads a text character by character, and knows whether it takes what it has read."""

    start: State
    characters: frozenset[frozenset[str]]  # those that it never tells apart stand in the same ones of these

    def step(self, state: State, character: str) -> State:
        """The state behind one more character, None when nothing more can help."""

    def accepts(self, state: State) -> bool:
        """Whether the text may end here."""


class Automaton:
    """What an expression takes as a whole text.

    It is Thompson's construction: a node is a set of characters with the node behind it, or any number of nodes that
    are reached without reading.  A state is the set of all nodes that the text may have led to.
    """

    def __init__(self, tree: Node) -> None:
        self._sets: list[frozenset[str]] = []  # by node: what is read there
        self._next: list[tuple[int, ...]] = []  # by node: where it leads
        self._anchors: dict[int, Anchor] = {}
        self._end = self._node(frozenset(), ())
        entry = self._build(tree, self._end)
        self.characters = frozenset(self._sets)
        self.start: State = self._closure([entry], at_start=True)
        self._steps: dict[tuple[State, str], State] = {}
        self._ends: dict[State, bool] = {}

    def step(self, state: State, character: str) -> State:
        """The state behind one more character."""
        key = (state, character)
        if key not in self._steps:
            read = (node for node in state if character in self._sets[node])
            self._steps[key] = self._closure([self._next[node][0] for node in read]) or None
        return self._steps[key]

    def accepts(self, state: State) -> bool:
        """Whether the text may end here."""
        return self._end in self._closure(state, at_end=True)

    def ends(self, state: State) -> bool:
        """Whether the rest of the expression is ``.*``."""
        if state not in self._ends:
            stays = all(self.step(state, character) == state for character in ALPHABET)
            self._ends[state] = stays and self.accepts(state)
        return self._ends[state]

    def takes(self, text: str) -> bool:
        """Whether this text is in the set."""
        state: State = self.start
        for character in text:
            state = self.step(state, character)
            if state is None:
                return False
        return self.accepts(state)

    def _closure(self, nodes: Iterable[int], *, at_start: bool = False, at_end: bool = False) -> frozenset[int]:
        """The nodes that are reached without reading; only those are kept at which something happens."""
        seen: set[int] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            anchor = self._anchors.get(node)
            if not self._sets[node] and (anchor is None or (at_end if anchor.end else at_start)):
                waiting += self._next[node]
        return frozenset(node for node in seen if self._sets[node] or node in self._anchors or node == self._end)

    def _node(self, characters: frozenset[str], follow: tuple[int, ...]) -> int:
        self._sets.append(characters)
        self._next.append(follow)
        return len(self._sets) - 1

    def _build(self, tree: Node, follow: int) -> int:
        """The node at which ``tree`` is entered, when ``follow`` comes behind it."""
        match tree:
            case Characters(members) | Dot(_, members):
                read = members.intersection(ALPHABET)
                return self._node(read, (follow,) if read else ())  # what reads nothing leads nowhere
            case Anchor():
                node = self._node(frozenset(), (follow,))
                self._anchors[node] = tree
                return node
            case InOrder(parts):
                for part in reversed(parts):
                    follow = self._build(part, follow)
                return follow
            case Choice(branches):
                return self._node(frozenset(), tuple(self._build(branch, follow) for branch in branches))
            case _:
                return self._repeat(tree, follow)

    def _repeat(self, tree: Repeat, follow: int) -> int:
        part, low, high = tree
        entry = follow
        if high is None:
            entry = self._node(frozenset(), ())
            self._next[entry] = (self._build(part, entry), follow)
        for _ in range(high - low if high is not None else 0):
            entry = self._node(frozenset(), (self._build(part, entry), follow))
        for _ in range(low):
            entry = self._build(part, entry)
        return entry


@cache
def automaton(expression: str) -> Automaton:
    """The automaton of an expression that RE2 has accepted; raises ``InvalidOrigin`` for what cannot be read."""
    return Automaton(read_expression(expression).tree)


def shortest(inside: Sequence[Machine], outside: Sequence[Sequence[Automaton]]) -> str | None:
    """The first of the shortest texts that all machines ``inside`` take, and of each group ``outside`` not all.

    None: there is no such text.
    """
    search = _Search(inside, outside)
    alphabet = _representatives(search.machines)
    start: _States = tuple(machine.start for machine in search.machines)
    before: dict[_States, tuple[_States, str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        states = waiting.popleft()
        if search.accepts(states):
            return _spell(before, states)
        for character in alphabet:
            reached = search.step(states, character)
            if reached is not None and reached not in before:
                before[reached] = (states, character)
                waiting.append(reached)
    return None


_States = tuple[State, ...]


class _Search:
    """All machines of a search, read in step."""

    def __init__(self, inside: Sequence[Machine], outside: Sequence[Sequence[Automaton]]) -> None:
        self.machines: list[Machine] = [*inside, *(machine for group in outside for machine in group)]
        self._needed = len(inside)
        self._groups = outside

    def step(self, states: _States, character: str) -> _States | None:
        """All machines one character on; None when nothing that is wanted can come behind it."""
        reached: list[State] = []
        for machine, state in zip(self.machines, states, strict=True):
            following = None if state is None else machine.step(state, character)
            if following is None and len(reached) < self._needed:
                return None
            reached.append(following)
        return None if self._some_group(reached, Automaton.ends) else tuple(reached)

    def accepts(self, states: _States) -> bool:
        """Whether a text that has led here is wanted."""
        inside = zip(self.machines[: self._needed], states, strict=False)
        return all(machine.accepts(state) for machine, state in inside) and not self._some_group(
            states, Automaton.accepts
        )

    def _some_group(self, states: Sequence[State], holds: Callable[[Automaton, State], bool]) -> bool:
        """Whether something holds of every machine in one of the groups."""
        start = self._needed
        for group in self._groups:
            end = start + len(group)
            pairs = zip(group, states[start:end], strict=True)
            if all(state is not None and holds(machine, state) for machine, state in pairs):
                return True
            start = end
        return False


def _spell(before: dict[_States, tuple[_States, str] | None], states: _States) -> str:
    characters: list[str] = []
    step = before[states]
    while step is not None:
        characters.append(step[1])
        step = before[step[0]]
    return "".join(reversed(characters))


def _representatives(machines: Iterable[Machine]) -> list[str]:
    """One character for all those that no machine tells apart."""
    sets = {characters for machine in machines for characters in machine.characters}
    chosen: dict[tuple[bool, ...], str] = {}
    for character in ALPHABET:
        chosen.setdefault(tuple(character in members for members in sets), character)
    return list(chosen.values())
