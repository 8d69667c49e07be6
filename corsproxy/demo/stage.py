"""The stage: the API, the page and the proxy, put up together on loopback and taken down together."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from aiohttp import web

from corsproxy.config.load import load_config
from corsproxy.demo.api import create_api
from corsproxy.demo.site import Setup, create_site
from corsproxy.demo.wire import Wire
from corsproxy.proxy.exchange import Exchange, Observer
from corsproxy.server.process import Mount, Server
from corsproxy.server.sockets import loopback_sockets

# All that the proxy needs to know.  It is started on port 0, so that no port can be taken between the choice and the
# start; the page shows the port that came of it.
CONFIG: Final = """\
listen: localhost:{port}
rules:
  - path: /
    upstream: {api}
    policy:
      allow_origins: [{page}]
      allow_methods: [GET, POST, DELETE]
      allow_headers: [Content-Type, X-Api-Key]
      expose_headers: [X-Total-Count]
      allow_credentials: true
"""

_ADMIN: Final = "admin: 127.0.0.1:0\n"

_GRACE: Final = 0.1  # seconds that open streams get at the end; nothing here is worth waiting for


@asynccontextmanager
async def stage(observe: Observer, page_port: int = 0, mount: Mount | None = None) -> AsyncIterator[Setup]:
    """Put the three parties up, and take them down at the end; ``observe`` sees every exchange through the proxy.

    ``mount`` adds pages to its admin listener; without it there is none.

    Raises OSError when ``page_port`` is taken.
    """
    wire = Wire()
    async with AsyncExitStack() as stack:
        page_sockets = _bound(stack, page_port)
        api_sockets = _bound(stack)
        page, api = (f"http://localhost:{_port(sockets)}" for sockets in (page_sockets, api_sockets))
        await _serve(stack, create_api(wire.api_answered), api_sockets)
        config = CONFIG.format(port=0, api=api, page=page) + (_ADMIN if mount is not None else "")
        port = await _serve_proxy(stack, config, _both(wire.proxy_answered, observe), mount)
        setup = Setup(
            page=page,
            api=api,
            proxy=f"http://localhost:{port}",
            unlisted=page.replace("localhost", "127.0.0.1"),
            config=CONFIG.format(port=port, api=api, page=page),
        )
        await _serve(stack, create_site(setup, wire), page_sockets)
        yield setup


def _bound(stack: AsyncExitStack, port: int = 0) -> list[socket.socket]:
    sockets = loopback_sockets(port)
    for sock in sockets:
        stack.callback(sock.close)
    return sockets


def _port(sockets: list[socket.socket]) -> int:
    port: int = sockets[0].getsockname()[1]
    return port


async def _serve(stack: AsyncExitStack, app: web.Application, sockets: list[socket.socket]) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    for sock in sockets:
        await web.SockSite(runner, sock).start()


async def _serve_proxy(stack: AsyncExitStack, config: str, observe: Observer, mount: Mount | None) -> int:
    server = Server(load_config(config, "demo.yaml", {}), observe, mount=mount)
    await server.start()
    stack.push_async_callback(server.stop, _GRACE)
    return server.addresses[0][1]


def _both(first: Observer, second: Observer) -> Observer:
    def observe(exchange: Exchange) -> None:
        first(exchange)
        second(exchange)

    return observe
