"""The legacy API of the demonstration: a bookshop as it might have gone online in 2009.

It obeys three rules of its time: it never sends an Access-Control-* header, it answers OPTIONS with 405, and it looks
at no Origin header, not even for a WebSocket.  It keeps nothing but sessions, so every request can be made again.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import WSMsgType, web

API_KEY: Final = "demo-2009"
COOKIE: Final = "bookshop"
PIECES: Final = 6  # of the export
PAUSE: Final = 0.12  # seconds between two pieces or events, so that one can see them come

_BOOKS: Final = (
    {"id": 1, "title": "Ulysses", "stock": 4},
    {"id": 2, "title": "Emma", "stock": 0},
    {"id": 3, "title": "Walden", "stock": 7},
)
_EVENTS: Final = 50  # after which the stream ends by itself, even if nobody closes it
_MOST_SESSIONS: Final = 1000

_SESSIONS: Final = web.AppKey("sessions", OrderedDict[str, str])

Observe = Callable[[web.Request, web.StreamResponse], None]


def create_api(observe: Observe) -> web.Application:
    """The bookshop; ``observe`` is shown every request together with the head of its answer."""

    async def show(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "Bookshop/1.0 (2009)"
        observe(request, response)

    app = web.Application(middlewares=[_json_errors])
    app[_SESSIONS] = OrderedDict()
    app.on_response_prepare.append(show)
    app.router.add_get("/books", _list_books, allow_head=False)
    app.router.add_post("/books", _add_book)
    app.router.add_delete(r"/books/{id:\d+}", _delete_book)
    app.router.add_get("/stock", _stock, allow_head=False)
    app.router.add_post("/login", _login)
    app.router.add_get("/me", _me, allow_head=False)
    app.router.add_get("/export", _export, allow_head=False)
    app.router.add_get("/events", _events, allow_head=False)
    app.router.add_get("/chat", _chat, allow_head=False)
    app.router.add_get("/report", _report, allow_head=False)
    return app


@web.middleware
async def _json_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What the routes do not know is answered in JSON, like everything else here."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return web.json_response({"error": error.reason.lower()}, status=error.status, headers=allow)


async def _list_books(_: web.Request) -> web.Response:
    return web.json_response(_BOOKS)


async def _add_book(request: web.Request) -> web.Response:
    try:
        title = (await request.json())["title"]
    except (ValueError, KeyError, TypeError):
        return web.json_response({"error": "a JSON object with a title is needed"}, status=400)
    return web.json_response({"id": len(_BOOKS) + 1, "title": str(title), "stock": 0}, status=201)


async def _delete_book(request: web.Request) -> web.Response:
    return web.json_response({"deleted": int(request.match_info["id"])})


async def _stock(request: web.Request) -> web.Response:
    """Only for those who have the key; how many there are in all stands in a header of its own."""
    if request.headers.get("X-Api-Key") != API_KEY:
        return web.json_response({"error": "the X-Api-Key is missing or wrong"}, status=401)
    stock = {book["title"]: book["stock"] for book in _BOOKS if book["stock"]}
    return web.json_response(stock, headers={"X-Total-Count": str(len(_BOOKS))})


async def _login(request: web.Request) -> web.Response:
    """A form post, as a page of 2009 would send it; the session is a cookie without any SameSite."""
    user = (await request.post()).get("user")
    if not isinstance(user, str) or not user:
        return web.json_response({"error": "a form with a user is needed"}, status=400)
    sessions = request.app[_SESSIONS]
    while len(sessions) >= _MOST_SESSIONS:
        sessions.popitem(last=False)
    token = secrets.token_urlsafe(12)
    sessions[token] = user
    response = web.json_response({"welcome": user})
    response.set_cookie(COOKIE, token, httponly=True, samesite=None)
    return response


async def _me(request: web.Request) -> web.Response:
    user = request.app[_SESSIONS].get(request.cookies.get(COOKIE, ""))
    if user is None:
        return web.json_response({"error": "nobody is logged in"}, status=401)
    return web.json_response({"user": user})


async def _export(request: web.Request) -> web.StreamResponse:
    """A report that is written while it is being read."""
    response = web.StreamResponse(headers={"Content-Type": "text/csv; charset=utf-8"})
    await response.prepare(request)
    for number in range(1, PIECES + 1):
        await response.write(b"2009-0%d,%d books sold\n" % (number, 17 * number))
        await asyncio.sleep(PAUSE)
    await response.write_eof()
    return response


async def _events(request: web.Request) -> web.StreamResponse:
    """Server-Sent Events: a book is sold every now and then."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    for number in range(1, _EVENTS + 1):
        title = _BOOKS[number % len(_BOOKS)]["title"]
        try:
            await response.write(f"id: {number}\ndata: {json.dumps({'sold': title})}\n\n".encode())
        except ConnectionError:  # the reader left, which is how a stream of events ends
            break
        await asyncio.sleep(PAUSE)
    return response


async def _chat(request: web.Request) -> web.WebSocketResponse:
    """Says back what it hears, to anyone: no Origin is looked at."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"the shop heard: {message.data}")
    return socket


async def _report(_: web.Request) -> web.Response:
    return web.json_response({"error": "table SALES is locked", "ticket": 4711}, status=500)
