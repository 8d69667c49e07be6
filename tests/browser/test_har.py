"""HAR files that Chromium has filled, with requests that it has blocked: each is explained."""

from __future__ import annotations

import pytest

from corsproxy.cors.check import Blocked
from corsproxy.tools.explaining.fix import Fix
from corsproxy.tools.har import read_har
from corsproxy.tools.pasted.questions import NotUnderstood, Told, answer, read_questions
from corsproxy.tools.written_config import WrittenConfig
from tests.browser.shop import PATIENCE
from tests.e2e.rig import config

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASK = """
    async ([api, legacy]) => {
        for (const [url, options] of [
            [api + "/items", {}],
            [legacy + "/items", {}],
            [legacy + "/items/7", {method: "PUT", headers: {"X-A": "1"}}],
        ]) await fetch(url, options).catch(() => null);
    }
"""


async def test_requests_that_were_blocked_are_known_and_explained(browser, shop_with, tmp_path):
    file = tmp_path / "page.har"
    async with shop_with() as shop:
        context = await browser.new_context(record_har_path=file, record_har_content="omit")
        page = await context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        await page.goto(shop.app + "/")
        await page.evaluate(ASK, [shop.api, shop.legacy])
        await context.close()  # which writes the file
        written = WrittenConfig.read(
            config(shop.upstream.url, policy={"allow_origins": ["https://a.example"]}), "c.yaml", {}
        )
    text = file.read_text("utf-8")
    assert [entry.answered.status > 0 for entry in read_har(text)] == [
        True,
        True,
        False,
        False,
    ]  # the page is the first
    allowed, *blocked = read_questions(text, Told())
    assert not answer(allowed, None, None).blocked
    assert [question.request.method for question in blocked] == [b"GET", b"PUT"]
    for question in blocked:
        assert question.request.origin == shop.app.encode()
        with pytest.raises(NotUnderstood, match="net::ERR_FAILED; the file has no answer to judge"):
            answer(question, None, None)
        explanation = answer(question, written, None)
        assert explanation.fetched.verdict.blocked is Blocked.MISSING_ALLOW_ORIGIN
        assert isinstance(explanation.fix, Fix)
    assert b"X-A" in [name.title() for name, _ in blocked[1].request.headers]
