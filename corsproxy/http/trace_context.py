"""Trace context: what a traceparent says (https://www.w3.org/TR/trace-context/#traceparent-header).  Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

# Later versions may append fields; what stands here keeps its place in them.  Version ff and ids of zeros are invalid.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[ -~]*)?"
)


class TraceContext(NamedTuple):
    """The trace that a request belongs to, and the span that asked; lower-case hexadecimal digits."""

    trace_id: str
    parent_id: str
    flags: int


def parse_traceparent(value: bytes) -> TraceContext | None:
    """What a traceparent says, or None when it is not valid."""
    found = _TRACEPARENT.fullmatch(value)
    if found is None or (found[5] and found[1] == b"00"):  # version 00 has exactly four fields
        return None
    return TraceContext(found[2].decode(), found[3].decode(), int(found[4], 16))
