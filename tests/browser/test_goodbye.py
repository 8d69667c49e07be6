"""What a page sends when it goes: beacons and fetches with ``keepalive``, which outlive it."""

from __future__ import annotations

import pytest

from tests.browser.shop import FAILED

pytestmark = pytest.mark.asyncio(loop_scope="session")

JSON = """
    const headers = {"Content-Type": "application/json"};
    const goodbye = {method: "POST", headers, body: '{"bye": 1}', keepalive: true};
"""
TEXT = "content-type: text/plain;charset=UTF-8"
PREFLIGHT = (
    "OPTIONS /items",
    "access-control-request-headers: content-type",
    "access-control-request-method: POST",
)
POST = ("POST /items", "content-length: 10", "content-type: application/json")


async def test_keepalive_fetch_outlives_its_page(shop_with):
    """The page is gone when the preflight is answered, and the request goes out all the same."""
    async with shop_with("{allow_headers: [Content-Type]}") as shop:
        page = await shop.visit()
        await page.run(JSON + "onpagehide = () => fetch(api + '/items', goodbye)", shop.api)
        await page.page.goto(shop.stranger)
        await shop.upstream.reached(1)
        assert shop.reached() == [POST]
        exchanges = await shop.proxy.recorded(2)
        assert [exchange.decision.outcome for exchange in exchanges] == ["preflight-allowed", "allowed"]


async def test_keepalive_fetch_is_read(shop_with):
    async with shop_with("{allow_headers: [Content-Type]}") as shop:
        page = await shop.visit()
        assert await page.run(JSON + "return ask(api + '/items', goodbye)", shop.api) == [201, 'POST {"bye": 1}']
        assert shop.reached() == [POST]


async def test_keepalive_fetch_is_blocked_without_the_proxy(shop_with):
    async with shop_with() as shop:
        page = await shop.visit()
        assert await page.run(JSON + "return ask(api + '/items', goodbye)", shop.legacy) == FAILED
        assert shop.reached() == [PREFLIGHT]
        assert await page.console(1) == [shop.blocked(shop.upstream.seen[0])]


BEACON = "return navigator.sendBeacon(api + '/items', new Blob(['{\"bye\": 1}'], {type: 'application/json'}))"


async def test_beacon_of_json_has_a_preflight_and_carries_cookies(shop_with):
    """https://w3c.github.io/beacon/#sendbeacon-method: credentials mode include, always."""
    async with shop_with("{allow_headers: [Content-Type], allow_credentials: true}") as shop:
        page = await shop.visit()
        await page.run("await ask(api + '/login', {method: 'POST', credentials: 'include'})", shop.api)
        assert await page.run(BEACON, shop.api) is True
        await shop.upstream.reached(2)
        assert shop.reached()[1] == (*POST, "cookie: session=ada")
        assert await page.console() == []


async def test_beacon_of_json_is_blocked_without_the_proxy(shop_with):
    async with shop_with() as shop:
        page = await shop.visit()
        assert await page.run(BEACON, shop.legacy) is True
        assert await page.console(1) == [shop.blocked((await shop.upstream.reached(1))[0], "resource")]
        assert shop.reached() == [PREFLIGHT]


async def test_beacon_of_json_from_a_stranger_is_blocked(shop_with):
    async with shop_with("{allow_headers: [Content-Type], allow_credentials: true}") as shop:
        page = await shop.visit(shop.stranger)
        assert await page.run(BEACON, shop.api) is True
        assert await page.console(1) == [await shop.denied("resource")]
        assert shop.reached() == []


async def test_beacon_of_text_asks_nobody(shop_with):
    """No preflight and no answer to read, so CORS has no say: it arrives from anybody, on any way."""
    async with shop_with() as shop:
        page = await shop.visit(shop.stranger)
        for count, api in enumerate((shop.legacy, shop.api), 1):
            assert await page.run("return navigator.sendBeacon(api + '/items', 'bye')", api) is True
            await shop.upstream.reached(count)
        assert shop.reached(shop.stranger) == [
            ("POST /items", "content-length: 3", TEXT, "sec-fetch-mode: no-cors"),
            ("POST /items", "content-length: 3", TEXT, "sec-fetch-mode: no-cors"),
        ]
        assert await page.console() == []
