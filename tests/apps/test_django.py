"""Django behind the proxy: a page on another origin logs in, posts and logs out, with sessions and CSRF protection."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from typing import Self
from urllib.parse import urlencode

import httpx
import pytest

from tests.apps.django_site import NAME, PASSWORD, site
from tests.apps.serving import APP, EVIL
from tests.e2e.rig import config, running_proxy

POLICY = {
    "allow_origins": [APP],
    "allow_methods": ["GET", "POST"],
    "allow_headers": ["Content-Type", "X-CSRFToken"],
    "allow_credentials": True,
}


class Browser:
    """A page's requests with its cookies, as far as a cookie jar goes: Origin and Referer as a browser sends them."""

    def __init__(self, base: str, origin: str = APP) -> None:
        self.client = httpx.AsyncClient(
            base_url=base, headers={"Origin": origin, "Referer": f"{origin}/"}, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def log_in(self) -> httpx.Response:
        token = (await self.client.get("/login")).json()["token"]
        form = urlencode({"name": NAME, "password": PASSWORD})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": token}
        return await self.client.post("/login", content=form, headers=headers)


@pytest.fixture(scope="module")
def url(django_ready):
    with site() as url:
        yield url


def rule(url: str, **more) -> dict:
    return {"forward_origin": url, **more}


async def test_log_in_post_and_log_out(url):
    async with running_proxy(config(url, policy=POLICY, rule=rule(url))) as proxy:
        async with Browser(f"http://127.0.0.1:{proxy.port}") as browser:
            assert (await browser.client.get("/notes")).status_code == 401
            logged_in = await browser.log_in()
            assert logged_in.status_code == 200, logged_in.text
            token = logged_in.json()["token"]
            for text in ("one", "zw\u00f6lf"):
                posted = await browser.client.post("/notes", content=text.encode(), headers={"X-CSRFToken": token})
            assert posted.json() == {"user": "ada", "notes": ["one", "zw\u00f6lf"]}
            out = await browser.client.post("/logout", headers={"X-CSRFToken": token})
            assert out.text == "bye"
            assert "sessionid" not in browser.client.cookies  # Django's answer took it away
            assert (await browser.client.get("/notes")).status_code == 401
        exchanges = await proxy.recorded(7)
    assert {exchange.origin for exchange in exchanges} == {APP.encode()}  # the policy judged the page's own origin
    for response in (logged_in, posted, out):
        assert response.headers["access-control-allow-origin"] == APP
        assert response.headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize(
    ("forward_origin", "status"),
    [
        ("keep", 403),  # Django: "Origin checking failed - https://myapp.com does not match any trusted origins."
        ("remove", 200),  # over http, Django is content with the token then
        ("https://elsewhere.example", 403),
    ],
)
async def test_what_django_sees_of_the_origin_decides(url, forward_origin, status):
    """Whatever Django says, the page can read it."""
    proxying = running_proxy(config(url, policy=POLICY, rule={"forward_origin": forward_origin}))
    async with proxying as proxy, Browser(f"http://127.0.0.1:{proxy.port}") as browser:
        response = await browser.log_in()
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == APP


@pytest.mark.parametrize(("forward_origin", "status"), [("https://{authority}", 200), ("remove", 403), ("keep", 403)])
async def test_log_in_where_django_knows_of_https(django_ready, forward_origin, status):
    """Behind TLS that ends before the proxy, Django wants an Origin of its own or, without one, such a Referer."""
    with site(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")) as url:
        authority = url.removeprefix("http://")
        rule = {"forward_origin": forward_origin.format(authority=authority)}
        text = config(url, policy=POLICY, rule=rule, trusted_proxies="127.0.0.1")
        async with running_proxy(text) as proxy, Browser(f"http://127.0.0.1:{proxy.port}") as browser:
            browser.client.headers["X-Forwarded-Proto"] = "https"
            response = await browser.log_in()
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == APP


async def test_csrf_protection_stays(url):
    """The proxy shows Django its own origin, and still no POST without the token gets through."""
    proxying = running_proxy(config(url, policy=POLICY, rule=rule(url)))
    async with proxying as proxy, Browser(f"http://127.0.0.1:{proxy.port}") as browser:
        await browser.log_in()
        assert (await browser.client.post("/notes", content=b"no token")).status_code == 403
        assert (await browser.client.get("/notes")).json()["notes"] == []


async def test_stranger_whose_origin_is_replaced_must_be_rejected_by_the_proxy(url):
    """``forward_origin`` hides the stranger from Django; ``on_denied: reject`` keeps it away, cookies or not."""
    policy = {**POLICY, "on_denied": "reject"}
    proxying = running_proxy(config(url, policy=policy, rule=rule(url)))
    async with proxying as proxy, Browser(f"http://127.0.0.1:{proxy.port}", EVIL) as browser:
        response = await browser.client.get("/login")
    assert response.status_code == 403
    assert "set-cookie" not in response.headers
    assert "access-control-allow-origin" not in response.headers


async def test_cookies_for_a_page_on_another_site(url):
    """Below a prefix and with ``same_site: none``: path, SameSite and Secure change, and nothing else does."""
    changes = rule(url, path="/shop", strip_prefix=True, cookies={"same_site": "none"})
    async with (
        running_proxy(config(url, policy=POLICY, rule=changes)) as proxy,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        asked = [client.get(f"{base}/login") for base in (f"http://127.0.0.1:{proxy.port}/shop", url)]
        through, direct = await asyncio.gather(*asked)
    ours, theirs = (SimpleCookie(answer.headers["set-cookie"])["csrftoken"] for answer in (through, direct))
    assert (theirs["path"], theirs["samesite"], theirs["secure"]) == ("/", "Lax", "")
    assert (ours["path"], ours["samesite"], ours["secure"]) == ("/shop", "None", True)
    assert ours["max-age"] == theirs["max-age"]


async def test_django_with_a_trusted_origin_needs_no_rewriting(django_ready):
    """Where the setting can be changed, CSRF_TRUSTED_ORIGINS does it, and the Origin passes as it is."""
    with site(CSRF_TRUSTED_ORIGINS=[APP]) as url:
        proxying = running_proxy(config(url, policy=POLICY))
        async with proxying as proxy, Browser(f"http://127.0.0.1:{proxy.port}") as browser:
            assert (await browser.log_in()).status_code == 200
