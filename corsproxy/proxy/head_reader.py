"""A reader of plain request heads, for the fast lane.

It does not judge: what it accepts, aiohttp's strict parser accepts too and reads as the same ``RequestHead``; whatever
could be read in two ways, or is merely unusual, is left to that parser.  Lines that come again and again are looked up
as they stand, so that most heads cost one dictionary probe a line.  Pure.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from corsproxy.proxy.request import Fields, Line, RequestHead, header_line

_REQUEST_LINE: Final = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[!-\"$-~]*) HTTP/1\.1")
_HEADER_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*)")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")

# They change the framing or the connection, or aiohttp refuses them by name.
_LEFT: Final = frozenset(
    {
        b"expect", b"http2-settings", b"keep-alive", b"proxy-connection", b"sec-websocket-key1", b"te", b"trailer",
        b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip

# What a browser or a program sends alike with each of its requests, and what is nobody's secret.  No other line is
# remembered: neither cookies and credentials, nor identifiers that never come twice.
_REPEATED: Final = frozenset(
    {
        b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"access-control-request-headers",
        b"access-control-request-method", b"access-control-request-private-network", b"cache-control", b"connection",
        b"content-length", b"content-type", b"dnt", b"host", b"origin", b"pragma", b"priority", b"sec-ch-ua",
        b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site",
        b"sec-fetch-user", b"sec-gpc", b"upgrade-insecure-requests", b"user-agent", b"x-requested-with",
    }
)  # fmt: skip
_LONGEST_KEPT: Final = 256  # bytes of a line
_MOST_KEPT: Final = 1024  # lines; when they are too many, all are forgotten, which costs less than to know the oldest

_kept: dict[bytes, Line] = {}


class PlainHead(NamedTuple):
    """A head that was read, the length of its body, and what came behind it."""

    head: RequestHead
    length: int
    rest: bytes


def read_plain_head(data: bytes, limit: int) -> PlainHead | None:
    """The one head at the beginning of ``data``, of at most ``limit`` bytes; None when it is not for this reader."""
    end = data.find(b"\r\n\r\n")
    if end < 0 or end + 4 > limit:
        return None
    texts = data[:end].split(b"\r\n")
    request = _REQUEST_LINE.fullmatch(texts[0])
    if request is None:
        return None
    lines = _read_lines(texts)
    if lines is None or b"host" not in lines:
        return None
    length = 0
    if b"content-length" in lines:
        length = int(lines[b"content-length"].value)
    rest = data[end + 4 :]
    if len(rest) > length:  # another request, or what is none
        return None
    method, target = request.groups()
    return PlainHead(RequestHead(method, target, b"1.1", Fields.of_distinct(lines)), length, rest)


def _read_lines(texts: list[bytes]) -> dict[bytes, Line] | None:
    """The header lines behind the request line by their names; None when one is unusual, or two have one name."""
    lines: dict[bytes, Line] = {}
    for text in texts[1:]:
        line = _kept.get(text) or _read_line(text)
        if line is None:
            return None
        lines[line.name] = line
    return lines if len(lines) == len(texts) - 1 else None


def _read_line(text: bytes) -> Line | None:
    match = _HEADER_LINE.fullmatch(text)
    if match is None:
        return None
    line = header_line(match[1], match[2].rstrip(b" \t"))
    if line.name in _LEFT or not _is_plain(line):
        return None
    if line.name in _REPEATED and len(text) <= _LONGEST_KEPT:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[text] = line
    return line


def _is_plain(line: Line) -> bool:
    if line.name == b"connection":
        return line.value.lower() == b"keep-alive"
    return line.name != b"content-length" or _LENGTH.fullmatch(line.value) is not None
