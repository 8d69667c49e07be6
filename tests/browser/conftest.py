"""One Chromium and one server of pages for the whole session."""

from __future__ import annotations

from functools import partial

import pytest
import pytest_asyncio

from tests.browser.chromium import chromium, missing, required
from tests.browser.shop import open_shop
from tests.browser.site import Site
from tests.conftest import LOOPS, PRODUCTION

pytest.register_assert_rewrite("tests.browser.cases")


def pytest_asyncio_loop_factories():
    """The loop that `serve` uses by default, since the proxy runs on it."""
    return {PRODUCTION: LOOPS[PRODUCTION]}


@pytest.fixture(scope="session")
def lack():
    if lack := missing():
        (pytest.fail if required() else pytest.skip)(lack)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(lack):
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(lack):
    async with Site() as site:
        yield site


@pytest.fixture
def shop_with(browser, site):
    """Opens the shop of a test: ``async with shop_with(policy) as shop``."""
    return partial(open_shop, browser, site)
