"""Reading an upstream's response: bytes in, events out, no socket in sight.

llhttp, at its strictest, judges the head and the chunks; what it does not forbid and this proxy does stands here and in
``framing``.  A body of known length is counted and passed on as it came, without another look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import httptools

from corsproxy.errors import ConnectionLost, MalformedResponse
from corsproxy.http.fields import is_field_value
from corsproxy.proxy.framing import CHUNKED, LENGTH, NO_BODY, UNTIL_CLOSE, Framing, response_framing
from corsproxy.proxy.head_reader import read_plain_response
from corsproxy.proxy.pieces import WORTH_A_VIEW, Piece, behind
from corsproxy.proxy.received import Field, ResponseHead, Status, received_line

MAX_HEAD: Final = 256 * 1024  # bytes; Chromium itself gives up between 255 and 300 KB
_HEAD_END: Final = b"\r\n\r\n"
_MAX_LINES: Final = MAX_HEAD - len(_HEAD_END)
_MAX_INTERIM: Final = 32  # 1xx heads before the answer; more is a flood

# Bytes of a chunked body that are neither content nor its shortest framing: extensions, zeros before a size, trailers.
# llhttp takes them without end, though "a recipient ... ought to limit the total length of chunk extensions"
# (https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1).
_MAX_PADDING: Final = 16 * 1024


class Sink(Protocol):
    """Who is told what the upstream answered, in this order."""

    def interim(self, head: ResponseHead) -> None:
        """A 1xx came; there may be several, or none."""

    def head(self, head: ResponseHead, framing: Framing) -> None:
        """The final response begins."""

    def body(self, piece: Piece) -> None:
        """Some of the body, without transfer coding."""

    def end(self, trailers: Sequence[Field]) -> None:
        """The response is whole."""

    def switched(self, head: ResponseHead, rest: bytes) -> None:
        """The upstream agreed to the upgrade; ``rest`` are its first bytes in the new protocol."""


# What is expected next; numbers, since an enum's members would be looked up by name in every step.
_HEAD: Final = 0
_SIZED: Final = 1  # a body of known length
_CHUNKS: Final = 2
_REST: Final = 3  # all that comes until the connection ends
_NOTHING: Final = 4


class ResponseReader:
    """Reads the one response to one request.

    ``feed`` and ``eof`` raise MalformedResponse or ConnectionLost; the connection is of no use afterwards.
    """

    __slots__ = (
        "_buffer",
        "_interims",
        "_method",
        "_parser",
        "_remaining",
        "_sink",
        "_state",
        "_upgrade",
        "begun",
        "done",
        "reusable",
    )

    def __init__(self, sink: Sink, method: bytes, *, upgrade: bytes = b"") -> None:
        self._sink = sink
        self._method = method
        self._upgrade = upgrade
        self._state = _HEAD
        self._buffer = b""
        self._interims = 0
        self._remaining = 0
        self._parser: _MessageParser | None = None  # of a chunked body
        self.begun = False  # whether the head of the final response has come
        self.done = False  # whether the response is whole, or HTTP has ended by an upgrade
        self.reusable = False  # whether the connection may serve another request; known when done

    def feed(self, data: bytes) -> None:
        """Take what the upstream sent."""
        if self._state == _SIZED:
            self._feed_length(data)
        elif self._state == _HEAD:
            self._feed_head(data)
        elif self._state == _CHUNKS:
            self._feed_chunked(data)
        elif self._state == _REST:
            self._sink.body(data)
        else:  # bytes after the end belong to nobody, and must never reach the next response
            self.reusable = False

    def eof(self) -> None:
        """The upstream closed its side."""
        self.reusable = False
        if self._state == _REST:
            self._finish(())
        elif self._state == _HEAD:
            raise ConnectionLost("it closed the connection without an answer")
        elif self._state != _NOTHING:
            raise ConnectionLost("it closed the connection in the middle of its answer")

    def _feed_head(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while True:
            raw, end, rest = buffer.partition(_HEAD_END) if len(buffer) <= WORTH_A_VIEW else _parted(buffer)
            parser = None
            head = read_plain_response(raw) if end and len(raw) <= _MAX_LINES else None
            if head is None:
                parser = self._parse_head(buffer, raw, end)
                if parser is None:
                    return
                head = parser.head
            if head.status >= 200 or head.status == 101:  # RFC 9110 15.2
                self._begin(head, parser, rest)
                return
            self._interim(head)
            buffer = bytes(rest)

    def _parse_head(self, buffer: bytes, raw: bytes, end: bytes) -> _MessageParser | None:
        """A head that is not plain; None where it is unfinished, and waits for more, within bounds."""
        if not b"HTTP/1.".startswith(buffer[:7]):
            raise MalformedResponse("it does not speak HTTP/1")
        if len(raw) + len(end) > MAX_HEAD:
            raise MalformedResponse(f"its head is larger than {MAX_HEAD} bytes")
        if end:
            return _MessageParser(raw + end)
        self._buffer = buffer
        return None

    def _interim(self, head: ResponseHead) -> None:
        self._interims += 1
        if self._interims > _MAX_INTERIM:
            raise MalformedResponse(f"it sent more than {_MAX_INTERIM} interim responses")
        self._sink.interim(head)

    def _begin(self, head: ResponseHead, parser: _MessageParser | None, rest: Piece) -> None:
        self.begun = True
        if head.status == 101:  # RFC 9110 15.2.2
            self._switch(head, bytes(rest))
            return
        framing = _framing(head, self._method)
        self.reusable = head.persists and framing is not UNTIL_CLOSE
        self._sink.head(head, framing)
        if framing.kind is LENGTH and framing.length:
            self._state, self._remaining = _SIZED, framing.length
            if rest:
                self._feed_length(rest)
            return
        if framing is CHUNKED and parser is not None:
            self._state, self._parser = _CHUNKS, parser
        elif framing is NO_BODY or framing.kind is LENGTH:
            self._finish(())
        else:
            self._state = _REST
        if rest:
            self.feed(bytes(rest))

    def _switch(self, head: ResponseHead, rest: bytes) -> None:
        protocols = [value.strip().lower() for value in head.all(b"upgrade")]
        if not self._upgrade or protocols != [self._upgrade]:
            raise MalformedResponse("it switched to a protocol that nobody asked for")
        self._state, self.done = _NOTHING, True
        self._sink.switched(head, rest)

    def _feed_length(self, data: Piece) -> None:
        self._remaining -= len(data)
        if self._remaining > 0:
            self._sink.body(data)
            return
        if self._remaining < 0:
            data, self.reusable = data[: self._remaining], False
        self._sink.body(data)
        self._finish(())

    def _feed_chunked(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:  # pragma: no cover  # the state says that there is one
            raise AssertionError
        parser.padding += len(data)
        parser.feed(data)
        for piece in parser.take_pieces():
            self._sink.body(piece)
        if parser.padding > _MAX_PADDING and not parser.overrun:
            raise MalformedResponse(f"its chunks and trailers hold more than {_MAX_PADDING} bytes besides the content")
        if parser.complete:
            self.reusable = self.reusable and not parser.overrun
            self._finish(parser.trailers)

    def _finish(self, trailers: Sequence[Field]) -> None:
        self._state, self.done = _NOTHING, True
        self._parser = None
        self._sink.end(trailers)


def _parted(buffer: bytes) -> tuple[bytes, bytes, Piece]:
    """What ``partition`` gives, without a copy of a body."""
    end = buffer.find(_HEAD_END)
    return (buffer[:end], _HEAD_END, behind(buffer, end + len(_HEAD_END))) if end >= 0 else (buffer, b"", b"")


def _framing(head: ResponseHead, method: bytes) -> Framing:
    """The framing of the body behind ``head``; of all methods only HEAD makes a difference."""
    framing = head.framing
    if framing is None or method == b"HEAD":
        codings, lengths = head.all(b"transfer-encoding"), head.all(b"content-length")
        framing = response_framing(method, head.version, head.status, codings, lengths)
        if method != b"HEAD":
            head.framing = framing
    return framing


class _MessageParser:
    """One response through llhttp: the head at once, then chunks as they come.  httptools' errors end here."""

    def __init__(self, head: bytes) -> None:
        self._reason = b""
        self._fields: list[Field] = []
        self._pieces: list[bytes] = []
        self._chunk = 0  # bytes of content in the present chunk
        self.padding = 0  # what is fed is added here, and what is content or its shortest framing is taken off
        self.complete = False
        self.overrun = False
        self._parser: Any = httptools.HttpResponseParser(self)
        self.feed(head)
        self.head = self._checked()
        self.trailers: list[Field] = []
        self._fields = self.trailers
        self.complete = False

    def feed(self, data: bytes) -> None:
        """Raises MalformedResponse."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError as error:
            if self.complete:  # llhttp's complaint is about bytes after the end
                self.overrun = True
                return
            raise MalformedResponse("its bytes are no HTTP response", str(error)) from None

    def take_pieces(self) -> list[bytes]:
        """The pieces of the body since the last call."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def _checked(self) -> ResponseHead:
        """What llhttp lets through and this proxy does not."""
        version = self._parser.get_http_version().encode()
        status = self._parser.get_status_code()
        if version not in {b"1.0", b"1.1"}:
            raise MalformedResponse("it does not speak HTTP/1")
        if status < 100:  # RFC 9110 15
            raise MalformedResponse(f"its status is {status:03}")
        if not is_field_value(self._reason):
            raise MalformedResponse("its reason phrase holds control bytes")
        lines = [received_line(name, value.rstrip(b" \t")) for name, value in self._fields]
        return ResponseHead(version, Status(status, self._reason), lines)

    # httptools' callbacks

    def on_message_begin(self) -> None:
        self.overrun = self.complete

    def on_status(self, reason: bytes) -> None:
        if not self.complete:
            self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self._fields.append((name, value))

    def on_body(self, piece: bytes) -> None:
        if not self.complete:
            self._pieces.append(piece)
            self._chunk += len(piece)
            self.padding -= len(piece)

    def on_chunk_complete(self) -> None:
        self.padding -= len(b"%x\r\n\r\n" % self._chunk)
        self._chunk = 0

    def on_message_complete(self) -> None:
        self.complete = True
