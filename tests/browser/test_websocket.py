"""WebSockets: no browser asks CORS about them, so it is the proxy that turns strangers away."""

from __future__ import annotations

import pytest
from aiohttp import web

from corsproxy.cors.words import websocket_refused

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Says something, and tells how it went.
TALK = """
    const socket = new WebSocket(api.replace("http", "ws") + "/chat?room=1", ["chat.v2"]);
    const heard = [];
    socket.onopen = () => socket.send("hällo");
    socket.onmessage = event => {
        heard.push(event.data);
        socket.send("bye");
    };
    const closed = await new Promise(done => socket.onclose = done);
    return [heard, socket.protocol, closed.wasClean, closed.code, closed.reason];
"""
HEARD = [["the shop heard: hällo"], "chat.v2", True, 4001, "see you"]
REFUSED = [[], "", False, 1006, ""]
HANDSHAKE = {"upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-protocol: chat.v2"}


async def test_allowed_page_talks_through_the_proxy(shop_with):
    async with shop_with() as shop:
        page = await shop.visit()
        assert await page.run(TALK, shop.api) == HEARD
        (head,) = shop.reached()
        assert head[0] == "GET /chat?room=1"
        assert set(head) >= HANDSHAKE
        assert "no origin" not in head
        assert await page.console() == []


async def test_stranger_is_refused_and_the_api_never_sees_it(shop_with):
    async with shop_with() as shop:
        page = await shop.visit(shop.stranger)
        assert await page.run(TALK, shop.api) == REFUSED
        assert shop.reached() == []
        assert await page.console(1) == [websocket_refused(403, url=shop.api + "/chat?room=1")]


async def test_without_the_proxy_a_stranger_is_let_in(shop_with):
    """What the proxy protects from: the API never looks at the Origin."""
    async with shop_with() as shop:
        page = await shop.visit(shop.stranger)
        assert await page.run(TALK, shop.legacy) == HEARD


async def test_large_binary_messages_pass_both_ways(shop_with):
    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket

    script = """
        const socket = new WebSocket(api.replace("http", "ws") + "/echo");
        socket.binaryType = "arraybuffer";
        const sent = new Uint8Array(3_000_000).map((_, index) => index * 7);
        socket.onopen = () => socket.send(sent);
        const {data} = await new Promise(done => socket.onmessage = done);
        socket.close();
        const heard = new Uint8Array(data);
        return heard.length == sent.length && heard.every((byte, index) => byte == sent[index]);
    """
    async with shop_with(routes={"/echo": echo}) as shop:
        page = await shop.visit()
        assert await page.run(script, shop.api) is True


@pytest.mark.parametrize("status", [200, 204, 302, 304, 400, 401, 403, 404, 407, 421, 426, 500, 503])
async def test_handshake_that_the_api_refuses_is_told_as_such(shop_with, status):
    script = f"""
        const socket = new WebSocket(api.replace("http", "ws") + "/status/{status}");
        return (await new Promise(done => socket.onclose = done)).code;
    """
    async with shop_with() as shop:
        page = await shop.visit()
        assert await page.run(script, shop.api) == 1006
        assert await page.console(1) == [websocket_refused(status, url=f"{shop.api}/status/{status}")]
