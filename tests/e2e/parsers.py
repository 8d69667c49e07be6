"""What other servers make of the bytes that this proxy forwards: four parsers with no line in common.

Each returns the messages that it sees, or raises Refused; to be stricter than this proxy is no disagreement.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Final, NamedTuple

import h11
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParserPy
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.parser import RequestParser


class Refused(Exception):
    """The parser takes this for no message, or not for a whole one."""


class Message(NamedTuple):
    """One request as a server understands it; names in lower case."""

    method: bytes
    target: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


def by_h11(data: bytes) -> list[Message]:
    """python-hyper/h11."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=10_000_000)
    connection.receive_data(data)
    messages = []
    try:
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if not isinstance(event, h11.Request):
                raise Refused(repr(event))
            body = b""
            while isinstance(part := connection.next_event(), h11.Data):
                body += bytes(part.data)
            if not isinstance(part, h11.EndOfMessage):
                raise Refused(repr(part))
            fields = tuple((bytes(name), bytes(value)) for name, value in event.headers)
            messages.append(Message(bytes(event.method), bytes(event.target), fields, body))
            connection.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE:
                break
            connection.start_next_cycle()
    except h11.ProtocolError as error:
        raise Refused(str(error)) from error
    return messages


def by_aiohttp(data: bytes) -> list[Message]:
    """aiohttp's parser in Python, which shares nothing with the one in C that the listener uses."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParserPy(
            BaseProtocol(loop), loop, 2**30, max_line_size=2**20, max_field_size=2**20, max_headers=2**16,
            auto_decompress=False,
        )  # fmt: skip
        found, _, _ = parser.feed_data(data)
    except HttpProcessingError as error:
        raise Refused(str(error)) from error
    finally:
        loop.close()
    messages = []
    for head, payload in found:
        if not payload.is_eof() or payload.exception():
            raise Refused("its body is not whole")
        fields = tuple((bytes(name).lower(), bytes(value)) for name, value in head.raw_headers)
        body = b"".join(getattr(payload, "_buffer", ()))
        messages.append(Message(head.method.encode(), head.path.encode("utf-8", "surrogateescape"), fields, body))
    return messages


_GUNICORN: Final = Config()
_GUNICORN.set("header_map", "dangerous")  # names with underscores are compared too
_GUNICORN.set("limit_request_field_size", 0)
_GUNICORN.set("limit_request_line", 0)
_GUNICORN.set("limit_request_fields", 32768)
_GUNICORN.set("http_parser", "python")


def by_gunicorn(data: bytes) -> list[Message]:
    """gunicorn, the server of most WSGI applications."""
    messages = []
    try:
        for request in RequestParser(_GUNICORN, iter([data]), ("127.0.0.1", 1)):
            body = request.body.read()
            fields = tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers)
            messages.append(Message(request.method.encode(), request.uri.encode("latin-1"), fields, body))
            if request.should_close():
                break
    except StopIteration:
        pass
    except (ParseException, OSError) as error:
        raise Refused(str(error)) from error
    return messages


class _Handler(BaseHTTPRequestHandler):
    """http.server's parsing without its socket."""

    def __init__(self, data: bytes) -> None:
        self.rfile = io.BytesIO(data)
        self.wfile = io.BytesIO()
        self.client_address = ("127.0.0.1", 1)
        self.raw_requestline = self.rfile.readline()
        self.refused = ""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self.refused = f"{code} {message} {explain}"

    def handle_expect_100(self) -> bool:
        return True


def by_stdlib(data: bytes) -> list[Message]:
    """http.server, which wsgiref, Django's and Werkzeug's development servers are made of; it knows no chunks."""
    handler = _Handler(data)
    if not handler.parse_request():
        raise Refused(handler.refused)
    fields = tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in handler.headers.items())
    target = handler.requestline.split()[1].encode("latin-1")
    if any(name == b"transfer-encoding" for name, _ in fields):
        raise Refused("chunks")
    lengths = [value for name, value in fields if name == b"content-length"]
    try:
        length = int(lengths[0]) if lengths else 0  # as WSGI applications read CONTENT_LENGTH
    except ValueError as error:
        raise Refused(str(error)) from error
    if not 0 <= length <= len(data):
        raise Refused("a body that is not there")
    body = handler.rfile.read(length)
    first = Message(handler.command.encode("latin-1"), target, fields, body)
    rest = handler.rfile.read()
    return [first, *(by_stdlib(rest) if rest else [])]


PARSERS: Final[Mapping[str, Callable[[bytes], list[Message]]]] = {
    "h11": by_h11,
    "aiohttp": by_aiohttp,
    "gunicorn": by_gunicorn,
    "http.server": by_stdlib,
}


def readings(data: bytes) -> dict[str, list[Message]]:
    """What each parser sees, without those that refuse."""
    seen = {}
    for name, parse in PARSERS.items():
        with contextlib.suppress(Refused):
            seen[name] = parse(data)
    return seen
