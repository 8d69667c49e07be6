"""Cookies: what ``dev`` says that the browser will refuse is what Chromium refuses, and nothing else.

The proxy changes none of them here.  All lines come in one answer, so each has a name or value of its own.
"""

from __future__ import annotations

import pytest
import pytest_asyncio
import trustme

from corsproxy.cli.remarks import Commentator
from tests.browser.chromium import with_third_party_cookies
from tests.browser.shop import Visit
from tests.browser.site import PAGE
from tests.e2e.rig import RawUpstream, answer, answering, config, running_proxy

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINES = [
    # SameSite, Secure and Partitioned
    b"a1=1",
    b"a2=1; SameSite=Lax",
    b"a3=1; SameSite=Strict",
    b"a4=1; SameSite=None",
    b"a5=1; SameSite=None; Secure",
    b"a6=1; SameSite=Whatever",
    b"a7=1; SameSite=None; Secure; SameSite=Lax",
    b"a8=1; SameSite=None; SameSite=" + b"x" * 1025,
    b"b1=1; Secure",
    b"b2=1; secure=false; HttpOnly",
    b"b3=1; Partitioned",
    b"b4=1; Partitioned; Secure",
    b"b5=1; Partitioned; Secure; SameSite=None",
    # Names that promise something
    b"__Secure-a=1",
    b"__secure-b=1; Secure",
    b"__Host-a=1; Path=/",
    b"__Host-b=1; Secure",
    b"__Host-c=1; Secure; Path=/x",
    b"__HOST-d=1; Secure; Path=/",
    b"__Host-e=1; Secure; Path=/; Domain=HOST",
    b"__Host-f=1; Secure; Path=/; Domain=",
    b"__Http-a=1; HttpOnly",
    b"__Http-b=1; Secure",
    b"__Http-c=1; Secure; HttpOnly",
    b"__Host-Http-a=1; Secure; Path=/",
    b"__Host-Http-b=1; Secure; Path=/; HttpOnly",
    b"__Host-Http-c=1; Secure; HttpOnly",
    b"__Host-nameless",
    b"=__Secure-nameless",
    b"=__http-nameless=1; Secure; HttpOnly",
    # Domain
    b"c1=1; Domain=HOST",
    b"c2=1; Domain=.HOST",
    b"c3=1; Domain=..HOST",
    b"c4=1; Domain=api.example.com",
    b"c5=1; Domain=PARENT",
    b"c6=1; Domain=SUFFIX",
    b"c7=1; Domain=",
    b"c8=1; Domain=.",
    b"c9=1; Domain=api.example.com; Domain=HOST",
    b"d1=1; Domain=HOST; Domain=api.example.com",
    b"d2=1; Domain=below.HOST",
    b"d3=1; Domain=HOST.",
    b"d4=1; Domain=" + b"x" * 1025,
    # What no server may write
    b"nameless",
    b"=",
    b"; Secure",
    b"e1=" + b"x" * 4094,
    b"e2=" + b"x" * 4095,
    b"e3=1; Foo=" + b"x" * 4095,
    b"e4=a\tb",
    b"e5=1; Path=/a\tb",
    b"e\t6=1",
    b"\te7\t=\t1\t; Path=/\t",
    b"e8=1; Path=nonsense; Max-Age=never; Expires=soon",
    "e9=\u00e4".encode(),
]
PAGES = [
    # the page, and what it asks
    ("http://localhost", "http://localhost"),
    ("http://127.0.0.1", "http://localhost"),
    ("http://127.0.0.1", "http://127.0.0.1"),
    ("http://app.shop.localhost", "http://api.shop.localhost"),
    ("http://app.shop.test", "http://api.shop.test"),
    ("http://app.test", "http://api.test"),
    ("http://app.test", "http://localhost"),
    ("http://localhost", "https://localhost"),
    ("https://localhost", "https://localhost"),
    ("https://localhost", "http://localhost"),
    ("https://127.0.0.1", "https://localhost"),
    ("https://app.shop.test", "https://api.shop.test"),
    ("https://app.test", "https://api.test"),
]
POLICY = {
    "allow_origins": [f"{origin}:*" for origin in dict.fromkeys(page for page, _ in PAGES)],
    "allow_credentials": True,
    "dangerously_allow_insecure_origins": True,
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def context(lack, tmp_path_factory):
    async with with_third_party_cookies(tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    pem = tmp_path_factory.mktemp("certificate") / "localhost.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    return {"cert": str(pem), "key": str(pem)}


def lines_for(host):
    parent, suffix = host.partition(".")[2] or host, host.rpartition(".")[2]
    names = {b"HOST": host, b"PARENT": parent, b"SUFFIX": suffix}
    lines = LINES
    for name, value in names.items():
        lines = [line.replace(name, value.encode()) for line in lines]
    return lines


def pair(line):
    """Name and value, as the browser's jar has them."""
    name, equals, value = line.partition(b";")[0].decode().partition("=")
    return (name.strip(), value.strip()) if equals else ("", name.strip())


@pytest.mark.parametrize(("page", "asked"), PAGES)
async def test_dev_warns_of_the_cookies_that_the_browser_refuses(context, tls, page, asked):
    lines = lines_for(asked.partition("://")[2])
    fields = (b"Content-Type: text/html", *(b"Set-Cookie: " + line for line in lines))
    cookies = answering(answer(b"200 OK", *fields, body=PAGE.encode()))
    listen = ["127.0.0.1:0", {"address": "127.0.0.1:0", "tls": tls}]
    async with (
        RawUpstream(cookies) as upstream,
        running_proxy(config(upstream.url, policy=POLICY, listen=listen)) as proxy,
    ):
        ports = {name.partition(":")[0]: name.rpartition(":")[2] for name in proxy.server.names}
        at = {origin: f"{origin}:{ports[origin.partition(':')[0]]}" for origin in (page, asked)}
        visit = Visit(await context.new_page(), at[page])
        await visit.page.goto(at[page])
        await context.clear_cookies()
        status = "return (await fetch(api, {credentials: 'include'})).status"
        assert await visit.run(status, f"{at[asked]}/cookies") == 200
        kept = {(cookie["name"], cookie["value"]) for cookie in await context.cookies()}
        (exchange,) = [exchange for exchange in await proxy.recorded(2) if exchange.target == b"/cookies"]
        await visit.page.close()
    commentator = Commentator()
    foretold = {}
    for line in lines:
        exchange.answered = ((b"Set-Cookie", line),)
        foretold[line] = not commentator(exchange).remarks
    assert foretold == {line: pair(line) in kept for line in lines}
