"""The proxy's own answers: one line of text for people, a problem document (RFC 9457) for programs that ask for JSON.

Rules that this file obeys:

- A detail is one line of printable ASCII, whatever the caller put into it.
- Text unless the client prefers JSON: ``*/*``, as browsers and curl send it, gets text.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corsproxy.http.fields import list_members

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REASONS: Mapping[int, bytes] = MappingProxyType(
    {
        100: b"Continue",
        101: b"Switching Protocols",
        200: b"OK",
        201: b"Created",
        202: b"Accepted",
        203: b"Non-Authoritative Information",
        204: b"No Content",
        205: b"Reset Content",
        206: b"Partial Content",
        400: b"Bad Request",
        403: b"Forbidden",
        404: b"Not Found",
        405: b"Method Not Allowed",
        408: b"Request Timeout",
        413: b"Content Too Large",
        414: b"URI Too Long",
        417: b"Expectation Failed",
        421: b"Misdirected Request",
        426: b"Upgrade Required",
        429: b"Too Many Requests",
        431: b"Request Header Fields Too Large",
        500: b"Internal Server Error",
        501: b"Not Implemented",
        502: b"Bad Gateway",
        503: b"Service Unavailable",
        504: b"Gateway Timeout",
        505: b"HTTP Version Not Supported",
        508: b"Loop Detected",
    }
)
"""Reason phrases of the statuses that the proxy itself sends (RFC 9110 section 15, RFC 6585, RFC 5842)."""

ANSWER_LINES: Final = b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
"""Lines for every own answer with a body: no cache keeps a failure (so no Vary: Accept is needed), no browser guesses
its type."""

RETRY_AFTER: Final = b"Retry-After: 1\r\n"
"""For a refusal that a moment may undo, in seconds (RFC 9110 section 10.2.3)."""

TEXT: Final = b"text/plain; charset=utf-8"
PROBLEM: Final = b"application/problem+json"

_LONGEST_QUOTE = 120  # characters
_Range = tuple[str, float]  # a media range without parameters, and its weight


class OwnAnswer:  # no named tuple: compiled, one costs ten times as much to read
    """An answer of the proxy itself.

    ``detail`` is a sentence for the developer, lower case, without full stop; ``headers`` are finished lines, each
    ended by CRLF (``Allow``, ``Retry-After``); ``limit`` is the configuration's key of the limit that was met, for the
    record of the exchange.
    """

    __slots__ = ("detail", "headers", "limit", "status")

    def __init__(self, status: int, detail: str, headers: bytes = b"", limit: str = "") -> None:
        self.status = status
        self.detail = detail
        self.headers = headers
        self.limit = limit


def body_for(answer: OwnAnswer, accept_values: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The media type and the body of an own answer; ``accept_values`` are the values of the request's Accept lines."""
    title = REASONS.get(answer.status, b"").decode()
    detail = printable(answer.detail)
    if prefers_json(b",".join(accept_values)):
        problem = {"type": "about:blank", "title": title, "status": answer.status, "detail": detail}
        return PROBLEM, json.dumps(problem).encode() + b"\n"
    heading = f"corsproxy: {answer.status} {title}".rstrip()
    return TEXT, f"{heading}: {detail}\n".encode()


def quoted(value: bytes) -> str:
    """Bytes of a client, made safe to stand in a detail: printable ASCII in quotes, cut when long."""
    text = value[:_LONGEST_QUOTE].decode("latin-1")
    mark = "..." if len(value) > _LONGEST_QUOTE else ""
    return f'"{printable(text)}{mark}"'


def printable(text: str) -> str:
    """The text with everything but printable ASCII, and with what HTML is made of, as backslash escapes."""
    if text.isascii() and text.isprintable() and "<" not in text:
        return text
    return "".join(
        character if character.isascii() and character.isprintable() and character != "<" else _escape(character)
        for character in text
    )


def prefers_json(accept: bytes) -> bool:
    """Whether JSON weighs more than text in an Accept field (RFC 9110 section 12.5.1); a tie is no preference."""
    if accept in (b"", b"*/*"):
        return False
    ranges = dict(_media_range(member) for member in list_members((accept,)))
    text = _weight(ranges, ("text/plain", "text/*", "*/*"))
    problem = _weight(ranges, ("application/problem+json", "application/json", "application/*", "*/*"))
    return problem > text


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{{{code:x}}}"


def _weight(ranges: Mapping[str, float], from_most_specific: Sequence[str]) -> float:
    return next((ranges[name] for name in from_most_specific if name in ranges), 0.0)


def _media_range(member: bytes) -> _Range:
    name, *parameters = (part.strip().lower() for part in member.decode("latin-1").split(";"))
    weights = [part[2:] for part in parameters if part.startswith("q=")]
    return name, _quality(weights[0]) if weights else 1.0


def _quality(text: str) -> float:
    """A weight between 0 and 1; what is none weighs nothing, so that a broken Accept gets text."""
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
