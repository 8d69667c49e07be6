"""Preflights: answered here and never forwarded; granted in full, or denied with a reason and nothing else."""

from __future__ import annotations

import pytest

from tests.e2e.rig import (
    APP,
    ORIGIN,
    STRANGER,
    WEB_APP,
    answer,
    answering,
    between,
    preflight,
)

ACAO, ACAC = b"access-control-allow-origin", b"access-control-allow-credentials"
OK = answer(b"200 OK", body=b"ok")


FULL = {
    "allow_origins": [APP],
    "allow_methods": ["GET", "PUT", "DELETE"],
    "allow_headers": ["Content-Type", "X-Api-Key"],
    "allow_credentials": True,
    "max_age": "10m",
}


async def test_granted_preflight_is_answered_here_in_full():
    async with between(answering(OK), policy=FULL) as (upstream, proxy):
        response = await proxy.ask(*preflight(headers=b"content-type,x-api-key"))
    assert (response.status, response.body) == (204, b"")
    assert response.cors == [
        (ACAC, b"true"),
        (b"access-control-allow-headers", b"Content-Type, X-Api-Key"),
        (b"access-control-allow-methods", b"GET, PUT, DELETE"),
        (ACAO, APP.encode()),
        (b"access-control-max-age", b"600"),
    ]
    assert response.vary == [b"origin", b"access-control-request-method", b"access-control-request-headers"]
    assert upstream.connections == []


@pytest.mark.parametrize(
    "asked",
    [
        preflight(origin=STRANGER),
        preflight(origin=b"Origin: null"),
        preflight(b"PATCH"),
        preflight(b"put"),  # methods are case-sensitive: https://fetch.spec.whatwg.org/#cors-preflight-fetch
        preflight(b"PUT,DELETE"),
        preflight(b"P UT"),
        preflight(headers=b"x-other"),
        preflight(headers=b"content-type,x-other"),
        preflight(headers=b"content type"),
        (*preflight(), STRANGER),
        (*preflight(), ORIGIN),  # two Origin lines: nobody's
        (*preflight(headers=b"x-api-key"), b"Access-Control-Request-Private-Network: true"),
    ],
)
async def test_denied_preflight_says_what_was_denied_and_grants_nothing(asked):
    async with between(answering(OK), policy=FULL) as (upstream, proxy):
        response = await proxy.ask(*asked)
    assert response.status == 403
    assert response.cors == []
    assert response.vary == [b"origin", b"access-control-request-method", b"access-control-request-headers"]
    assert response.one(b"content-type").startswith(b"text/plain")
    told = b"".join(asked).lower()
    for secret in (APP.encode(), b"DELETE", b"X-Api-Key"):  # never what would have been allowed
        assert secret not in response.body or secret.lower() in told
    assert upstream.connections == []


async def test_requested_headers_may_be_spread_over_lines_and_spaces():
    """Gateways split them: rs/cors #184, gateway-api #4668."""
    spread = (b"Access-Control-Request-Headers: ,content-type ,", b"Access-Control-Request-Headers: X-API-KEY")
    async with between(answering(OK), policy=FULL) as (_, proxy):
        assert (await proxy.ask(*preflight(), *spread)).status == 204


async def test_a_mebibyte_of_commas_is_no_attack():
    """rs/cors #170: it took 127 ms and 121 MB."""
    async with between(answering(OK), policy=FULL) as (upstream, proxy):
        response = await proxy.ask(*preflight(headers=b"," * 60_000))
        flood = await proxy.ask(*preflight(headers=b"," * 1_048_576))
    assert response.status in {204, 403, 431}
    assert flood.status == 431
    assert upstream.connections == []


@pytest.mark.parametrize(
    ("credentials", "asked", "methods", "headers"),
    [
        (False, b"x-b,x-a,x-b", b"*", b"*,Authorization"),
        (False, b"authorization", b"*", b"*,Authorization"),
        (True, b"x-b,x-a,x-b", b"PATCH", b"x-b,x-a"),
    ],
)
async def test_stars_are_named_where_the_standard_takes_them_literally(credentials, asked, methods, headers):
    policy = {**WEB_APP, "allow_methods": ["*"], "allow_headers": ["*"], "allow_credentials": credentials}
    async with between(answering(OK), policy=policy) as (_, proxy):
        response = await proxy.ask(*preflight(b"PATCH", asked))
    assert response.status == 204
    assert response.one(b"access-control-allow-methods") == methods
    assert response.one(b"access-control-allow-headers").replace(b", ", b",") == headers


@pytest.mark.parametrize(("max_age", "lines"), [({}, []), ({"max_age": 0}, [b"0"]), ({"max_age": "2h"}, [b"7200"])])
async def test_max_age_is_what_was_written(max_age, lines):
    async with between(answering(OK), policy={**WEB_APP, **max_age}) as (_, proxy):
        response = await proxy.ask(*preflight(b"GET"))
    assert response.all(b"access-control-max-age") == lines


@pytest.mark.parametrize("status", [200, 299])  # the second has no name
async def test_preflight_status_may_be_chosen_for_old_clients(status):
    async with between(answering(OK), policy={**WEB_APP, "preflight_status": status}) as (_, proxy):
        client = await proxy.connect()
        response = await client.ask(*preflight(b"GET"))
        assert (await client.ask(b"GET /x")).body == b"ok"  # and its framing is sound
    assert (response.status, response.body) == (status, b"")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (ORIGIN,),
        (b"Access-Control-Request-Method: PUT",),
        (ORIGIN, b"Access-Control-Request-Headers: content-type"),
    ],
)
async def test_options_that_is_no_preflight_reaches_the_upstream(lines):
    """https://fetch.spec.whatwg.org/#cors-preflight-request: it takes Origin and the method that is asked for."""
    async with between(answering(OK), policy=FULL) as (upstream, proxy):
        response = await proxy.ask(b"OPTIONS /x", *lines)
    assert response.body == b"ok"
    assert [request.method for request in upstream.requests] == [b"OPTIONS"]
    assert response.all(ACAO) == ([APP.encode()] if ORIGIN in lines else [])


async def test_preflight_with_a_body_leaves_the_connection_in_order():
    async with between(answering(OK), policy=FULL) as (_, proxy):
        client = await proxy.connect()
        assert (await client.ask(*preflight(), body=b"GET /smuggled HTTP/1.1\r\n\r\n")).status == 204
        if not client.ended:
            await client.send(b"")
        following = await proxy.ask(b"GET /x")
    assert following.body == b"ok"


async def test_private_network_is_granted_only_when_opted_in():
    """CVE-2024-6221; never the value "false"."""
    line = b"Access-Control-Request-Private-Network: true"
    for allowed, values in ((False, []), (True, [b"true"])):
        policy = {**FULL, "allow_private_network": allowed}
        async with between(answering(OK), policy=policy) as (_, proxy):
            with_it, without = await proxy.ask(*preflight(), line), await proxy.ask(*preflight())
        assert with_it.all(b"access-control-allow-private-network") == values
        assert with_it.status == (204 if allowed else 403)
        assert without.all(b"access-control-allow-private-network") == []
