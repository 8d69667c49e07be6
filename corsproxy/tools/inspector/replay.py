"""A recorded request, asked again at this proxy's own listener, as any client would ask.

Rules: bodies are not recorded, so that only what had none can be replayed; nothing follows redirects or keeps the
answer, which appears in the list like every other; time and size have bounds.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, NamedTuple

from corsproxy.errors import CorsproxyError
from corsproxy.proxy.exchange import Exchange
from corsproxy.tools.inspector.masking import CREDENTIALS
from corsproxy.tools.inspector.reenactment import asked

_PATIENCE: Final = 30.0  # seconds
_MOST: Final = 1024 * 1024  # bytes of an answer that are read; the rest is cut off
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where to reach what listens so
_LEFT_OUT: Final = frozenset({b"content-length", b"via"})


class NotReplayed(CorsproxyError):
    """A request cannot be asked again; the message says why."""


class Door(NamedTuple):
    """Where this proxy listens, and whether a replay may carry the credentials that were recorded."""

    host: str
    port: int
    tls: bool
    credentials: bool


async def replay(exchange: Exchange, door: Door | None) -> None:
    """Ask again, and wait for the end of the answer; raises NotReplayed."""
    if door is None:
        raise NotReplayed("the proxy listens on no TCP address; send it again from the page")
    if exchange.request_bytes or exchange.websocket:
        raise NotReplayed("bodies are not recorded, nor what a WebSocket said; send it again from the page")
    try:
        async with asyncio.timeout(_PATIENCE):
            await _exchange(_request(exchange, door), door)
    except (OSError, TimeoutError) as error:
        raise NotReplayed(f"the proxy itself does not answer at {door.host}:{door.port} ({error})") from None


def _request(exchange: Exchange, door: Door) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (exchange.method, exchange.target)]
    for name, value in asked(exchange):
        if name.lower() not in _LEFT_OUT and (door.credentials or name.lower() not in CREDENTIALS):
            lines.append(b"%b: %b" % (name, value))
    if exchange.method in {b"PATCH", b"POST", b"PUT"}:
        lines.append(b"Content-Length: 0")
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


async def _exchange(request: bytes, door: Door) -> None:
    host = _ANYWHERE.get(door.host, door.host)
    reader, writer = await asyncio.open_connection(host, door.port, ssl=_trusting() if door.tls else None)
    try:
        writer.write(request)
        read = 0
        while read < _MOST and (piece := await reader.read(64 * 1024)):
            read += len(piece)
        if not read:
            raise NotReplayed("its listener does not speak plain HTTP; send it again from the page")
    finally:
        writer.close()


def _trusting() -> ssl.SSLContext:
    """It is this very process: there is nobody else to tell it from."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
