"""The admin listener: its own address, never reachable through the proxied one.

Rules that this file obeys:

- What it serves by itself is read-only: GET and HEAD.  No page of a browser can read it: nothing here grants anything
  across origins, and a name that leads here without being this machine's own (DNS rebinding) gets 421.
- ``mount`` adds what lies above this folder (the inspector), which guards itself; its own headers stay as they are.
- ``/livez`` says that the process runs, ``/readyz`` that it takes requests (503 while it drains), ``/metrics`` what it
  has done, ``/config`` what it runs by.
- Liveness and readiness say nothing of the upstreams: to restart a proxy, or to take all of them out of service at
  once, heals no upstream.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

from corsproxy.errors import MalformedRequest
from corsproxy.http.answers import prefers_json, printable
from corsproxy.http.target import parse_host
from corsproxy.server.colleagues import Colleagues, State
from corsproxy.server.metric_families import from_json, merge
from corsproxy.server.metrics import of_state
from corsproxy.server.private_names import is_private

log = logging.getLogger("corsproxy.admin")

# https://owasp.org/www-project-secure-headers/: nothing is kept, guessed, framed, run, or read from another site.
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class Admin:
    """Health, metrics and configuration over HTTP, on sockets that listen already.

    ``draining`` turns readiness off; ``describe`` tells the configuration in force, without its secrets.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        names: Sequence[str],
        colleagues: Colleagues,
        describe: Callable[[], Mapping[str, object]],
        mount: Callable[[web.Application], None] | None = None,
    ) -> None:
        self.draining = False
        self.names = list(names)
        self._sockets = sockets
        self._colleagues = colleagues
        self._describe = describe
        application = web.Application(middlewares=[_misdirected])
        pages = {"/livez": self._live, "/readyz": self._ready, "/metrics": self._metrics, "/config": self._config}
        application.add_routes([web.get(path, page) for path, page in pages.items()])
        application.on_response_prepare.append(_harden)
        if mount is not None:
            mount(application)
        log.addFilter(_is_our_fault)
        self._runner = web.AppRunner(application, access_log=None, logger=log)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every TCP socket."""
        return [(name[0], name[1]) for name in self._runner.addresses if isinstance(name, tuple)]

    async def start(self) -> None:
        """Take requests."""
        await self._runner.setup()
        for sock in self._sockets:
            await web.SockSite(self._runner, sock).start()

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, request: web.Request) -> web.Response:
        reasons = ["draining"] if self.draining else []
        status = 503 if reasons else 200
        as_json = prefers_json(request.headers.get("Accept", "").encode("latin-1", "replace"))
        if not as_json and "verbose" not in request.query:
            return web.Response(status=status, text="\n".join(reasons or ["ok"]) + "\n")
        report = {"ready": not reasons, "reasons": reasons, **_described((await self._colleagues.gather()).state)}
        if as_json:
            return web.json_response(report, status=status)
        lines = [f"{name}: {_shown(value)}\n" for name, value in report.items()]
        return web.Response(status=status, text="".join(lines))

    async def _metrics(self, request: web.Request) -> web.Response:
        from corsproxy.server.exposition import exposed  # noqa: PLC0415  # only who scrapes pays for it

        state, snapshots = await self._colleagues.gather()
        merged = merge([of_state(state), *map(from_json, filter(None, snapshots))])
        # A table of thousands of rules makes a long text; requests go on meanwhile.
        body, media_type = await asyncio.to_thread(exposed, merged, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": media_type})

    async def _config(self, _: web.Request) -> web.Response:
        return web.json_response(dict(self._describe()))


@web.middleware
async def _misdirected(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse a name that anybody may point here: a page of it would be same-origin with everything shown."""
    try:
        host, _ = parse_host(request.headers.get("Host", "").encode("latin-1", "replace"))
    except MalformedRequest:
        host = ""
    if not is_private(host, socket.gethostname()):
        raise web.HTTPMisdirectedRequest(text="this address is asked by IP address, localhost or an internal name\n")
    return await handler(request)


def _described(state: State) -> dict[str, object]:
    """What is worth knowing beside readiness, and does not decide it: a refused file leaves the old one in force."""
    return {
        "workers": state.workers,
        "workers_wanted": state.workers_wanted,
        "config_hash": state.config_hash,
        "shadow_config": state.shadow_config,
        "refused_config": list(state.refused),
    }


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(printable, value)) or "none" if isinstance(value, list) else str(value) or "unknown"


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "corsproxy"  # in place of aiohttp's


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether a record deserves to be seen: aiohttp logs a trace for everything that a client sends and is no HTTP."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)
