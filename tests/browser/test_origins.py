"""Which pages a policy lets in: names below a name, and pages that have no origin of their own."""

from __future__ import annotations

import pytest

from tests.browser.shop import FAILED

pytestmark = pytest.mark.asyncio(loop_scope="session")

GET = "return ask(api + '/items')"
READ = [200, '[{"id": 7, "title": "Ulysses"}]']
BELOW = "{allow_origins: 'http://*.shop.localhost:*'}"

# The policy, the name of the page below localhost, and whether the page reads the answer.
PAGES = [
    (BELOW, "app.shop", True),
    (BELOW, "deep.down.shop", True),
    (BELOW, "shop", False),
    (BELOW, "bookshop", False),
    (BELOW, "app.shop.localhost.evil", False),
    ("{allow_origins: '*'}", "evil", True),
    ("{allow_origins: 'https://app.shop.localhost'}", "app.shop", False),
]


@pytest.mark.parametrize(("policy", "name", "allowed"), PAGES)
async def test_page_is_known_by_its_origin(shop_with, site, policy, name, allowed):
    async with shop_with(policy) as shop:
        page = await shop.visit(site.origin(name))
        assert await page.run(GET, shop.api) == (READ if allowed else FAILED)
        assert await page.console(not allowed) == ([] if allowed else [await shop.denied()])


FRAME = """
    const frame = Object.assign(document.createElement("iframe"), {src: "/"});
    frame.sandbox = "allow-scripts";
    document.body.append(frame);
    await new Promise(done => frame.onload = done);
"""
NULL = '{allow_origins: ["null"], dangerously_allow_null: true}'


@pytest.mark.parametrize(("policy", "allowed"), [("", False), (NULL, True)], ids=["by default", "dangerously"])
async def test_sandboxed_frame_is_let_in_only_by_the_dangerous_flag(shop_with, policy, allowed):
    async with shop_with(policy) as shop:
        page = await shop.visit()
        await page.run(FRAME)
        frame = page.page.frames[1]
        assert await page.run(GET, shop.api, where=frame) == (READ if allowed else FAILED)
        assert shop.reached("null") == [("GET /items", "sec-fetch-site: cross-site", "no referer")]
        assert await page.console(not allowed) == ([] if allowed else [await shop.denied()])


async def test_sandboxed_frame_reads_nothing_of_the_api_itself(shop_with):
    async with shop_with() as shop:
        page = await shop.visit()
        await page.run(FRAME)
        assert await page.run(GET, shop.legacy, where=page.page.frames[1]) == FAILED
        assert await page.console(1) == [shop.blocked(shop.upstream.seen[0], origin="null")]


async def test_two_pages_of_one_site_do_not_get_each_others_answer_from_the_cache(shop_with, site):
    """Both are allowed and the answer may be kept for an hour: ``Vary: Origin`` makes the browser ask again."""
    script = "return ask(api + '/lasting')"
    async with shop_with(BELOW) as shop:
        first = await shop.visit()
        assert await first.run(script, shop.api) == [200, "the first edition"]
        assert await first.run(script, shop.api) == [200, "the first edition"]
        assert shop.reached() == [("GET /lasting",)]
        second = await shop.visit(site.origin("admin.shop"), beside=first)
        assert await second.run(script, shop.api) == [200, "the first edition"]
        assert len(shop.upstream.seen) == 2
        assert await first.console() == await second.console() == []
