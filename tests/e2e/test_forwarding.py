"""What reaches the upstream, and what comes back: byte for byte where it is end to end, nothing of ours but Via."""

from __future__ import annotations

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    answer,
    answering,
    between,
    chunked,
    request,
)

OK = answer(b"200 OK", body=b"ok")
# What a gateway says of itself, and what it says about the connection: all that may differ from what was sent.
HOP_OR_OWN = {b"host", b"via", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"connection"}


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/a?b=c&d",
        b"/a?",  # an empty query is a query
        b"/a??b",
        b"/%7Euser/%28x%29'",  # no escape is decoded
        b"/~user/(x)'!*",  # and nothing is escaped
        b"/caf%C3%A9/caf%e9",  # the case of an escape is kept
        b"/a+b?c+d=e%20f",  # "+" stays "+" (CVE-2024-6844)
        b"/a//b///",
        b"//evil.example.net/x",  # a path like any other, and no reference to another host
        b"/a;b=c,d@e:f/g=h&i$j",
        b"/?next=http://evil.example.net/../x",  # dots and slashes of a query are data
        b"/a?q={x}|[y]^`z",  # what browsers leave raw in a query: https://url.spec.whatwg.org/#query-percent-encode-set
        b"/%2Fa%3Fb%23c",
        b"/.well-known/...",
        b"/a.b..c/d",
        b"/" + b"x" * 20_000,  # within max_request_head
        b"/?" + b"y=%20&" * 3_000,
    ],
    ids=lambda target: target[:40].decode(),
)
async def test_target_passes_byte_for_byte(target):
    async with between(answering(OK)) as (upstream, proxy):
        response = await proxy.ask(b"GET " + target)
    assert response.status == 200
    assert [request.target for request in upstream.requests] == [target]


@pytest.mark.parametrize(
    "target",
    [b"http://localhost/x?y", b"HTTP://localhost/x?y", b"http://localhost:80/x?y", b"http://evil.example.net/x?y"],
)
async def test_absolute_target_stays_on_the_configured_upstream(target):
    """https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2; joined as a URL, it would lead elsewhere."""
    async with between(answering(OK)) as (upstream, proxy):
        response = await proxy.ask(b"GET " + target)
    assert response.status == 200
    assert [request.target for request in upstream.requests] == [b"/x?y"]
    assert upstream.requests[0].one(b"host") == upstream.authority


async def test_authority_of_an_absolute_target_takes_the_place_of_host():
    """https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2-8."""
    async with between(answering(OK), rule={"host": "api.example.com"}) as (upstream, proxy):
        assert (await proxy.ask(b"GET http://api.example.com/x", b"Host: evil.example.net")).body == b"ok"
        assert (await proxy.ask(b"GET http://evil.example.net/x", b"Host: api.example.com")).status == 421
    assert upstream.requests[0].one(b"x-forwarded-host") == b"api.example.com"


@pytest.mark.parametrize(
    "method", [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"PROPFIND", b"QUERY", b"M-SEARCH"]
)
async def test_method_passes_byte_for_byte(method):
    """Methods are case-sensitive tokens, and new ones appear: https://www.rfc-editor.org/rfc/rfc9110#section-9.1."""
    async with between(answering(OK)) as (upstream, proxy):
        response = await proxy.ask(method + b" /x", body=b"")
    assert response.status == 200
    assert [request.method for request in upstream.requests] == [method]


SENT = (
    b"X-Second: 2",
    b"aCCept: text/html;q=0.9, */*",
    b"X-Dup: one",
    b"Cookie: a=b; c=d",
    b"x-dup: two",
    b"X-Empty:",
    b"X-Latin: caf\xe9",  # obs-text is legal and legacy: https://www.rfc-editor.org/rfc/rfc9110#section-5.5
    b"X-Inner: a   b\tc",
    b'If-None-Match: W/"x"',
    b"Authorization: Basic YTpi",
    b"Range: bytes=0-",
    b"Origin: https://app.example.com",
    b"Referer: https://app.example.com/page",
    b"X-Dup: three",
)


async def test_end_to_end_request_headers_keep_order_case_and_duplicates():
    async with between(answering(OK)) as (upstream, proxy):
        await proxy.ask(b"GET /x", *SENT)
    arrived = [line for line in upstream.requests[0].fields if line[0].lower() not in HOP_OR_OWN]
    assert arrived == [(name, value.strip()) for name, _, value in (line.partition(b":") for line in SENT)]


async def test_request_gains_no_header_but_ours():
    async with between(answering(OK)) as (upstream, proxy):
        await proxy.ask(b"GET /x")
    assert {name.lower() for name, _ in upstream.requests[0].fields} <= HOP_OR_OWN


async def test_end_to_end_response_headers_keep_order_case_and_duplicates():
    sent = (
        b"X-B: 2",
        b"sErver: legacy/0.1",
        b"Set-Cookie: a=b; Path=/; Domain=api.example.com; SameSite=Lax",
        b"X-A: 1",
        b"SET-COOKIE: c=d; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
        b"WWW-Authenticate: Basic, Bearer",
        b"X-Empty:",
        b"X-Latin: caf\xe9",
        b"x-b: 3",
        b'ETag: W/"x"',
    )
    async with between(answering(answer(b"200 OK", *sent))) as (_, proxy):
        response = await proxy.ask(b"GET /x", ORIGIN)
    added = {b"via", b"vary", b"access-control-allow-origin", b"content-length", b"connection"}
    arrived = [line for line in response.fields if line[0].lower() not in added]
    assert arrived == [(name, value.strip()) for name, _, value in (line.partition(b":") for line in sent)]


async def test_response_gains_no_header_but_ours():
    """No Server, no Content-Type, no guess at what the upstream left out."""
    async with between(answering(OK)) as (_, proxy):
        response = await proxy.ask(b"GET /x", ORIGIN)
    own = {b"via", b"vary", b"access-control-allow-origin", b"content-length", b"connection", b"date"}
    assert {name.lower() for name, _ in response.fields} <= own


async def test_large_and_many_headers_pass_both_ways():
    """Real cookies exceed 8 KiB, and real proxies in front add lines of their own."""
    many = tuple(b"X-%d: %d" % (index, index) for index in range(140))
    large = b"X-Large: " + b"v" * 9_000
    async with between(answering(answer(b"200 OK", *many, large))) as (upstream, proxy):
        response = await proxy.ask(b"GET /x", *many, large, b"Cookie: " + b"c" * 9_000)
    for message in (upstream.requests[0], response):
        assert message.one(b"x-139") == b"139"
        assert message.one(b"x-large") == b"v" * 9_000
    assert upstream.requests[0].one(b"cookie") == b"c" * 9_000


@pytest.mark.parametrize(
    "status",
    [b"200 OK", b"201 Created", b"299 Odd", b"404 Nope", b"418 I'm a teapot", b"500 Oops", b"599 Far", b"200 "],
)
async def test_status_and_reason_pass(status):
    async with between(answering(answer(status, body=b"body"))) as (_, proxy):
        response = await proxy.ask(b"GET /x", ORIGIN)
    assert b"%d %b" % (response.status, response.reason) == status
    assert response.body == b"body"


HOP_BY_HOP = (
    b"Connection: keep-alive, X-Private, close-to",
    b"X-Private: secret",
    b"Close-To: secret",
    b"Keep-Alive: timeout=5",
    b"Proxy-Connection: keep-alive",
    b"TE: gzip",
    b"Upgrade: h2c",
)


async def test_hop_by_hop_headers_end_here_both_ways():
    """https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1: the known ones and those that Connection names."""
    async with between(answering(answer(b"200 OK", *HOP_BY_HOP, b"X-Stays: 1"))) as (upstream, proxy):
        response = await proxy.ask(b"GET /x", *HOP_BY_HOP, b"X-Stays: 1")
    for message in (upstream.requests[0], response):
        assert message.named(b"x-private", b"close-to", b"keep-alive", b"proxy-connection", b"te", b"upgrade") == []
        assert b"x-private" not in message.members(b"connection")
        assert message.one(b"x-stays") == b"1"


async def test_connection_header_cannot_remove_what_the_proxy_adds():
    """Hop-by-hop removal comes before our own lines: CVE-2024-45410, CVE-2021-32813."""
    named = b"Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Via, Host, Origin, close"
    grants = b"Connection: Access-Control-Allow-Origin, Vary"
    async with between(answering(answer(b"200 OK", grants))) as (upstream, proxy):
        response = await proxy.ask(b"GET /x", named, ORIGIN)
    arrived = upstream.requests[0]
    for name in (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"via", b"host"):
        assert arrived.one(name)
    assert response.cors == GRANT
    assert response.vary == [b"origin"]


@pytest.mark.parametrize("named", [b"Content-Length", b"Transfer-Encoding", b"Host", b"Expect", b"Upgrade, X"])
async def test_connection_header_cannot_remove_what_frames_a_request(named):
    """A body whose length was removed on the way would be the next request."""
    body = request(b"GET /smuggled")
    for lines, sent in (((), body), ((b"Transfer-Encoding: chunked",), chunked(body))):
        async with between(answering(OK)) as (upstream, proxy):
            client = await proxy.connect()
            await client.ask(b"POST /x", b"Connection: " + named, *lines, body=sent)
            assert (await client.ask(b"GET /y")).body == b"ok"
        assert [received.target for received in upstream.requests] == [b"/x", b"/y"]
        assert upstream.requests[0].body == body


@pytest.mark.parametrize("named", [b"Content-Length", b"Transfer-Encoding"])
async def test_connection_header_cannot_remove_what_frames_an_answer(named):
    whole = answer(b"200 OK", b"Connection: " + named, body=b"hello")
    pieces = answer(b"200 OK", b"Connection: " + named, b"Transfer-Encoding: chunked", body=chunked(b"hello"))
    async with between(answering(whole, pieces, OK)) as (_, proxy):
        client = await proxy.connect()
        assert [(await client.ask(b"GET /x")).body for _ in range(3)] == [b"hello", b"hello", b"ok"]


async def test_te_says_trailers_or_nothing():
    """https://www.rfc-editor.org/rfc/rfc9110#section-10.1.4: hop by hop, and this proxy can take trailers only."""
    async with between(answering(OK)) as (upstream, proxy):
        await proxy.ask(b"GET /x", b"TE: trailers, deflate;q=0.5", b"Connection: TE")
        await proxy.ask(b"GET /x", b"TE: deflate", b"Connection: TE")
    with_trailers, without = upstream.requests
    assert with_trailers.members(b"te") in ([b"trailers"], [])
    assert without.members(b"te") == []
