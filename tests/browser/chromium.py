"""Debian's Chromium for tests, driven by Playwright, which brings no browser of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

FLAGS = (
    "--no-sandbox",  # containers run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # No traffic of its own, so that nothing but the page is on the wire.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Every name below localhost is this machine, over IPv4, where the servers of the tests are; no other name exists.
    "--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


def executable() -> str:
    """The path of an installed Chromium, or ""."""
    return next((path for name in NAMES if (path := shutil.which(name))), "")


def missing() -> str:
    """What a test in a browser lacks on this machine, in words; "" when it lacks nothing."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed; pip install playwright"
    if not executable():
        return f"no Chromium is installed; none of {', '.join(NAMES)} is on the PATH"
    return ""


def required() -> bool:
    """Whether a missing browser is a failure: on CI nothing may be skipped unseen."""
    return os.environ.get("CI") == "true"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A running browser with a profile of its own, which ends with it."""
    from playwright.async_api import async_playwright  # noqa: PLC0415  # optional: see missing()

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()
