"""A difference as plain data, for programs: the same value that people read, with stable names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from corsproxy.config.table import Rule
from corsproxy.cors.fetch import Credentials
from corsproxy.tools.difference.abilities import Gain
from corsproxy.tools.difference.names import Names
from corsproxy.tools.difference.places import Cell, Pair, Space
from corsproxy.tools.difference.regions import regions
from corsproxy.tools.difference.tables import Difference, Note, Placed
from corsproxy.tools.difference.witness import Witness, witness_of


def as_json(found: Difference) -> dict[str, Any]:
    """Everything in a difference, ready for ``json.dumps``."""
    return {
        "widens": found.widens,
        "changes": [_change(found.space, placed) for placed in found.changes],
        "notes": [_note(found.space, note) for note in found.notes],
    }


def _change(space: Space, placed: Placed) -> dict[str, Any]:
    change, cell = placed.change, placed.cells[0]
    return {
        "verdict": change.verdict.value,
        "widens": change.widens,
        "origins": [
            {
                "entry": example.entry.text,
                "expression": example.entry.pattern is None,
                "whole": example.whole,
                "example": example.origin,
                "witnesses": [_witness(gain, example.origin, space, cell) for gain in change.gains or (None,)],
            }
            for example in change.origins.examples
        ],
        "abilities": [{"ability": gain.ability.value, **_names(gain.names)} for gain in change.gains],
        "where": _where(space, placed.cells),
        "rules": _rules(placed.pairs),
    }


def _note(space: Space, note: Note) -> dict[str, Any]:
    return {
        "note": note.remark.value,
        "before": note.before,
        "after": note.after,
        "where": _where(space, note.cells),
        "rules": _rules(note.pairs),
    }


def _names(names: Names) -> dict[str, Any]:
    if not names:
        return {}
    return {"all_but" if names.all_but else "names": sorted(names.listed)}


def _witness(gain: Gain | None, origin: str, space: Space, cell: Cell) -> dict[str, Any]:
    shown: Witness = witness_of(gain, origin, space.host_in(cell.host), cell.path)
    asked = shown.request
    return {
        "ability": gain.ability.value if gain else None,
        "url": asked.url,
        "origin": asked.origin.decode("ascii"),
        "method": asked.method.decode("ascii"),
        "headers": [[name.decode("ascii"), value.decode("ascii")] for name, value in asked.headers],
        "credentials": asked.credentials is Credentials.INCLUDE,
        "mode": asked.mode.value,
        "private_network": shown.private_network,
        "reads": shown.reads or None,
    }


def _where(space: Space, cells: Iterable[Cell]) -> list[dict[str, Any]]:
    return [
        {
            "hosts": list(region.hosts),
            "except_hosts": list(region.but_hosts),
            "paths": list(region.paths),
            "except_paths": list(region.but_paths),
        }
        for region in regions(space, cells)
    ]


def _rules(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    return [{"old": _rule(pair.old), "new": _rule(pair.new)} for pair in pairs]


def _rule(rule: Rule | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    policy = {"name": rule.policy.name, "where": rule.policy.where} if rule.policy else None
    return {"name": rule.name, "where": rule.where, "policy": policy}
