"""The web site of the demonstration: the page, from an origin of its own, and what the page wants to know.

Plain files with a strict Content Security Policy.  It answers as ``localhost`` (the origin that the proxy lists) and as
``127.0.0.1`` (the same server, but another origin, which the proxy does not list) and under no other name, so that no
foreign page can reach it by rebinding its own name to loopback.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final, NamedTuple

from aiohttp import web

from corsproxy.demo.wire import Wire

_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FRAME: Final = "frame.html"  # the page of the unlisted origin


class Setup(NamedTuple):
    """What the page has to know: three origins, the fourth that is not listed, and the proxy's configuration."""

    page: str
    api: str
    proxy: str
    unlisted: str
    config: str


def create_site(setup: Setup, wire: Wire) -> web.Application:
    """The page and its files; ``/setup.json`` tells it the addresses, ``/wire/RUN`` what was on the wire."""

    async def read_setup(_: web.Request) -> web.Response:
        return web.json_response(setup._asdict())

    async def read_wire(request: web.Request) -> web.Response:
        return web.json_response(wire.of(request.match_info["run"]))

    app = web.Application(middlewares=[_only_for(setup)])
    app.on_response_prepare.append(_seal(setup))
    for name, content in _page_files().items():
        app.router.add_get("/" if name == "index.html" else f"/{name}", _serve(name, content))
    app.router.add_get("/setup.json", read_setup)
    app.router.add_get(r"/wire/{run}", read_wire)
    return app


def content_security_policy(setup: Setup, path: str) -> str:
    """Everything from here, nothing inline; connections to the three parties, the one frame, and no more."""
    framed_by = setup.page if path == f"/{_FRAME}" else "'none'"
    sockets = [origin.replace("http://", "ws://") for origin in (setup.api, setup.proxy)]
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            f"connect-src 'self' {' '.join([setup.api, setup.proxy, *sockets])}",
            f"frame-src {setup.unlisted}",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {framed_by}",
        ]
    )


def _page_files() -> dict[str, bytes]:
    page = files("corsproxy.demo").joinpath("page")
    return {item.name: item.read_bytes() for item in page.iterdir() if item.is_file()}


def _serve(name: str, content: bytes) -> Callable[[web.Request], Awaitable[web.Response]]:
    media_type = _TYPES["." + name.rpartition(".")[2]]

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type=media_type, charset="utf-8")

    return serve


def _seal(setup: Setup) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def seal(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = content_security_policy(setup, request.path)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"

    return seal


def _only_for(setup: Setup) -> Callable[..., Awaitable[web.StreamResponse]]:
    own, other = (origin.removeprefix("http://") for origin in (setup.page, setup.unlisted))

    @web.middleware
    async def only_for(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.host not in {own, other}:
            raise web.HTTPMisdirectedRequest(text=f"this is {setup.page}\n")
        if request.host == other and request.path == "/":  # whoever types that address wants the page
            raise web.HTTPFound(setup.page)
        return await handler(request)

    return only_for
