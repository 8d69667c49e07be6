"""Bodies that take their time: read as they come, given up half-way, and taken up again."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiohttp import web

from tests.browser.shop import FAILED, PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_each_chunk_is_read_before_the_next_is_sent(shop_with):
    """The API sends a chunk only when the page has read the one before, so nothing on the way may hold one back."""
    read: asyncio.Queue[str] = asyncio.Queue()

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for month in ("January", "February", "March"):
            await response.write(month.encode())
            assert await read.get() == month
        return response

    script = """
        const reader = (await fetch(api + "/sales")).body.pipeThrough(new TextDecoderStream()).getReader();
        for (let chunk; !(chunk = await reader.read()).done; ) await wasRead(chunk.value);
        return "all";
    """
    async with shop_with(routes={"/sales": slowly}) as shop:
        page = await shop.visit()
        await page.page.expose_function("wasRead", read.put)
        assert await page.run(script, shop.api) == "all"
        assert shop.reached() == [("GET /sales",)]
        assert await page.run(script, shop.legacy) == FAILED
        assert await page.console(1) == [shop.blocked(shop.upstream.seen[-1])]


# Listens until there are two messages, or until the browser gives up.
LISTEN = """
    const source = new EventSource(api + "/events", {withCredentials: true});
    const heard = [];
    return new Promise(done => {
        source.onmessage = event => {
            heard.push(event.data);
            if (heard.length == 2) done(heard);
        };
        source.onerror = () => source.readyState == EventSource.CLOSED && done("closed");
    }).finally(() => source.close());
"""
EVENTS = ("accept: text/event-stream", "cache-control: no-cache")


async def events(request: web.Request) -> web.StreamResponse:
    """One event a connection: the one after that which was heard last."""
    last = int(request.headers.get("Last-Event-ID", 0)) + 1
    return web.Response(text=f"retry: 1\nid: {last}\ndata: event {last}\n\n", content_type="text/event-stream")


async def test_event_source_reconnects_and_says_where_it_was(shop_with):
    async with shop_with("{allow_credentials: true}", routes={"/events": events}) as shop:
        page = await shop.visit()
        assert await page.run(LISTEN, shop.api) == ["event 1", "event 2"]
        assert shop.reached()[:2] == [
            ("GET /events", *EVENTS, "pragma: no-cache"),
            ("GET /events", *EVENTS, "last-event-id: 1", "pragma: no-cache"),
        ]
        assert await page.console() == []


async def test_event_source_is_blocked_without_the_proxy(shop_with):
    async with shop_with(routes={"/events": events}) as shop:
        page = await shop.visit()
        assert await page.run(LISTEN, shop.legacy) == "closed"
        assert shop.reached() == [("GET /events", *EVENTS, "pragma: no-cache")]
        assert await page.console(1) == [shop.blocked(shop.upstream.seen[0], "resource")]


async def test_event_source_of_a_stranger_is_blocked(shop_with):
    async with shop_with(routes={"/events": events}) as shop:
        page = await shop.visit(shop.stranger)
        assert await page.run(LISTEN, shop.api) == "closed"
        assert len(shop.upstream.seen) == 1
        assert await page.console(1) == [await shop.denied("resource")]


async def test_upload_stream_gets_its_preflight_and_then_needs_http_2(shop_with):
    """Chromium streams requests over HTTP/2 alone; it says so after the preflight, which every stream has."""
    script = """
        const body = new Blob(["Emma"]).stream();
        return ask(api + "/upload", {method: "POST", body, duplex: "half"});
    """
    async with shop_with() as shop:
        page = await shop.visit()
        assert await page.run(script, shop.api) == FAILED
        assert shop.reached() == []
        assert await page.console() == []
        assert await page.network_errors(1) == ["ERR_ALPN_NEGOTIATION_FAILED"]
        assert [exchange.decision.outcome for exchange in await shop.proxy.recorded()] == ["preflight-allowed"]
        assert await page.run(script, shop.legacy) == FAILED
        assert shop.reached() == [("OPTIONS /upload", "access-control-request-method: POST")]
        assert await page.console(1) == [shop.blocked(shop.upstream.seen[0])]


async def test_upload_reaches_the_api_while_the_browser_still_sends(shop_with):
    """The API answers at the first piece of a body that no buffer on the way can hold, and reads no further."""

    async def impatient(request: web.Request) -> web.Response:
        piece = await request.content.readany()
        return web.Response(text=f"{len(piece) > 0}")

    script = "return ask(api + '/hasty', {method: 'POST', body: new Blob(['x'.repeat(50_000_000)])})"
    async with shop_with(routes={"/hasty": impatient}) as shop:
        page = await shop.visit()
        assert await page.run(script, shop.api) == [200, "True"]


class Patient:
    """A route that answers with a first piece, or with nothing at all, and then waits until nobody listens."""

    def __init__(self, first: bytes) -> None:
        self.first = first
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if self.first:
            await response.prepare(request)
            await response.write(self.first)
        self.asked.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        self.left.set()
        raise asyncio.CancelledError


BEGIN = """
    self.controller = new AbortController();
    self.reading = fetch(api + "/slow", {signal: controller.signal}).then(answer => answer.text());
    reading.catch(() => {});
"""


@pytest.mark.parametrize("first", [b"", b"a first piece"], ids=["before the answer", "within the answer"])
async def test_abort_reaches_the_api(shop_with, first):
    slow = Patient(first)
    async with shop_with(routes={"/slow": slow.answer}) as shop, asyncio.timeout(PATIENCE):
        page = await shop.visit()
        await page.run(BEGIN, shop.api)
        await slow.asked.wait()
        why = "controller.abort(); return reading.then(() => 'complete', error => error.name)"
        assert await page.run(why) == "AbortError"
        await slow.left.wait()
        assert shop.reached() == [("GET /slow",)]
        assert await page.console() == []


async def test_leaving_the_page_reaches_the_api(shop_with):
    slow = Patient(b"a first piece")
    async with shop_with(routes={"/slow": slow.answer}) as shop, asyncio.timeout(PATIENCE):
        page = await shop.visit()
        await page.run(BEGIN, shop.api)
        await slow.asked.wait()
        await page.page.close()
        await slow.left.wait()
