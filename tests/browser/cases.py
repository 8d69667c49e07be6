"""A row of the tables: what a page does, what it sees through the proxy, and what reaches the API.

Each row is run three times: through the proxy, and as its two blocked twins, without the proxy and from a page whose
origin is not allowed.  The twins see ``blocked`` and nothing else.  What reaches the API is the same, as long as the
browser sends it without asking before; else there is only the ``preflight``, and of the stranger's not even that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from tests.browser.shop import FAILED, Head, Shop

ShopWith = Callable[..., AbstractAsyncContextManager[Shop]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row; see above.  The request line stands first in a head, the lines that are not usual follow sorted."""

    name: str
    script: str  # JavaScript; `api` is the base URL
    sees: Any
    reached: list[Head]
    policy: str = ""  # YAML, besides allow_origins
    rule: str = ""  # YAML, besides path, upstream and policy
    preflight: Head = ()
    blocked: Any = FAILED
    initiator: str = "fetch"  # Chromium's word for who asked

    def __str__(self) -> str:
        return self.name


async def through_the_proxy(shop_with: ShopWith, case: Case) -> None:
    """The page gets its answer, and nothing is printed."""
    async with shop_with(case.policy, rule=case.rule) as shop:
        page = await shop.visit()
        assert await page.run(case.script, shop.api) == case.sees
        assert shop.reached() == case.reached
        assert await page.console() == []


async def without_the_proxy(shop_with: ShopWith, case: Case) -> None:
    """The API's own answer is kept from the page."""
    async with shop_with(case.policy, rule=case.rule) as shop:
        page = await shop.visit()
        assert await page.run(case.script, shop.legacy) == case.blocked
        assert shop.reached() == [case.preflight or case.reached[0]]
        assert await page.console(1) == [shop.blocked(shop.upstream.seen[0], case.initiator)]


async def from_a_stranger(shop_with: ShopWith, case: Case) -> None:
    """The proxy denies it, and its record foretells the browser's very words."""
    async with shop_with(case.policy, rule=case.rule) as shop:
        page = await shop.visit(shop.stranger)
        assert await page.run(case.script, shop.api) == case.blocked
        assert shop.reached(shop.stranger) == ([] if case.preflight else case.reached[:1])
        assert await page.console(1) == [await shop.denied(case.initiator)]


WAYS = (through_the_proxy, without_the_proxy, from_a_stranger)
