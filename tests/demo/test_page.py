"""The page in a real Chromium: every pair shows what it claims, in the browser's own words."""

from __future__ import annotations

import pytest
import pytest_asyncio

from corsproxy.demo.stage import stage
from tests.browser.chromium import chromium, missing, required

PATIENCE = 60_000  # milliseconds, for what takes three seconds

BLOCKED = "Blocked by the browser"
FAILED = "TypeError: Failed to fetch"
ALLOWED = "Access-Control-Allow-Origin: "
PREFLIGHT = "Access-Control-Allow-Headers: Content-Type, X-Api-Key"
CONSOLE = "blocked by CORS policy"
IN_PREFLIGHT = "Response to preflight request doesn't pass access control check"

# What each row shows: directly, then through the proxy.
PAIRS = [
    ("get", [BLOCKED, FAILED, CONSOLE], ["200 OK", '"title": "Ulysses"', ALLOWED]),
    ("post", [BLOCKED, FAILED, IN_PREFLIGHT], ["201 Created", '"title": "Dracula"', ALLOWED, PREFLIGHT]),
    ("delete", [BLOCKED, FAILED, IN_PREFLIGHT], ["200 OK", '{"deleted": 2}', ALLOWED, PREFLIGHT]),
    ("header", [BLOCKED, FAILED, IN_PREFLIGHT], ["200 OK", "x-total-count: 3", '"Walden": 7', ALLOWED, PREFLIGHT]),
    ("cookie", [BLOCKED, FAILED, "/login", "/me"], ["200 OK", '{"welcome": "ada"}', '{"user": "ada"}', ALLOWED]),
    ("stream", [BLOCKED, FAILED, CONSOLE], ["200 OK", "2009-01,17 books sold", "2009-06,102 books sold", ALLOWED]),
    ("events", [BLOCKED, "an error event", "Access to resource at"], ["4 events", '{"sold": "Emma"}', ALLOWED]),
    (
        "socket",
        ["Connected, and so may anyone", "this page: “the shop heard: hello”", "127.0.0.1: “the shop heard: hello”"],
        ["Connected; the other refused", "this page: “the shop heard: hello”", "code 1006", "response code: 403"],
    ),
    ("error", [BLOCKED, FAILED, CONSOLE], ["500 Internal Server Error", "table SALES is locked", ALLOWED]),
    ("unlisted", [BLOCKED, FAILED, CONSOLE], ["Blocked, as it should be", FAILED, CONSOLE, "allow_origins"]),
]  # fmt: skip


# One browser and one stage for the whole file: starting them takes longer than any test.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def lack():
    if lack := missing():
        (pytest.fail if required() else pytest.skip)(lack)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setup(lack):
    async with stage(lambda _: None) as setup:
        yield setup


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(lack):
    async with chromium() as browser:
        yield browser


class Visit:
    """A page in the browser, and what its console printed."""

    def __init__(self, page):
        self.page = page
        self.console = []
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))

    async def until(self, state):
        await self.page.locator(f"#summary[data-state={state}]").wait_for(timeout=PATIENCE)
        return await self.page.inner_text("#summary")

    async def says(self, row, way):
        return await self.page.inner_text(f"#{row} .outcome.{way}")


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser):
    visit = Visit(await browser.new_page())
    yield visit
    await visit.page.close()


async def test_every_pair_shows_what_it_claims(visit, setup):
    await visit.page.goto(setup.page)
    assert await visit.until("expected") == f"{len(PAIRS)} of {len(PAIRS)} as expected"
    shown = {
        (row, way): await visit.says(row, way) for row, _, _ in PAIRS for way in ("direct", "proxied")
    }  # fmt: skip
    claimed = [((row, "direct"), text) for row, direct, _ in PAIRS for text in direct]
    claimed += [((row, "proxied"), text) for row, _, proxied in PAIRS for text in proxied]
    assert [(place, text, shown[place]) for place, text in claimed if text not in shown[place]] == []


async def test_the_console_shows_the_very_words_and_no_others(visit, setup):
    await visit.page.goto(setup.page)
    await visit.until("expected")
    on_the_page = await visit.page.locator(".console samp").all_inner_texts()
    printed = [text for text in visit.console if not text.startswith("Failed to load resource")]
    assert sorted(printed) == sorted(on_the_page)
    assert len(printed) == 12


async def test_what_was_on_the_wire_can_be_looked_up(visit, setup):
    await visit.page.goto(setup.page)
    await visit.until("expected")
    await visit.page.click("#post summary")
    await visit.page.locator("#post .wire .proxied figure").first.wait_for(timeout=PATIENCE)
    direct = await visit.page.inner_text("#post .wire .direct")
    proxied = await visit.page.inner_text("#post .wire .proxied")
    assert "Access-Control-Request-Method: POST" in direct
    assert "405 Method Not Allowed" in direct
    assert "preflight-allowed" in proxied
    assert "X-Forwarded-For: " in proxied
    assert f"Access-Control-Allow-Origin: {setup.page}" in proxied


async def test_a_row_can_be_run_again_by_keyboard(visit, setup):
    await visit.page.goto(setup.page)
    await visit.until("expected")
    before = await visit.says("get", "direct")
    await visit.page.get_by_role("button", name="Run again: A plain GET").press("Enter")
    await visit.page.locator("#get[data-state=expected]").wait_for(timeout=PATIENCE)
    assert await visit.until("expected") == "10 of 10 as expected"
    assert await visit.says("get", "direct") != before  # another run has another id


async def test_the_page_notices_when_the_proxy_does_not_help(visit, setup):
    await visit.page.route(f"{setup.proxy}/books/2?*", lambda route: route.abort())
    await visit.page.goto(setup.page)
    assert await visit.until("unexpected") == "9 of 10 as expected"
    assert "not as expected" in await visit.page.inner_text("#delete")


async def test_nothing_sticks_out_of_the_window(visit, setup):
    await visit.page.goto(setup.page)
    await visit.until("expected")
    widths = {}
    for width in (320, 640, 800, 1280):
        await visit.page.set_viewport_size({"width": width, "height": 800})
        widths[width] = await visit.page.evaluate("document.scrollingElement.scrollWidth")
    assert {width: sticks_out for width, sticks_out in widths.items() if sticks_out > width} == {}
