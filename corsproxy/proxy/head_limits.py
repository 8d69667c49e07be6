"""Whether a head that was read is larger than a request's may be.  Pure.

The parser limits single lines, and gives up where nobody can tell any more which rule was meant.  What stays below that
is read whole and refused here, so that the rule's policy decides who may read why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corsproxy.http.answers import OwnAnswer
from corsproxy.proxy.request import RequestHead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corsproxy.config.load import Limits


HEAD_TOO_LARGE: Final = OwnAnswer(431, "the head is too large", limit="max_request_head")
HEAD_TOO_LATE: Final = OwnAnswer(408, "the head of the request did not arrive in time", limit="request_head_timeout")


def too_large(head: RequestHead, lines: Sequence[tuple[bytes, bytes]], limits: Limits) -> OwnAnswer | None:
    """The refusal of a head whose target, number of header lines or size is beyond its limit, or None."""
    if len(head.target) > limits.max_target:
        return _target_too_long(limits)
    if len(lines) > limits.max_request_headers:  # https://www.rfc-editor.org/rfc/rfc6585#section-5
        return OwnAnswer(431, f"there are more than {limits.max_request_headers} headers", limit="max_request_headers")
    if sum(len(name) + len(value) + 4 for name, value in lines) > limits.max_request_head:
        return HEAD_TOO_LARGE
    return None


def unfinished(limits: Limits, recent: bytes, *, line_read: bool) -> OwnAnswer:
    """The refusal of a head that grew too large before it was whole; ``recent`` is what came last of it."""
    if line_read or b"\n" in recent[: limits.max_request_head]:
        return HEAD_TOO_LARGE
    return _target_too_long(limits)


def _target_too_long(limits: Limits) -> OwnAnswer:
    """https://www.rfc-editor.org/rfc/rfc9110#section-15.5.15."""
    return OwnAnswer(414, f"the target is longer than {limits.max_target} bytes", limit="max_target")
