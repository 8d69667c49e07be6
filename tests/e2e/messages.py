"""HTTP messages as values: as they stood on the wire, and as tests write them down.

The grammar here is stricter than any browser's: what RFC 9112 does not allow is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*", re.DOTALL)

Fields = list[tuple[bytes, bytes]]


class NotHTTPError(AssertionError):
    """Bytes arrived that are no valid HTTP/1 message."""


@dataclass
class Message:
    """A message as it stood on the wire: names in their case, lines in their order, duplicates kept."""

    start: bytes
    fields: Fields
    body: bytes = b""
    trailers: Fields = field(default_factory=list)

    def all(self, name: bytes) -> list[bytes]:
        """The values of every line of that name, in order."""
        return [value for own, value in self.fields if own.lower() == name.lower()]

    def one(self, name: bytes) -> bytes:
        """The value of the only line of that name."""
        values = self.all(name)
        assert len(values) == 1, f"expected one {name.decode()} line, got {values} in {self}"
        return values[0]

    def members(self, name: bytes) -> list[bytes]:
        """The members of a comma-separated list, lower case, over all its lines."""
        return [part.strip().lower() for value in self.all(name) for part in value.split(b",") if part.strip()]

    def named(self, *prefixes: bytes) -> Fields:
        """The lines whose names begin with one of the prefixes, lower case, sorted."""
        return sorted((name.lower(), value) for name, value in self.fields if name.lower().startswith(prefixes))


class Request(Message):
    """A request as an upstream received it."""

    @property
    def method(self) -> bytes:
        return self.start.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.start.split(b" ")[1]

    @property
    def version(self) -> bytes:
        return self.start.split(b" ")[2]


class Response(Message):
    """A response as a client received it."""

    @property
    def version(self) -> bytes:
        return self.start.split(b" ")[0]

    @property
    def status(self) -> int:
        return int(self.start.split(b" ")[1])

    @property
    def reason(self) -> bytes:
        return self.start.split(b" ", 2)[2]

    @property
    def cors(self) -> Fields:
        """Every line that grants something to a page."""
        return self.named(b"access-control-", b"timing-allow-origin", b"cross-origin-resource-policy")

    @property
    def vary(self) -> list[bytes]:
        """The members of Vary, in order, lower case."""
        return self.members(b"vary")


def parse_line(line: bytes) -> tuple[bytes, bytes]:
    """A header line by the grammar: a token, a colon, a value without control characters."""
    match = LINE.fullmatch(line)
    if not match:
        raise NotHTTPError(f"not a header line: {line!r}")
    return match[1], match[2]


def is_chunked(message: Message) -> bool:
    """Whether the body is chunked; anything else about framing that is in doubt is an error."""
    lengths, codings = message.all(b"content-length"), message.all(b"transfer-encoding")
    if len(lengths) + len(codings) > 1 or codings not in ([], [b"chunked"]):
        raise NotHTTPError(f"framing in doubt: {message.fields}")
    return bool(codings)


def content_length(message: Message) -> int | None:
    values = message.all(b"content-length")
    if values and not values[0].isdigit():
        raise NotHTTPError(f"not a length: {values[0]!r}")
    return int(values[0]) if values else None


def request(line: bytes, *lines: bytes, body: bytes | None = None, version: bytes = b"1.1") -> bytes:
    """A request: ``request(b"GET /x", b"Origin: ...")``; Host and Content-Length are added where they are missing."""
    names = {own.partition(b":")[0].lower() for own in lines}
    head = [line + b" HTTP/" + version, *lines]
    if b"host" not in names:
        head.insert(1, b"Host: localhost")
    if body is not None and not names & {b"content-length", b"transfer-encoding"}:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + (body or b"")


def answer(status: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    """A response: ``answer(b"200 OK", b"X: y", body=b"hello")``; Content-Length is added unless framing is given."""
    names = {own.partition(b":")[0].lower() for own in lines}
    head = [b"HTTP/1.1 " + status, *lines]
    if not names & {b"content-length", b"transfer-encoding"} and status[:3] not in {b"204", b"304", b"101"}:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def chunked(*pieces: bytes, trailers: tuple[bytes, ...] = ()) -> bytes:
    """A whole chunked body."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return chunks + b"0\r\n" + b"".join(line + b"\r\n" for line in trailers) + b"\r\n"
