"""Under which rule a request belongs: a rule that there is, or else the shortest prefix that means something.

Rules: a path of which nothing is known keeps its first segment that is no version and no general word
(``/api/v1/orders/7`` is ``/api/v1/orders``); what looks like the name of a single thing begins no prefix; the same path
has the same prefix whatever else was seen, so that a second run does not move what a first one has written.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from corsproxy.config.paths import parse_rule_path
from corsproxy.config.table import RuleTable
from corsproxy.config.written import Unusable
from corsproxy.errors import MalformedRequest
from corsproxy.http.target import parse_host, parse_target

# Segments that say nothing of what an API is about.
_GENERAL: Final = re.compile(r"apis?|rest|services?|v[0-9]+(?:\.[0-9]+)*", re.IGNORECASE)
# Numbers, UUIDs, digests and other names that a program has made up.
_ONE_THING: Final = re.compile(r"[0-9]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}", re.IGNORECASE)


class Place(NamedTuple):
    """A host and a path prefix, as a rule has them."""

    host: str  # "": any
    path: str

    def __str__(self) -> str:
        return self.host + self.path


class Places:
    """Finds the place of each request; without a table every place is a new one."""

    def __init__(self, table: RuleTable | None = None) -> None:
        self._table = table

    def find(self, host: str, target: str) -> Place | None:
        """The place of a request, that of a rule where one has it already; None for what no proxy would forward."""
        try:
            parsed = parse_target(target.encode("ascii"))
            name, _ = parse_host(parsed.authority or host.encode("ascii"))
        except (MalformedRequest, UnicodeEncodeError):
            return None
        rule = self._table.find(name, parsed.key) if self._table else None
        if rule is not None:
            return Place(rule.host, rule.path)
        return Place("", prefix_of(parsed.key))


def prefix_of(path: str) -> str:
    """The shortest prefix of a normalised path that means something; "/" where nothing in front does."""
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if not segment or _ONE_THING.fullmatch(segment):
            break
        kept.append(segment)
        if not _GENERAL.fullmatch(segment):
            break
    while kept:
        try:
            return parse_rule_path("/" + "/".join(kept))
        except Unusable:
            kept.pop()
    return "/"
