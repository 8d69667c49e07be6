"""What every test in a browser needs: pages of several origins, the proxy, and behind it an API without CORS.

    async with open_shop("{allow_methods: [PUT]}") as shop:
        page = await shop.visit()
        assert await page.run("return ask(api + '/items')", shop.api) == [200, "..."]

Pages of ``shop.app`` are allowed, those of ``shop.stranger`` are not.  ``shop.api`` leads through the proxy, and
``shop.legacy`` to the API itself.  Names instead of addresses keep their cookies apart, and make the app and the API
of one site, as they often are.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import yaml

from corsproxy.cors.check import Blocked, Step, Verdict
from corsproxy.cors.words import chromium, sentence
from tests.browser.legacy import Handler, Legacy, Seen
from tests.browser.site import Site
from tests.e2e.rig import RunningProxy, config, running_proxy

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Frame, Page, Worker

PATIENCE: Final = 60.0  # seconds, for what takes less than one
FAILED: Final = "TypeError: Failed to fetch"

Head = tuple[str, ...]

# What a browser says about itself, other ways in every version; and what every hop says for itself.
_ITS_OWN: Final = re.compile(r"user-agent|accept-(encoding|language)|sec-ch-.*|sec-fetch-storage-access|connection")
_NO_RESOURCE: Final = "Failed to load resource: "
_NETWORK_ERROR: Final = _NO_RESOURCE + "net::"
_PSEUDONYM: Final = re.compile(r"corsproxy-\d+")
_fences = itertools.count()


class Visit:
    """A page in a context of its own: nothing is in its cache, and no cookie in its jar."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self._messages: list[ConsoleMessage] = []
        page.on("console", lambda message: self._messages.append(message))  # noqa: PLW0108 - Playwright marks it

    async def run(self, script: str, api: str = "", *, where: Page | Frame | Worker | None = None) -> Any:
        """What a script returns, or the error that it throws; ``api`` is a variable of the script."""
        body = f"api => (async () => {{ {script} }})().catch(String)"
        async with asyncio.timeout(PATIENCE):
            return await (where or self.page).evaluate(body, api)

    async def console(self, count: int = 0) -> list[str]:
        """What Chromium has printed, once there are ``count`` sentences, without what it says of any failed request."""
        return await self._printed_so_far(lambda text: not text.startswith(_NO_RESOURCE), count)

    async def network_errors(self, count: int = 0) -> list[str]:
        """The names of network errors that Chromium has printed, once there are ``count``."""
        found = await self._printed_so_far(lambda text: text.startswith(_NETWORK_ERROR), count)
        return [text.removeprefix(_NETWORK_ERROR) for text in found]

    async def worker_console(self, script: str) -> list[str]:
        """What Chromium has printed into the console of this page's worker, to which Playwright does not listen."""
        context = self.page.context
        assert context.browser is not None
        own = await (await context.new_cdp_session(self.page)).send("Target.getTargetInfo")
        session = await context.browser.new_browser_cdp_session()
        listed = await session.send("Target.getTargets", {"filter": [{}]})
        (worker,) = [
            target["targetId"]
            for target in listed["targetInfos"]
            if target["url"] == self.origin + script
            and target["browserContextId"] == own["targetInfo"]["browserContextId"]
        ]
        async with asyncio.timeout(PATIENCE):
            return await _log_of(session, worker)

    async def _printed_so_far(self, wanted: Callable[[str], bool], count: int) -> list[str]:
        # What the page printed before the fence has come when the fence has; some is printed by other processes.
        fence = f"fence {next(_fences)}"
        async with self.page.expect_console_message(lambda message: message.text == fence):
            await self.page.evaluate("fence => console.debug(fence)", fence)
        while len(found := self._found(wanted)) < count:
            await self.page.wait_for_event("console")
        return found

    def _found(self, wanted: Callable[[str], bool]) -> list[str]:
        texts = [message.text for message in self._messages if message.type != "debug"]
        return [text for text in texts if wanted(text)]


class Shop:
    """The pages, the proxy and the API of one test."""

    def __init__(self, browser: Browser, site: Site, upstream: Legacy, proxy: RunningProxy) -> None:
        self.upstream = upstream
        self.proxy = proxy
        self.app = site.origin("app.shop")
        self.stranger = site.origin("evil")
        self.api = f"http://api.shop.localhost:{proxy.port}"
        self.legacy = f"http://legacy.shop.localhost:{upstream.port}"
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    async def visit(self, origin: str = "", path: str = "/", *, beside: Visit | None = None) -> Visit:
        """A page of this origin, the app's unless it is said, in a new context or in that of another page."""
        if beside is None:
            self._contexts.append(await self._browser.new_context())
        page = await (beside.page.context if beside else self._contexts[-1]).new_page()
        page.set_default_timeout(PATIENCE * 1000)
        visit = Visit(page, origin or self.app)
        await page.goto(visit.origin + path)
        return visit

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    def reached(self, origin: str = "") -> list[Head]:
        """The heads of the requests that the API saw, but for what every request from a page of this origin has."""
        return [self.head(seen, origin or self.app) for seen in self.upstream.seen]

    def head(self, seen: Seen, origin: str) -> Head:
        """A request line and the lines that are not usual, sorted; ``no origin`` stands for a usual line that lacks."""
        lacking = self._usual(seen, origin)
        lines = []
        for name, value in seen.fields:
            known = _PSEUDONYM.sub("corsproxy", value)
            if lacking.get(name) == known:
                del lacking[name]
            elif not _ITS_OWN.fullmatch(name):
                lines.append(f"{name}: {known}")
                lacking.pop(name, None)
        return (f"{seen.method} {seen.target}", *sorted(lines), *(f"no {name}" for name in sorted(lacking)))

    def _usual(self, seen: Seen, origin: str) -> dict[str, str]:
        """The lines of every fetch from a page of this origin, and those of the proxy when it came through it."""
        usual = {
            "host": self.legacy.partition("//")[2],
            "accept": "*/*",
            "origin": origin,
            "referer": origin + "/",
            "sec-fetch-site": "cross-site" if origin == self.stranger else "same-site",
            "sec-fetch-mode": "cors",
            "sec-fetch-dest": "empty",
        }
        if any(name == "via" for name, _ in seen.fields):
            usual["host"] = self.upstream.url.partition("//")[2]
            usual["via"] = "1.1 corsproxy"
            usual["x-forwarded-for"] = "127.0.0.1"
            usual["x-forwarded-proto"] = "http"
            usual["x-forwarded-host"] = self.api.partition("//")[2]
        return usual

    def blocked(self, seen: Seen, initiator: str = "fetch", *, origin: str = "") -> str:
        """Chromium's sentence about an answer of the API itself, which grants nothing."""
        step = Step.PREFLIGHT if seen.method == "OPTIONS" else Step.ACTUAL
        verdict = Verdict(Blocked.MISSING_ALLOW_ORIGIN, step=step)
        return chromium(verdict, url=self.legacy + seen.target, origin=origin or self.app, initiator=initiator)

    async def denied(self, initiator: str = "fetch") -> str:
        """Chromium's sentence as the proxy foretells it from its record of the only exchange."""
        (exchange,) = await self.proxy.recorded()
        said = sentence(exchange.decision, url=exchange.url, origin=exchange.origin.decode())
        # The record does not know who asked.
        return said.replace("Access to fetch", f"Access to {initiator}", 1)


@asynccontextmanager
async def visiting(browser: Browser, origin: str, *, any_certificate: bool = False) -> AsyncIterator[Visit]:
    """A page of this origin in a context of its own, which ends with it."""
    context = await browser.new_context(ignore_https_errors=any_certificate)
    try:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        await page.goto(origin + "/")
        yield Visit(page, origin)
    finally:
        await context.close()


@asynccontextmanager
async def open_shop(
    browser: Browser,
    site: Site,
    policy: str = "",
    *,
    rule: str = "",
    timeouts: str = "",
    upstream: str = "",
    routes: Mapping[str, Handler] | None = None,
) -> AsyncIterator[Shop]:
    """A shop; ``policy``, ``rule`` and ``timeouts`` are YAML that is added to a policy which allows the app.

    ``upstream`` is the URL of another upstream than the API, and ``routes`` are handlers that the API has besides.
    """
    async with Legacy(routes or {}) as legacy:
        text = config(
            upstream or legacy.url,
            policy={"allow_origins": [site.origin("app.shop")], **_read(policy)},
            rule=_read(rule),
            timeouts=_read(timeouts),
        )
        async with running_proxy(text) as proxy:
            shop = Shop(browser, site, legacy, proxy)
            try:
                yield shop
            finally:
                await shop.close()


def _read(text: str) -> dict[str, Any]:
    return yaml.safe_load(text) or {}


async def _log_of(session: CDPSession, target: str) -> list[str]:
    """The log of a target, as far as it goes (https://chromedevtools.github.io/devtools-protocol/tot/Log/)."""
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    session.on("Target.receivedMessageFromTarget", lambda event: messages.put_nowait(json.loads(event["message"])))
    attached = await session.send("Target.attachToTarget", {"targetId": target, "flatten": False})
    enable = {"sessionId": attached["sessionId"], "message": json.dumps({"id": 1, "method": "Log.enable"})}
    await session.send("Target.sendMessageToTarget", enable)
    printed = []
    while (message := await messages.get()).get("id") != 1:  # what is in the log already comes before the answer
        if message["method"] == "Log.entryAdded":
            printed.append(message["params"]["entry"]["text"])
    await session.detach()
    return printed
