"""The inspector's page in Chromium: live, explained, mended and tried, by keyboard, in a narrow window, by axe-core."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

from tests.apps.serving import NODE_APPS
from tests.e2e.inspected import TOKEN, inspected, written
from tests.e2e.rig import EVIL, ORIGIN, STRANGER, config, preflight

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = NODE_APPS / "node_modules" / "axe-core" / "axe.min.js"
ENTRY = "#list li"


@asynccontextmanager
async def watching(browser, *, narrow=False, write=written):
    """An inspected proxy, and its page; the browser's console must stay silent."""
    async with inspected(write=write) as proxy:
        size = {"width": 400, "height": 800} if narrow else {"width": 1280, "height": 900}
        context = await browser.new_context(viewport=size)
        origin = proxy.base.removesuffix("/inspector")
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=origin)
        page = await context.new_page()
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(proxy.url)
        await page.locator("#state[data-live=true]").wait_for()
        try:
            yield proxy, page
        finally:
            await context.close()
        assert said == []


async def some(proxy):
    """A preflight and its request, a blocked request, and one that is no matter of CORS."""
    await proxy.ask(*preflight(b"POST"))
    await proxy.ask(b"POST /x", ORIGIN, b"Content-Length: 0")
    await proxy.ask(b"GET /orders?token=s3cret", STRANGER, b"Cookie: sid=s3cret")
    await proxy.ask(b"GET /plain")


async def opened(page, text):
    await page.locator(ENTRY, has_text=text).click()
    await page.locator("#detail h2", has_text=text).wait_for()
    return page.locator("#detail")


async def clipboard(page):
    return await page.evaluate("navigator.clipboard.readText()")


async def test_exchanges_appear_as_they_happen_and_pairs_are_one_entry(browser):
    async with watching(browser) as (proxy, page):
        assert await page.locator(ENTRY).count() == 0
        await some(proxy)
        await page.locator(ENTRY, has_text="/plain").wait_for()
        assert await page.locator(ENTRY).count() == 3
        pair = await page.locator(ENTRY, has_text="POST").inner_text()
        assert "preflight 204, then 200" in pair
        detail = await opened(page, "/x")
        assert "the preflight arrives" in await detail.inner_text()
        assert "allowed" in await detail.locator(".lead").inner_text()


async def test_a_blocked_exchange_is_explained_and_its_fix_is_copied(browser):
    async with watching(browser) as (proxy, page):
        await some(proxy)
        detail = await opened(page, "/orders")
        said = await detail.inner_text()
        assert "No 'Access-Control-Allow-Origin' header is present on the requested resource." in said
        assert "(config.yaml:" in said
        assert await detail.locator(".steps [data-state=failed]").count() == 1
        await detail.get_by_role("button", name="Copy the change").click()
        await detail.get_by_role("button", name="Copied").wait_for()
        assert "+    - https://evil.example.net" in await clipboard(page)
        removed = await detail.locator("tr[data-kind=removed]").all_inner_texts()
        assert any(text.startswith("Access-Control-Allow-Origin") and "config.yaml:" in text for text in removed)
        assert "s3cret" not in await page.content()


async def test_the_filters_leave_what_was_asked_for(browser):
    async with watching(browser) as (proxy, page):
        await some(proxy)
        entries = page.locator(ENTRY)
        await page.locator(ENTRY, has_text="/plain").wait_for()
        for control, value, left in [
            ("verdict", "blocked", ["/orders"]),
            ("origin", "https://app.example.com", ["/x"]),
            ("status", "5", []),
            ("rule", "config.yaml:6:3", ["/plain", "/orders", "/x"]),
        ]:
            await page.select_option(f"#{control}", value)
            shown = await entries.all_inner_texts()
            assert [name in text for name, text in zip(left, shown, strict=True)] == [True] * len(left), control
            await page.select_option(f"#{control}", "")
        await page.fill("#text", "ORD")
        assert await entries.count() == 1


async def test_what_the_shadow_would_do_is_a_filter_once_there_is_any_of_it(browser):
    def write(upstream):
        return config(upstream, admin="127.0.0.1:0", rule={"shadow": {"allow_origins": [EVIL]}})

    async with watching(browser, write=write) as (proxy, page):
        await proxy.ask(b"GET /plain")
        detail = await opened(page, "/plain")
        assert "null" not in await detail.inner_text()
        assert not await page.locator("#shadow").is_visible()
        await some(proxy)
        await proxy.ask(b"GET /gained", STRANGER)
        await page.locator(ENTRY, has_text="/gained").wait_for()
        await page.select_option("#shadow", "newly-denied")
        (entry,) = await page.locator(ENTRY).all_inner_texts()
        said = "in the shadow: would be denied: the origin https://app.example.com is not allowed"
        assert entry.count(said) == 2  # of the preflight, and of what it asked for
        detail = await opened(page, "/x")
        assert "To leave it as it is: add `- https://app.example.com` to allow_origins" in await detail.inner_text()
        await page.select_option("#shadow", "newly-allowed")
        assert "/gained" in await page.locator(ENTRY).inner_text()


async def test_a_policy_is_tried_in_the_page(browser):
    async with watching(browser) as (proxy, page):
        await some(proxy)
        detail = await opened(page, "/orders")
        tried, area = detail.locator(".tried"), detail.get_by_role("textbox")
        assert await area.input_value() == "allow_origins: ['https://app.example.com']\n"
        await area.fill("allow_origins: ['https://evil.example.net']\nallow_credentials: true")
        await detail.get_by_role("button", name="Try this policy").click()
        await tried.get_by_text("It would be allowed.").wait_for()
        await area.fill("allow_origin: x")
        await detail.get_by_role("button", name="Try this policy").click()
        await tried.get_by_text("did you mean 'allow_origins'?").wait_for()
        assert (await proxy.ask(b"GET /x", STRANGER)).cors == []


async def test_an_exchange_is_replayed_copied_and_exported(browser):
    async with watching(browser) as (proxy, page):
        await some(proxy)
        detail = await opened(page, "/orders")
        for copies, (label, begins) in enumerate([("Copy as curl", "curl -i"), ("Copy as fetch", 'fetch("http')]):
            await detail.get_by_role("button", name=label).click()
            await detail.get_by_role("button", name="Copied").nth(copies).wait_for()
            copied = await clipboard(page)
            assert copied.startswith(begins)
            assert "s3cret" not in copied
        async with page.expect_download() as download:
            await detail.get_by_role("button", name="Export as HAR").click()
        har = json.loads((await (await download.value).path()).read_text())
        assert len(har["log"]["entries"]) == 1
        await detail.get_by_role("button", name="Replay").click()
        await page.locator(ENTRY, has_text="/orders").nth(1).wait_for()
        assert len(proxy.upstream.requests) == 4


async def test_everything_is_reached_from_the_keyboard(browser):
    async with watching(browser) as (proxy, page):
        await some(proxy)
        await page.locator(ENTRY, has_text="/plain").wait_for()
        await page.keyboard.press("/")
        assert await page.evaluate("document.activeElement.id") == "text"
        await page.keyboard.press("ArrowDown")  # into the list
        await page.keyboard.press("ArrowDown")
        assert "/orders" in await page.evaluate("document.activeElement.textContent")
        await page.keyboard.press("Enter")
        await page.locator("#detail:focus").wait_for()
        assert await page.locator(ENTRY + "[aria-selected=true]").count() == 1
        await page.keyboard.press("Escape")
        assert await page.locator("#detail").is_hidden()
        assert "/orders" in await page.evaluate("document.activeElement.textContent")
        await page.keyboard.press("End")
        assert "/x" in await page.evaluate("document.activeElement.textContent")
        await proxy.ask(b"GET /newer")  # what comes takes the focus from nobody
        await page.locator(ENTRY, has_text="/newer").wait_for()
        assert "/x" in await page.evaluate("document.activeElement.textContent")


async def test_the_rules_lead_to_their_last_denial(browser):
    async with watching(browser) as (proxy, page):
        await some(proxy)
        await page.get_by_role("button", name="1, show last denial by /").click()
        await page.locator("#detail h2", has_text="/orders").wait_for()


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
async def test_axe_finds_nothing_and_nothing_leaves_the_window(browser, narrow):
    if not AXE.exists():
        pytest.skip("axe-core is not installed; npm ci in tests/apps/node")
    async with watching(browser, narrow=narrow) as (proxy, page):
        await some(proxy)
        await page.locator(ENTRY, has_text="/plain").wait_for()
        await page.evaluate(AXE.read_text())
        for view in ("list", "detail"):
            if view == "detail":
                detail = await opened(page, "/orders")
                await detail.get_by_role("button", name="Try this policy").click()
                await detail.locator(".tried p").first.wait_for()
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)
                found = (await page.evaluate("axe.run()"))["violations"]
                assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert await page.locator(".exchanges").is_visible() is (view == "list" or not narrow)


async def test_the_token_leaves_the_address_and_a_wrong_one_is_said(browser):
    async with watching(browser) as (proxy, page):
        assert TOKEN not in page.url
        await page.reload()
        await page.locator("#state[data-live=true]").wait_for()  # the tab remembers it
        context = await browser.new_context()
        stranger = await context.new_page()
        await stranger.goto(proxy.base + "/")
        await stranger.get_by_text("open the URL with the token that was printed").wait_for()
        await context.close()
