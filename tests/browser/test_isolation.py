"""Answers that isolated pages may embed, and answers whose timing may be measured."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOW = """
    const image = Object.assign(new Image(), {src: api + "/red.png"});
    const shown = new Promise(done => { image.onload = () => done(true); image.onerror = () => done(false) });
    return [crossOriginIsolated, await shown];
"""
BY_DEFAULT = "ERR_BLOCKED_BY_RESPONSE.NotSameOriginAfterDefaultedToSameOriginByCoep"

# The policy, whether it is a stranger's page, and the network error, "" when the image is shown.
# https://fetch.spec.whatwg.org/#cross-origin-resource-policy-internal-check
EMBEDDED = [
    ("", False, BY_DEFAULT),
    ("{cross_origin_resource_policy: cross-origin}", False, ""),
    ("{cross_origin_resource_policy: cross-origin}", True, ""),  # it grants nothing by origin, and is always sent
    ("{cross_origin_resource_policy: same-site}", False, ""),
    ("{cross_origin_resource_policy: same-site}", True, "ERR_BLOCKED_BY_RESPONSE.NotSameSite"),
    ("{cross_origin_resource_policy: same-origin}", False, "ERR_BLOCKED_BY_RESPONSE.NotSameOrigin"),
]


@pytest.mark.parametrize(("policy", "stranger", "error"), EMBEDDED)
async def test_page_that_requires_corp_embeds_an_image(shop_with, policy, stranger, error):
    async with shop_with(policy) as shop:
        page = await shop.visit(shop.stranger if stranger else shop.app, "/isolated")
        assert await page.run(SHOW, shop.api) == [True, not error]
        assert await page.network_errors(bool(error)) == ([error] if error else [])


async def test_page_that_requires_corp_embeds_no_image_of_the_api_itself(shop_with):
    async with shop_with() as shop:
        page = await shop.visit(path="/isolated")
        assert await page.run(SHOW, shop.legacy) == [True, False]
        assert await page.network_errors(1) == [BY_DEFAULT]


async def test_page_that_requires_corp_reads_what_cors_allows(shop_with):
    async with shop_with() as shop:
        page = await shop.visit(path="/isolated")
        assert await page.run("return (await ask(api + '/items'))[0]", shop.api) == 200


MEASURE = """
    const url = api + "/items";
    const seen = new Promise(done => new PerformanceObserver(list => {
        const entry = list.getEntriesByName(url)[0];
        if (entry) done(entry);
    }).observe({type: "resource"}));
    await ask(url).catch(() => {});
    const entry = await seen;
    return [entry.requestStart > 0, entry.responseStart > 0, entry.responseEnd > 0];
"""
ALL, END = [True, True, True], [False, False, True]

# The policy, whether it is a stranger's page, and what is measured: everything, or only the end.
# https://fetch.spec.whatwg.org/#concept-tao-check
MEASURED = [
    ("", False, END),
    ("{timing_allow_origins: ['http://*.shop.localhost:*']}", False, ALL),
    ("{timing_allow_origins: ['http://*.shop.localhost:*']}", True, END),
    ("{timing_allow_origins: '*'}", False, ALL),
    ("{timing_allow_origins: ['https://other.example.com']}", False, END),
]


@pytest.mark.parametrize(("policy", "stranger", "measured"), MEASURED)
async def test_timing_is_seen_by_those_who_are_listed(shop_with, policy, stranger, measured):
    async with shop_with(policy) as shop:
        page = await shop.visit(shop.stranger if stranger else shop.app)
        assert await page.run(MEASURE, shop.api) == measured


async def test_timing_of_the_api_itself_is_not_seen(shop_with):
    async with shop_with() as shop:
        page = await shop.visit()
        assert await page.run(MEASURE, shop.legacy) == END
