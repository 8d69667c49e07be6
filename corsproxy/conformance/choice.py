"""Which vectors are run."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from corsproxy.conformance.load import Suite
from corsproxy.conformance.model import Vector
from corsproxy.errors import CorsproxyError


class Unknown(CorsproxyError):
    """There is no topic, or no vector, of this name."""


def chosen(suite: Suite, topics: Sequence[str], ids: Sequence[str]) -> tuple[Vector, ...]:
    """The vectors of these topics and those with these ids; a family's id stands for its cases, nothing for all.

    Raises Unknown for a name that stands for nothing.
    """
    if not topics and not ids:
        return suite.vectors
    for topic in topics:
        _known("topic", topic, [known.name for known in suite.topics])
    wanted = {vector.id for vector in suite.vectors if vector.topic in topics}
    for name in ids:
        family = {vector.id for vector in suite.vectors if vector.id == name or vector.id.startswith(f"{name}-")}
        if not family:
            _known("vector", name, [vector.id for vector in suite.vectors])
        wanted |= family
    return tuple(vector for vector in suite.vectors if vector.id in wanted)


def _known(kind: str, name: str, names: Iterable[str]) -> None:
    names = list(names)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "--list names all"
        raise Unknown(f"there is no {kind} {name!r}; {hint}")
