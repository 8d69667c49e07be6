"""The scenarios that the product was asked for, each by its number.

App is https://myapp.com, the API is https://api.example.com: a legacy API that sends no CORS header and may not be
changed.  Pages are run by the model of a browser over the real wire.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from corsproxy.config.load import load_config
from corsproxy.cors.browser import Blocked, Credentials, Request
from corsproxy.cors.decision import Outcome
from corsproxy.cors.words import chromium
from corsproxy.errors import InvalidConfig
from tests.e2e.page import browse
from tests.e2e.rig import ApiUpstream, ServerWire, answer, answering, between, config, running_proxy

APP = "https://myapp.com"
OTHER = "https://other.com"
API = "http://api.example.com"  # TLS is whoever stands before the proxy; the browser model only needs a URL
DATA = b'{"items": [1, 2, 3], "name": "caf\xc3\xa9"}'
ACAO = b"access-control-allow-origin"


async def legacy_api(request: web.BaseRequest) -> web.StreamResponse:
    """Answers with data, echoes what is posted, and knows neither OPTIONS nor CORS."""
    if request.method == "OPTIONS":
        return web.Response(status=405)
    if request.method == "GET":
        return web.Response(body=DATA, content_type="application/json")
    return web.Response(
        body=await request.read(), content_type="application/json", headers={"X-Method": request.method}
    )


def page(origin: str, path: str = "/data", **details: Any) -> Request:
    return Request(url=API + path, origin=origin.encode(), **details)


async def test_s1_simple_get_of_an_allowed_page():
    async with ApiUpstream(legacy_api) as api, running_proxy(config(api.url, policy={"allow_origins": [APP]})) as proxy:
        visit = await browse(proxy, page(APP))
    assert api.requests[0].headers["Origin"] == APP
    assert len(visit.responses) == 1  # a simple request has no preflight
    assert visit.responses[0].status == 200
    assert visit.responses[0].cors == [(ACAO, APP.encode())]
    assert visit.allowed
    assert visit.body == DATA


async def test_s2_the_same_from_a_page_that_is_not_allowed():
    async with ApiUpstream(legacy_api) as api, running_proxy(config(api.url, policy={"allow_origins": [APP]})) as proxy:
        visit = await browse(proxy, page(OTHER))
        (exchange,) = await proxy.recorded()
    assert visit.responses[0].status == 200
    assert visit.responses[0].body == DATA  # the upstream answered; it is the browser that keeps it
    assert visit.responses[0].cors == []
    assert visit.fetched.verdict.blocked is Blocked.MISSING_ALLOW_ORIGIN
    said = chromium(visit.fetched.verdict, url=API + "/data", origin=OTHER)
    assert "No 'Access-Control-Allow-Origin' header is present on the requested resource." in said
    assert exchange.decision.outcome is Outcome.DENIED_ORIGIN  # what log, inspector and explain put into words
    assert exchange.decision.subject == OTHER.encode()
    assert exchange.rule is not None
    assert exchange.rule.where.startswith("config.yaml:")


POLICY = {
    "allow_origins": [APP],
    "allow_methods": ["GET", "POST", "PUT", "DELETE"],
    "allow_headers": ["Content-Type", "X-Api-Key"],
    "max_age": "10m",
}
JSON = (b"Content-Type", b"application/json")


async def test_s3_and_s4_preflight_and_the_post_after_it():
    order = json.dumps({"item": 7, "note": "caf\u00e9 \n"}).encode()
    async with ApiUpstream(legacy_api) as api, running_proxy(config(api.url, policy=POLICY)) as proxy:
        visit = await browse(proxy, page(APP, method=b"POST", headers=(JSON,)), body=order)
    preflight, actual = visit.responses
    assert (preflight.status, preflight.body) == (204, b"")
    assert preflight.cors == [
        (b"access-control-allow-headers", b"Content-Type, X-Api-Key"),
        (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
        (ACAO, APP.encode()),
        (b"access-control-max-age", b"600"),
    ]
    assert [received.method for received in api.requests] == ["POST"]  # the upstream never sees the preflight
    assert actual.cors == [(ACAO, APP.encode())]
    assert visit.body == order  # it came back as it was sent


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        (b"POST", (JSON,)),
        (b"GET", ((b"X-Api-Key", b"secret"),)),
        (b"PUT", ()),
        (b"DELETE", ()),
        (b"PUT", (JSON, (b"X-Api-Key", b"secret"))),
    ],
)
async def test_s3_everything_that_is_preflighted(method, headers):
    async with ApiUpstream(legacy_api) as api, running_proxy(config(api.url, policy=POLICY)) as proxy:
        visit = await browse(proxy, page(APP, method=method, headers=headers))
        stranger = await browse(proxy, page(OTHER, method=method, headers=headers))
    assert visit.allowed
    assert [response.status for response in visit.responses] == [204, 200]
    assert not stranger.allowed
    assert [response.status for response in stranger.responses] == [403]  # its actual request is never sent
    assert [received.method.encode() for received in api.requests] == [method]


@pytest.mark.parametrize(
    ("method", "headers"),
    [(b"PATCH", ()), (b"POST", ((b"X-Other", b"1"), JSON)), (b"GET", ((b"Authorization", b"x"),))],
)
async def test_s3_what_the_rule_does_not_list_is_not_granted(method, headers):
    async with ApiUpstream(legacy_api) as api, running_proxy(config(api.url, policy=POLICY)) as proxy:
        visit = await browse(proxy, page(APP, method=method, headers=headers))
    assert not visit.allowed
    assert api.requests == []


async def test_s4_the_post_reaches_the_upstream_byte_for_byte():
    body = b'{ "a":1,\r\n "b":"\xc3\xa9" }\n'
    async with between(answering(answer(b"201 Created", body=b"made"))) as (upstream, proxy):
        await proxy.ask(b"POST /data?x=%20y", b"Origin: " + APP.encode(), b"Content-Type: application/json", body=body)
    assert upstream.requests[0].start == b"POST /data?x=%20y HTTP/1.1"
    assert upstream.requests[0].body == body


# S5: what a developer writes by hand in Express, and the same as a rule.

EXPRESS_BY_HAND = (
    b"X-Powered-By: Express",
    b"Access-Control-Allow-Origin: https://myapp.com",
    b"Access-Control-Allow-Methods: GET, POST, PUT, DELETE",
    b"Access-Control-Allow-Headers: Content-Type",
    b"Content-Type: application/json; charset=utf-8",
    b'ETag: W/"2-nOO9QiTIwXgNtWtBJezz8kv3SLc"',
)


@pytest.mark.parametrize("by_hand", [EXPRESS_BY_HAND, EXPRESS_BY_HAND[:1] + EXPRESS_BY_HAND[4:]], ids=["set", "unset"])
async def test_s5_hand_written_express_rule(by_hand):
    """The same lines on the wire, whether the Express API still writes its own or never did."""
    policy = {
        "allow_origins": [APP],
        "allow_methods": ["GET", "POST", "PUT", "DELETE"],
        "allow_headers": ["Content-Type"],
    }
    async with between(answering(answer(b"200 OK", *by_hand, body=b"{}")), policy=policy) as (upstream, proxy):
        visit = await browse(proxy, page(APP, method=b"PUT", headers=(JSON,)), body=b"{}")
        stranger = await browse(proxy, page(OTHER))
    preflight, actual = visit.responses
    assert preflight.one(ACAO) == APP.encode()
    assert preflight.one(b"access-control-allow-methods") == b"GET, POST, PUT, DELETE"
    assert preflight.one(b"access-control-allow-headers") == b"Content-Type"
    assert actual.cors == [(ACAO, APP.encode())]
    assert actual.one(b"x-powered-by") == b"Express"  # the rest of the API is as it was
    assert visit.body == b"{}"
    assert stranger.responses[0].cors == []  # by hand, Express would have named myapp.com to everybody
    assert [received.method for received in upstream.requests] == [b"PUT", b"GET"]


# S6: the options of the cors package for Express, and their counterparts.

CORS_OPTIONS: dict[str, tuple[Mapping[str, Any], Mapping[bytes, bytes]]] = {
    "origin: 'https://myapp.com'": ({"allow_origins": [APP]}, {ACAO: APP.encode()}),
    "origin: [a, b]": ({"allow_origins": [OTHER, APP]}, {ACAO: APP.encode()}),
    "origin: /myapp\\.com$/": ({"allow_origins": [APP, "https://*.myapp.com"]}, {ACAO: APP.encode()}),
    "origin: '*'": ({"allow_origins": ["*"]}, {ACAO: b"*"}),
    "methods": (
        {"allow_origins": [APP], "allow_methods": ["GET", "PUT"]},
        {ACAO: APP.encode(), b"access-control-allow-methods": b"GET, PUT"},
    ),
    "allowedHeaders": (
        {"allow_origins": [APP], "allow_methods": ["PUT"], "allow_headers": ["X-One", "Authorization"]},
        {b"access-control-allow-headers": b"X-One, Authorization"},
    ),
    "credentials: true": (
        {"allow_origins": [APP], "allow_credentials": True},
        {ACAO: APP.encode(), b"access-control-allow-credentials": b"true"},
    ),
    "maxAge: 600": ({"allow_origins": [APP], "max_age": 600}, {b"access-control-max-age": b"600"}),
}


@pytest.mark.parametrize(("policy", "expected"), CORS_OPTIONS.values(), ids=CORS_OPTIONS.keys())
async def test_s6_options_of_the_cors_package(policy, expected):
    async with between(answering(answer(b"200 OK")), policy={"allow_methods": ["GET", "PUT"], **policy}) as (_, proxy):
        asked = (b"Origin: " + APP.encode(), b"Access-Control-Request-Method: PUT")
        response = await proxy.ask(b"OPTIONS /x", *asked)
    assert response.status == 204
    assert {name: response.one(name) for name in expected} == dict(expected)


async def test_s6_exposed_headers():
    policy = {"allow_origins": [APP], "expose_headers": ["X-Total-Count"]}
    async with between(answering(answer(b"200 OK", b"X-Total-Count: 3", b"X-Other: 1")), policy=policy) as (_, proxy):
        visit = await browse(proxy, page(APP))
    assert b"x-total-count" in visit.readable
    assert b"x-other" not in visit.readable


async def test_s6_options_success_status():
    async with between(answering(answer(b"200 OK")), policy={"allow_origins": [APP], "preflight_status": 200}) as (
        _,
        proxy,
    ):
        visit = await browse(proxy, page(APP, headers=((b"Content-Type", b"text/plain"),)))
        response = await proxy.ask(b"OPTIONS /", b"Origin: " + APP.encode(), b"Access-Control-Request-Method: GET")
    assert visit.allowed
    assert response.status == 200


async def test_s6_preflight_continue_is_a_rule_that_leaves_cors_to_the_upstream():
    own = (b"Access-Control-Allow-Origin: " + APP.encode(), b"Access-Control-Allow-Methods: PUT")
    async with between(answering(answer(b"204 No Content", *own)), rule={"upstream_cors": "keep"}) as (upstream, proxy):
        visit = await browse(proxy, page(APP, method=b"PUT"))
    assert visit.allowed
    assert [received.method for received in upstream.requests] == [b"OPTIONS", b"PUT"]


async def test_s6_pattern_matches_the_whole_origin():
    """``/myapp\\.com$/`` in Express also admits https://evilmyapp.com; the counterpart here does not."""
    policy = {"allow_origins": ["https://*.myapp.com", APP]}
    async with between(answering(answer(b"200 OK")), policy=policy) as (_, proxy):
        assert (await browse(proxy, page("https://a.b.myapp.com"))).allowed
        assert not (await browse(proxy, page("https://evilmyapp.com"))).allowed
        assert not (await browse(proxy, page("https://myapp.com.evil.net"))).allowed


async def test_s7_flask_cors_resources_by_path():
    """Several paths in one table, each with its own policy, longest prefix first whatever the order."""
    async with ApiUpstream(legacy_api) as api:
        rules = [
            {"path": "/", "upstream": api.url, "policy": "none"},
            {"path": "/api", "upstream": api.url, "policy": {"allow_origins": [APP]}},
            {
                "path": "/api/admin",
                "upstream": api.url,
                "policy": {"allow_origins": ["https://admin.myapp.com"], "allow_credentials": True},
            },
            {"path": "/public", "upstream": api.url, "policy": {"allow_origins": ["*"]}},
        ]
        async with running_proxy(config(api.url, rules=rules)) as proxy:
            assert (await browse(proxy, page(APP, "/api/x"))).allowed
            assert not (await browse(proxy, page(APP, "/api/admin/x"))).allowed
            admin = page("https://admin.myapp.com", "/api/admin/x", credentials=Credentials.INCLUDE)
            assert (await browse(proxy, admin)).allowed
            assert (await browse(proxy, page(OTHER, "/public/x"))).allowed
            assert not (await browse(proxy, page(APP, "/elsewhere"))).allowed


FLASK_OPTIONS: dict[str, tuple[Mapping[str, Any], Mapping[bytes, bytes]]] = {
    "origins, supports_credentials": (
        {"allow_origins": [APP], "allow_credentials": True},
        {ACAO: APP.encode(), b"access-control-allow-credentials": b"true", b"vary": b"Origin"},
    ),
    "send_wildcard": ({"allow_origins": ["*"]}, {ACAO: b"*"}),
    "expose_headers": (
        {"allow_origins": [APP], "expose_headers": ["X-A", "X-B"]},
        {b"access-control-expose-headers": b"X-A, X-B"},
    ),
    "vary_header": ({"allow_origins": [APP]}, {b"vary": b"Origin"}),  # always, and not an option: caches need it
}


@pytest.mark.parametrize(("policy", "expected"), FLASK_OPTIONS.values(), ids=FLASK_OPTIONS.keys())
async def test_s7_options_of_flask_cors(policy, expected):
    async with between(answering(answer(b"200 OK")), policy=policy) as (_, proxy):
        response = await proxy.ask(b"GET /x", b"Origin: " + APP.encode())
    assert {name: response.one(name) for name in expected} == dict(expected)


async def test_s7_private_network():
    policy = {"allow_origins": [APP], "allow_private_network": True}
    asked = (b"Access-Control-Request-Method: GET", b"Access-Control-Request-Private-Network: true")
    async with between(answering(answer(b"200 OK")), policy=policy) as (_, proxy):
        response = await proxy.ask(b"OPTIONS /x", b"Origin: " + APP.encode(), *asked)
    assert response.one(b"access-control-allow-private-network") == b"true"


async def test_s8_flask_api_that_answers_options_itself():
    """Its OPTIONS handler is not called for preflights, its own OPTIONS still works, and no header is doubled."""
    own = (
        b"Server: Werkzeug/3.0.1 Python/3.11.7",
        b"Access-Control-Allow-Origin: *",
        b"Access-Control-Allow-Headers: *",
        b"Access-Control-Allow-Methods: *",
    )

    async def flask(wire: ServerWire) -> None:
        while True:
            method = (await wire.request()).method
            allow = (b"Allow: GET, HEAD, OPTIONS, POST",) if method == b"OPTIONS" else ()
            await wire.send(answer(b"200 OK", *own, *allow, body=b"" if allow else b"view"))

    async with between(flask, policy=POLICY) as (upstream, proxy):
        visit = await browse(proxy, page(APP, method=b"POST", headers=(JSON,)), body=b"{}")
        options = await proxy.ask(b"OPTIONS /data", b"Origin: " + APP.encode())
    assert visit.allowed
    assert visit.body == b"view"
    assert [received.method for received in upstream.requests] == [b"POST", b"OPTIONS"]
    assert options.one(b"allow") == b"GET, HEAD, OPTIONS, POST"
    for response in (*visit.responses, options):
        names = [name for name, _ in response.cors]
        assert len(names) == len(set(names))
        assert response.one(ACAO) == APP.encode()


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        ("https://site.com", True),
        ("http://site.com", False),
        ("https://site.com:8443", False),
        ("https://www.site.com", False),
        ("https://site.com.evil.net", False),
        ("https://evil-site.com", False),
        ("https://site.co", False),
    ],
)
async def test_s9_origin_is_scheme_and_host_and_port(origin, same):
    async with between(answering(answer(b"200 OK")), policy={"allow_origins": ["https://site.com"]}) as (_, proxy):
        assert (await browse(proxy, page(origin))).allowed is same


async def test_s10_star_allows_all_with_one_constant_answer():
    async with between(answering(answer(b"200 OK", body=DATA)), policy={"allow_origins": ["*"]}) as (_, proxy):
        for origin in (APP, OTHER, "null"):
            visit = await browse(proxy, page(origin))
            assert visit.allowed
            assert visit.responses[0].cors == [(ACAO, b"*")]
            assert visit.responses[0].vary == []
        with_cookies = await browse(proxy, page(APP, credentials=Credentials.INCLUDE))
    assert with_cookies.fetched.verdict.blocked is Blocked.WILDCARD_WITH_CREDENTIALS


def test_s10_star_with_credentials_is_refused_at_load():
    text = config("http://127.0.0.1:8000", policy={"allow_origins": ["*"], "allow_credentials": True})
    with pytest.raises(InvalidConfig) as caught:
        load_config(text, "config.yaml", {})
    (problem,) = caught.value.problems
    assert problem.line > 0
    assert "credentials" in problem.message
    assert problem.correction


@pytest.mark.parametrize("on_denied", ["forward", "reject"])
async def test_s11_curl_works_whatever_the_rule(on_denied):
    """CORS protects users, not servers: a tool that sends no Origin is not asked for one."""
    policy = {"allow_origins": [APP], "on_denied": on_denied}
    async with ApiUpstream(legacy_api) as api, running_proxy(config(api.url, policy=policy)) as proxy:
        response = await proxy.ask(b"GET /data", b"User-Agent: curl/8.5.0", b"Accept: */*")
        posted = await proxy.ask(b"POST /data", b"User-Agent: PostmanRuntime/7.36.0", body=DATA)
    assert (response.status, response.body) == (200, DATA)
    assert response.cors == []
    assert posted.body == DATA
