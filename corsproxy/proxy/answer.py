"""The proxy's own answer as bytes: short, readable, and with the CORS lines that let an allowed page read it.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from corsproxy.http.answers import ANSWER_LINES, REASONS, body_for
from corsproxy.proxy.plan import Answer
from corsproxy.proxy.response import connection_lines, cors_lines

_STARTS: Final = {
    status: b"HTTP/1.1 %d %b\r\nDate: " % (status, REASONS.get(status, b"")) for status in range(100, 600)
}


def answer_bytes(
    answer: Answer, accept: Sequence[bytes], *, method: bytes, version: bytes, closes: bool, date: bytes
) -> bytes:
    """Head and body; ``accept`` are the request's Accept values, ``date`` is the current IMF-fixdate."""
    own, status = answer.own, answer.status
    content, body = b"", b""
    if own.detail:
        media_type, body = body_for(own, accept)
        content = b"Content-Type: %b\r\nContent-Length: %d\r\n%b" % (media_type, len(body), ANSWER_LINES)
    elif status != 204:  # RFC 9110 8.6: a 204 has no Content-Length
        content = b"Content-Length: 0\r\n"
    granted, connection = cors_lines(answer.decision), connection_lines(version, closes=closes)
    head = b"".join([_STARTS[status], date, b"\r\n", own.headers, content, granted, connection])
    return head if method == b"HEAD" else head + body
