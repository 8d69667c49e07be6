"""Bugs that other proxies have had, beyond the framing of messages: what is folded, forwarded too far, or believed.

docs/reliability.md lists every class with the tests that show it; these are the ones that belong nowhere else.
"""

from __future__ import annotations

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    RawUpstream,
    ServerWire,
    answer,
    answering,
    assert_readable_failure,
    between,
    config,
    echoing,
    preflight,
    request,
    running_proxy,
)

OK = answer(b"200 OK", body=b"ok")

# Names that a server which folds them into CGI variables takes for one that this proxy has judged or written.
LOOK_ALIKES = [
    b"Content_Length: 99",
    b"CONTENT.LENGTH: 99",
    b"Transfer_Encoding: chunked",
    b"transfer.encoding: chunked",
    b"Access_Control_Request_Method: PUT",
    b"Sec_Fetch_Site: same-origin",
    b"Proxy_Authorization: Basic eA==",
    b"Max_Forwards: 0",
    b"X_Forwarded_For: 10.0.0.1",
    b"X.Forwarded.Proto: https",
    b"X_Real_IP: 10.0.0.1",
    b"X_Original_URL: /admin",
    b"X_Rewrite_URL: /admin",
    b"X_Client_Ip: 10.0.0.1",
]


@pytest.mark.parametrize("line", LOOK_ALIKES, ids=repr)
async def test_look_alike_of_a_judged_field_is_dropped(line):
    """Caddy GHSA-f59h-q822-g45g; nginx drops every name with an underscore, which would break honest APIs."""
    async with between(answering(OK)) as (upstream, proxy):
        await proxy.ask(b"POST /x", line, b"api_key: honest", body=b"hello")
    assert line.partition(b":")[0].lower() not in {name.lower() for name, _ in upstream.requests[0].fields}
    assert upstream.requests[0].all(b"api_key") == [b"honest"]
    assert upstream.requests[0].body == b"hello"


@pytest.mark.parametrize("name", [b"X-Api-Key", b"x-api-key", b"X_Api_Key", b"x.api.key", b"X_API-KEY"])
async def test_field_that_the_rule_sets_has_no_look_alike(name):
    edits = {"headers": {"request": {"set": {"X-Api-Key": "real"}}}}
    async with between(answering(OK), rule=edits) as (upstream, proxy):
        await proxy.ask(b"GET /x", name + b": forged")
    assert b"forged" not in upstream.connections[0].received
    assert upstream.requests[0].all(b"x-api-key") == [b"real"]


# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2


@pytest.mark.parametrize(("sent", "forwarded"), [(b"1", b"0"), (b"10", b"9"), (b"007", b"6")])
async def test_max_forwards_of_options_counts_down(sent, forwarded):
    async with between(answering(OK)) as (upstream, proxy):
        assert (await proxy.ask(b"OPTIONS /x", b"Max-Forwards: " + sent)).body == b"ok"
    assert upstream.requests[0].all(b"max-forwards") == [forwarded]


async def test_max_forwards_of_zero_is_answered_here():
    async with between(answering(OK)) as (upstream, proxy):
        response = await proxy.ask(b"OPTIONS /x", ORIGIN, b"Max-Forwards: 0")
    assert (response.status, response.cors) == (204, GRANT)
    assert b"GET" in response.one(b"allow")
    assert upstream.connections == []


@pytest.mark.parametrize("lines", [[b"-1"], [b"x"], [b""], [b"9" * 30], ["\u0661".encode()]], ids=repr)
async def test_max_forwards_in_doubt_is_refused(lines):
    async with between(answering(OK)) as (upstream, proxy):
        response = await proxy.ask(b"OPTIONS /x", ORIGIN, *(b"Max-Forwards: " + line for line in lines))
    assert_readable_failure(response, 400)
    assert upstream.connections == []


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_max_forwards_means_nothing_to_other_methods(method):
    async with between(answering(OK)) as (upstream, proxy):
        await proxy.ask(method + b" /x", b"Max-Forwards: 0", body=b"")
    assert upstream.requests[0].all(b"max-forwards") == [b"0"]


async def test_preflight_is_answered_whatever_its_max_forwards():
    async with between(answering(OK)) as (upstream, proxy):
        assert GRANT[0] in (await proxy.ask(*preflight(b"GET"), b"Max-Forwards: x")).cors
    assert upstream.connections == []


# What the upstream says about the place where it is to be had, and what it says about the origin.


@pytest.mark.parametrize("policy", [{"allow_origins": ["https://app.example.com"]}, "none"], ids=["policy", "none"])
async def test_alt_svc_of_the_upstream_leads_nobody_around_the_proxy(policy):
    """https://www.rfc-editor.org/rfc/rfc7838#section-2; in an interim answer either."""
    line = b'Alt-Svc: h3=":8443"; ma=86400'
    script = answering(b"HTTP/1.1 103 Early Hints\r\n" + line + b"\r\n\r\n" + answer(b"200 OK", line, body=b"ok"))
    async with between(script, policy=policy) as (_, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN))
        for _ in range(2):
            assert (await client.response()).all(b"alt-svc") == []


async def test_alt_svc_that_the_rule_sets_is_the_operators_own():
    edits = {"headers": {"response": {"set": {"Alt-Svc": "clear"}}}}
    async with between(answering(answer(b"200 OK", b'Alt-Svc: h3=":8443"')), rule=edits) as (_, proxy):
        assert (await proxy.ask(b"GET /x")).all(b"alt-svc") == [b"clear"]


@pytest.mark.parametrize(
    "line",
    [
        b"Strict-Transport-Security: max-age=31536000",
        b'Clear-Site-Data: "cookies"',
        b'NEL: {"report_to":"default","max_age":1}',
        b'Report-To: {"group":"default"}',
        b'Reporting-Endpoints: default="/r"',
        b"Content-Security-Policy: default-src 'none'",
    ],
    ids=repr,
)
async def test_what_the_upstream_says_about_its_origin_passes(line):
    """A proxy that took it away would weaken the application; a rule may, by ``remove``."""
    name, _, value = line.partition(b": ")
    async with between(answering(answer(b"200 OK", line))) as (_, proxy):
        assert (await proxy.ask(b"GET /x")).all(name) == [value]
    edits = {"headers": {"response": {"remove": [name.decode()]}}}
    async with between(answering(answer(b"200 OK", line)), rule=edits) as (_, proxy):
        assert (await proxy.ask(b"GET /x")).all(name) == []


# Bodies where nobody expects one.


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS"])
@pytest.mark.parametrize("framing", [b"Content-Length: 40", b"Transfer-Encoding: chunked"])
async def test_body_of_any_method_is_read_as_its_body(method, framing):
    """https://www.rfc-editor.org/rfc/rfc9110#section-9.3.1-6: or the body would be the next request."""
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"[:40].ljust(40)
    body = b"28\r\n" + smuggled + b"\r\n0\r\n\r\n" if b"chunked" in framing else smuggled

    async def script(wire: ServerWire) -> None:
        while True:
            received = await wire.request()
            await wire.send(answer(b"200 OK", b"X-Body: %d" % len(received.body)))

    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(method + b" /x", framing) + body + request(b"GET /next"))
        assert (await client.response(method)).all(b"x-body") == [b"40"]
        assert (await client.response()).all(b"x-body") == [b"0"]
    assert [received.target for received in upstream.requests] == [b"/x", b"/next"]


EXPECTATIONS = {
    "twice": [b"Expect: 100-continue", b"Expect: 100-continue"],
    "with another": [b"Expect: 100-continue, miracles"],
    "empty": [b"Expect:"],
    "with a parameter": [b"Expect: 100-continue; a=b"],
    "look-alike": [b"Expect: 100-continues"],
    "older number": [b"Expect: 101-continue"],
}


@pytest.mark.parametrize("lines", EXPECTATIONS.values(), ids=EXPECTATIONS.keys())
async def test_expectation_in_doubt_is_417_and_its_body_no_request(lines):
    async with between(answering(OK)) as (upstream, proxy):
        smuggled = request(b"GET /smuggled")
        client = await proxy.send(request(b"POST /x", ORIGIN, *lines, body=smuggled))
        response = await client.response()
        await client.until_ended()
    assert (response.status, response.cors) == (417, GRANT)
    assert client.pending == b""
    assert upstream.connections == []


async def test_expectation_without_a_body_waits_for_nothing():
    """CVE-2025-10148 and its like: a 100 must not shift the answers of the requests behind it."""
    script = answering(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, answer(b"200 OK", body=b"second"))
    async with between(script) as (upstream, proxy):
        client = await proxy.send(request(b"GET /x", b"Expect: 100-continue") + request(b"GET /next"))
        response = await client.response()
        while response.status == 100:
            response = await client.response()
        assert response.body == b"ok"
        assert (await client.response()).body == b"second"
    assert [received.target for received in upstream.requests] == [b"/x", b"/next"]


async def test_flood_of_100s_shifts_no_answer():
    script = answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + OK)
    async with between(script) as (_, proxy):
        client = await proxy.connect()
        for _ in range(3):
            response = await client.ask(b"POST /x", b"Expect: 100-continue", body=b"hello")
            while response.status == 100:
                response = await client.response()
            assert response.body == b"ok"


# Who is asked.


@pytest.mark.parametrize("target", [b"//evil.example.net/x", b"///x", b"http://evil.example.net/x", b"/http://evil/x"])
async def test_target_never_chooses_the_upstream(target):
    async with RawUpstream(echoing) as upstream, running_proxy(config(upstream.url)) as proxy:
        assert (await proxy.ask(b"GET " + target)).status == 200
    assert upstream.requests[0].one(b"host") == upstream.authority
    assert upstream.requests[0].target.startswith(b"/")


@pytest.mark.parametrize("line", [b"CONNECT evil.example.net:443", b"CONNECT /x", b"TRACE /x", b"TRACK /x"])
async def test_method_that_would_reach_further_is_405(line):
    async with between(answering(OK)) as (upstream, proxy):
        response = await proxy.ask(line)
    assert response.status in {400, 405, 501}
    assert upstream.connections == []


@pytest.mark.parametrize(
    "second", [b"Origin: https://app.example.com", b"Origin: https://evil.example.net", b"Origin:"]
)
@pytest.mark.parametrize("first", [True, False])
async def test_two_origins_are_granted_nothing(second, first):
    lines = (second, ORIGIN) if first else (ORIGIN, second)
    async with between(answering(answer(b"200 OK", b"Access-Control-Allow-Origin: *"))) as (_, proxy):
        assert (await proxy.ask(b"GET /x", *lines)).cors == []
        denied = await proxy.ask(b"OPTIONS /x", *lines, b"Access-Control-Request-Method: GET")
    assert (denied.status, denied.cors) == (403, [])


async def test_connect_without_a_target_is_no_crash():
    """What scripts/fuzz found: for aiohttp's parser such a request has no path at all."""
    async with between(answering(OK)) as (upstream, proxy):
        client = await proxy.send(b"CONNECT \r\n\r\n")
        assert (await client.response()).status in {400, 405}
        await client.until_ended()
    assert upstream.connections == []


H2C = [
    [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"],
    [b"Connection: Upgrade", b"Upgrade: h2c, websocket"],
    [b"Connection: Upgrade", b"Upgrade: websocket, h2c"],
    [b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c"],
    [b"Connection: upgrade", b"Upgrade: TLS/1.2"],
]


@pytest.mark.parametrize("lines", H2C, ids=repr)
async def test_upgrade_to_anything_but_websocket_ends_here(lines):
    """h2c smuggling: https://bishopfox.com/blog/h2c-smuggling-request."""
    async with between(answering(OK)) as (upstream, proxy):
        assert (await proxy.ask(b"GET /x", *lines)).status == 200
    assert upstream.requests[0].named(b"upgrade", b"http2-settings", b"connection") == []
