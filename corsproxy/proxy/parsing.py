"""How aiohttp's parser is fed: in small pieces where a chunk may stand, so that what each brought can be weighed.

llhttp tells how much content came out, and nothing of what it skipped: extensions, zeros before a size, trailers.  In
one read of the loop, 256 KiB, a short content would excuse all of that.  A body of known length is fed as it comes.

What aiohttp's parser was given is also what tells whether it stands between two messages, so that others may read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, RequestPayloadError

from corsproxy.proxy.framing_budget import FramingBudget
from corsproxy.proxy.request import Fields, RequestHead

if TYPE_CHECKING:
    from aiohttp import StreamReader

# Bytes that are parsed at once where a chunk may stand: after each such piece it is weighed what it brought.
_PIECE: Final = 4 * 1024

_HEAD_END: Final = b"\r\n\r\n"


class ParsingHandler(RequestHandler):
    """A client's connection as far as its bytes become messages."""

    __slots__ = ("_body", "_budget", "_sized", "_unparsed", "_window")

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # aiohttp's own
        super().__init__(*arguments, **options)
        # What the parser was given since the end of the last message, as far as its end may still be found in it;
        # None: nobody knows where the parser stands.
        self._window: bytes | None = b""
        self._body: StreamReader | None = None  # of the last request, when it is chunked
        self._sized: StreamReader | None = None  # of the last request, when it has a length or no body
        self._budget = FramingBudget()
        self._unparsed = b""  # what came while the request's body was held back

    @property
    def at_a_boundary(self) -> bool:
        """Whether the parser has nothing unfinished, as far as is known."""
        return self._window == b""

    def parse(self, data: bytes) -> None:
        """Let aiohttp parse what the client sent, after what it has not parsed yet."""
        arrived = self._request_count
        self._parse_all(data)
        if self._window is not None:
            self._locate(self._window + data, self._request_count - arrived)

    def _parse_all(self, data: bytes) -> None:
        """A held-back body holds back what follows it: aiohttp asks for more by ``data_received(b"")``."""
        if self._unparsed:
            data, self._unparsed = self._unparsed + data, b""
        sized = self._sized
        if len(data) <= _PIECE or (sized is not None and not sized.is_eof()):
            self._parse_piece(data)
            return
        for start in range(0, len(data), _PIECE):
            if self._reading_paused:
                self._unparsed = data[start:]
                return
            self._parse_piece(data[start : start + _PIECE])

    def _parse_piece(self, data: bytes) -> None:
        body, arrived = self._body, self._request_count
        before = body.total_bytes if body is not None else 0
        RequestHandler.data_received(self, data)
        if body is not None:
            self._weigh(body, len(data), body.total_bytes - before)
        if self._request_count > arrived:
            self._note(*self._messages[-1])

    def _note(self, message: object, payload: StreamReader) -> None:
        """The last message that came out of the parser."""
        if not isinstance(message, RawRequestMessage):
            return
        if message.chunked and not payload.is_eof():
            self._body, self._budget = payload, FramingBudget()
        self._sized = None if message.chunked else payload

    def _weigh(self, body: StreamReader, received: int, content: int) -> None:
        """Bound what a chunked body brings besides its content: extensions and trailers, which the parser skips."""
        if body.is_eof():
            self._body = None
        elif not self._budget.spend(received, content):
            body.set_exception(RequestPayloadError("the chunks are nearly all framing, or the trailers do not end"))
            self._body = None

    def _locate(self, window: bytes, arrived: int) -> None:
        """Note where the parser stands, after that many messages have come out of it."""
        end = window.find(_HEAD_END)
        if end < 0 and not arrived:
            self._window = window[1 - len(_HEAD_END) :]
        elif end + len(_HEAD_END) == len(window) and arrived == 1 and self._messages[-1][1] is EMPTY_PAYLOAD:
            self._window = b""
        else:
            self._window = None


def read_head(message: RawRequestMessage, method: bytes | None = None) -> RequestHead:
    """The head that aiohttp's parser read, byte for byte; ``method`` is the true one where the parser saw another."""
    version = b"%d.%d" % (message.version.major, message.version.minor)
    target = (message.path or "").encode("utf-8", "surrogateescape")  # a CONNECT may come without any
    return RequestHead(method or message.method.encode(), target, version, Fields(message.raw_headers))
