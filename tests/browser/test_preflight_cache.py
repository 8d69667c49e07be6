"""How long Chromium remembers a preflight's answer, and what it remembers of it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

POLICY = "{{allow_methods: [PUT, DELETE], allow_headers: [X-A, X-B], allow_credentials: true, max_age: {}}}"

PUT = "await ask(api + '/items/7', {method: 'PUT', headers: {'X-A': '1'}});"
DELETE = "await ask(api + '/items/7', {method: 'DELETE', headers: {'X-B': '1'}});"
QUERY = "await ask(api + '/items/7?q=1', {method: 'PUT', headers: {'X-A': '1'}});"
COOKIES = "await ask(api + '/items/7', {method: 'PUT', headers: {'X-A': '1'}, credentials: 'include'});"
# Any answer is remembered for 5 seconds, so only who waits longer has to do with max_age.
WAIT = "await new Promise(done => setTimeout(done, 5_500));"

# What the page does, for how long the policy lets it remember, and what the proxy saw.
# https://fetch.spec.whatwg.org/#cors-preflight-cache
REMEMBERED = {
    "once, then none": (PUT + PUT + PUT, "10m", "OPTIONS PUT PUT PUT"),
    "longer than by default": (PUT + WAIT + PUT, "10m", "OPTIONS PUT PUT"),
    "0: each time": (PUT + PUT, "0", "OPTIONS PUT OPTIONS PUT"),
    "the whole list is remembered": (PUT + DELETE, "10m", "OPTIONS PUT DELETE"),
    "another URL": (PUT + QUERY, "10m", "OPTIONS PUT OPTIONS PUT"),
    "another credentials mode": (PUT + COOKIES, "10m", "OPTIONS PUT OPTIONS PUT"),
}


@pytest.mark.parametrize("row", REMEMBERED)
async def test_preflights(shop_with, row):
    script, max_age, methods = REMEMBERED[row]
    async with shop_with(POLICY.format(max_age)) as shop:
        page = await shop.visit()
        await page.run(script, shop.api)
        exchanges = await shop.proxy.recorded(len(methods.split()))
        assert " ".join(exchange.method.decode() for exchange in exchanges) == methods
        assert [seen.method for seen in shop.upstream.seen] == methods.replace("OPTIONS ", "").split()
        assert await page.console() == []
