"""Learning from what Chromium does on the pages of this suite: they work under the learnt table, and it is no wider.

Every case has a rule of its own in three tables: with the policy that the suite has for it, through which its pages are
watched; with what is learnt from that; and with what is learnt but for one grant, in as many rules as there are grants.

All visitors have a cookie: without one, nobody but the browser knows that a page would have sent it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final, NamedTuple

import pytest
import pytest_asyncio
import yaml

from corsproxy.config.load import load_config
from corsproxy.config.table import RuleTable
from corsproxy.cors.grants import asked_names
from corsproxy.proxy.exchange import Exchange
from corsproxy.tools.difference.abilities import Ability
from corsproxy.tools.difference.tables import difference
from corsproxy.tools.learning.proposal import Basis, propose_from
from corsproxy.tools.written_config import WrittenConfig
from tests.browser import test_elements, test_fetch
from tests.browser.cases import Case
from tests.browser.legacy import Legacy
from tests.browser.shop import Visit
from tests.browser.test_origins import BELOW, GET, READ
from tests.browser.test_websocket import HEARD, REFUSED, TALK
from tests.e2e.rig import config, running_proxy

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES_BELOW: Final = "names below a name"
CASES: Final = [
    *test_fetch.CASES,
    *test_elements.CASES,
    Case(name=NAMES_BELOW, policy=BELOW, script=GET, sees=READ, reached=[]),
    Case(name="WebSocket", script=TALK, sees=HEARD, reached=[], blocked=REFUSED),
]
# The pages of a case, by their names below localhost.
PAGES: Final = {NAMES_BELOW: ["app.shop", "deep.down.shop"]}
# What pages see under the learnt table where that is more: no server knows which headers they read.
MORE: Final = {"exposed headers": ["1", "1 of 1"]}
STRANGER: Final = "evil"
NOBODY: Final = "https://nobody.example"


class Row(NamedTuple):
    """What a page of this name does, under the rule with this path."""

    path: str
    case: Case
    page: str


ROWS: Final = [
    Row(f"/case-{number}", case, page)
    for number, case in enumerate(CASES)
    for page in PAGES.get(case.name, ["app.shop"])
]


class Lesson(NamedTuple):
    """What the pages have done through the table that is written by hand, and the table that is learnt from it."""

    by_hand: RuleTable
    exchanges: list[Exchange]
    learnt: WrittenConfig


class Stage:
    """The API, and pages of every name that is needed, of visitors who have a cookie."""

    def __init__(self, upstream: str, pages: Mapping[str, Visit]) -> None:
        self.pages = pages
        self._upstream = upstream

    def table(self, policies: Mapping[str, object]) -> str:
        """A rule with a policy for each path."""
        common = {"upstream": self._upstream, "strip_prefix": True}
        return config(self._upstream, rules=[{"path": path, "policy": policies[path], **common} for path in policies])

    async def play(self, text: str, rows: list[Row]) -> tuple[list[Any], list[Exchange]]:
        """What each page sees through a proxy with this table, and the proxy's records."""
        async with running_proxy(text) as proxy:
            api = f"http://api.shop.localhost:{proxy.port}"
            seen = [self.pages[row.page].run(row.case.script, api + row.path) for row in rows]
            return await asyncio.gather(*seen), proxy.exchanges


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(browser, site):
    context = await browser.new_context()
    await context.add_cookies([{"name": "session", "value": "ada", "url": "http://api.shop.localhost"}])
    pages = {
        name: Visit(await context.new_page(), site.origin(name)) for name in {STRANGER, *(row.page for row in ROWS)}
    }
    for visit in pages.values():
        await visit.page.goto(visit.origin)
    async with Legacy({}) as legacy:
        yield Stage(legacy.url, pages)
    await context.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lesson(stage):
    app = {"allow_origins": [stage.pages["app.shop"].origin]}
    by_hand = stage.table({row.path: {**app, **(yaml.safe_load(row.case.policy) or {})} for row in ROWS})
    seen, exchanges = await stage.play(by_hand, ROWS)
    assert seen == [row.case.sees for row in ROWS]
    present = WrittenConfig.read(stage.table(dict.fromkeys((row.path for row in ROWS), "none")), "config.yaml", {})
    learnt = present.changed(propose_from(exchanges, Basis(present)).after)
    return Lesson(load_config(by_hand, "by-hand.yaml", {}).table, exchanges, learnt)


async def test_every_page_works_and_no_stranger_is_let_in(stage, lesson):
    strangers = [Row(row.path, row.case, STRANGER) for row in ROWS]
    seen, _ = await stage.play(lesson.learnt.text, [*ROWS, *strangers])
    expected = [MORE.get(row.case.name, row.case.sees) for row in ROWS]
    assert seen == [*expected, *(row.case.blocked for row in strangers)]


async def test_the_same_traffic_has_nothing_more_to_teach(lesson):
    again = propose_from(lesson.exchanges, Basis(lesson.learnt))
    assert (again.changed, again.unused, again.findings) == (False, (), ())


async def test_nothing_is_allowed_that_is_not_by_hand_but_reading_headers_that_came(lesson):
    more = set(granted(lesson.by_hand, lesson.learnt.compiled.table))
    assert {grant.ability for grant in more} == {Ability.EXPOSED}
    assert more <= set(shown(lesson.exchanges))


async def test_nothing_is_allowed_that_was_not_seen(stage, lesson):
    nobody = stage.table({row.path: {"allow_origins": [NOBODY]} for row in ROWS})
    everything = set(granted(load_config(nobody, "nobody.yaml", {}).table, lesson.learnt.compiled.table))
    kinds = {Ability.READ, Ability.METHODS, Ability.HEADERS, Ability.CREDENTIALS, Ability.EXPOSED}
    assert {grant.ability for grant in everything} == kinds
    assert everything <= set(shown(lesson.exchanges))


async def test_without_any_single_grant_a_page_fails(stage, lesson):
    """But for headers that no page reads: those that the policy by hand does not expose."""
    learnt = yaml.safe_load(lesson.learnt.text)
    policies = {rule["path"]: learnt["policies"][rule["policy"]] for rule in learnt["rules"]}
    tried = [(row, *less) for row in ROWS for less in reductions(row, stage.pages[row.page].origin, policies[row.path])]
    text = stage.table({f"/without-{number}": policy for number, (_, _, policy) in enumerate(tried)})
    rows = [Row(f"/without-{number}", row.case, row.page) for number, (row, _, _) in enumerate(tried)]
    seen, _ = await stage.play(text, rows)
    assert {key for _, (key, _), _ in tried} == {key for policy in policies.values() for key in policy}
    assert [(row, grant) for (row, grant, _), found in zip(tried, seen, strict=True) if found == row.case.sees] == []


class Grant(NamedTuple):
    """What pages of an origin may do at a path; of the methods and headers one."""

    path: str
    origin: str
    ability: Ability
    name: str = ""


def granted(old: RuleTable, new: RuleTable) -> Iterator[Grant]:
    """What is newly allowed, by the difference of two tables."""
    for placed in difference(old, new).changes:
        if not placed.change.widens:
            continue
        for cell, example, gain in product(placed.cells, placed.change.origins.examples, placed.change.gains):
            assert example.entry.exact
            assert not gain.names.all_but
            for name in gain.names.listed or [""]:
                yield Grant(cell.path, example.origin, gain.ability, name)


def shown(exchanges: list[Exchange]) -> Iterator[Grant]:
    """What pages have shown that they do, or could: read a header that came."""
    for exchange in exchanges:
        assert exchange.rule
        path, origin = exchange.rule.path, exchange.origin.decode()
        sent = {line.name: line.value for line in exchange.passed}
        method = sent.get(b"access-control-request-method")
        if method is not None:
            yield Grant(path, origin, Ability.METHODS, method.decode())
            for name in asked_names(sent.get(b"access-control-request-headers", b"")):
                yield Grant(path, origin, Ability.HEADERS, name.decode())
            continue
        yield Grant(path, origin, Ability.READ)
        if b"cookie" in sent:
            yield Grant(path, origin, Ability.CREDENTIALS)
        for name, _ in exchange.answered:
            yield Grant(path, origin, Ability.EXPOSED, name.decode().lower())


def reductions(row: Row, origin: str, policy: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """Every grant of a policy that this page needs, and the policy without it."""
    by_hand = yaml.safe_load(row.case.policy) or {}
    read = [name.lower() for name in by_hand.get("expose_headers", [])]
    for key, value in policy.items():
        if value is True:
            yield (key, ""), {other: policy[other] for other in policy if other != key}
            continue
        for entry in value:
            if key == "expose_headers" and not {"*", entry} & set(read):
                continue
            if key == "allow_origins" and entry != origin:
                continue
            rest = [other for other in value if other != entry]
            yield (key, entry), {**policy, key: rest or ([NOBODY] if key == "allow_origins" else [])}
