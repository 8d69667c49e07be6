"""A page in a browser, fetching over the real wire through the proxy under test."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from corsproxy.cors.browser import Fetched, Request, WireRequest, WireResponse, run
from tests.e2e.rig import Response, RunningProxy


@dataclass
class Visit:
    """What a page did and got: the browser's verdict, and every answer on the way, preflights included."""

    fetched: Fetched
    responses: list[Response] = field(default_factory=list)

    @property
    def allowed(self) -> bool:
        return self.fetched.verdict.allowed

    @property
    def body(self) -> bytes:
        """What the script reads; b"" when it may read nothing."""
        return self.responses[-1].body if self.allowed else b""

    @property
    def readable(self) -> set[bytes]:
        """The names of the headers that the script may read."""
        return {name.lower() for name, _ in self.fetched.response.headers} if self.fetched.response else set()


async def browse(proxy: RunningProxy, page: Request, *, body: bytes | None = None) -> Visit:
    """A fetch as a browser runs it: preflight, CORS check, redirects; whatever the URLs name, all go to the proxy."""
    loop = asyncio.get_running_loop()
    responses: list[Response] = []

    def send(asked: WireRequest) -> WireResponse:
        authority, _, path = asked.url.partition("://")[2].partition("/")
        lines = [b"Host: " + authority.encode(), *(name + b": " + value for name, value in asked.headers)]
        sent = body if asked.method != b"OPTIONS" else None
        asking = proxy.ask(asked.method + b" /" + path.encode(), *lines, body=sent)
        responses.append(asyncio.run_coroutine_threadsafe(asking, loop).result())
        return WireResponse(responses[-1].status, tuple(responses[-1].fields))

    return Visit(await asyncio.to_thread(run, page, send), responses)
