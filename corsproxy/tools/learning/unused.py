"""What a policy grants, and nothing that was seen needs.

Rules: nothing is taken away because of it, since traffic shows what happened and not what may; of a ``*`` it is said
what would have been enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from corsproxy.cors.names import SAFELISTED_METHODS
from corsproxy.cors.pattern import parse_pattern
from corsproxy.cors.spec import PolicySpec
from corsproxy.tools.learning.suspects import covers
from corsproxy.tools.learning.wanted import Wanted


class Unused(NamedTuple):
    """An entry of a policy; ``enough`` is what would do in its place."""

    policy: str
    key: str
    value: str
    enough: tuple[str, ...] = ()


def unused(spec: PolicySpec, wanted: Wanted) -> Iterator[Unused]:
    """The entries of a policy that nothing needs."""
    for key, entries in wanted.lists:
        for value in getattr(spec, key):
            if value == "*":
                yield Unused(spec.name, key, value, tuple(sorted(entries)))
            elif not _is_needed(key, value, [*entries]):
                yield Unused(spec.name, key, value)
    if spec.allow_credentials and wanted.credentials is None:
        yield Unused(spec.name, "allow_credentials", "true")


def _is_needed(key: str, value: str, entries: list[str]) -> bool:
    if key == "allow_origins":
        pattern = parse_pattern(value)
        return value in entries or any(covers(pattern, origin) for origin in entries)
    # GET, HEAD and POST are granted in any case, so that listing them opens nothing.
    return value.lower() in entries or value in entries or (key == "allow_methods" and value in SAFELISTED_METHODS)
