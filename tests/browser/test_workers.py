"""Workers and service workers: their fetches are CORS like any other, and their console is their own."""

from __future__ import annotations

import pytest

from tests.browser.shop import FAILED

pytestmark = pytest.mark.asyncio(loop_scope="session")

ITEMS = [200, '[{"id": 7, "title": "Ulysses"}]']
GET = "return ask(api + '/items')"

ENLIST = """
    await navigator.serviceWorker.register("/service-worker.js");
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller)
        await new Promise(done => navigator.serviceWorker.oncontrollerchange = done);
"""


async def hire(page):
    """The page's worker, ready to work."""
    async with page.page.expect_worker() as started:
        await page.run("self.worker = new Worker('/worker.js')")
    return await started.value


async def test_worker_reads_the_answer(shop_with):
    async with shop_with() as shop:
        page = await shop.visit()
        worker = await hire(page)
        assert await page.run(GET, shop.api, where=worker) == ITEMS
        assert shop.reached() == [("GET /items",)]
        assert await page.console() == []


async def test_worker_is_blocked_without_the_proxy(shop_with):
    async with shop_with() as shop:
        page = await shop.visit()
        worker = await hire(page)
        assert await page.run(GET, shop.legacy, where=worker) == FAILED
        assert await page.worker_console("/worker.js") == [shop.blocked(shop.upstream.seen[0])]


async def test_worker_of_a_stranger_is_blocked(shop_with):
    async with shop_with() as shop:
        page = await shop.visit(shop.stranger)
        worker = await hire(page)
        assert await page.run(GET, shop.api, where=worker) == FAILED
        assert await page.worker_console("/worker.js") == [await shop.denied()]


async def test_service_worker_fetches_in_the_pages_place(shop_with):
    script = "return ask(api + '/items', {method: 'POST', headers: {'X-Api-Key': 'k'}, body: 'Emma'})"
    async with shop_with("{allow_headers: [X-Api-Key]}") as shop:
        page = await shop.visit()
        await page.run(ENLIST)
        assert await page.run(script, shop.api) == [201, "POST Emma"]
        assert shop.reached() == [
            ("POST /items", "content-length: 4", "content-type: text/plain;charset=UTF-8", "x-api-key: k")
        ]
        assert await page.console() == []


async def test_service_worker_is_blocked_without_the_proxy(shop_with):
    async with shop_with() as shop:
        page = await shop.visit()
        await page.run(ENLIST)
        assert await page.run(GET, shop.legacy) == FAILED
        (said, rejected) = await page.worker_console("/service-worker.js")
        assert said == shop.blocked(shop.upstream.seen[0])
        assert rejected.startswith("The FetchEvent for ")


async def test_service_worker_of_a_stranger_is_blocked(shop_with):
    async with shop_with() as shop:
        page = await shop.visit(shop.stranger)
        await page.run(ENLIST)
        assert await page.run(GET, shop.api) == FAILED
        (said, rejected) = await page.worker_console("/service-worker.js")
        assert said == await shop.denied()
        assert rejected.startswith("The FetchEvent for ")
