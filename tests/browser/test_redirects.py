"""Redirects: those that lead to the upstream itself lead through the proxy, and the page may read where they end."""

from __future__ import annotations

import pytest

from corsproxy.cors.check import Blocked, Verdict
from corsproxy.cors.words import chromium
from tests.browser.cases import WAYS, Case
from tests.browser.shop import FAILED

pytestmark = pytest.mark.asyncio(loop_scope="session")

ITEMS = [200, '[{"id": 7, "title": "Ulysses"}]']


def moved(status: int, to: str, method: str = "GET") -> str:
    """A script that follows a redirect, and says where it ended."""
    return f"""
        const options = {{method: "{method}", body: "{method}" == "GET" ? undefined : "Emma"}};
        const answer = await fetch(api + "/moved?status={status}&to={to}", options);
        return [answer.status, await answer.text(), answer.url.replace(api, "")];
    """


CASES = [
    *(
        Case(
            name=f"{status} to {to}",
            script=moved(status, to),
            sees=[*ITEMS, "/items"],
            reached=[(f"GET /moved?status={status}&to={to}",), ("GET /items",)],
        )
        for status, to in (
            (301, "HERE/items"),
            (302, "/items"),
            (303, "items"),
            (307, "./items"),
            (308, "HERE/items"),
        )
    ),
    Case(
        name="from one to the next",
        script=moved(302, "/moved?status=302%26to=/items"),
        sees=[*ITEMS, "/items"],
        reached=[
            ("GET /moved?status=302&to=/moved?status=302%26to=/items",),
            ("GET /moved?status=302&to=/items",),
            ("GET /items",),
        ],
    ),
    Case(
        name="with strip_prefix",
        rule="{path: /shop, strip_prefix: true}",
        script="""
            const to = api.includes("api.") ? "/shop" : "";
            const answer = await fetch(`${api}${to}/moved?status=302&to=HERE/items`);
            return [answer.status, await answer.text(), answer.url.replace(api, "")];
        """,
        sees=[*ITEMS, "/shop/items"],
        reached=[("GET /moved?status=302&to=HERE/items",), ("GET /items",)],
    ),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_redirect_is_followed(shop_with, case, way):
    await way(shop_with, case)


async def test_redirect_that_leads_away_leaves_the_proxy(shop_with):
    """Who sent the page there was a stranger to both, so the API is asked by ``null``, and says nothing of CORS."""
    async with shop_with() as shop:
        page = await shop.visit()
        to = f"{shop.legacy}/items"
        assert await page.run(f"return ask(api + '/moved?status=302&to={to}')", shop.api) == FAILED
        assert shop.reached() == [(f"GET /moved?status=302&to={to}",), ("GET /items", "origin: null")]
        verdict = Verdict(Blocked.MISSING_ALLOW_ORIGIN, url=to)
        asked = f"{shop.api}/moved?status=302&to={to}"
        assert await page.console(1) == [chromium(verdict, url=asked, origin=shop.app)]


async def test_post_goes_on_as_the_status_says(shop_with):
    """https://fetch.spec.whatwg.org/#concept-http-redirect-fetch, step 12"""
    async with shop_with() as shop:
        page = await shop.visit()
        for status, method in ((303, "GET"), (302, "GET"), (307, "POST"), (308, "POST")):
            got = await page.run(moved(status, "HERE/items", "POST"), shop.api)
            assert got == ([*ITEMS, "/items"] if method == "GET" else [201, "POST Emma", "/items"])
            assert shop.upstream.seen[-1].method == method
        assert await page.console() == []


async def test_request_with_a_preflight_has_another_where_it_is_sent(shop_with):
    script = "return ask(api + '/moved?status=307&to=HERE/items', {headers: {'X-Api-Key': 'k'}})"
    async with shop_with("{allow_headers: [X-Api-Key]}") as shop:
        page = await shop.visit()
        assert await page.run(script, shop.api) == ITEMS
        exchanges = await shop.proxy.recorded(4)
        assert [exchange.method for exchange in exchanges] == [b"OPTIONS", b"GET", b"OPTIONS", b"GET"]
        assert [head[1] for head in shop.reached()] == ["x-api-key: k", "x-api-key: k"]
