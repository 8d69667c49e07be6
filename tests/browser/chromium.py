"""Debian's Chromium for tests, driven by Playwright, which brings no browser of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

# Every name below localhost is this machine, over IPv4, where the servers of the tests are.  So is every name below
# test, which Chromium does not trust as it trusts localhost.  No other name exists.
_RESOLVED = "MAP *.localhost 127.0.0.1, MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"

FLAGS = (
    "--no-sandbox",  # containers run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # No traffic of its own, so that nothing but the page is on the wire.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules={_RESOLVED}",
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
async def chromium(home: Path | None = None) -> AsyncIterator[Browser]:
    """A running browser with a profile of its own, which ends with it; ``home`` is its user's folder."""
    from playwright.async_api import async_playwright  # noqa: PLC0415  # optional: see missing()

    environment = {**os.environ, **({"HOME": str(home)} if home else {})}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable(), args=list(FLAGS), env=dict(environment)
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def with_third_party_cookies(profile: Path) -> AsyncIterator[BrowserContext]:
    """A browser of whom its user wants all cookies: Debian's refuses those of third parties, as others may.

    It takes every certificate.
    """
    from playwright.async_api import async_playwright  # noqa: PLC0415  # as above

    preferences = profile / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps({"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}))
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile, executable_path=executable(), args=list(FLAGS), ignore_https_errors=True
        )
        try:
            yield context
        finally:
            await context.close()
