"""The API behind the proxy: a bookshop's, older than CORS, which sends no CORS header and answers OPTIONS with 405.

It keeps the head of every request that reaches it.  What a test wants done otherwise, it passes as a route of its own.
"""

from __future__ import annotations

import asyncio
import base64
import re
import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from aiohttp import web

from tests.e2e.wire import PATIENCE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BOOK: Final = b"Stately, plump Buck Mulligan"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# One red pixel, as PNG.
RED: Final = b"".join(
    (
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        _chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00")),
        _chunk(b"IEND", b""),
    )
)
# A font with one empty glyph, as WOFF.
FONT: Final = base64.b64decode(
    "d09GRgABAAAAAAHcAAoAAAAAAgQAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAABPUy8yAAABXAAAAB0AAABgQPZBOGNtYXAAAAGAAAAAJQAAACwADABG"
    "Z2x5ZgAAAawAAAABAAAAAQAAAABoZWFkAAAA9AAAADYAAAA2XxZA4GhoZWEAAAEsAAAAGwAAACQDIgEuaG10eAAAAXwAAAAEAAAABAH0AABsb2Nh"
    "AAABqAAAAAQAAAAEAAAAAG1heHAAAAFIAAAAEwAAACAAAgACbmFtZQAAAbAAAAAgAAAAIgB3CGpwb3N0AAAB0AAAAAwAAAAgAAMAAAABAAAAAQAA"
    "WkOF/l8PPPUAAwPoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwACAAAAAAAAeJxjYGRgYFb4b8HAwPiFAQIYGVABIwBAwQJTAHicY2BkYGAA"
    "YQhgYkADAAB8AAUAeJxjYGb8wjiBgZWBhYFEYA8EBJQoMDAAALVyAq8AAAAB9AAAeJxjYGBgYmBgYAZiESDJCKZZGCQYQOIgGYb//8EYKAMAJmgE"
    "TwAAAAAAAAAAAAAAeJxjYGBgYpBjYGZgZOFkYASyGaBsJjD0YQgCAAfHAOp4nGNgZsALAAB9AAQ="
)


@dataclass(frozen=True)
class Seen:
    """The head of a request as it reached the upstream, names in lower case."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]


class Legacy:
    """The API on a port of its own; ``seen`` are the requests that reached it, in order."""

    def __init__(self, routes: Mapping[str, Handler]) -> None:
        self.seen: list[Seen] = []
        self.port = 0
        self._news = asyncio.Event()
        self._app = web.Application(middlewares=[self._keep], client_max_size=0)
        for path, handler in routes.items():
            self._app.router.add_route("*", path, handler)
        self._app.add_routes(ROUTES)
        self._runner: web.AppRunner

    async def __aenter__(self) -> Self:
        # A handler is cancelled when whoever asked has gone: so a test can wait for that.
        self._runner = web.AppRunner(self._app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where the proxy finds it."""
        return f"http://127.0.0.1:{self.port}"

    async def reached(self, count: int) -> list[Seen]:
        """The requests, once there are that many."""
        async with asyncio.timeout(PATIENCE):
            while len(self.seen) < count:
                self._news.clear()
                await self._news.wait()
        return self.seen

    @web.middleware
    async def _keep(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        fields = tuple((name.decode().lower(), value.decode()) for name, value in request.raw_headers)
        self.seen.append(Seen(request.method, request.raw_path, fields))
        self._news.set()
        return await handler(request)


async def items(_: web.Request) -> web.Response:
    return web.json_response([{"id": 7, "title": "Ulysses"}], headers={"X-Total-Count": "1", "X-Page": "1 of 1"})


async def item(request: web.Request) -> web.Response:
    """Says what it was told, so that the page can see that all of it has arrived."""
    body = await request.text()
    return web.Response(status=201 if request.method == "POST" else 200, text=f"{request.method} {body}")


async def upload(request: web.Request) -> web.Response:
    size = sum([len(piece) async for piece in request.content.iter_any()])
    return web.Response(text=f"{size} bytes")


async def login(_: web.Request) -> web.Response:
    response = web.Response(text="welcome")
    response.set_cookie("session", "ada")
    return response


async def me(request: web.Request) -> web.Response:
    return web.Response(text=request.cookies.get("session", "nobody"))


async def status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["status"]), text=f"the shop says {request.match_info['status']}")


async def moved(request: web.Request) -> web.Response:
    """Redirects to ``to``, in which ``HERE`` is what a server believes its own address to be: the Host that it got."""
    code, to = int(request.query["status"]), request.query["to"]
    return web.Response(status=code, headers={"Location": to.replace("HERE", f"http://{request.host}")})


async def book(request: web.Request) -> web.Response:
    """A file of which parts can be had (https://www.rfc-editor.org/rfc/rfc9110#section-14)."""
    if "Range" not in request.headers:
        return web.Response(body=BOOK)
    first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers["Range"]).groups()  # type: ignore[union-attr]
    start, end = (int(first), int(last or len(BOOK) - 1)) if first else (len(BOOK) - int(last), len(BOOK) - 1)
    if start >= len(BOOK):
        return web.Response(status=416, headers={"Content-Range": f"bytes */{len(BOOK)}"})
    part = {"Content-Range": f"bytes {start}-{end}/{len(BOOK)}"}
    return web.Response(status=206, body=BOOK[start : end + 1], headers=part)


async def fresh(request: web.Request) -> web.Response:
    """What a browser keeps, but has to ask about each time."""
    headers = {"ETag": '"1"', "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == '"1"':
        return web.Response(status=304, headers=headers)
    return web.Response(text="the first edition", headers=headers)


async def lasting(_: web.Request) -> web.Response:
    """What a browser keeps for an hour."""
    return web.Response(text="the first edition", headers={"Cache-Control": "max-age=3600"})


async def chat(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=("chat.v2",))
    await socket.prepare(request)
    async for message in socket:
        if message.data == "bye":
            await socket.close(code=4001, message=b"see you")
        else:
            await socket.send_str(f"the shop heard: {message.data}")
    return socket


def file(content_type: str, body: bytes) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type)

    return handler


ROUTES: Final = [
    web.get("/items", items),
    web.post("/items", item),
    web.route("PUT", "/items/7", item),
    web.route("PATCH", "/items/7", item),
    web.route("DELETE", "/items/7", item),
    web.post("/upload", upload),
    web.post("/login", login),
    web.get("/me", me),
    web.get("/status/{status}", status),
    web.route("GET", "/moved", moved),
    web.route("POST", "/moved", moved),
    web.get("/book", book),
    web.get("/fresh", fresh),
    web.get("/lasting", lasting),
    web.get("/chat", chat),
    web.get("/module.js", file("text/javascript", b"export const title = 'Ulysses';")),
    web.get("/broken.js", file("text/javascript", b"throw new Error('the shelf is empty');")),
    web.get("/style.css", file("text/css", b"body { color: red; }")),
    web.get("/font.woff", file("font/woff", FONT)),
    web.get("/red.png", file("image/png", RED)),
]
