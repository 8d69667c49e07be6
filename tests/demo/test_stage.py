"""The stage: three servers that know each other, up together and down together."""

from __future__ import annotations

import aiohttp
import pytest

from corsproxy.cors.decision import Outcome
from corsproxy.demo.stage import stage
from corsproxy.server.sockets import loopback_sockets


@pytest.fixture
def exchanges():
    return []


@pytest.fixture
async def setup(exchanges):
    async with stage(exchanges.append) as setup:
        yield setup


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


async def test_the_page_is_there(setup, session):
    async with session.get(setup.page) as answer:
        assert answer.status == 200
        assert "Every request, twice" in await answer.text()


async def test_the_configuration_has_ten_lines(setup):
    assert len(setup.config.splitlines()) == 10


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_everybody_listens_on_both_families(setup, session, host):
    if host == "[::1]" and not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    for origin, path in ((setup.api, "/books"), (setup.proxy, "/books"), (setup.page, "/setup.json")):
        name = origin.removeprefix("http://")
        async with session.get(f"http://{host}:{name.rpartition(':')[2]}{path}", headers={"Host": name}) as answer:
            assert answer.status == 200


async def test_directly_there_is_no_cors_header(setup, session):
    async with session.get(f"{setup.api}/books", headers={"Origin": setup.page}) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_through_the_proxy_there_is(setup, session, exchanges):
    async with session.get(f"{setup.proxy}/books?run=a1", headers={"Origin": setup.page}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == setup.page
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        await answer.read()
    async with session.get(f"{setup.page}/wire/a1") as answer:
        assert [record["by"] for record in await answer.json()] == ["api", "proxy"]
    assert [exchange.decision.outcome for exchange in exchanges] == [Outcome.ALLOWED]


async def test_the_other_name_of_the_page_is_granted_nothing(setup, session):
    async with session.get(f"{setup.proxy}/books", headers={"Origin": setup.unlisted}) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_open_streams_do_not_hold_up_the_end():
    async with aiohttp.ClientSession() as session:
        async with stage(lambda _: None) as setup:
            events = await session.get(f"{setup.proxy}/events", headers={"Origin": setup.page})
            chat = await session.ws_connect(f"{setup.api}/chat")
            assert await events.content.readline() == b"id: 1\n"
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(setup.page)
        events.close()
        await chat.close()


async def test_a_taken_port_is_an_error_and_leaves_nothing_behind():
    sockets = loopback_sockets(0)
    sockets[0].listen()
    with pytest.raises(OSError, match="in use"):
        async with stage(lambda _: None, sockets[0].getsockname()[1]):
            pass
    for one in sockets:
        one.close()


def _has_ipv6() -> bool:
    sockets = loopback_sockets(0)
    for one in sockets:
        one.close()
    return len(sockets) == 2
