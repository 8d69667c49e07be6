"""``corsproxy dev https://...`` without further flags: a page on http://localhost logs in, and out again."""

from __future__ import annotations

import pytest
import pytest_asyncio

from corsproxy.cors.check import Blocked, Step, Verdict
from corsproxy.cors.words import chromium
from tests.browser.accounts import FETCH, LOGGED_IN_AND_OUT, NOT_KEPT, XHR, Accounts, log_in_and_out
from tests.browser.shop import FAILED, visiting
from tests.cli.running import running

pytestmark = pytest.mark.asyncio(loop_scope="session")

OWN = "session; Path=/; Domain=127.0.0.1; Secure; HttpOnly"  # its own host, which is not the browser's
HOST_COOKIE = "__Host-session; Path=/; Secure; HttpOnly; SameSite=Lax"
COOKIES = [
    f"{OWN}; SameSite=Lax",
    f"{OWN}; SameSite=Strict",
    f"{OWN}; SameSite=None",
    f"{OWN}; SameSite=None; Partitioned",
    OWN,
    "session; Path=/; Domain=.api.example.com; Secure",
    HOST_COOKIE,
    "__Host-session; Path=/; Secure; HttpOnly; SameSite=None",
    "__Secure-session; Path=/; Domain=127.0.0.1; Secure; SameSite=Strict",
    "__Http-session; Path=/; Secure; HttpOnly",
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(lack, tmp_path_factory):
    async with Accounts(tmp_path_factory.mktemp("accounts")) as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def command(api):
    trust = {"SSL_CERT_FILE": str(api.authority)}  # docs/dev.md
    async with running("dev", api.url, "--listen", "localhost:0", environment=trust) as command:
        yield command


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxy(command):
    return f"http://localhost:{await command.port()}"


@pytest.mark.parametrize(
    ("cookie", "way"),
    [*((cookie, FETCH) for cookie in COOKIES), *((cookie, XHR) for cookie in (COOKIES[0], HOST_COOKIE))],
)
async def test_page_on_localhost_logs_in_and_out(browser, site, api, command, proxy, cookie, way):
    api.origins.clear()
    read = len(command.lines)
    async with visiting(browser, site.localhost) as page:
        assert await page.run(log_in_and_out(way, cookie), proxy) == LOGGED_IN_AND_OUT
        assert await page.console() == []
    assert api.origins <= {api.url, None}  # an API that refuses foreign origins has nothing to refuse
    assert ("-Domain=" in await command.line("POST     /login")) is ("Domain=" in cookie)
    await command.line("POST     /logout")
    await command.line("GET      /me")
    assert not any(line.startswith("    ") for line in command.lines[read:])  # nothing to warn of


async def test_page_on_the_other_name_of_this_machine_is_told_why_its_cookie_is_lost(browser, site, command, proxy):
    """For a cookie, 127.0.0.1 and localhost are two sites."""
    async with visiting(browser, site.localhost.replace("localhost", "127.0.0.1")) as page:
        assert await page.run(log_in_and_out(FETCH, f"{OWN}; SameSite=None"), proxy) == NOT_KEPT
    said = "it has SameSite=Lax, and a page on http://127.0.0.1 is of another site than http://localhost"
    assert await command.line("cookie: ") == f"    cookie:  the browser will refuse session: {said}"


async def test_without_the_proxy_the_page_is_blocked(browser, site, api):
    async with visiting(browser, site.localhost, any_certificate=True) as page:
        assert await page.run(log_in_and_out(FETCH, COOKIES[0]), api.url) == FAILED
        verdict = Verdict(Blocked.MISSING_ALLOW_ORIGIN, step=Step.ACTUAL)
        assert await page.console(1) == [chromium(verdict, url=f"{api.url}/me", origin=page.origin)]


async def test_page_of_elsewhere_is_blocked_and_the_fix_is_said(browser, site, command, proxy):
    async with visiting(browser, site.origin("evil")) as page:
        assert await page.run("return ask(api + '/me', {credentials: 'include'})", proxy) == FAILED
        (said,) = await page.console(1)
    assert await command.line("browser: ") == f"    browser: {said}"
    assert f"--allow-origin {site.origin('evil')}" in await command.line("fix: ")


async def test_page_reads_that_the_certificate_of_the_api_is_not_trusted(browser, site, api):
    async with running("dev", api.url, "--listen", "localhost:0") as command:
        proxy = f"http://localhost:{await command.port()}"
        async with visiting(browser, site.localhost) as page:
            status, text = await page.run("return ask(api + '/me')", proxy)
        assert (status, "its certificate is not accepted" in text) == (502, True)
        assert api.url in await command.line("/me")
