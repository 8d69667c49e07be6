"""What the policy denies: the page gets nothing, and the console says what ``corsproxy.cors.words`` foretells."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from corsproxy.cors.check import Blocked, Step, Verdict
from corsproxy.cors.decision import Outcome
from corsproxy.cors.words import chromium, sentence
from tests.browser.shop import FAILED, Head

pytestmark = pytest.mark.asyncio(loop_scope="session")

XHR = """
    const xhr = new XMLHttpRequest();
    xhr.open("GET", api + "/items");
    xhr.withCredentials = true;
    xhr.send();
    await new Promise(done => xhr.onloadend = done);
    return [xhr.status, xhr.responseText];
"""
GET = ("GET /items",)


@dataclass(frozen=True, kw_only=True)
class Denial:
    """A row.  ``blocked`` is what Chromium finds wrong; where the proxy denied, it is the header that is not there."""

    name: str
    script: str  # JavaScript; `api` is the base URL
    outcome: Outcome
    policy: str = ""  # YAML, besides allow_origins
    reached: tuple[Head, ...] = ()
    blocked: Blocked = Blocked.MISSING_ALLOW_ORIGIN
    step: Step = Step.PREFLIGHT
    initiator: str = "fetch"
    stranger: bool = False
    sees: object = FAILED

    def __str__(self) -> str:
        return self.name


DENIALS = [
    Denial(
        name="origin",
        script="return ask(api + '/items')",
        stranger=True,
        outcome=Outcome.DENIED_ORIGIN,
        step=Step.ACTUAL,
        reached=(GET,),
    ),
    Denial(
        name="origin, rejected",
        policy="{on_denied: reject}",
        script="return ask(api + '/items')",
        stranger=True,
        outcome=Outcome.DENIED_ORIGIN,
        step=Step.ACTUAL,
    ),
    Denial(
        name="origin, with a preflight",
        policy="{allow_methods: [PUT]}",
        script="return ask(api + '/items/7', {method: 'PUT'})",
        stranger=True,
        outcome=Outcome.PREFLIGHT_DENIED_ORIGIN,
    ),
    Denial(
        name="method",
        policy="{allow_methods: [GET, PUT]}",
        script="return ask(api + '/items/7', {method: 'DELETE'})",
        outcome=Outcome.PREFLIGHT_DENIED_METHOD,
    ),
    Denial(
        name="method in lower case",  # https://fetch.spec.whatwg.org/#concept-method-normalize leaves it alone
        policy="{allow_methods: [PATCH]}",
        script="return ask(api + '/items/7', {method: 'patch'})",
        outcome=Outcome.PREFLIGHT_DENIED_METHOD,
    ),
    Denial(
        name="header",
        policy="{allow_headers: [X-Api-Key]}",
        script="return ask(api + '/items', {headers: {'X-Api-Key': 'k', 'X-Trace': '1'}})",
        outcome=Outcome.PREFLIGHT_DENIED_HEADERS,
    ),
    Denial(
        name="Authorization",
        policy="{allow_headers: [X-Api-Key]}",
        script="return ask(api + '/items', {headers: {'Authorization': 'Bearer t'}})",
        outcome=Outcome.PREFLIGHT_DENIED_HEADERS,
    ),
    Denial(
        name="Content-Type of JSON",
        script="return ask(api + '/items', {method: 'POST', body: new Blob(['{}'], {type: 'application/json'})})",
        outcome=Outcome.PREFLIGHT_DENIED_HEADERS,
    ),
    Denial(
        name="credentials",
        script="return ask(api + '/items', {credentials: 'include'})",
        outcome=Outcome.ALLOWED,
        reached=(GET,),
        blocked=Blocked.ALLOW_CREDENTIALS,
        step=Step.ACTUAL,
    ),
    Denial(
        name="credentials, with a preflight",
        policy="{allow_methods: [PUT]}",
        script="return ask(api + '/items/7', {method: 'PUT', credentials: 'include'})",
        outcome=Outcome.PREFLIGHT_ALLOWED,
        blocked=Blocked.ALLOW_CREDENTIALS,
    ),
    Denial(
        name="credentials under the star",
        policy='{allow_origins: "*"}',
        script="return ask(api + '/items', {credentials: 'include'})",
        outcome=Outcome.ALLOWED,
        reached=(GET,),
        blocked=Blocked.WILDCARD_WITH_CREDENTIALS,
        step=Step.ACTUAL,
    ),
    Denial(
        name="credentials of an XMLHttpRequest",
        script=XHR,
        sees=[0, ""],
        outcome=Outcome.ALLOWED,
        reached=(GET,),
        blocked=Blocked.ALLOW_CREDENTIALS,
        step=Step.ACTUAL,
        initiator="XMLHttpRequest",
    ),
    Denial(
        name="credentials of an XMLHttpRequest under the star",
        policy='{allow_origins: "*"}',
        script=XHR,
        sees=[0, ""],
        outcome=Outcome.ALLOWED,
        reached=(GET,),
        blocked=Blocked.WILDCARD_WITH_CREDENTIALS,
        step=Step.ACTUAL,
        initiator="XMLHttpRequest",
    ),
]


@pytest.mark.parametrize("denial", DENIALS, ids=str)
async def test_page_gets_nothing(shop_with, denial):
    async with shop_with(denial.policy) as shop:
        page = await shop.visit(shop.stranger if denial.stranger else shop.app)
        assert await page.run(denial.script, shop.api) == denial.sees
        assert shop.reached(page.origin) == list(denial.reached)
        (exchange,) = await shop.proxy.recorded()
        assert exchange.decision.outcome is denial.outcome
        verdict = Verdict(denial.blocked, step=denial.step)
        said = chromium(verdict, url=exchange.url, origin=page.origin, initiator=denial.initiator)
        assert await page.console(1) == [said]
        if denial.outcome.denied:
            assert sentence(exchange.decision, url=exchange.url, origin=page.origin) == said


async def test_header_that_is_not_exposed_does_not_exist_for_the_page(shop_with):
    script = "return [...(await fetch(api + '/items')).headers.keys()]"
    async with shop_with() as shop:
        page = await shop.visit()
        assert await page.run(script, shop.api) == ["content-length", "content-type"]
