"""The inspector over HTTP: a page for everybody who reaches the admin listener, what it shows for who has the token.

Rules that this file obeys:

- The token comes in a header, which no page of elsewhere can set and no browser sends by itself; the page has it from
  the fragment of its URL, which is never sent to a server.
- Whatever a page of another origin asks is refused, token or not (Origin, Sec-Fetch-Site); the admin listener has
  refused names that are not its own before.
- Nothing is derived before somebody asks; an SSE stream ends with the process.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Any, Final

from aiohttp import web

from corsproxy.proxy.exchange import Exchange
from corsproxy.tools.inspector.details import Known, case_of, details, message_of
from corsproxy.tools.inspector.exports import as_har
from corsproxy.tools.inspector.reasons import tried
from corsproxy.tools.inspector.recorder import Recorded, Recorder
from corsproxy.tools.inspector.replay import Door, NotReplayed, replay
from corsproxy.tools.inspector.rows import pairs, row, rule_rows

PREFIX: Final = "/inspector"

_MOST_WATCHERS: Final = 8
_PAUSE: Final = 0.15  # seconds in which exchanges are gathered before they are told
_HEARTBEAT: Final = 15.0  # seconds of silence, after which a proxy in between might close the connection

_PAGE: Final[Mapping[str, str]] = {
    "index.html": "text/html",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
    "inspector.js": "text/javascript",
    "api.js": "text/javascript",
    "dom.js": "text/javascript",
    "list.js": "text/javascript",
    "detail.js": "text/javascript",
    "explanation.js": "text/javascript",
    "rules.js": "text/javascript",
}

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Inspector:
    """The page and what it asks; ``known`` and ``door`` are asked each time, since a reload may change them."""

    def __init__(
        self, recorder: Recorder, token: str, known: Callable[[], Known], door: Callable[[], Door | None]
    ) -> None:
        self._recorder = recorder
        self._token = token.encode()
        self._known = known
        self._door = door
        self._closing = False

    def mount(self, application: web.Application) -> None:
        """Add the pages to the admin listener's application."""
        application.add_routes(
            [
                web.get(PREFIX, _to_the_page),
                web.get(PREFIX + "/", _page),
                web.get(PREFIX + "/{name}", _page),
                web.get(PREFIX + "/api/events", self._guarded(self._events)),
                web.get(PREFIX + "/api/exchanges/{number}", self._guarded(self._details)),
                web.get(PREFIX + "/api/har", self._guarded(self._har)),
                web.post(PREFIX + "/api/try/{number}", self._guarded(self._try)),
                web.post(PREFIX + "/api/replay/{number}", self._guarded(self._replay)),
            ]
        )
        application.on_shutdown.append(self._close)

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if _is_foreign(request):
                raise web.HTTPForbidden(text="only the inspector's own page may ask this\n", headers=_HEADERS)
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            known = secrets.compare_digest(token.encode("utf-8", "replace"), self._token)
            if scheme.lower() != "bearer" or not known:
                headers = {**_HEADERS, "WWW-Authenticate": "Bearer"}
                raise web.HTTPUnauthorized(text="open the URL with the token that was printed\n", headers=headers)
            return await handler(request)

        return guarded

    async def _close(self, _: web.Application) -> None:
        self._closing = True
        self._recorder.wake()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """What is there, then what comes (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
        if self._recorder.watchers >= _MOST_WATCHERS:
            raise web.HTTPServiceUnavailable(text="too many are watching; close another page\n", headers=_HEADERS)
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        with self._recorder.watched() as event, suppress(ConnectionError):  # the page has been closed
            await response.prepare(request)
            told = -1
            while not self._closing:
                if self._recorder.last != told:
                    event.clear()
                    told, text = self._news(told)
                    await response.write(text)
                    await asyncio.sleep(_PAUSE)
                    continue
                try:
                    await asyncio.wait_for(event.wait(), _HEARTBEAT)
                except TimeoutError:
                    await response.write(b": still here\n\n")
                event.clear()
        return response

    def _news(self, told: int) -> tuple[int, bytes]:
        recorded = self._recorder.all()
        partner = pairs(recorded)
        news = {
            "rows": [row(one, partner.get(one.number, 0)) for one in recorded if one.number > told],
            "first": recorded[0].number if recorded else 0,
            "rules": rule_rows(self._known().table, recorded),
        }
        last = self._recorder.last
        return last, f"id: {last}\ndata: {json.dumps(news)}\n\n".encode()

    async def _details(self, request: web.Request) -> web.Response:
        exchange, pair = self._found(request)
        known = await asyncio.to_thread(self._known)
        # A fix is searched for by compiling the configuration a few times; requests go on meanwhile.
        return _json(await asyncio.to_thread(details, case_of(exchange, pair), known))

    async def _try(self, request: web.Request) -> web.Response:
        exchange, pair = self._found(request)
        policy = await request.text()
        return _json(await asyncio.to_thread(tried, case_of(exchange, pair), policy))

    async def _replay(self, request: web.Request) -> web.Response:
        exchange, _ = self._found(request)
        try:
            await replay(exchange, self._door())
        except NotReplayed as error:
            return _json({"problem": str(error)}, status=409)
        return _json({"problem": ""})

    async def _har(self, request: web.Request) -> web.Response:
        table = self._known().table
        wanted = request.query.get("id", "")
        recorded = [one for one in self._recorder.all() if wanted in {"", str(one.number)}]
        log = await asyncio.to_thread(lambda: as_har(message_of(one.exchange, table) for one in recorded))
        return _json(log)

    def _found(self, request: web.Request) -> tuple[Exchange, Exchange | None]:
        """The exchange that is named, and its pair."""
        recorded = self._recorder.all()
        by_number = {str(one.number): one for one in recorded}
        one: Recorded | None = by_number.get(request.match_info["number"])
        if one is None:
            raise web.HTTPNotFound(text="this exchange is no longer kept\n", headers=_HEADERS)
        pair = by_number.get(str(pairs(recorded).get(one.number, 0)))
        return one.exchange, pair.exchange if pair else None


async def _to_the_page(_: web.Request) -> web.Response:
    raise web.HTTPPermanentRedirect(PREFIX + "/", headers=_HEADERS)


async def _page(request: web.Request) -> web.Response:
    """A file of the page, which holds nothing secret."""
    name = request.match_info.get("name", "index.html")
    if name not in _PAGE:
        raise web.HTTPNotFound(headers=_HEADERS)
    body = files("corsproxy.tools.inspector").joinpath("page", name).read_bytes()
    return web.Response(body=body, headers={**_HEADERS, "Content-Type": f"{_PAGE[name]}; charset=utf-8"})


def _json(value: Any, status: int = 200) -> web.Response:  # noqa: ANN401  # JSON
    return web.json_response(value, status=status, headers=_HEADERS)


def _is_foreign(request: web.Request) -> bool:
    """Whether another page than this listener's own asks; a program says nothing of a page, and needs the token too."""
    own = {f"{scheme}://{request.headers.get('Host', '')}" for scheme in ("http", "https")}
    if request.headers.get("Origin", next(iter(own))) not in own:
        return True
    return request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
