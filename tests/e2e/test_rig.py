"""The instruments themselves: what they see is what was on the wire."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web

from tests.e2e.messages import NotHTTPError, answer, chunked, parse_line, request
from tests.e2e.upstreams import (
    ApiUpstream,
    RawUpstream,
    answering,
    answering_then_close,
    answering_then_reset,
    echoing,
    refusing,
    unreachable,
)
from tests.e2e.wire import ClientWire, TransferError


async def dial(port: int) -> ClientWire:
    _, client = await asyncio.get_running_loop().create_connection(ClientWire, "127.0.0.1", port)
    return client


async def test_client_reads_a_real_servers_answers_one_after_the_other():
    async def handler(received: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=received.method + await received.text(), headers={"X-Kept": "Yes"})

    async with ApiUpstream(handler) as api:
        client = await dial(api.port)
        first = await client.ask(b"POST /x", body=b"hello")
        second = await client.ask(b"HEAD /x")
        client.close()
    assert (first.status, first.body, first.one(b"x-kept")) == (200, b"POSThello", b"Yes")
    assert (second.status, second.body, second.one(b"content-length")) == (200, b"", b"4")
    assert len(api.requests) == 2


async def test_upstream_understands_a_real_client_and_keeps_its_exact_bytes():
    async with RawUpstream(echoing) as upstream, aiohttp.ClientSession() as session:
        async with session.post(upstream.url + "/a?b", data=b"hello", headers={"X-CaSe": "1"}) as response:
            assert await response.read() == b"hello"
        async with session.post(upstream.url, data=some_pieces()) as response:
            assert await response.read() == b"onetwo"
    assert [received.target for received in upstream.requests] == [b"/a?b", b"/"]
    assert b"\r\nX-CaSe: 1\r\n" in upstream.connections[0].received
    assert len(upstream.connections) == 1


async def some_pieces():
    yield b"one"
    yield b"two"


async def test_bytes_sent_one_by_one_arrive_as_one_message():
    async with RawUpstream(echoing) as upstream:
        client = await dial(upstream.port)
        await client.send_bytewise(request(b"POST /x", body=b"hello"))
        assert (await client.response()).body == b"hello"
        client.close()


async def test_chunks_and_trailers_are_read():
    whole = answer(b"200 OK", b"Transfer-Encoding: chunked") + chunked(b"one", b"two", trailers=(b"X-Sum: 7",))
    async with RawUpstream(answering(whole)) as upstream:
        client = await dial(upstream.port)
        response = await client.ask(b"GET /")
        client.close()
    assert response.body == b"onetwo"
    assert response.trailers == [(b"X-Sum", b"7")]


async def test_interim_answers_are_answers_of_their_own():
    async with RawUpstream(answering(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(b"200 OK"))) as upstream:
        client = await dial(upstream.port)
        assert (await client.ask(b"GET /")).status == 103
        assert (await client.response()).status == 200
        client.close()


@pytest.mark.parametrize(
    ("sent", "arrived"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n9\r\nxyz", b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"abc"),
    ],
)
async def test_truncated_body_is_no_body(sent, arrived):
    async with RawUpstream(answering_then_close(sent)) as upstream:
        client = await dial(upstream.port)
        with pytest.raises(TransferError) as caught:
            await client.ask(b"GET /")
        client.close()
    assert (caught.value.how, caught.value.body) == ("closed", arrived)


async def test_reset_is_told_from_a_close_and_keeps_what_came_before():
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    async with RawUpstream(answering_then_reset(head + b"abc")) as upstream:
        client = await dial(upstream.port)
        with pytest.raises(TransferError) as caught:
            await client.ask(b"GET /")
        client.close()
    assert (caught.value.how, caught.value.body) == ("reset", b"abc")


async def test_script_sees_the_client_go_away():
    ended: list[str] = []

    async def script(wire):
        await wire.request()
        ended.append(await wire.until_ended())

    async with RawUpstream(script) as upstream:
        for leave in (ClientWire.close, ClientWire.reset):
            client = await dial(upstream.port)
            await client.send(request(b"GET /"))
            wire = await upstream.connection(len(ended))
            await wire.until(lambda: upstream.requests)
            leave(client)
            await wire.until_ended()
    assert ended == ["closed", "reset"]


async def visit_an_upstream_that_expects_something_else() -> None:
    async def script(wire):
        assert (await wire.request()).target == b"/expected"

    async with RawUpstream(script) as upstream:
        client = await dial(upstream.port)
        await client.send(request(b"GET /other"))
        await upstream.scripts_done()
        client.close()


async def test_error_in_a_script_fails_its_test():
    with pytest.raises(AssertionError):
        await visit_an_upstream_that_expects_something_else()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x01\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
    ],
)
async def test_malformed_answers_are_not_read_kindly(head):
    async with RawUpstream(answering(head)) as upstream:
        client = await dial(upstream.port)
        with pytest.raises(NotHTTPError):
            await client.ask(b"GET /")
        client.close()


def test_refused_port_refuses():
    with refusing() as url, socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0


async def test_unreachable_port_neither_accepts_nor_refuses():
    with unreachable() as url, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await dial(int(url.rpartition(":")[2]))


def test_header_lines_keep_case_and_inner_blanks():
    assert parse_line(b"X-CaSe:   a  b ") == (b"X-CaSe", b"a  b")
