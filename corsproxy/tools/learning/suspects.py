"""Whose pages are nobody's to learn: origins that no browser sends, that anybody has, or that look like an attack.

Rules: what the present configuration allows was somebody's decision and is never suspected; of two origins that look
alike the one that is made around the other is suspected, and where either could be, both are, however often they were
seen, since an attacker can ask as often as he likes; whoever is named with --trust is learnt all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from corsproxy.cors.origin import Origin, read_origin
from corsproxy.cors.pattern import ANY, Pattern
from corsproxy.cors.serialized import ends_in_number, is_loopback
from corsproxy.tools.resemblance import resembles

NULL = "null"
_NULL = "every sandboxed frame and local file has it, on any site"


class Suspect(NamedTuple):
    """An origin that is not learnt, and why."""

    origin: str
    reason: str


def suspects(seen: Iterable[str], allowed: Iterable[str], trusted: Sequence[Pattern]) -> list[Suspect]:
    """The suspects among the origins that were seen; ``allowed`` are those of the present configuration."""
    seen = set(seen)
    sure = {*allowed, *(origin for origin in seen if is_trusted(origin, trusted))}
    models = [*sorted(sure), *sorted(seen - sure)]
    found = ((origin, _reason(origin, models)) for origin in sorted(seen - sure))
    return [Suspect(origin, reason) for origin, reason in found if reason]


def is_trusted(origin: str, trusted: Iterable[Pattern]) -> bool:
    """Whether somebody has said that this origin is meant."""
    return any(covers(pattern, origin) for pattern in trusted)


def covers(pattern: Pattern, text: str) -> bool:
    """Whether a pattern covers an origin; ``*`` covers those that a page of a site has."""
    origin = read_origin(text)
    if origin is None:
        return text == str(pattern)
    return pattern == ANY or pattern.covers(origin)


def _reason(text: str, models: Sequence[str]) -> str:
    if text == NULL:
        return _NULL
    origin = read_origin(text)
    if origin is None:
        return "no browser sends such an origin"
    if _is_address(origin.host) and not is_loopback(origin.host):
        return "it is an address and no name: whoever gets that address next is let in"
    for other in models:
        model = read_origin(other)
        if model is None or other == text:
            continue
        if _is_downgrade(origin, model):
            return f"it is {other} without encryption, where anyone on the way can be that page"
        if resembles(origin.host, model.host):
            return f"it resembles {other}"
    return ""


def _is_downgrade(origin: Origin, model: Origin) -> bool:
    same = model.host == origin.host and (model.scheme, origin.scheme) == ("https", "http")
    return same and not is_loopback(origin.host)


def _is_address(host: str) -> bool:
    return host.startswith("[") or ends_in_number(host)
