"""``corsproxy dev --tls``: a browser that was told of the local authority trusts it, and any other does not.

It is told by the very command of docs/dev.md.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess

import pytest
import pytest_asyncio

from corsproxy.cli.local_certificate import local_certificate
from tests.browser.accounts import FETCH, LOGGED_IN_AND_OUT, XHR, Accounts, log_in_and_out
from tests.browser.chromium import chromium, required
from tests.browser.shop import FAILED, visiting
from tests.browser.site import Site
from tests.cli.running import running
from tests.documents import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

LAX = "session; Path=/; Domain=127.0.0.1; Secure; HttpOnly; SameSite=Lax"
ANYWHERE = "session; Path=/; Domain=127.0.0.1; Secure; HttpOnly; SameSite=None; Partitioned"
LOOK = "return ask(api + '/me', {credentials: 'include'})"


@pytest.fixture(scope="module")
def home(lack, tmp_path_factory):
    """The folder of a user whose browser has run before."""
    certutil = shutil.which("certutil")
    if certutil is None:
        (pytest.fail if required() else pytest.skip)("no certutil on PATH; apt-get install libnss3-tools")
    home = tmp_path_factory.mktemp("home")
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    subprocess.run([certutil, "-d", f"sql:{database}", "-N", "--empty-password"], check=True)
    return home


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxy(home, tmp_path_factory):
    """The URL of the proxy, which has just made its authority."""
    async with Accounts(tmp_path_factory.mktemp("accounts")) as api:
        environment = {"SSL_CERT_FILE": str(api.authority), "HOME": str(home), "XDG_DATA_HOME": ""}
        async with running("dev", api.url, "--tls", "--listen", "localhost:0", environment=environment) as command:
            yield f"https://localhost:{await command.port()}"


@pytest.fixture(scope="module")
def told(home, proxy):
    """What docs/dev.md says has been done."""
    (command,) = re.findall(r"Chromium on Linux:\*\* `(certutil .*?)`", (ROOT / "docs/dev.md").read_text("utf-8"))
    subprocess.run(["/bin/sh", "-c", command], check=True, env={**os.environ, "HOME": str(home)})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trusting(home, told):
    async with chromium(home) as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def secure_site(home, proxy):
    """Pages on https://localhost, with a certificate of the same authority."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with local_certificate(["localhost"], home / ".local/share/corsproxy") as certificate:
        tls.load_cert_chain(certificate.cert, certificate.key)
    async with Site(tls) as site:
        yield site


@pytest.mark.parametrize("way", [FETCH, XHR], ids=["fetch", "XMLHttpRequest"])
@pytest.mark.parametrize("cookie", [LAX, ANYWHERE])
async def test_secure_page_logs_in_and_out(trusting, secure_site, proxy, cookie, way):
    async with visiting(trusting, secure_site.localhost) as page:
        assert await page.run(log_in_and_out(way, cookie), proxy) == LOGGED_IN_AND_OUT
        assert await page.console() == []


async def test_page_on_http_reads_and_its_cookies_are_those_of_another_site(trusting, site, proxy):
    async with visiting(trusting, site.localhost) as page:
        assert await page.run(LOOK, proxy) == [401, "log in first"]
        assert await page.run(log_in_and_out(FETCH, ANYWHERE), proxy) == LOGGED_IN_AND_OUT


async def test_browser_that_was_not_told_of_the_authority_reads_nothing(browser, site, proxy):
    async with visiting(browser, site.localhost) as page:
        assert await page.run(LOOK, proxy) == FAILED
        assert await page.network_errors(1) == ["ERR_CERT_AUTHORITY_INVALID"]
