"""Readers of plain heads: what nearly all requests and responses look like, read without a parser's callbacks.

They do not judge.  What ``read_plain_request`` accepts, aiohttp's strict parser accepts too and reads as the same
``RequestHead``; the same holds for ``read_plain_response``, llhttp and ``ResponseHead``.  Whatever might be read in two
ways, or is merely unusual, gets None and goes to that parser.

Lines that come again and again are looked up as they stand, so that most heads cost one dictionary probe a line, or
one for all lines together.  Only names that are listed here are remembered: no cookies, credentials, nor identifiers
that never come twice.  A connection may remember its client's own last lines, whatever they are: most clients send the
same ones with request after request, and they are forgotten with the connection.  Pure.
"""

from __future__ import annotations

import re
from typing import Final

from corsproxy.http.target import keeping, read_ordinary
from corsproxy.proxy.pieces import Piece, behind
from corsproxy.proxy.received import ReceivedLine, ResponseHead, Status, received_line
from corsproxy.proxy.request import Fields, Line, RequestHead, header_line

_METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
_is_target: Final = re.compile(rb"/[!-\"$-~]*").fullmatch
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([\x20-\x7e]*)")
_NAME: Final = keeping(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_VALUE: Final = keeping({*b"\t", *range(0x20, 0x7F), *range(0x80, 0x100)})
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
# The validators among them come again with every answer from the same file.
_REPEATED_BY_SERVERS: Final = frozenset(
    {
        b"accept-ranges", b"access-control-allow-credentials", b"access-control-allow-headers",
        b"access-control-allow-methods", b"access-control-allow-origin", b"access-control-expose-headers",
        b"access-control-max-age", b"cache-control", b"connection", b"content-encoding", b"content-length",
        b"content-type", b"date", b"etag", b"expires", b"last-modified", b"pragma", b"referrer-policy", b"server",
        b"strict-transport-security", b"vary", b"via", b"x-content-type-options", b"x-frame-options", b"x-powered-by",
        b"x-xss-protection",
    }
)  # fmt: skip
_HEAD_END: Final = b"\r\n\r\n"
_LONGEST_KEPT: Final = 256  # bytes of a line
LONGEST_BLOCK: Final = 2048  # bytes of all lines of a head
_MOST_BLOCKS: Final = 1024  # as many as lines: each of so many origins may have one
_MOST_MARKS: Final = 4096
_MOST_HEADS: Final = 64
_MOST_KEPT: Final = 1024  # lines; when they are too many, all are forgotten, which costs less than to know the oldest

_blocks: Final[dict[bytes, Block]] = {}
# Hashes of blocks that came lately: one that never comes again puts none out of ``_blocks``.
_marks: Final[set[int]] = set()
_heads: Final[dict[bytes, ResponseHead]] = {}
_sent: Final[dict[bytes, Line]] = {}
_received: Final[dict[bytes, ReceivedLine]] = {}
_statuses: Final[dict[bytes, Status]] = {}


class Block:
    """All header lines of a request, as they came and as they were read."""

    __slots__ = ("count", "fields", "length", "text")

    def __init__(self, text: bytes, fields: Fields, count: int, length: int) -> None:
        self.text = text
        self.fields = fields
        self.count = count  # of the lines
        self.length = length  # of the body that belongs to them


class PlainRequest:
    """A request head, its lines, the length of the body that belongs to it, and what came behind the head.

    ``data`` are the bytes of a head that is remembered as it stands: the same bytes are the same request, whole.
    """

    __slots__ = ("block", "data", "head", "length", "rest")

    def __init__(self, head: RequestHead, block: Block, rest: Piece, data: bytes) -> None:
        self.head = head
        self.block = block
        self.length = block.length
        self.rest = rest
        self.data = data


def read_plain_request(
    data: bytes, limit: int, most_lines: int, last: PlainRequest | None = None
) -> PlainRequest | None:
    """The one request at the beginning of ``data``, its head of at most ``limit`` bytes and ``most_lines``, or None.

    ``last`` is what came before on the same connection, under the same limits.
    ``rest`` is no longer than the body; where more came, there is another request, and this reader takes none.
    """
    if last is not None and last.data == data:
        last.head.repeats = True  # not before: most connections wait idle after requests that do not come again
        return last
    rest: Piece = b""
    if not data.endswith(_HEAD_END):  # else nothing is behind the head; or what is, looks like no header line
        end = data.find(_HEAD_END) + len(_HEAD_END)
        data, rest = data[:end], behind(data, end)
    start, found, written = data.partition(b" HTTP/1.1\r\n")
    if not found or len(data) > limit:
        return None
    text = written[: -len(_HEAD_END)]
    known_lines = last is not None and last.block.text == text
    block = last.block if last is not None and known_lines else _blocks.get(text) or _read_block(text)
    if block is None or block.count > most_lines or len(rest) > block.length:
        return None
    method, _, target = start.partition(b" ")
    ordinary = read_ordinary(target)
    if method not in _METHODS or (ordinary is None and _is_target(target) is None):
        return None
    head = RequestHead(method, target, b"1.1", block.fields, ordinary)
    head.known_lines = known_lines
    return PlainRequest(head, block, rest, data if not block.length and len(data) <= LONGEST_BLOCK else b"")


def _read_block(block: bytes) -> Block | None:
    """The header lines of a request, if there is but one of each name; of two, parsers would count some."""
    lines: list[Line] = []
    known = True  # else a line of it is never remembered, or has come for the first time
    for text in block.split(b"\r\n"):
        line = _sent.get(text)
        if line is None:
            known = False
            line = _read_sent(text)
            if line is None:
                return None
        lines.append(line)
    fields = Fields()
    if not fields.take(lines) or not fields.host:
        return None
    length = fields.first(b"content-length")
    read = Block(block, fields, len(lines), int(length) if length else 0)
    if known and len(block) <= LONGEST_BLOCK and _came_lately(block):
        if len(_blocks) >= _MOST_BLOCKS:
            _blocks.clear()
        _blocks[block] = read
    return read


def _came_lately(block: bytes) -> bool:
    """Whether the same lines came before; next time they did."""
    mark = hash(block)
    if mark in _marks:
        return True
    if len(_marks) >= _MOST_MARKS:
        _marks.clear()
    _marks.add(mark)
    return False


def read_plain_response(head: bytes) -> ResponseHead | None:
    """The final response whose head, up to the empty line, is ``head``; or None."""
    return _heads.get(head) or _read_response(head)


def _read_response(head: bytes) -> ResponseHead | None:
    texts = head.split(b"\r\n")
    start = texts.pop(0)
    status = _statuses.get(start) or _read_status(start)
    if status is None:
        return None
    lines: list[ReceivedLine] = []
    known = True
    for text in texts:
        line = _received.get(text)
        if line is None:
            known = False
            line = _read_received(text)
            if line is None:
                return None
        lines.append(line)
    read = ResponseHead(b"1.1", status, lines)
    if len(read.all(b"content-length")) > 1:
        return None
    if known and len(head) <= LONGEST_BLOCK:
        # Each of its lines has come before: so may the whole.  Answers of one second that are as long as each other do.
        read.repeats = True
        if len(_heads) >= _MOST_HEADS:
            _heads.clear()
        _heads[head] = read
    return read


def _read_status(text: bytes) -> Status | None:
    match = _STATUS_LINE.fullmatch(text)
    if match is None:
        return None
    status = Status(int(match[1]), match[2])
    if len(text) <= _LONGEST_KEPT:
        if len(_statuses) >= _MOST_KEPT:
            _statuses.clear()
        _statuses[text] = status
    return status


def _split(text: bytes) -> tuple[bytes, bytes]:
    """The name and the value of a header line; no value where it is not as RFC 9110 5.5 has it, or has none."""
    name, _, value = text.partition(b":")
    value = value.strip(b" \t")
    if not name or name.translate(_NAME) != name or value.translate(_VALUE) != value:
        return name, b""
    return name, value


def _read_sent(text: bytes) -> Line | None:
    name, value = _split(text)
    if not value:
        return None
    line = header_line(name, value)
    if line.name in _LEFT or (line.name == b"connection" and line.value.lower() != b"keep-alive"):
        return None
    if line.name == b"content-length" and _LENGTH.fullmatch(line.value) is None:
        return None
    if len(text) <= _LONGEST_KEPT and (line.name in _REPEATED_BY_CLIENTS or _names_a_site(line)):
        if len(_sent) >= _MOST_KEPT:
            _sent.clear()
        _sent[text] = line
    return line


def _names_a_site(line: Line) -> bool:
    """Whether a line is a Referer without a path, which tells no more than Origin: what browsers send to other sites.

    https://w3c.github.io/webappsec-referrer-policy/#referrer-policy-strict-origin-when-cross-origin
    """
    return line.name == b"referer" and line.value.endswith(b"/") and line.value.count(b"/") == 3


def _read_received(text: bytes) -> ReceivedLine | None:
    name, value = _split(text)
    if not value:
        return None
    line = received_line(name, value)
    if line.name in _LEFT or (line.name == b"content-length" and _LENGTH.fullmatch(line.field[1]) is None):
        return None
    if line.name in _REPEATED_BY_SERVERS and len(text) <= _LONGEST_KEPT:
        if len(_received) >= _MOST_KEPT:
            _received.clear()
        _received[text] = line
    return line
