"""What the proxy did to each header line, and because of which line of the configuration.

Rules: the lines before and after are compared, whatever was meant to happen; the reason is looked up afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from corsproxy.config.table import Rule
from corsproxy.cors.fetch import Headers
from corsproxy.http.fields import HOP_BY_HOP
from corsproxy.http.forwarded import is_forwarded_field
from corsproxy.http.redaction import MASK
from corsproxy.proxy.received import REWRITTEN
from corsproxy.proxy.request_lines import TELLING_THE_PAGE
from corsproxy.proxy.response import is_grant


class Kind(StrEnum):
    """What became of a line."""

    KEPT = "kept"
    REMOVED = "removed"
    REPLACED = "replaced"
    ADDED = "added"


class Change(NamedTuple):
    """A line, before and after; "" where there was none."""

    kind: Kind
    name: bytes
    before: bytes = b""
    after: bytes = b""
    why: str = ""
    where: str = ""  # config.yaml:12:7


class Reason(NamedTuple):
    """Why a line was changed, and where that is written; "" where no configuration could say otherwise."""

    why: str
    where: str = ""


Why = Callable[[bytes], Reason]

_CONNECTION: Final = Reason("belongs to the connection, which ends here (RFC 9110, 7.6.1)")
_DATE: Final = Reason("every answer has one (RFC 9110, 6.6.1)")
_FRAMING: Final = HOP_BY_HOP | {b"content-length"}


def changes(before: Headers, after: Headers, why: Why) -> list[Change]:
    """Every line: those that were there in their order, then those that are new."""
    found = list(_compared(before, after))
    return [
        change if change.kind is Kind.KEPT else change._replace(**why(change.name.lower())._asdict())
        for change in found
    ]


def of_request(rule: Rule | None) -> Why:
    """Why lines change on their way to the upstream."""

    def why(name: bytes) -> Reason:
        if rule is None:
            return Reason("")
        if _edited(rule.request_edits.lines, name) or name in rule.request_edits.removed:
            return Reason("headers.request of the rule", rule.where)
        if name == b"host":
            return Reason("forward_host of the rule", rule.where)
        if name in TELLING_THE_PAGE:
            return Reason("forward_origin of the rule", rule.where)
        if name == b"via" or is_forwarded_field(name):
            return Reason("says who asked, and through which proxy")
        return _CONNECTION

    return why


def of_response(rule: Rule | None, policy_where: str) -> Why:
    """Why lines change on their way to the client."""

    def why(name: bytes) -> Reason:
        if rule is not None and (_edited(rule.response_edits.lines, name) or name in rule.response_edits.removed):
            return Reason("headers.response of the rule", rule.where)
        if is_grant(name) or name in {b"vary", b"cross-origin-resource-policy"}:
            policy = rule.policy if rule is not None else None
            return Reason(f"policy {policy.name} speaks here" if policy else "", policy_where)
        if name == b"set-cookie" and rule is not None:
            return Reason("cookies of the rule", rule.where)
        if name in REWRITTEN and rule is not None:
            return Reason("an address of the upstream, as the client must see it", rule.where)
        if name == b"date":
            return _DATE
        return _CONNECTION if name in _FRAMING else Reason("the proxy's own answer")

    return why


def hidden(found: list[Change], lines: bytes) -> list[Change]:
    """The same, without the values that a rule sets: keys for upstreams stand there."""
    return [change._replace(after=MASK.encode()) if _edited(lines, change.name.lower()) else change for change in found]


def _edited(lines: bytes, name: bytes) -> bool:
    return any(line.partition(b":")[0].lower() == name for line in lines.splitlines())


def _compared(before: Headers, after: Headers) -> Iterator[Change]:
    left = [(name.lower(), name, value) for name, value in after]
    for written, value in before:
        name = written.lower()
        same = next((line for line in left if line[0] == name and line[2] == value), None)
        other = same or (next((line for line in left if line[0] == name), None) if _sole(before, name) else None)
        if other is None:
            yield Change(Kind.REMOVED, written, before=value)
            continue
        left.remove(other)
        kind = Kind.KEPT if same else Kind.REPLACED
        yield Change(kind, written, before=value, after=other[2])
    for _, written, value in left:
        yield Change(Kind.ADDED, written, after=value)


def _sole(headers: Headers, name: bytes) -> bool:
    """Whether only one line has this name, so that another value can only have come in its place."""
    return sum(written.lower() == name for written, _ in headers) == 1
