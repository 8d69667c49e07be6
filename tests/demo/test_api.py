"""The legacy API: what it answers, and that it knows nothing of CORS."""

from __future__ import annotations

import pytest
from aiohttp import FormData, WSMsgType

from corsproxy.demo import api

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def seen():
    return []


@pytest.fixture
async def client(aiohttp_client, seen):
    return await aiohttp_client(api.create_api(lambda request, response: seen.append((request.path, response.status))))


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "body"),
    [
        ("GET", "/books", {}, 200, '"title": "Ulysses"'),
        ("POST", "/books", {"json": {"title": "Dracula"}}, 201, '"title": "Dracula"'),
        ("POST", "/books", {"json": ["Dracula"]}, 400, "needed"),
        ("POST", "/books", {"data": "{", "headers": JSON}, 400, "needed"),
        ("DELETE", "/books/2", {}, 200, '{"deleted": 2}'),
        ("GET", "/stock", {"headers": {"X-Api-Key": api.API_KEY}}, 200, '"Walden": 7'),
        ("GET", "/stock", {"headers": {"X-Api-Key": "guessed"}}, 401, "X-Api-Key"),
        ("POST", "/login", {"data": {"name": "ada"}}, 400, "needed"),
        ("GET", "/me", {}, 401, "nobody is logged in"),
        ("GET", "/report", {}, 500, "locked"),
        ("GET", "/nowhere", {}, 404, "not found"),
    ],
)
async def test_answers(client, method, path, options, status, body):
    answer = await client.request(method, path, **options)
    assert (answer.status, body in await answer.text()) == (status, True)


@pytest.mark.parametrize("path", ["/books", "/books/2", "/stock", "/login", "/me", "/export", "/events", "/report"])
async def test_answers_options_with_405(client, path):
    preflight = {"Origin": "http://localhost:1", "Access-Control-Request-Method": "GET"}
    answer = await client.options(path, headers=preflight)
    assert answer.status == 405
    assert answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/books", "/report", "/nowhere", "/export"])
async def test_never_sends_a_cors_header(client, path):
    answer = await client.get(path, headers={"Origin": "http://localhost:1"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control-") or name == "Vary"]


async def test_counts_its_books_in_a_header_of_its_own(client):
    answer = await client.get("/stock", headers={"X-Api-Key": api.API_KEY})
    assert answer.headers["X-Total-Count"] == "3"


async def test_remembers_who_logged_in(client):
    await client.post("/login", data={"user": "ada"})
    answer = await client.get("/me")
    assert await answer.json() == {"user": "ada"}


async def test_the_session_cookie_is_one_of_its_time(client):
    answer = await client.post("/login", data={"user": "ada"})
    written = answer.headers["Set-Cookie"]
    assert written.startswith(f"{api.COOKIE}=")
    assert "HttpOnly" in written
    assert "SameSite" not in written


async def test_a_user_is_a_text_and_no_upload(client):
    form = FormData()
    form.add_field("user", b"ada", filename="ada.txt")
    assert (await client.post("/login", data=form)).status == 400


async def test_forgets_the_oldest_session_when_there_are_too_many(client, monkeypatch):
    monkeypatch.setattr(api, "_MOST_SESSIONS", 1)
    first = await client.post("/login", data={"user": "ada"})
    await client.post("/login", data={"user": "grace"})
    client.session.cookie_jar.clear()
    cookie = {"Cookie": f"{api.COOKIE}={first.cookies[api.COOKIE].value}"}
    assert (await client.get("/me", headers=cookie)).status == 401


async def test_writes_the_export_piece_by_piece(client, monkeypatch):
    monkeypatch.setattr(api, "PAUSE", 0)
    answer = await client.get("/export")
    assert (await answer.text()).count("books sold\n") == api.PIECES


async def test_events_come_one_by_one_until_the_reader_leaves(client, monkeypatch):
    monkeypatch.setattr(api, "PAUSE", 0.001)
    answer = await client.get("/events")
    assert answer.content_type == "text/event-stream"
    assert await answer.content.readline() == b"id: 1\n"
    assert (await answer.content.readline()).startswith(b'data: {"sold": ')
    answer.close()


async def test_the_events_end_by_themselves(client, monkeypatch):
    monkeypatch.setattr(api, "PAUSE", 0)
    answer = await client.get("/events")
    assert (await answer.text()).count("data: ") == 50


async def test_chats_with_any_origin(client):
    async with client.ws_connect("/chat", origin="https://anyone.example") as socket:
        await socket.send_bytes(b"ignored")
        await socket.send_str("hello")
        message = await socket.receive()
        assert (message.type, message.data) == (WSMsgType.TEXT, "the shop heard: hello")


async def test_shows_every_answer_to_its_observer(client, seen):
    await client.get("/books")
    await client.options("/books")
    await client.get("/nowhere")
    assert seen == [("/books", 200), ("/books", 405), ("/nowhere", 404)]
