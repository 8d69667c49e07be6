"""Django with sessions and CSRF protection: a page on another origin logs in, posts and logs out."""

from __future__ import annotations

import pytest

from tests.apps.django_site import NAME, PASSWORD
from tests.apps.django_site import site as django_site
from tests.browser.shop import FAILED, visiting
from tests.cli.running import running

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The token of each answer goes with the next request, as in the documentation of Django.
SESSION = f"""
    let token = "";
    const asked = async (method, path, body) => {{
        const headers = method == "POST" ? {{"X-CSRFToken": token}} : {{}};
        const answer = await fetch(api + path, {{method, body, headers, credentials: "include"}});
        const text = await answer.text();
        if (text.includes("token")) token = JSON.parse(text).token ?? token;
        return [answer.status, text.includes("token") ? "a token" : text];
    }};
    const user = new URLSearchParams({{name: "{NAME}", password: "{PASSWORD}"}});
"""
LOG_IN_POST_LOG_OUT = f"""
    {SESSION}
    return [
        await asked("GET", "/notes"),
        await asked("GET", "/login"),
        await asked("POST", "/login", user),
        await asked("POST", "/notes", "one"),
        await asked("POST", "/notes", "zwölf"),
        await asked("POST", "/logout"),
        await asked("GET", "/notes"),
    ];
"""
DONE = [
    [401, "log in first"],
    [200, "a token"],
    [200, "a token"],
    [200, '{"user": "ada", "notes": ["one"]}'],
    [200, '{"user": "ada", "notes": ["one", "zw\\u00f6lf"]}'],
    [200, "bye"],
    [401, "log in first"],
]
LOG_IN = SESSION + "return [await asked('GET', '/login'), (await asked('POST', '/login', user))[0]];"
POST_WITHOUT_A_TOKEN = f"""
    {SESSION}
    await asked("GET", "/login");
    const [status] = await asked("POST", "/login", user);
    token = "";
    return [status, (await asked("POST", "/notes", "one"))[0]];
"""
POLICY = "{allow_headers: [X-CSRFToken], allow_credentials: true}"


@pytest.fixture(scope="module")
def url(lack, django_ready):
    with django_site() as url:
        yield url


async def test_page_on_localhost_through_dev(browser, site, url):
    async with running("dev", url, "--listen", "localhost:0") as command:
        proxy = f"http://localhost:{await command.port()}"
        async with visiting(browser, site.localhost) as page:
            assert await page.run(LOG_IN_POST_LOG_OUT, proxy) == DONE
            assert await page.console() == []


async def test_page_of_the_same_site_through_a_rule(shop_with, url):
    async with shop_with(POLICY, rule=f"{{forward_origin: '{url}'}}", upstream=url) as shop:
        page = await shop.visit()
        assert await page.run(LOG_IN_POST_LOG_OUT, shop.api) == DONE
        assert await page.console() == []


async def test_csrf_protection_stays(shop_with, url):
    async with shop_with(POLICY, rule=f"{{forward_origin: '{url}'}}", upstream=url) as shop:
        page = await shop.visit()
        assert await page.run(POST_WITHOUT_A_TOKEN, shop.api) == [200, 403]


async def test_django_refuses_the_foreign_origin_where_the_rule_keeps_it(shop_with, url):
    """And the page can read that."""
    async with shop_with(POLICY, upstream=url) as shop:
        page = await shop.visit()
        assert await page.run(LOG_IN, shop.api) == [[200, "a token"], 403]


async def test_stranger_reads_nothing(shop_with, url):
    async with shop_with(POLICY, rule=f"{{forward_origin: '{url}'}}", upstream=url) as shop:
        page = await shop.visit(shop.stranger)
        assert await page.run(LOG_IN, shop.api) == FAILED
        assert await page.console(1) == [await shop.denied()]


async def test_without_the_proxy_nobody_reads_anything(shop_with, url):
    async with shop_with(upstream=url) as shop:
        page = await shop.visit()
        assert await page.run(LOG_IN, url) == FAILED
