"""A CORS proxy the ordinary way: aiohttp's Application in front, its ClientSession behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web
from multidict import CIMultiDict

ORIGIN = os.environ["ORIGIN"]
UPSTREAM = os.environ["UPSTREAM"]
PREFLIGHT = {
    "Access-Control-Allow-Origin": ORIGIN,
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Methods": os.environ["METHODS"],
    "Access-Control-Allow-Headers": os.environ["HEADERS"],
    "Access-Control-Max-Age": os.environ["MAX_AGE"],
    "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
}
HOP_BY_HOP = ("Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "TE", "Host", "Expect")
SESSION: web.AppKey[aiohttp.ClientSession] = web.AppKey("session", aiohttp.ClientSession)


async def handle(request: web.Request) -> web.StreamResponse:
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        if request.headers.get("Origin") == ORIGIN:
            return web.Response(status=204, headers=PREFLIGHT)
        return web.Response(status=403, headers={"Vary": "Origin"})
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await relay_messages(request)
    body = request.content if request.body_exists else None
    url = UPSTREAM + request.path_qs
    sent = request.app[SESSION].request(
        request.method, url, headers=forwarded(request), data=body, allow_redirects=False
    )
    async with sent as answer:
        response = web.StreamResponse(status=answer.status, headers=with_cors(answer.headers.copy(), request))
        await response.prepare(request)
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response


def forwarded(request: web.Request) -> CIMultiDict[str]:
    headers = request.headers.copy()
    for name in HOP_BY_HOP:
        headers.popall(name, None)
    headers["X-Forwarded-For"] = request.remote or ""
    return headers


def with_cors(headers: CIMultiDict[str], request: web.Request) -> CIMultiDict[str]:
    for name in (*HOP_BY_HOP, "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"):
        headers.popall(name, None)
    if request.headers.get("Origin") == ORIGIN:
        headers["Access-Control-Allow-Origin"] = ORIGIN
        headers["Access-Control-Allow-Credentials"] = "true"
    headers.add("Vary", "Origin")
    return headers


async def relay_messages(request: web.Request) -> web.StreamResponse:
    client = web.WebSocketResponse(compress=False)
    await client.prepare(request)
    async with request.app[SESSION].ws_connect(UPSTREAM + request.path_qs) as upstream:
        await asyncio.wait(
            [asyncio.create_task(pump(client, upstream)), asyncio.create_task(pump(upstream, client))],
            return_when=asyncio.FIRST_COMPLETED,
        )
    await client.close()
    return client


async def pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    async for message in source:
        if message.type == aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type == aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)


async def session(app: web.Application) -> AsyncIterator[None]:
    connector = aiohttp.TCPConnector(limit=256, keepalive_timeout=75)
    timeout = aiohttp.ClientTimeout(total=None)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=jar, auto_decompress=False
    ) as app[SESSION]:
        yield


def main() -> None:
    uvloop.install()
    app = web.Application(client_max_size=0)
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", handle)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None, backlog=4096)


if __name__ == "__main__":
    main()
