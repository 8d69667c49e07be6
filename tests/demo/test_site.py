"""The web site of the demonstration: its files, its policy, and the names that it answers to."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from corsproxy.demo.site import Setup, content_security_policy, create_site
from corsproxy.demo.wire import Wire

SETUP = Setup(
    page="http://localhost:8001",
    api="http://localhost:8002",
    proxy="http://localhost:8003",
    unlisted="http://127.0.0.1:8001",
    config="rules: []\n",
)
LISTED = {"Host": "localhost:8001"}
UNLISTED = {"Host": "127.0.0.1:8001"}
PAGE = files("corsproxy.demo").joinpath("page")


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
async def client(aiohttp_client, wire):
    return await aiohttp_client(create_site(SETUP, wire))


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html"),
        ("/frame.html", "text/html"),
        ("/style.css", "text/css"),
        ("/demo.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
        ("/setup.json", "application/json"),
    ],
)
async def test_serves_the_page(client, path, media_type):
    answer = await client.get(path, headers=LISTED)
    assert (answer.status, answer.content_type) == (200, media_type)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")


async def test_tells_the_page_where_everybody_is(client):
    answer = await client.get("/setup.json", headers=LISTED)
    assert await answer.json() == SETUP._asdict()


async def test_tells_what_was_on_the_wire(client, wire):
    wire.api_answered(make_mocked_request("GET", "/books?run=a1"), web.Response())
    known = await client.get("/wire/a1", headers=LISTED)
    unknown = await client.get("/wire/b2", headers=LISTED)
    assert [record["by"] for record in await known.json()] == ["api"]
    assert await unknown.json() == []


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:8001", "localhost", "localhost:8002"])
async def test_answers_to_no_other_name(client, host):
    answer = await client.get("/setup.json", headers={"Host": host})
    assert answer.status == 421


async def test_sends_whoever_typed_the_other_name_to_the_page(client):
    answer = await client.get("/", headers=UNLISTED, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, SETUP.page)


async def test_serves_the_frame_under_the_other_name(client):
    answer = await client.get("/frame.html", headers=UNLISTED)
    assert answer.status == 200


def test_the_policy_allows_the_parties_and_nobody_else():
    policy = content_security_policy(SETUP, "/")
    assert (
        "connect-src 'self' http://localhost:8002 http://localhost:8003 ws://localhost:8002 ws://localhost:8003"
        in policy
    )
    assert "frame-src http://127.0.0.1:8001" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_only_the_page_may_frame_the_frame():
    assert "frame-ancestors http://localhost:8001" in content_security_policy(SETUP, "/frame.html")


@pytest.mark.parametrize("file", [item for item in PAGE.iterdir() if item.is_file()], ids=lambda item: item.name)
def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline(file):
    text = file.read_text("utf-8")
    foreign = re.findall(r"""(?:src|href|url|import)\s*[=(]?\s*["']?(?:https?:)?//""", text)
    inline = re.findall(r"<style|<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=\"", text)
    assert (foreign, inline) == ([], [])
