"""The proxy's own errors: a page that is allowed reads what went wrong, and any other page does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from corsproxy.cors.check import Blocked, Verdict
from corsproxy.cors.words import chromium
from tests.browser.shop import FAILED
from tests.e2e.rig import RawUpstream, answering_then_close, answering_then_reset, refusing, silent, unreachable

pytestmark = pytest.mark.asyncio(loop_scope="session")

GET = "return ask(api + '/items')"
UPLOAD = "return ask(api + '/upload', {{method: 'POST', body: new Blob(['x'.repeat({})])}})"

Upstream = Callable[[], RawUpstream | AbstractContextManager[str]]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A row: what is behind the proxy, and what the page reads; ``rule`` and ``timeouts`` are YAML."""

    name: str
    status: int
    says: str
    upstream: Upstream = refusing
    rule: str = ""
    timeouts: str = ""
    script: str = GET

    def __str__(self) -> str:
        return f"{self.status}, {self.name}"

    @property
    def settings(self) -> dict[str, Any]:
        return {"rule": self.rule, "timeouts": self.timeouts}


FAILURES = [
    Failure(
        name="the upstream is down",
        status=502,
        says="cannot be reached",
    ),
    Failure(
        name="the upstream breaks off",
        upstream=lambda: RawUpstream(answering_then_reset(b"HTTP/1.1 200")),
        status=502,
        says="broke the connection",
    ),
    Failure(
        name="the upstream speaks no HTTP",
        upstream=lambda: RawUpstream(answering_then_close(b"220 ready\r\n")),
        status=502,
        says="does not speak HTTP/1",
    ),
    Failure(
        name="the upstream hangs",
        upstream=lambda: RawUpstream(silent),
        timeouts="{response: 0.1s}",
        status=504,
        says="did not answer in time",
    ),
    Failure(
        name="the upstream accepts no connection",
        upstream=unreachable,
        timeouts="{connect: 0.1s}",
        status=504,
        says="did not accept a connection in time",
    ),
    Failure(
        name="a body somewhat too large",
        rule="{limits: {max_request_body: 1KiB}}",
        script=UPLOAD.format(2_000),
        status=413,
        says="larger than the 1024 bytes",
    ),
    Failure(  # more than any buffer on the way holds: the browser is still sending when the answer comes
        name="a body far too large",
        rule="{limits: {max_request_body: 1KiB}}",
        script=UPLOAD.format(20_000_000),
        status=413,
        says="larger than the 1024 bytes",
    ),
]


@asynccontextmanager
async def url_of(upstream: Upstream) -> AsyncIterator[str]:
    opened = upstream()
    if isinstance(opened, RawUpstream):
        async with opened:
            yield opened.url
    else:
        with opened as url:
            yield url


@pytest.mark.parametrize("failure", FAILURES, ids=str)
async def test_allowed_page_reads_what_went_wrong(shop_with, failure):
    async with url_of(failure.upstream) as url, shop_with(upstream=url, **failure.settings) as shop:
        page = await shop.visit()
        status, text = await page.run(failure.script, shop.api)
        assert (status, text.partition(": ")[0]) == (failure.status, "corsproxy")
        assert failure.says in text
        assert await page.console() == []


@pytest.mark.parametrize("failure", FAILURES, ids=str)
async def test_stranger_is_told_nothing(shop_with, failure):
    async with url_of(failure.upstream) as url, shop_with(upstream=url, **failure.settings) as shop:
        page = await shop.visit(shop.stranger)
        assert await page.run(failure.script, shop.api) == FAILED
        assert await page.console(1) == [await shop.denied()]


async def test_without_the_proxy_an_upstream_that_is_down_says_nothing(shop_with):
    with refusing() as url:
        async with shop_with() as shop:
            page = await shop.visit()
            assert await page.run(GET, url) == FAILED
            assert await page.console() == []
            assert await page.network_errors(1) == ["ERR_CONNECTION_REFUSED"]


async def test_where_no_rule_is_nobody_is_allowed(shop_with):
    """No rule, no policy: the 404 is for those who read the log, not for pages."""
    async with shop_with(rule="{path: /else}") as shop:
        page = await shop.visit()
        assert await page.run(GET, shop.api) == FAILED
        missing = Verdict(Blocked.MISSING_ALLOW_ORIGIN)
        assert await page.console(1) == [chromium(missing, url=shop.api + "/items", origin=shop.app)]
        assert [exchange.status for exchange in await shop.proxy.recorded()] == [404]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf!\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nhalf!",
    ],
    ids=["by length", "in chunks", "until the end"],
)
async def test_answer_that_breaks_off_never_looks_complete(shop_with, answer):
    """The page has been let in and has read the beginning; then the body must fail, not end."""
    script = """
        const answer = await fetch(api + "/items");
        const reader = answer.body.getReader();
        const first = await reader.read();
        await wasRead();
        return [answer.status, first.value.length, await reader.read().then(() => "complete", String)];
    """
    was_read = asyncio.Event()
    breaking = answering_then_reset(answer, after=was_read)
    async with url_of(lambda: RawUpstream(breaking)) as url, shop_with(upstream=url) as shop:
        page = await shop.visit()
        await page.page.expose_function("wasRead", was_read.set)
        assert await page.run(script, shop.api) == [200, 5, "TypeError: network error"]
