"""How long a message's body is: RFC 9112 section 6.3, at its strictest.

Where the standard lets a recipient guess, this file refuses: two readings of one message are how requests are smuggled.
Pure: values in, values out.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

from corsproxy.errors import MalformedRequest, MalformedResponse

_LENGTH_DIGITS: Final = 18  # fits 63 bits; no body is longer, and int() of attacker-chosen length is never run


class Kind(Enum):
    """The four ways in which a body can end."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"  # responses only: the end of the connection is the end of the body


class Framing:
    """The kind of a body, and its length in bytes where that is known beforehand."""

    __slots__ = ("kind", "length")

    def __init__(self, kind: Kind, length: int = 0) -> None:
        self.kind = kind
        self.length = length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Framing) and self.kind is other.kind and self.length == other.length

    def __hash__(self) -> int:
        return hash((self.kind, self.length))

    def __repr__(self) -> str:
        return f"Framing({self.kind}, {self.length})"


LENGTH: Final = Kind.LENGTH  # a member is looked up by name each time that it is written with its class
NO_BODY: Final = Framing(Kind.NONE)
CHUNKED: Final = Framing(Kind.CHUNKED)
UNTIL_CLOSE: Final = Framing(Kind.CLOSE)


def request_framing(version: bytes, codings: Sequence[bytes], lengths: Sequence[bytes]) -> Framing:
    """The framing of a request, from the values of its Transfer-Encoding and Content-Length lines.

    Raises MalformedRequest wherever two servers might disagree about the length
    (https://www.rfc-editor.org/rfc/rfc9112#section-6.1, #section-6.3).
    """
    if codings:
        if version == b"1.0":
            raise MalformedRequest(400, "transfer-encoding in an HTTP/1.0 request")
        if lengths:
            raise MalformedRequest(400, "both transfer-encoding and content-length")
        if not _only_chunked(codings):
            raise MalformedRequest(501, "a transfer coding other than chunked")
        return CHUNKED
    if not lengths:
        return NO_BODY
    length = _length(lengths)
    if length is None:
        raise MalformedRequest(400, "an invalid content-length")
    return Framing(LENGTH, length) if length else NO_BODY


def response_framing(
    method: bytes, version: bytes, status: int, codings: Sequence[bytes], lengths: Sequence[bytes]
) -> Framing:
    """The framing of a final response to ``method``, from its Transfer-Encoding and Content-Length values.

    Raises MalformedResponse where it is ambiguous (https://www.rfc-editor.org/rfc/rfc9112#section-6.3).
    """
    if codings and (lengths or version == b"1.0" or not _only_chunked(codings)):
        raise MalformedResponse("its transfer-encoding is ambiguous")
    length = _length(lengths) if lengths else 0
    if length is None:
        raise MalformedResponse("its content-length is invalid")
    if method == b"HEAD" or status in (204, 304):
        return NO_BODY
    if codings:
        return CHUNKED
    return Framing(LENGTH, length) if lengths else UNTIL_CLOSE


def _only_chunked(codings: Sequence[bytes]) -> bool:
    """Whether chunked is the one and only transfer coding; ``gzip, chunked`` is legal and refused: nobody sends it."""
    return len(codings) == 1 and codings[0].strip(b" \t").lower() == b"chunked"


def _length(lengths: Sequence[bytes]) -> int | None:
    """The one Content-Length, or None: repeated equal values are allowed by the standard and refused here."""
    text = lengths[0].strip(b" \t")
    if len(lengths) != 1 or not 0 < len(text) <= _LENGTH_DIGITS:
        return None
    length = 0
    for digit in text:
        if not 48 <= digit <= 57:
            return None
        length = 10 * length + digit - 48
    return length
