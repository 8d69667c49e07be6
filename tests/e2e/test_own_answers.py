"""The proxy's own answers: short, useful, in the form that is asked for, and readable where the rule allows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    STRANGER,
    WEB_APP,
    RawUpstream,
    Response,
    ServerWire,
    answer,
    answering,
    between,
    config,
    echoing,
    refusing,
    request,
    running_proxy,
    unreachable,
)

OK = answer(b"200 OK", body=b"ok")
JSON = b"Accept: application/json"


async def provoke(status: int, *lines: bytes) -> Response:
    """The proxy's own answer of that status, to a request with these lines."""
    if status == 502:
        with refusing() as url:
            async with running_proxy(config(url)) as proxy:
                return await proxy.ask(b"GET /x", *lines)
    if status == 504:
        with unreachable() as url:
            async with running_proxy(config(url, timeouts={"connect": 0.1})) as proxy:
                return await proxy.ask(b"GET /x", *lines)
    settings: dict[int, dict[str, Any]] = {
        403: {"policy": {**WEB_APP, "on_denied": "reject"}},
        404: {"rule": {"path": "/api"}},
        413: {"limits": {"max_request_body": 4}},
        421: {"rule": {"host": "api.example.com"}},
    }
    asked = {405: b"TRACE /x", 400: b"GET /a/../b"}
    body = b"hello" if status == 413 else None
    async with between(answering(OK), **settings.get(status, {})) as (upstream, proxy):
        response = await proxy.ask(asked.get(status, b"GET /x"), *lines, body=body)
        assert upstream.connections == []
        return response


STATUSES = [400, 403, 404, 405, 413, 421, 502, 504]
REASONS = {
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    413: b"Content Too Large",
    421: b"Misdirected Request",
    502: b"Bad Gateway",
    504: b"Gateway Timeout",
}


@pytest.mark.parametrize("status", STATUSES)
async def test_text_is_one_line_that_names_the_proxy_and_the_reason(status):
    response = await provoke(status, STRANGER)
    assert (response.status, response.reason) == (status, REASONS[status])
    assert response.one(b"content-type").startswith(b"text/plain")
    assert response.body.startswith(b"corsproxy: %d %b: " % (status, REASONS[status]))
    assert response.body.endswith(b"\n")
    assert response.body.count(b"\n") == 1
    assert len(response.body) < 400


@pytest.mark.parametrize("status", STATUSES)
async def test_json_is_a_problem_document(status):
    """https://www.rfc-editor.org/rfc/rfc9457."""
    response = await provoke(status, STRANGER, JSON)
    assert response.status == status
    assert response.one(b"content-type") == b"application/problem+json"
    problem = json.loads(response.body)
    assert problem["status"] == status
    assert problem["title"] == REASONS[status].decode()
    assert problem["detail"]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (b"*/*", b"text/plain"),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", b"text/plain"),
        (b"text/plain", b"text/plain"),
        (b"application/json, text/plain, */*", b"text/plain"),  # a tie is no preference
        (b"application/problem+json", b"application/problem+json"),
        (b"application/json;q=0.9, text/plain;q=0.1", b"application/problem+json"),
        (b"APPLICATION/JSON", b"application/problem+json"),
        (b"nonsense;;q=,", b"text/plain"),
        (b"", b"text/plain"),
    ],
)
async def test_form_follows_accept(accept, media_type):
    response = await provoke(404, b"Accept: " + accept)
    assert response.one(b"content-type").partition(b";")[0] == media_type


@pytest.mark.parametrize("status", [405, 413, 502, 504])
@pytest.mark.parametrize(("origin", "cors"), [(ORIGIN, GRANT), (STRANGER, [])])
async def test_page_may_read_the_failure_exactly_when_the_rule_grants_it(status, origin, cors):
    """Else it hides as a CORS error: ingress-nginx #2134, apex/up #274."""
    response = await provoke(status, origin)
    assert (response.status, response.cors, response.vary) == (status, cors, [b"origin"])


@pytest.mark.parametrize("status", [404, 421])
async def test_answer_that_belongs_to_no_rule_grants_nothing(status):
    assert (await provoke(status, ORIGIN)).cors == []


async def test_answer_to_head_has_the_head_only():
    async with between(answering(OK), rule={"path": "/api"}) as (_, proxy):
        client = await proxy.connect()
        response = await client.ask(b"HEAD /x")
        assert (await client.ask(b"GET /api")).body == b"ok"
    assert (response.status, response.body) == (404, b"")
    assert int(response.one(b"content-length")) > 0


async def test_own_answers_are_never_stored():
    for status in (404, 502):
        assert (await provoke(status)).one(b"cache-control") == b"no-store"


async def test_connection_goes_on_after_an_answer_that_leaves_no_doubt():
    async with between(answering(OK), rule={"path": "/api"}) as (_, proxy):
        client = await proxy.connect()
        for _ in range(3):
            assert (await client.ask(b"GET /x")).status == 404
        assert (await client.ask(b"POST /x", body=b"hello" * 1000)).status == 404
        if not client.ended:
            assert (await client.ask(b"GET /api")).body == b"ok"


async def test_nothing_of_the_request_comes_back_raw():
    """Markup and terminal sequences stay where they came from."""
    async with between(answering(OK), rule={"path": "/api"}) as (_, proxy):
        response = await proxy.ask(b"GET /<script>alert(1)</script>")
        colours = await proxy.ask(b"GET /x", b"Origin: \x1b[31mred".replace(b"\x1b", b"\xff"))
    assert b"<script>" not in response.body
    assert response.one(b"x-content-type-options") == b"nosniff"
    assert colours.body.isascii()


# Each status on its own.


async def test_404_of_a_path_without_a_rule_names_the_path():
    response = await provoke(404)
    assert b"/x" in response.body


@pytest.mark.parametrize("line", [b"TRACE /x", b"CONNECT evil.example.net:443"])
async def test_methods_that_are_never_forwarded(line):
    """https://fetch.spec.whatwg.org/#forbidden-method."""
    async with between(answering(OK)) as (upstream, proxy):
        client = await proxy.send(line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        response = await client.response()
    assert response.status == 405
    assert response.one(b"allow")
    assert upstream.connections == []


async def test_options_star_is_answered_here():
    """It asks about this server: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7."""
    async with between(answering(OK)) as (upstream, proxy):
        response = await proxy.ask(b"OPTIONS *", ORIGIN)
    assert response.status in {200, 204}
    assert response.cors == []
    assert upstream.connections == []


@pytest.mark.parametrize("host", [b"evil.example.net", b"api.example.com.evil.net", b"127.0.0.1", b"localhost"])
async def test_421_for_a_host_that_no_rule_serves(host):
    """https://www.rfc-editor.org/rfc/rfc9110#section-15.5.20; on loopback it ends DNS rebinding."""
    async with between(answering(OK), rule={"host": "api.example.com"}) as (upstream, proxy):
        response = await proxy.ask(b"GET /x", b"Host: " + host)
        assert (await proxy.ask(b"GET /x", b"Host: API.example.com:8080")).body == b"ok"
    assert response.status == 421
    assert len(upstream.connections) == 1


async def test_413_of_a_length_that_is_too_large_comes_before_the_body():
    async with between(echoing, limits={"max_request_body": 10}) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, b"Content-Length: 11"))
        response = await client.response()
        assert (await proxy.ask(b"POST /x", body=b"x" * 10)).body == b"x" * 10
    assert (response.status, response.cors) == (413, GRANT)
    assert len(upstream.requests) == 1


async def test_413_of_a_chunked_body_comes_when_it_is_too_large():
    async def script(wire: ServerWire) -> None:
        await wire.request()

    async with between(script, limits={"max_request_body": 10}) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, b"Transfer-Encoding: chunked") + b"6\r\n123456\r\n")
        await upstream.connection()
        await client.send(b"6\r\n123456\r\n")
        response = await client.response()
        await (await upstream.connection()).until_ended()
        await client.until_ended()
    assert (response.status, response.cors, response.vary) == (413, GRANT, [b"origin"])
    assert upstream.requests[0].body == b""  # the script never had it whole


async def test_413_of_a_client_that_waits_for_the_100():
    async with between(echoing, limits={"max_request_body": 10}) as (upstream, proxy):
        client = await proxy.send(request(b"POST /x", ORIGIN, b"Expect: 100-continue", b"Content-Length: 11"))
        response = await client.response()
    assert (response.status, response.cors) == (413, GRANT)
    assert upstream.connections == []


async def test_rule_narrows_the_limit_of_the_listener():
    async with between(echoing, limits={"max_request_body": 10}, rule={"limits": {"max_request_body": 5}}) as (
        _,
        proxy,
    ):
        assert (await proxy.ask(b"POST /x", body=b"123456")).status == 413
        assert (await proxy.ask(b"POST /x", body=b"12345")).body == b"12345"


async def test_503_when_there_are_as_many_connections_as_allowed():
    async with between(answering(OK), limits={"max_connections": 1}) as (upstream, proxy):
        first = await proxy.connect()
        assert (await first.ask(b"GET /1")).body == b"ok"
        second = await proxy.connect()
        response = await second.ask(b"GET /2", ORIGIN)
        await second.until_ended()
        assert (await first.ask(b"GET /3")).body == b"ok"
        first.close()
    assert (response.status, response.cors, response.vary) == (503, GRANT, [b"origin"])
    assert [received.target for received in upstream.requests] == [b"/1", b"/3"]


async def test_508_when_the_upstream_is_this_proxy(tmp_path):
    """https://www.rfc-editor.org/rfc/rfc5842#section-7.2."""
    (tmp_path / "elsewhere").symlink_to(tmp_path)  # nothing is looked up when the configuration is loaded
    own = f"unix:{tmp_path}/proxy.sock"
    async with running_proxy(config(f"unix:{tmp_path}/elsewhere/proxy.sock", listen=["127.0.0.1:0", own])) as proxy:
        response = await proxy.ask(b"GET /x", ORIGIN)
    assert response.status == 508
    assert response.cors == GRANT


async def test_508_when_the_way_through_other_proxies_leads_back(tmp_path):
    """https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3-7: Via is there to be looked at for this."""
    back = f"unix:{tmp_path}/front.sock"
    async with (
        running_proxy(config(back)) as last,
        running_proxy(config(f"http://127.0.0.1:{last.port}")) as middle,
        running_proxy(config(f"http://127.0.0.1:{middle.port}", listen=["127.0.0.1:0", back])) as front,
    ):
        response = await front.ask(b"POST /x", ORIGIN, body=b"hello")
        assert [len(await proxy.recorded(count)) for proxy, count in ((front, 2), (middle, 1), (last, 1))] == [2, 1, 1]
    assert response.status == 508
    assert response.cors == GRANT


async def test_proxies_in_a_row_are_no_loop():
    """A sidecar behind a front, both of this kind."""
    async with (
        RawUpstream(answering(OK)) as upstream,
        running_proxy(config(upstream.url)) as sidecar,
        running_proxy(config(f"http://127.0.0.1:{sidecar.port}")) as front,
    ):
        response = await front.ask(b"GET /x", ORIGIN)
    assert (response.status, response.body, response.cors) == (200, b"ok", GRANT)
    assert len(upstream.requests[0].members(b"via")) == 2


async def test_505_for_another_major_version():
    """https://www.rfc-editor.org/rfc/rfc9110#section-15.6.6."""
    async with between(answering(OK)) as (upstream, proxy):
        client = await proxy.send(b"GET /x HTTP/2.0\r\nHost: localhost\r\n\r\n")
        response = await client.response()
    assert response.status in {400, 505}
    assert response.version == b"HTTP/1.1"
    assert upstream.connections == []


@pytest.mark.parametrize(("origin", "cors"), [(ORIGIN, GRANT), (STRANGER, [])])
async def test_501_for_a_method_that_the_parser_does_not_know(origin, cors):
    """``fetch(url, {method: "patch"})`` sends it so (https://fetch.spec.whatwg.org/#methods); its page reads why."""
    async with between(answering(OK)) as (upstream, proxy):
        response = await proxy.ask(b"patch /x", origin, body=b"")
    assert (response.status, response.cors, response.vary) == (501, cors, [b"origin"])
    assert b"case" in response.body
    assert upstream.connections == []
