"""Nodes to Config, or another section, with every mismatch in words.

Rules: a mismatch is reported once, where it stands.  What is reported is then mended or taken out of the nodes and the
rest validated again, so that the parts that are well can be judged in the same run: an unknown key that was clearly
meant to be a known one is read as that one, any other unusable value is taken out, and where a key that must be there
is not, something harmless stands in for it.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from corsproxy.config.section import Section
from corsproxy.config.wording import Wording, describe, describe_missing
from corsproxy.config.written import Node, Place, Scalar
from corsproxy.errors import Problem

Written = TypeVar("Written", bound=Section)

_STAND_INS: dict[str, Scalar] = {
    "upstream": "http://stand-in.invalid",
    "policy": "none",
    "address": "unix:/stand-in",
    "cert": "stand-in",
    "header": "stand-in",
    "key": "stand-in",
    "origin": "https://stand-in.invalid",
}


class Mismatch(NamedTuple):
    """One pydantic error, located in the nodes: what is wrong under ``step`` in ``parent``."""

    parent: Node
    step: str | int
    place: Place
    wording: Wording
    line: str  # the corrected line
    missing: bool = False


def validate(root: Node, file: str, section: type[Written]) -> tuple[Written, list[Problem]]:
    """The section that is written, as far as it can be used, and what cannot.  Changes the nodes."""
    problems: list[Problem] = []
    while True:
        try:
            return section.model_validate(root.plain()), problems
        except ValidationError as invalid:
            mismatches = [_locate(root, error, section) for error in invalid.errors(include_url=False)]
        misspelt = {(id(mismatch.parent), mismatch.wording.meant) for mismatch in mismatches}
        problems += [
            Problem(file, *mismatch.place, mismatch.wording.message, mismatch.line)
            for mismatch in mismatches
            if not (mismatch.missing and _follows(mismatch, misspelt))
        ]
        for mismatch in sorted(mismatches, key=_mending_order):
            _mend(mismatch)


def _locate(root: Node, error: ErrorDetails, section: type[Section]) -> Mismatch:
    found = root.find(error["loc"])
    if error["type"] == "missing":
        key = str(error["loc"][-1])
        wording = describe_missing(key, found.path, section)
        return Mismatch(found.node, key, found.place, wording, wording.correction, missing=True)
    wording = describe(error, found, section)
    unknown = error["type"] == "extra_forbidden"
    line = wording.correction if unknown or not wording.correction else found.line(wording.correction)
    return Mismatch(found.nodes[-2], found.path[-1], found.key_place if unknown else found.place, wording, line)


def _follows(mismatch: Mismatch, misspelt: set[tuple[int, str]]) -> bool:
    """Whether a key is only missing because its value was unusable, or because it is misspelt."""
    return mismatch.step in mismatch.parent.lost or (id(mismatch.parent), mismatch.step) in misspelt


def _mending_order(mismatch: Mismatch) -> tuple[bool, int]:
    """Misspelt keys before missing ones; late entries of a list first, so that the others keep their index."""
    return mismatch.missing, -mismatch.step if isinstance(mismatch.step, int) else 0


def _mend(mismatch: Mismatch) -> None:
    parent, step, meant = mismatch.parent, mismatch.step, mismatch.wording.meant
    if isinstance(step, int):
        del cast("list[Node]", parent.value)[step]
        parent.lost.add("")
        return
    values = cast("dict[str, Node]", parent.value)
    if meant and meant not in parent.keys:
        values[meant] = values.pop(step)
        parent.keys[meant] = parent.keys[step]
    elif not mismatch.missing:
        del values[step]
        parent.lost.add(step)
    elif step not in values:
        values[step] = Node(_STAND_INS.get(step, []), parent.place)
        parent.keys[step] = parent.place
        parent.lost.add(step)
