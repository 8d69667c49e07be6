"""Messages as they stood on the wire: read by the grammar, kept line by line, with nothing merged or repaired.

What RFC 9112 does not allow in an answer is an error here (``NotHttp``): a browser might read it in another way.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Final

from corsproxy.errors import CorsproxyError

LIMIT: Final = 2**21  # bytes of a head

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*", re.DOTALL)
_BODYLESS: Final = frozenset({204, 304})

Lines = tuple[tuple[bytes, bytes], ...]


class NotHttp(CorsproxyError):
    """Bytes that are no HTTP/1 message."""


@dataclass(frozen=True, slots=True)
class Response:
    """A final answer, and the interim ones before it."""

    status: int
    headers: Lines
    body: bytes = b""
    whole: bool = True  # whether the body is as long as it was said to be
    interim: tuple[Response, ...] = ()

    def all(self, name: str) -> list[str]:
        """The values of every line of that name, in order."""
        return values_of(self.headers, name)


@dataclass(slots=True)
class Received:
    """A request as the upstream received it."""

    method: str
    target: str
    headers: Lines
    body: bytes = field(default=b"", repr=False)

    def all(self, name: str) -> list[str]:
        """The values of every line of that name, in order."""
        return values_of(self.headers, name)


def values_of(headers: Lines, name: str) -> list[str]:
    """The values of every line of that name, in order."""
    wanted = name.lower().encode("latin-1")
    return [value.decode("latin-1") for own, value in headers if own.lower() == wanted]


async def read_response(reader: asyncio.StreamReader, method: str) -> Response | None:
    """The answer to a request of that method; None when the connection ends before there is one.

    Raises NotHttp for anything that is no answer, and TimeoutError when the caller's patience ends.
    """
    interim: list[Response] = []
    while True:
        head = await _read_head(reader)
        if head is None:
            return None
        status_line, headers = head
        match = _STATUS_LINE.fullmatch(status_line)
        if match is None:
            raise NotHttp(f"not a status line: {status_line!r}")
        status = int(match[1])
        if status >= 200 or status == 101:
            body, whole = await _read_body(reader, status, method, headers)
            return Response(status, headers, body, whole, tuple(interim))
        interim.append(Response(status, headers))


async def read_request(reader: asyncio.StreamReader) -> Received | None:
    """The next request of a proxy; None at the end of the connection."""
    head = await _read_head(reader)
    if head is None:
        return None
    method, _, rest = head[0].decode("latin-1").partition(" ")
    received = Received(method, rest.rpartition(" ")[0], head[1])
    if received.all("transfer-encoding") or received.all("content-length"):
        received.body, _ = await _read_body(reader, 200, "", head[1])
    return received


async def _read_head(reader: asyncio.StreamReader) -> tuple[bytes, Lines] | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial.strip():
            raise NotHttp(f"the connection ended inside a head: {ended.partial[:80]!r}") from None
        return None
    except asyncio.LimitOverrunError:
        raise NotHttp(f"a head longer than {LIMIT} bytes") from None
    start, *lines = head[:-4].split(b"\r\n")
    return start, tuple(_line(line) for line in lines)


def _line(line: bytes) -> tuple[bytes, bytes]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise NotHttp(f"not a header line: {line[:200]!r}")
    return match[1], match[2]


async def _read_body(reader: asyncio.StreamReader, status: int, method: str, headers: Lines) -> tuple[bytes, bool]:
    """The body, and whether it was whole."""
    if method == "HEAD" or status in _BODYLESS or status == 101:
        return b"", True
    codings, lengths = values_of(headers, "transfer-encoding"), values_of(headers, "content-length")
    if codings and lengths:
        raise NotHttp("Transfer-Encoding beside Content-Length")
    try:
        if codings:
            return await _read_chunks(reader), True
        if lengths:
            if len(lengths) > 1 or not lengths[0].isdecimal():
                raise NotHttp(f"Content-Length: {', '.join(lengths)}")
            return await reader.readexactly(int(lengths[0])), True
        return await reader.read(), True
    except asyncio.IncompleteReadError as ended:
        return ended.partial, False
    except ConnectionError:
        return b"", False


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        size = (await reader.readuntil(b"\r\n")).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]+", size):
            raise NotHttp(f"not a chunk: {size[:40]!r}")
        if not int(size, 16):
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailers
            return bytes(body)
        body += (await reader.readexactly(int(size, 16) + 2))[:-2]
