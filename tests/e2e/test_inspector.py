"""The inspector over HTTP: who is let in, what is told live, what can be done; no client of the proxy sees it."""

from __future__ import annotations

import asyncio
import json

import pytest

from corsproxy.tools.inspector import routes
from tests.e2e.inspected import BEARER, TOKEN, inspected
from tests.e2e.rig import ORIGIN, PATIENCE, STRANGER, preflight


async def told(stream, enough):
    """The rows that an SSE stream tells, until there are enough."""
    rows = []
    async with asyncio.timeout(PATIENCE):
        while not enough(rows):
            event = await stream.content.readuntil(b"\n\n")
            data = next((line for line in event.splitlines() if line.startswith(b"data: ")), None)
            rows += json.loads(data[len(b"data: ") :])["rows"] if data else []
    return rows


API = ("/api/events", "/api/exchanges/1", "/api/har")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": "Bearer é"}, 401),
        ({"Cookie": f"token={TOKEN}"}, 401),
        ({**BEARER, "Origin": "https://evil.example.net"}, 403),
        ({**BEARER, "Origin": "null"}, 403),
        ({**BEARER, "Origin": "http://localhost:5173"}, 403),  # a page on this machine is another page, too
        ({**BEARER, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**BEARER, "Sec-Fetch-Site": "same-site"}, 403),
        ({**BEARER, "Host": "rebound.example.net"}, 421),
    ],
)
async def test_who_may_not_see_is_refused(headers, status):
    async with inspected() as one:
        await one.ask(b"GET /x", ORIGIN)
        async with asyncio.timeout(PATIENCE):
            found = [(await one.get(path, headers=headers))[0] for path in API]
        found += [(await one.get(f"/api/{what}/1", "POST", headers=headers))[0] for what in ("try", "replay")]
        assert set(found) == {status}
        assert len(one.upstream.requests) == 1


@pytest.mark.parametrize("path", ["/", "/inspector.js", "/style.css", *API])
async def test_every_answer_is_locked_down(path):
    async with (
        inspected() as one,
        one.session.get(one.base + path, headers={"Accept": "*/*"}) as response,
    ):
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert not any(name.startswith("Access-Control-") for name in response.headers)


@pytest.mark.parametrize("path", ["/nothing.js", "/..%2Frecorder.py", "/__init__.py", "/api"])
async def test_only_the_files_of_the_page_are_served(path):
    async with inspected() as one:
        assert (await one.get(path))[0] == 404


async def test_the_bare_name_leads_to_the_page():
    async with inspected() as one:
        status, text = await one.get("")
        assert (status, "<title>corsproxy inspector</title>" in text) == (200, True)


@pytest.mark.parametrize("target", [b"/inspector/", b"/inspector/api/events", b"/inspector/api/har"])
async def test_a_client_of_the_proxy_never_reaches_it(target):
    """Its paths belong to the upstream there, whatever the client sends along."""
    async with inspected() as one:
        response = await one.ask(b"GET " + target, b"Authorization: Bearer " + TOKEN.encode())
        assert response.body == b"hi"
        assert one.upstream.requests[-1].target == target


async def test_exchanges_are_told_live_and_paired():
    async with inspected() as one, one.session.get(one.base + "/api/events", headers=BEARER) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        await one.ask(*preflight(b"POST"))
        await one.ask(b"POST /x", ORIGIN, b"Content-Length: 0")
        await one.ask(b"GET /x?token=s3cret", STRANGER)
        rows = await told(stream, lambda rows: len(rows) >= 3)
        assert [(row["method"], row["verdict"]) for row in rows] == [
            ("OPTIONS", "allowed"),
            ("POST", "allowed"),
            ("GET", "blocked"),
        ]
        assert rows[1]["pair"] == 1
        assert rows[2]["target"] == "/x?token=***"


async def test_who_watches_does_not_hold_up_the_end(monkeypatch):
    monkeypatch.setattr(routes, "_PAUSE", 0)
    monkeypatch.setattr(routes, "_HEARTBEAT", PATIENCE)
    async with inspected() as one:
        stream = await one.session.get(one.base + "/api/events", headers=BEARER)
        await told(stream, lambda _: True)
        await one.get("/api/har")  # by now the stream waits for news
        async with asyncio.timeout(PATIENCE / 2):
            await one.server.stop(0)
        stream.close()


async def test_so_many_watch_and_no_more():
    async with inspected() as one:
        streams = [await one.session.get(one.base + "/api/events", headers=BEARER) for _ in range(9)]
        assert [stream.status for stream in streams] == [200] * 8 + [503]
        for stream in streams:
            stream.close()


@pytest.mark.parametrize(
    ("credentials", "arrives"), [(True, [b"a=b"]), (False, [])], ids=["on a developer's machine", "in serve"]
)
async def test_a_replay_asks_again(credentials, arrives):
    async with inspected(credentials=credentials) as one:
        await one.ask(b"DELETE /x?y=1", ORIGIN, b"Cookie: a=b")
        assert await one.get("/api/replay/1", "POST") == (200, '{"problem": ""}')
        first, again = one.upstream.requests
        assert (again.method, again.target) == (first.method, first.target)
        assert again.all(b"cookie") == arrives
        assert again.all(b"origin") == first.all(b"origin")


async def test_a_replay_without_its_body_is_refused():
    async with inspected() as one:
        host, port = one.server.addresses[0]
        async with one.session.post(f"http://{host}:{port}/x", data=b"body"):
            pass
        status, text = await one.get("/api/replay/1", "POST")
        assert status == 409
        assert "bodies are not recorded" in json.loads(text)["problem"]


async def test_what_is_no_longer_kept_is_not_found():
    async with inspected() as one:
        assert (await one.get("/api/exchanges/7"))[0] == 404
        assert (await one.get("/api/exchanges/..%2F..%2Fconfig"))[0] == 404


async def test_a_policy_is_tried_and_the_proxy_goes_on_as_before():
    async with inspected() as one:
        await one.ask(b"GET /x", STRANGER)
        _, text = await one.get("/api/try/1", "POST", data="allow_origins: ['https://evil.example.net']")
        assert json.loads(text)["explanation"]["blocked"] is False
        response = await one.ask(b"GET /x", STRANGER)
        assert response.cors == []


async def test_the_har_has_one_or_all():
    async with inspected() as one:
        await one.ask(b"GET /x", ORIGIN)
        await one.ask(b"GET /y", ORIGIN)
        counts = [len(json.loads((await one.get(path))[1])["log"]["entries"]) for path in ("/api/har", "/api/har?id=2")]
        assert counts == [2, 1]
