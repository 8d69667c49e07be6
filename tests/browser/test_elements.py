"""What elements of a page ask for in CORS mode: modules, stylesheets, fonts and images."""

from __future__ import annotations

import pytest

from tests.browser.cases import WAYS, Case

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOAD = """
    function load(tag, attributes) {
        const element = Object.assign(document.createElement(tag), attributes);
        return new Promise(done => {
            element.onload = () => done(element);
            element.onerror = () => done("an error event");
            document.head.append(element);
        });
    }
"""
ERROR = "an error event"
IMAGES = "accept: image/jxl,image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"

CASES = [
    Case(
        name="module script",
        script="""
            const failed = error => error.constructor.name;
            return import(api + "/module.js").then(module => module.title, failed);
        """,
        sees="Ulysses",
        # Its referrer is the script that imports it, and that is Playwright's.
        reached=[("GET /module.js", "sec-fetch-dest: script", "no referer")],
        blocked="TypeError",
        initiator="script",
    ),
    Case(
        name="script, whose errors are told in full",
        script=LOAD
        + """
            const told = new Promise(done => onerror = message => done(message));
            const element = await load("script", {crossOrigin: "", src: api + "/broken.js"});
            return element.tagName ? told : element;
        """,
        sees="Uncaught Error: the shelf is empty",
        reached=[("GET /broken.js", "sec-fetch-dest: script")],
        blocked=ERROR,
        initiator="script",
    ),
    Case(
        name="stylesheet, whose rules can be read",
        script=LOAD
        + """
            const style = {rel: "stylesheet", crossOrigin: "", href: api + "/style.css"};
            const element = await load("link", style);
            return element.sheet?.cssRules[0].cssText ?? element;
        """,
        sees="body { color: red; }",
        reached=[("GET /style.css", "accept: text/css,*/*;q=0.1", "sec-fetch-dest: style")],
        blocked=ERROR,
        initiator="CSS stylesheet",
    ),
    Case(
        name="font",  # always in CORS mode
        script="""
            const font = new FontFace("Legacy", `url(${api}/font.woff)`);
            return font.load().then(font => font.status, error => error.name);
        """,
        sees="loaded",
        reached=[("GET /font.woff", "sec-fetch-dest: font")],
        blocked="NetworkError",
        initiator="font",
    ),
    Case(
        name="image, whose pixels can be read",
        script=LOAD
        + """
            const image = await load("img", {crossOrigin: "", src: api + "/red.png"});
            if (!image.tagName) return image;
            const canvas = document.createElement("canvas").getContext("2d");
            canvas.drawImage(image, 0, 0);
            return [...canvas.getImageData(0, 0, 1, 1).data];
        """,
        sees=[255, 0, 0, 255],
        reached=[("GET /red.png", IMAGES, "sec-fetch-dest: image")],
        blocked=ERROR,
        initiator="image",
    ),
    Case(
        name="image with credentials",
        policy="{allow_credentials: true}",
        script=LOAD
        + """
            const image = {crossOrigin: "use-credentials", src: api + "/red.png"};
            return (await load("img", image)).tagName ?? "an error event";
        """,
        sees="IMG",
        reached=[("GET /red.png", IMAGES, "sec-fetch-dest: image")],
        blocked=ERROR,
        initiator="image",
    ),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_element_asks(shop_with, case, way):
    await way(shop_with, case)


async def test_image_without_crossorigin_is_shown_but_taints_its_canvas(shop_with):
    """What the page would have without CORS, on either way: the twin of the pixels above."""
    script = (
        LOAD
        + """
        const image = await load("img", {src: api + "/red.png"});
        const canvas = document.createElement("canvas").getContext("2d");
        canvas.drawImage(image, 0, 0);
        try { canvas.getImageData(0, 0, 1, 1) } catch (error) { return [image.width, error.name] }
    """
    )
    async with shop_with() as shop:
        page = await shop.visit()
        assert await page.run(script, shop.legacy) == [1, "SecurityError"]
        assert await page.run(script, shop.api) == [1, "SecurityError"]
