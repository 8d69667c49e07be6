"""The CORS protocol as it leaves the process: exactly what the rule grants, whatever the upstream says."""

from __future__ import annotations

import pytest

from tests.e2e.rig import (
    APP,
    GRANT,
    ORIGIN,
    STRANGER,
    WEB_APP,
    RawUpstream,
    answer,
    answering,
    between,
    config,
    preflight,
    running_proxy,
)

OK = answer(b"200 OK", body=b"ok")
CREDENTIALS = {**WEB_APP, "allow_credentials": True, "expose_headers": ["X-Total-Count"]}
ACAO, ACAC, ACEH = b"access-control-allow-origin", b"access-control-allow-credentials", b"access-control-expose-headers"

# Every CORS header that an upstream may have of its own, some of them twice, in the cases that servers write.
LEGACY = (
    b"Access-Control-Allow-Origin: *",
    b"access-control-allow-origin: https://evil.example.net",
    b"Access-Control-Allow-Credentials: true",
    b"ACCESS-CONTROL-ALLOW-CREDENTIALS: true",
    b"Access-Control-Allow-Methods: GET, POST, PUT, DELETE",
    b"Access-Control-Allow-Headers: *",
    b"Access-Control-Expose-Headers: X-Secret",
    b"Access-Control-Max-Age: 86400",
    b"Access-Control-Allow-Private-Network: true",
    b"Access-Control-Allow-Something-New: 1",
)


async def test_upstreams_own_headers_are_replaced_exactly_one_of_each():
    """Doubled by Traefik #5567, APISIX #1704, ingress-nginx #2138."""
    async with between(answering(answer(b"200 OK", *LEGACY)), policy=CREDENTIALS) as (_, proxy):
        response = await proxy.ask(b"GET /x", ORIGIN)
    assert response.cors == [(ACAC, b"true"), *GRANT, (ACEH, b"X-Total-Count")]
    assert response.vary == [b"origin"]


@pytest.mark.parametrize(
    "lines", [(STRANGER,), (), (b"Origin: null",), (b"Origin: https://%s",), (ORIGIN, ORIGIN), (b"Origin:",)]
)
async def test_upstreams_own_headers_are_stripped_where_nothing_is_granted(lines):
    """The same answer, bare, and it varies all the same: expressjs/cors #106, quarkus #48823, istio #9783."""
    async with between(answering(answer(b"200 OK", *LEGACY, body=b"ok")), policy=CREDENTIALS) as (upstream, proxy):
        response = await proxy.ask(b"GET /x", *lines)
    assert (response.status, response.body) == (200, b"ok")
    assert response.cors == []
    assert response.vary == [b"origin"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("settings", [{"policy": "none"}, {"rule": {"upstream_cors": "keep"}}])
@pytest.mark.parametrize("origin", [ORIGIN, STRANGER])
async def test_rule_without_a_policy_leaves_everything_to_the_upstream(settings, origin):
    async with between(answering(answer(b"200 OK", *LEGACY, b"Vary: Cookie")), **settings) as (upstream, proxy):
        response = await proxy.ask(b"GET /x", origin)
        await proxy.ask(*preflight(origin=origin))
    kept = [line.partition(b": ")[::2] for line in LEGACY]
    assert [line for line in response.fields if line[0].lower().startswith(b"access-control")] == kept
    assert response.vary == [b"cookie"]
    assert [request.method for request in upstream.requests] == [b"GET", b"OPTIONS"]


@pytest.mark.parametrize(
    ("upstreams", "expected"),
    [
        ((), [b"origin"]),
        ((b"Vary: Accept-Encoding",), [b"accept-encoding", b"origin"]),
        ((b"Vary: Accept, Cookie",), [b"accept", b"cookie", b"origin"]),
        ((b"Vary: Accept", b"vary: Cookie"), [b"accept", b"cookie", b"origin"]),
        ((b"Vary: origin",), [b"origin"]),
        ((b"Vary: Origin, Accept", b"Vary: ORIGIN"), [b"origin", b"accept"]),
        ((b"Vary: *",), [b"*"]),
        ((b"Vary: ,",), [b"origin"]),
    ],
)
async def test_vary_is_merged_and_never_doubled(upstreams, expected):
    """Kong #4782."""
    async with between(answering(answer(b"200 OK", *upstreams))) as (_, proxy):
        response = await proxy.ask(b"GET /x", ORIGIN)
    assert response.vary == expected


async def test_constant_star_is_sent_to_everyone_and_varies_on_nothing():
    async with between(answering(answer(b"200 OK", *LEGACY, b"Vary: Accept")), policy={"allow_origins": ["*"]}) as (
        _,
        proxy,
    ):
        for lines in ((), (ORIGIN,), (STRANGER,), (b"Origin: null",)):
            response = await proxy.ask(b"GET /x", *lines)
            assert response.cors == [(ACAO, b"*")]
            assert response.vary == [b"accept"]


async def test_exposed_star_is_literal_without_credentials():
    policy = {**WEB_APP, "expose_headers": ["*"]}
    async with between(answering(answer(b"200 OK", b"X-A: 1")), policy=policy) as (_, proxy):
        assert (await proxy.ask(b"GET /x", ORIGIN)).one(ACEH) == b"*"


async def test_exposed_star_with_credentials_names_what_the_response_really_has():
    """https://fetch.spec.whatwg.org/#http-access-control-expose-headers: "*" is literal there; APISIX #7314 asks."""
    policy = {**WEB_APP, "allow_credentials": True, "expose_headers": "*"}
    lines = (
        b"X-Total-Count: 3",
        b"x-total-count: 4",
        b"ETag: x",
        b"Set-Cookie: a=b",
        b"Connection: X-Hop",
        b"X-Hop: 1",
    )
    async with between(answering(answer(b"200 OK", *lines, *LEGACY)), policy=policy) as (_, proxy):
        response = await proxy.ask(b"GET /x", ORIGIN)
    named = response.members(ACEH)
    assert len(response.all(ACEH)) == 1
    assert {b"x-total-count", b"etag"} <= set(named)
    assert len(named) == len(set(named))
    assert not {b"*", b"set-cookie", b"x-hop", ACAO} & set(named)


async def test_exposed_names_are_told_to_nobody_who_is_denied():
    policy = {**WEB_APP, "allow_credentials": True, "expose_headers": "*"}
    async with between(answering(answer(b"200 OK", b"X-A: 1")), policy=policy) as (_, proxy):
        assert (await proxy.ask(b"GET /x", STRANGER)).cors == []


async def test_reject_ends_denied_requests_here():
    policy = {**WEB_APP, "on_denied": "reject"}
    async with between(answering(OK), policy=policy) as (upstream, proxy):
        denied = await proxy.ask(b"GET /x", STRANGER)
        posted = await proxy.ask(b"POST /x", b"Origin: null", body=b"hello")
        assert upstream.connections == []
        allowed = await proxy.ask(b"GET /x", ORIGIN)
        tool = await proxy.ask(b"GET /x")  # curl has no Origin, and CORS has no word for it
    assert (denied.status, denied.cors, denied.vary) == (403, [], [b"origin"])
    assert posted.status == 403
    assert (allowed.status, allowed.cors) == (200, GRANT)
    assert (tool.status, tool.cors, tool.vary) == (200, [], [b"origin"])


@pytest.mark.parametrize("on_denied", ["forward", "reject"])
async def test_page_of_the_same_origin_is_not_a_stranger(on_denied):
    """repose #1632, quarkus #29542: browsers send Origin on same-origin POSTs too."""
    policy = {**WEB_APP, "on_denied": on_denied}
    async with between(answering(OK), policy=policy) as (_, proxy):
        host = b"127.0.0.1:%d" % proxy.port
        response = await proxy.ask(b"POST /x", b"Host: " + host, b"Origin: http://" + host, body=b"")
        crossed = await proxy.ask(b"POST /x", b"Host: " + host, b"Origin: http://127.0.0.1:1", body=b"")
    assert (response.status, response.body) == (200, b"ok")
    assert crossed.status == (403 if on_denied == "reject" else 200)
    assert crossed.cors == []


@pytest.mark.parametrize(("origin", "expected"), [(ORIGIN, [APP.encode()]), (STRANGER, [])])
async def test_timing_is_shown_to_listed_origins_only(origin, expected):
    policy = {**WEB_APP, "timing_allow_origins": [APP]}
    async with between(answering(answer(b"200 OK", b"Timing-Allow-Origin: *")), policy=policy) as (_, proxy):
        response = await proxy.ask(b"GET /x", origin)
    assert response.all(b"timing-allow-origin") == expected
    assert response.vary == [b"origin"]


@pytest.mark.parametrize("lines", [(ORIGIN,), (STRANGER,), ()])
async def test_resource_policy_is_on_everything_and_never_doubled(lines):
    policy = {**WEB_APP, "cross_origin_resource_policy": "cross-origin"}
    own = b"Cross-Origin-Resource-Policy: same-origin"
    async with between(answering(answer(b"200 OK", own)), policy=policy) as (_, proxy):
        response = await proxy.ask(b"GET /x", *lines)
    assert response.one(b"cross-origin-resource-policy") == b"cross-origin"


async def test_rules_have_policies_of_their_own():
    """fastapi #1174, flask-cors resources: several paths in one table."""
    async with RawUpstream(answering(OK)) as upstream:
        rules = [
            {"path": "/public", "upstream": upstream.url, "policy": {"allow_origins": ["*"]}},
            {"path": "/app", "upstream": upstream.url, "policy": WEB_APP},
            {"path": "/plain", "upstream": upstream.url, "policy": "none"},
        ]
        async with running_proxy(config(upstream.url, rules=rules)) as proxy:
            answers = [await proxy.ask(b"GET " + path, ORIGIN) for path in (b"/public", b"/app", b"/plain", b"/")]
    assert [response.all(ACAO) for response in answers] == [[b"*"], [APP.encode()], [], []]
    assert answers[3].status == 404


async def test_patterns_match_on_the_wire_as_they_are_documented():
    policy = {"allow_origins": ["https://*.preview.example.com", "http://localhost:*"]}
    allowed = [
        b"https://a.preview.example.com",
        b"https://a.b.preview.example.com",
        b"http://localhost:5173",
        b"http://localhost",
    ]
    denied = [
        b"https://preview.example.com",
        b"https://a.preview.example.com.evil.net",
        b"http://a.preview.example.com",
    ]
    async with between(answering(OK), policy=policy) as (_, proxy):
        for origin in allowed:
            assert (await proxy.ask(b"GET /x", b"Origin: " + origin)).one(ACAO) == origin
        for origin in denied:
            assert (await proxy.ask(b"GET /x", b"Origin: " + origin)).cors == []


async def test_answers_of_one_connection_do_not_share_their_grants():
    """Header values are never shared between requests: rs/cors #198."""
    async with between(answering(OK), policy=CREDENTIALS) as (_, proxy):
        client = await proxy.connect()
        for line, granted in [(ORIGIN, True), (STRANGER, False), (ORIGIN, True), (b"X-None: 1", False)] * 2:
            assert bool((await client.ask(b"GET /x", line)).cors) is granted
