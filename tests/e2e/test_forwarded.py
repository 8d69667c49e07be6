"""Who asked: X-Forwarded-For, -Proto, -Host and Via, and whose word about them is taken."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.rig import ClientWire, answer, answering, between

OK = answer(b"200 OK", body=b"ok")
CLAIMS = (
    b"X-Forwarded-For: 203.0.113.7",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: api.example.com",
)
TRUST = {"trusted_proxies": ["127.0.0.0/8"]}


async def test_upstream_is_told_who_asked_how_and_for_what():
    async with between(answering(OK)) as (upstream, proxy):
        await proxy.ask(b"GET /x", b"Host: api.example.com:8080")
    arrived = upstream.requests[0]
    assert arrived.one(b"x-forwarded-for") == b"127.0.0.1"
    assert arrived.one(b"x-forwarded-proto") == b"http"
    assert arrived.one(b"x-forwarded-host") == b"api.example.com:8080"


async def test_via_names_the_version_and_this_proxy():
    """https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3; earlier proxies stay named."""
    async with between(answering(OK)) as (upstream, proxy):
        await proxy.ask(b"GET /x", b"Via: 1.0 fred, 1.1 cache.example.net (Squid)")
        await proxy.ask(b"GET /x", version=b"1.0")
    first, second = upstream.requests
    assert [member.split(b" ")[1][:9] for member in first.members(b"via")] == [b"fred", b"cache.exa", b"corsproxy"]
    assert first.members(b"via")[2].startswith(b"1.1 ")
    assert second.members(b"via")[0].startswith(b"1.0 ")


async def test_claims_of_an_untrusted_client_are_discarded():
    """CVE-2024-52003, CVE-2026-35051."""
    async with between(answering(OK)) as (upstream, proxy):
        await proxy.ask(b"GET /x", *CLAIMS, b"Forwarded: for=203.0.113.7;proto=https", b"X-Real-IP: 203.0.113.7")
    arrived = upstream.requests[0]
    assert arrived.one(b"x-forwarded-for") == b"127.0.0.1"
    assert arrived.one(b"x-forwarded-proto") == b"http"
    assert arrived.one(b"x-forwarded-host") == b"localhost"
    assert arrived.named(b"forwarded", b"x-real-ip") == []


async def test_claims_of_a_trusted_proxy_are_kept_and_continued():
    async with between(answering(OK), **TRUST) as (upstream, proxy):
        await proxy.ask(b"GET /x", *CLAIMS)
    arrived = upstream.requests[0]
    assert arrived.members(b"x-forwarded-for") == [b"203.0.113.7", b"127.0.0.1"]
    assert arrived.one(b"x-forwarded-proto") == b"https"
    assert arrived.one(b"x-forwarded-host") == b"api.example.com"


@pytest.mark.parametrize(
    "look_alike",
    [
        b"X_Forwarded_For: 203.0.113.7",
        b"X_FORWARDED-FOR: 203.0.113.7",
        b"X.Forwarded.For: 203.0.113.7",
        b"X_Forwarded_Proto: https",
        b"X-Forwarded_Host: evil.example.net",
    ],
)
@pytest.mark.parametrize("settings", [{}, TRUST])
async def test_look_alikes_are_dropped(look_alike, settings):
    """CGI and WSGI fold them into the real ones: Caddy GHSA-f59h-q822-g45g."""
    async with between(answering(OK), **settings) as (upstream, proxy):
        await proxy.ask(b"GET /x", look_alike)
    names = [name for name, _ in upstream.requests[0].fields]
    assert look_alike.partition(b":")[0] not in names
    assert [name.lower() for name in names if b"forwarded" in name.lower()] == [
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
    ]


async def test_nonsense_of_a_trusted_proxy_is_not_passed_on():
    claims = (b"X-Forwarded-Proto: gopher, <x>", b"X-Forwarded-Host: a/../b")
    async with between(answering(OK), **TRUST) as (upstream, proxy):
        await proxy.ask(b"GET /x", *claims)
    arrived = upstream.requests[0]
    assert arrived.one(b"x-forwarded-proto") == b"http"
    assert arrived.one(b"x-forwarded-host") == b"localhost"


@pytest.mark.parametrize(("settings", "same"), [({}, False), (TRUST, True)])
async def test_scheme_of_a_trusted_proxy_decides_what_is_same_origin(settings, same):
    policy = {"allow_origins": ["https://other.example"], "on_denied": "reject"}
    claim = (b"Host: api.example.com", b"X-Forwarded-Proto: https", b"Origin: https://api.example.com")
    async with between(answering(OK), policy=policy, **settings) as (_, proxy):
        assert (await proxy.ask(b"GET /x", *claim)).status == (200 if same else 403)


async def test_peer_on_a_unix_socket_is_not_trusted_and_no_crash(tmp_path):
    listen = ["127.0.0.1:0", f"unix:{tmp_path}/proxy.sock"]
    async with between(answering(OK), listen=listen, **TRUST) as (upstream, _):
        path = f"{tmp_path}/proxy.sock"
        _, client = await asyncio.get_running_loop().create_unix_connection(ClientWire, path)
        assert (await client.ask(b"GET /x", *CLAIMS)).body == b"ok"
        client.close()
    assert b"203.0.113.7" not in upstream.requests[0].members(b"x-forwarded-for")
