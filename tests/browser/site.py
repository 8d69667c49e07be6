"""The server of the pages: one for all of their origins, since an origin begins with a name.

Every page is empty but for ``ask``, which tests write their scripts with.
"""

from __future__ import annotations

import ssl
from typing import Final, Self

from aiohttp import web

ASK: Final = """
    async function ask(url, options) {
        const answer = await fetch(url, options);
        return [answer.status, await answer.text()];
    }
"""
PAGE: Final = f"<!doctype html><title>A page</title><link rel=icon href='data:,'><script>{ASK}</script>"
WORKER: Final = "importScripts('/ask.js');"
# Takes over its page at once, and fetches in the page's place.
SERVICE_WORKER: Final = """
    importScripts("/ask.js");
    oninstall = () => skipWaiting();
    onactivate = event => event.waitUntil(clients.claim());
    onfetch = event => event.respondWith(fetch(event.request));
"""
# https://html.spec.whatwg.org/multipage/browsers.html#cross-origin-isolation
ISOLATED: Final = {"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Opener-Policy": "same-origin"}


class Site:
    """The server of the pages on a port of its own, over HTTPS with ``tls``."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._tls = tls
        self._runner: web.ServerRunner

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(_answer), shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def localhost(self) -> str:
        """The origin of the pages as a development server's, http://localhost:5173 but for the port."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    def origin(self, name: str) -> str:
        """The origin of the pages under a name below localhost; Chromium trusts these as it trusts https."""
        return f"http://{name}.localhost:{self.port}"


async def _answer(request: web.BaseRequest) -> web.Response:
    match request.path:
        case "/ask.js":
            return web.Response(text=ASK, content_type="text/javascript")
        case "/worker.js":
            return web.Response(text=WORKER, content_type="text/javascript")
        case "/service-worker.js":
            return web.Response(text=SERVICE_WORKER, content_type="text/javascript")
        case "/isolated":
            return web.Response(text=PAGE, content_type="text/html", headers=ISOLATED)
        case _:
            return web.Response(text=PAGE, content_type="text/html")
