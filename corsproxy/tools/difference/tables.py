"""Two tables: everything that changes for pages, where, and what changes besides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from corsproxy.config.quantities import show_duration
from corsproxy.config.table import Rule, RuleTable
from corsproxy.cors.spec import PolicySpec
from corsproxy.tools.difference.comparison import Change, compare, compare_unknown
from corsproxy.tools.difference.places import NO_RULE, Cell, Pair, Space


class Remark(StrEnum):
    """What changes without a change of what pages may do."""

    SERVED = "served"  # requests were refused before, and are taken now
    REFUSED = "refused"  # the other way round
    UPSTREAM = "upstream"  # the requests go elsewhere
    SPELLING = "spelling"  # what servers read in two ways is refused now, or taken now
    MAX_AGE = "max-age"  # preflights are kept for longer, or shorter
    RULE = "rule"  # other keys of the rule differ


class Placed(NamedTuple):
    """A change, and all the pieces of the space in which it happens, with their rules."""

    change: Change
    cells: tuple[Cell, ...]
    pairs: tuple[Pair, ...]  # each once


class Note(NamedTuple):
    """A remark, and where it applies."""

    remark: Remark
    before: str
    after: str
    cells: tuple[Cell, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Difference:
    """All that differs between two tables."""

    space: Space
    changes: tuple[Placed, ...]
    notes: tuple[Note, ...]

    @property
    def widens(self) -> bool:
        """Whether a page may do something under the new table that it might not under the old one."""
        return any(placed.change.widens for placed in self.changes)


def difference(old: RuleTable, new: RuleTable) -> Difference:
    """What differs between two tables."""
    space = Space(old, new)
    everything = list(space.cells())
    plain = [(cell, pair) for cell, pair in everything if cell.plain]
    return Difference(space, tuple(_changes(plain)), (*_notes(plain), *_spellings(everything)))


def no_wider(new: RuleTable, old: RuleTable) -> bool:
    """Whether no page may do anything under ``new`` that it might not under ``old``."""
    return not difference(old, new).widens


_Cells = Iterable[tuple[Cell, Pair]]
_UPSTREAM: Final = "the upstream"  # in place of a policy: it decides


def _changes(plain: _Cells) -> Iterator[Placed]:
    alike: dict[tuple[object, object], list[tuple[Cell, Pair]]] = {}
    for cell, pair in plain:
        alike.setdefault((_decides(pair.old), _decides(pair.new)), []).append((cell, pair))
    for sides, cells in alike.items():
        if sides[0] != sides[1]:
            for change in _compare(cells[0][1]):
                yield Placed(change, tuple(cell for cell, _ in cells), _distinct(cells))


def _decides(rule: Rule | None) -> object:
    """What tells two rules apart as far as pages are concerned; None: nobody is let in."""
    if rule is None:
        return None
    if rule.policy is None:
        return (_UPSTREAM, *_destination(rule), rule.forward_host, rule.forward_origin, rule.request_edits)
    return replace(rule.policy.spec, name="", max_age=None, preflight_status=204)


def _compare(pair: Pair) -> Iterator[Change]:
    old, new = pair
    undecided = [rule for rule in pair if rule is not None and rule.policy is None]
    if undecided:
        yield compare_unknown(_spec(old), _spec(new), served=new is not None)
    else:
        yield from compare(_spec(old), _spec(new))


def _spec(rule: Rule | None) -> PolicySpec | None:
    return rule.policy.spec if rule is not None and rule.policy is not None else None


def _notes(plain: _Cells) -> Iterator[Note]:
    found: dict[tuple[Remark, str, str], list[tuple[Cell, Pair]]] = {}
    for cell, pair in plain:
        for key in _remarks(pair):
            found.setdefault(key, []).append((cell, pair))
    for (remark, before, after), cells in found.items():
        yield Note(remark, before, after, tuple(cell for cell, _ in cells), _distinct(cells))


def _remarks(pair: Pair) -> Iterator[tuple[Remark, str, str]]:
    old, new = pair
    if old is None or new is None:
        yield from ((Remark.SERVED, "", _shown(rule)) for rule in (new,) if rule is not None)
        yield from ((Remark.REFUSED, _shown(rule), "") for rule in (old,) if rule is not None)
        return
    if _destination(old) != _destination(new):
        yield Remark.UPSTREAM, _shown(old), _shown(new)
    before, after = _spec(old), _spec(new)
    if before and after and before.max_age != after.max_age:
        yield Remark.MAX_AGE, _seconds(before), _seconds(after)
    if keys := [key for key, value in _KEYS.items() if value(old) != value(new)]:
        yield Remark.RULE, ", ".join(keys), ", ".join(keys)


_KEYS: Final[dict[str, Callable[[Rule], object]]] = {
    "forward_host": lambda rule: rule.forward_host,
    "forward_origin": lambda rule: rule.forward_origin,
    "headers": lambda rule: (rule.request_edits, rule.response_edits),
    "cookies": lambda rule: rule.cookies and replace(rule.cookies, base=b"", prefix=b""),
}


def _spellings(everything: _Cells) -> Iterator[Note]:
    """Pieces that one table refuses because servers read their paths in two ways, and the other does not."""
    pairs = dict(everything)
    found: dict[bool, list[tuple[Cell, Pair]]] = {}
    for cell, pair in everything:
        if pair != pairs.get(Cell(cell.host, cell.path, cell.path), NO_RULE):
            found.setdefault(pair.new is not None, []).append((cell, pair))
    for taken, cells in found.items():
        words = ("refused", "taken") if taken else ("taken", "refused")
        yield Note(Remark.SPELLING, *words, tuple(cell for cell, _ in cells), _distinct(cells))


def _destination(rule: Rule) -> tuple[object, ...]:
    upstream = rule.upstream
    return frozenset(map(str, upstream.endpoints)), upstream.base, rule.strip


def _shown(rule: Rule) -> str:
    urls = [f"{endpoint}{rule.upstream.base.decode('ascii')}" for endpoint in rule.upstream.endpoints]
    return f"{' '.join(urls)}{' (stripped)' if rule.strip else ''}"


def _seconds(spec: PolicySpec) -> str:
    return "no time that is said" if spec.max_age is None else show_duration(spec.max_age)


def _distinct(cells: _Cells) -> tuple[Pair, ...]:
    return tuple(dict.fromkeys(pair for _, pair in cells))
