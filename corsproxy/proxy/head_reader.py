"""Readers of plain heads: what nearly all requests and responses look like, read without a parser's callbacks.

They do not judge.  What ``read_plain_request`` accepts, aiohttp's strict parser accepts too and reads as the same
``RequestHead``; the same holds for ``read_plain_response``, llhttp and ``ResponseHead``.  Whatever might be read in two
ways, or is merely unusual, gets None and goes to that parser.

Lines that come again and again are looked up as they stand, so that most heads cost one dictionary probe a line.  Only
names that are listed here are remembered: no cookies, credentials, nor identifiers that never come twice.  Pure.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from corsproxy.proxy.received import ReceivedLine, ResponseHead, received_line
from corsproxy.proxy.request import Fields, Line, RequestHead, header_line

_REQUEST_LINE: Final = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[!-\"$-~]*) HTTP/1\.1")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([\x20-\x7e]*)")
_HEADER_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*)")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")

# They change the framing or the connection, or a parser refuses them by name.
_LEFT: Final = frozenset(
    {
        b"expect", b"http2-settings", b"keep-alive", b"proxy-connection", b"sec-websocket-key1", b"te", b"trailer",
        b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip

# What a browser, a program or a server sends alike with each message, and what is nobody's secret.
_REPEATED_BY_CLIENTS: Final = frozenset(
    {
        b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"access-control-request-headers",
        b"access-control-request-method", b"access-control-request-private-network", b"cache-control", b"connection",
        b"content-length", b"content-type", b"dnt", b"host", b"origin", b"pragma", b"priority", b"sec-ch-ua",
        b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site",
        b"sec-fetch-user", b"sec-gpc", b"upgrade-insecure-requests", b"user-agent", b"x-requested-with",
    }
)  # fmt: skip
_REPEATED_BY_SERVERS: Final = frozenset(
    {
        b"accept-ranges", b"access-control-allow-credentials", b"access-control-allow-headers",
        b"access-control-allow-methods", b"access-control-allow-origin", b"access-control-expose-headers",
        b"access-control-max-age", b"cache-control", b"connection", b"content-encoding", b"content-length",
        b"content-type", b"date", b"expires", b"pragma", b"referrer-policy", b"server", b"strict-transport-security",
        b"vary", b"via", b"x-content-type-options", b"x-frame-options", b"x-powered-by", b"x-xss-protection",
    }
)  # fmt: skip
_LONGEST_KEPT: Final = 256  # bytes of a line
_MOST_KEPT: Final = 1024  # lines; when they are too many, all are forgotten, which costs less than to know the oldest

_sent: dict[bytes, Line] = {}
_received: dict[bytes, ReceivedLine] = {}


class PlainRequest(NamedTuple):
    """A request head, the length of the body that belongs to it, and what came behind the head."""

    head: RequestHead
    length: int
    rest: bytes


def read_plain_request(data: bytes, limit: int, most_lines: int) -> PlainRequest | None:
    """The one request at the beginning of ``data``, its head of at most ``limit`` bytes and ``most_lines``, or None.

    ``rest`` is no longer than the body; where more came, there is another request, and this reader takes none.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0 or end + 4 > limit:
        return None
    texts = data[:end].split(b"\r\n")
    request = _REQUEST_LINE.fullmatch(texts.pop(0))
    if request is None or len(texts) > most_lines:
        return None
    lines = {}
    for text in texts:
        line = _sent.get(text) or _read_sent(text)
        if line is None:
            return None
        lines[line.name] = line
    if len(lines) != len(texts) or b"host" not in lines:  # two lines of one name; parsers count some of them
        return None
    length = int(lines[b"content-length"].value) if b"content-length" in lines else 0
    rest = data[end + 4 :]
    if len(rest) > length:
        return None
    method, target = request.groups()
    return PlainRequest(RequestHead(method, target, b"1.1", Fields.of_distinct(lines)), length, rest)


def read_plain_response(head: bytes) -> ResponseHead | None:
    """The final response whose head, up to and with the empty line, is ``head``; or None."""
    texts = head[:-4].split(b"\r\n")
    status = _STATUS_LINE.fullmatch(texts.pop(0))
    if status is None:
        return None
    lines = []
    for text in texts:
        line = _received.get(text) or _read_received(text)
        if line is None:
            return None
        lines.append(line)
    read = ResponseHead(b"1.1", int(status[1]), status[2], lines)
    return read if len(read.all(b"content-length")) < 2 else None


def _read_sent(text: bytes) -> Line | None:
    match = _HEADER_LINE.fullmatch(text)
    if match is None:
        return None
    line = header_line(match[1], match[2].rstrip(b" \t"))
    if line.name in _LEFT or (line.name == b"connection" and line.value.lower() != b"keep-alive"):
        return None
    if line.name == b"content-length" and _LENGTH.fullmatch(line.value) is None:
        return None
    if line.name in _REPEATED_BY_CLIENTS and len(text) <= _LONGEST_KEPT:
        if len(_sent) >= _MOST_KEPT:
            _sent.clear()
        _sent[text] = line
    return line


def _read_received(text: bytes) -> ReceivedLine | None:
    match = _HEADER_LINE.fullmatch(text)
    if match is None:
        return None
    line = received_line(match[1], match[2].rstrip(b" \t"))
    if line.name in _LEFT or (line.name == b"content-length" and _LENGTH.fullmatch(line.field[1]) is None):
        return None
    if line.name in _REPEATED_BY_SERVERS and len(text) <= _LONGEST_KEPT:
        if len(_received) >= _MOST_KEPT:
            _received.clear()
        _received[text] = line
    return line
