"""What a rule changes on the way, and which rule that is: host, path, location, cookies, headers, upstreams."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.rig import (
    APP,
    GRANT,
    ORIGIN,
    WEB_APP,
    ServerWire,
    answer,
    answering,
    between,
    config,
    running_proxy,
)
from tests.e2e.upstreams import RawUpstream

OK = answer(b"200 OK", body=b"ok")


@pytest.mark.parametrize(
    ("forward_host", "expected"),
    [("upstream", None), ("preserve", b"api.example.com:8080"), ("v.example", b"v.example")],
)
async def test_host_is_the_upstreams_the_clients_or_a_literal(forward_host, expected):
    async with between(answering(OK), rule={"forward_host": forward_host}) as (upstream, proxy):
        await proxy.ask(b"GET /x", b"Host: api.example.com:8080")
    assert upstream.requests[0].one(b"host") == (expected or upstream.authority)


@pytest.mark.parametrize(
    ("forward_origin", "expected"),
    [("keep", [APP.encode()]), ("remove", []), ("https://internal.example", [b"https://internal.example"])],
)
async def test_origin_is_kept_removed_or_replaced_and_the_policy_still_reads_the_clients(forward_origin, expected):
    """APISIX #5890."""
    async with between(answering(OK), rule={"forward_origin": forward_origin}) as (upstream, proxy):
        response = await proxy.ask(b"GET /x", ORIGIN)
    assert upstream.requests[0].all(b"origin") == expected
    assert response.cors == GRANT


@pytest.mark.parametrize(
    ("path", "strip", "base", "asked", "expected"),
    [
        ("/orders", True, "", b"/orders/7?x=1", b"/7?x=1"),
        ("/orders", True, "", b"/orders", b"/"),
        ("/orders", True, "", b"/orders?x", b"/?x"),
        ("/orders", True, "", b"/orders/", b"/"),
        ("/orders", True, "", b"/orders//x", b"//x"),
        ("/orders", False, "", b"/orders/7", b"/orders/7"),
        ("/orders", True, "/v2", b"/orders/7", b"/v2/7"),
        ("/orders", False, "/v2", b"/orders/7", b"/v2/orders/7"),
        ("/a/b", True, "/v2", b"/a/b/%7E/c%2Fd", b"/v2/%7E/c%2Fd"),
        ("/~user", True, "", b"/%7Euser/x", b"/x"),  # matched as the upstream will understand it
    ],
)
async def test_prefix_is_stripped_and_base_path_is_added(path, strip, base, asked, expected):
    async with RawUpstream(answering(OK)) as upstream:
        rule = {"path": path, "strip_prefix": strip}
        async with running_proxy(config(upstream.url + base, rule=rule)) as proxy:
            await proxy.ask(b"GET " + asked)
    assert [request.target for request in upstream.requests] == [expected]


@pytest.mark.parametrize("asked", [b"/orders-old", b"/Orders", b"/order", b"/", b"/x/orders"])
async def test_prefix_matches_whole_segments_in_their_case(asked):
    """CVE-2024-6866."""
    async with between(answering(OK), rule={"path": "/orders"}) as (upstream, proxy):
        assert (await proxy.ask(b"GET " + asked)).status == 404
    assert upstream.connections == []


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See", b"307 Again", b"308 Forever"])
async def test_redirect_is_passed_on_and_not_followed(status):
    """CVE-2020-36851: followed, it would ask the cloud for its keys."""
    elsewhere = b"Location: http://169.254.169.254/latest/meta-data"
    async with between(answering(answer(status, elsewhere))) as (upstream, proxy):
        response = await proxy.ask(b"GET /x", ORIGIN)
    assert response.status == int(status[:3])
    assert response.one(b"location") == b"http://169.254.169.254/latest/meta-data"
    assert response.cors == GRANT
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://{authority}/v2/items/7?x#y", b"/shop/items/7?x#y"),
        ("//{authority}/v2/items", b"/shop/items"),
        ("/v2/items", b"/shop/items"),
        ("/v2", b"/shop"),
        ("/elsewhere", b"/elsewhere"),  # outside of the base: no path of the proxy leads there
        ("items/7", b"items/7"),
        ("?page=2", b"?page=2"),
        ("https://login.example.com/v2/x", b"https://login.example.com/v2/x"),
    ],
)
async def test_location_is_led_back_through_the_proxy(location, expected):
    """HPM #138 and #140: a redirect must not escape the proxy, nor lose the prefix."""
    value = b""

    async def script(wire):
        await wire.request()
        await wire.send(answer(b"302 Found", b"Location: " + value, b"Content-Location: " + value))

    async with RawUpstream(script) as upstream:
        value = location.format(authority=upstream.authority.decode()).encode()
        rule = {"path": "/shop", "strip_prefix": True}
        async with running_proxy(config(upstream.url + "/v2", rule=rule)) as proxy:
            response = await proxy.ask(b"GET /shop/start")
    assert response.one(b"location") == expected
    assert response.one(b"content-location") == expected


async def test_cookies_are_untouched_unless_the_rule_says_otherwise():
    cookie = b'sid=a%20b; Path=/; Domain=api.example.com; HttpOnly; SameSite=Lax; X="q"'
    async with between(answering(answer(b"200 OK", b"Set-Cookie: " + cookie))) as (_, proxy):
        assert (await proxy.ask(b"GET /x")).one(b"set-cookie") == cookie


async def test_cookies_are_rewritten_where_the_rule_says_so():
    rewrite = {"same_site": "none", "secure": True, "partitioned": True, "domain": "remove"}
    lines = (b"Set-Cookie: sid=a%20b; Domain=api.example.com; SameSite=Lax; HttpOnly", b"Set-Cookie: t=1")
    async with between(answering(answer(b"200 OK", *lines)), rule={"cookies": rewrite}) as (_, proxy):
        first, second = (await proxy.ask(b"GET /x")).all(b"set-cookie")
    attributes = {part.strip().lower() for part in first.split(b";")[1:]}
    assert first.startswith(b"sid=a%20b;")
    assert attributes == {b"httponly", b"samesite=none", b"secure", b"partitioned"}
    assert {part.strip().lower() for part in second.split(b";")} == {
        b"t=1",
        b"samesite=none",
        b"secure",
        b"partitioned",
    }


async def test_header_edits_of_the_rule():
    edits = {
        "request": {"set": {"X-Key": "secret"}, "add": {"X-Tag": "ours"}, "remove": ["X-Debug"]},
        "response": {"set": {"Cache-Control": "no-store"}, "add": {"X-Tag": "ours"}, "remove": ["X-Powered-By"]},
    }
    sent = (b"X-Key: theirs", b"x-key: again", b"X-Tag: theirs", b"X-DEBUG: 1")
    got = (b"Cache-Control: public", b"X-Tag: theirs", b"x-powered-by: legacy")
    async with between(answering(answer(b"200 OK", *got)), rule={"headers": edits}) as (upstream, proxy):
        response = await proxy.ask(b"GET /x", *sent)
    arrived = upstream.requests[0]
    assert (arrived.all(b"x-key"), arrived.all(b"x-debug")) == ([b"secret"], [])
    assert (response.all(b"cache-control"), response.all(b"x-powered-by")) == ([b"no-store"], [])
    assert sorted(arrived.all(b"x-tag")) == sorted(response.all(b"x-tag")) == [b"ours", b"theirs"]


async def test_most_specific_rule_wins_whatever_the_order():
    async with (
        RawUpstream(answering(OK)) as wide,
        RawUpstream(answering(OK)) as narrow,
        RawUpstream(answering(OK)) as host,
    ):
        rules = [
            {"path": "/", "upstream": wide.url, "policy": WEB_APP},
            {"path": "/a/b", "upstream": narrow.url, "policy": "none"},
            {"path": "/", "host": "api.example.com", "upstream": host.url, "policy": WEB_APP},
        ]
        async with running_proxy(config(wide.url, rules=rules)) as proxy:
            await proxy.ask(b"GET /a/b/c")
            await proxy.ask(b"GET /a/x")
            await proxy.ask(b"GET /a/b", b"Host: API.example.com:8080")
    assert [request.target for request in wide.requests] == [b"/a/x"]
    assert [request.target for request in narrow.requests] == [b"/a/b/c"]
    assert [request.target for request in host.requests] == [b"/a/b"]


async def test_upstream_on_a_unix_socket(tmp_path):
    async with between(answering(OK), unix_path=tmp_path / "api.sock") as (upstream, proxy):
        assert (await proxy.ask(b"GET /x?y")).body == b"ok"
    assert upstream.requests[0].target == b"/x?y"
    assert upstream.requests[0].one(b"host")


async def test_several_urls_of_an_upstream_are_balanced():
    """By the requests in flight: of two at once each has an upstream of its own."""
    both = asyncio.Barrier(2)

    async def together(wire: ServerWire) -> None:
        await wire.request()
        await both.wait()
        await wire.send(OK)

    async with RawUpstream(together) as one, RawUpstream(together) as two:
        upstreams = {"api": {"urls": [one.url, two.url]}}
        async with running_proxy(config(one.url, upstreams=upstreams)) as proxy:
            await asyncio.gather(proxy.ask(b"GET /x"), proxy.ask(b"GET /x"))
    assert len(one.requests) == len(two.requests) == 1
