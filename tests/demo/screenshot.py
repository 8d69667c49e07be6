"""Makes ``docs/images/demo.png``, the picture of the demonstration in the README.

Run it from the top of the checkout, with a Chromium on the PATH::

    pip install playwright pillow
    python -m tests.demo.screenshot [FILE]

The ports are free ones, so every picture differs a little; everything else is the page as it is.
"""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

from PIL import Image

from corsproxy.demo.stage import stage
from tests.browser.chromium import chromium

TARGET = Path("docs/images/demo.png")
WIDTH, SCALE = 1280, 1.5
MARGIN = 64  # below the last row that is shown
COLOURS = 64  # the page has three, their tints, and the edges of its letters


async def photograph() -> bytes:
    """The page down to its second row, when everything has run, as PNG."""
    async with stage(lambda _: None) as setup, chromium() as browser:
        page = await browser.new_page(
            viewport={"width": WIDTH, "height": 2000}, device_scale_factor=SCALE, color_scheme="light"
        )
        await page.goto(setup.page)
        await page.locator("#summary[data-state=expected]").wait_for(timeout=60_000)
        last = await page.locator("#post .outcome.proxied").bounding_box()
        assert last is not None, "the page has no second row"
        height = last["y"] + last["height"] + MARGIN
        return await page.screenshot(animations="disabled", clip={"x": 0, "y": 0, "width": WIDTH, "height": height})


def shrink(picture: bytes) -> bytes:
    """The same picture with few colours, which PNG packs well."""
    target = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(target, "PNG", optimize=True)
    return target.getvalue()


def main() -> None:
    """Write the picture to the file that is named, or to its place."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    picture = shrink(asyncio.run(photograph()))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(picture)
    sys.stdout.write(f"{target}: {len(picture) / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
