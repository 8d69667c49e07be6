"""Makes ``docs/images/inspector-*.png``, the pictures of the inspector in docs/explain.md.

Run it from the top of the checkout, with a Chromium on the PATH::

    pip install playwright pillow
    python -m tests.browser.inspector_pictures

The exchanges are made by this program, as the browser of each scenario would make them; everything else is the page as
it is.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import NamedTuple

from tests.browser.chromium import chromium
from tests.demo.screenshot import shrink
from tests.e2e.inspected import inspected
from tests.e2e.rig import preflight

FOLDER = Path("docs/images")
HOST = b"Host: localhost:8080"
SCALE = 1.25


class Picture(NamedTuple):
    """What is asked, newest last, and how it is looked at: the entry that is opened is named by its text."""

    name: str
    asked: tuple[tuple[bytes, ...], ...]
    opened: str
    width: int
    height: int
    scheme: str


def get(origin, *lines, target=b"/data"):
    return (b"GET " + target, HOST, b"Origin: " + origin, *lines)


PICTURES = (
    Picture(
        "s2", (get(b"http://localhost:5173"), get(b"http://localhost:3000")), "localhost:3000", 1280, 1020, "light"
    ),
    Picture(
        "s9",
        tuple(map(get, (b"https://site.com", b"http://site.com", b"https://site.com:8443", b"https://www.site.com"))),
        "https://www.site.com",
        1280,
        1080,
        "dark",
    ),
    Picture(
        "s10",
        (
            get(b"https://anywhere.example", target=b"/public"),
            get(b"https://anywhere.example", b"Cookie: sid=1", target=b"/public"),
        ),
        "blocked",
        1280,
        1080,
        "light",
    ),
    Picture(
        "s12",
        ((b"OPTIONS /data", HOST, *preflight(b"DELETE", origin=b"Origin: http://localhost:5173")[1:]),),
        "OPTIONS for DELETE",
        440,
        1290,
        "dark",
    ),
)


def documented(upstream: str) -> str:
    """The example at the top of the page, before a real upstream."""
    found = re.search(r"```yaml\n(.*?)```", Path("docs/explain.md").read_text("utf-8"), re.DOTALL)
    assert found is not None, "docs/explain.md has no example"
    text = found[1].replace("http://127.0.0.1:9000", upstream).replace("127.0.0.1:8080", "127.0.0.1:0")
    return f"{text}admin: 127.0.0.1:0\n"


async def photograph(browser, picture: Picture) -> bytes:
    """The page with one entry open, as PNG."""
    async with inspected(write=documented) as proxy:
        for lines in picture.asked:
            await proxy.ask(*lines)
        size = {"width": picture.width, "height": picture.height}
        page = await browser.new_page(viewport=size, device_scale_factor=SCALE, color_scheme=picture.scheme)
        await page.goto(proxy.url)
        await page.locator("#list li", has_text=picture.opened).first.click()
        await page.locator("#detail .steps").wait_for()
        await page.evaluate("document.activeElement.blur()")
        taken = await page.screenshot(animations="disabled")
        await page.close()
        return taken


async def photograph_all() -> dict[str, bytes]:
    async with chromium() as browser:
        return {picture.name: await photograph(browser, picture) for picture in PICTURES}


def main() -> None:
    """Write every picture to its place."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, taken in asyncio.run(photograph_all()).items():
        target = FOLDER / f"inspector-{name}.png"
        target.write_bytes(shrink(taken))
        sys.stdout.write(f"{target}: {target.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
