"""HTTP/1.0 clients: no chunks, no interim answers, and the connection closes unless they asked to keep it."""

from __future__ import annotations

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    answer,
    answering,
    answering_then_close,
    between,
    chunked,
)

CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "whole",
    [
        answer(b"200 OK", body=b"hello"),
        answer(b"200 OK", CHUNKED, body=chunked(b"hel", b"lo", trailers=(b"X-Sum: 1",))),
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(b"200 OK", body=b"hello"),
    ],
)
async def test_http_1_0_client_gets_no_chunks_and_no_interim_answers(whole):
    async with between(answering(whole)) as (_, proxy):
        client = await proxy.connect()
        response = await client.ask(b"GET /x", ORIGIN, version=b"1.0")
        assert await client.until_ended() == "closed"
    assert (response.status, response.body) == (200, b"hello")
    assert response.all(b"transfer-encoding") == []
    assert response.cors == GRANT


async def test_http_1_0_client_needs_no_host():
    async with between(answering(answer(b"200 OK", body=b"hello"))) as (upstream, proxy):
        client = await proxy.send(b"GET /x HTTP/1.0\r\n\r\n")
        assert (await client.response()).body == b"hello"
    assert upstream.requests[0].one(b"host") == upstream.authority


async def test_http_1_0_client_keeps_the_connection_when_it_asks():
    async with between(answering(answer(b"200 OK", body=b"hello"))) as (_, proxy):
        client = await proxy.connect()
        first = await client.ask(b"GET /x", b"Connection: Keep-Alive", version=b"1.0")
        second = await client.ask(b"GET /y", b"Connection: Keep-Alive", version=b"1.0")
    assert b"keep-alive" in first.members(b"connection")
    assert second.body == b"hello"


async def test_http_1_0_client_cannot_keep_the_connection_when_only_its_end_ends_the_body():
    whole = answer(b"200 OK", CHUNKED, body=chunked(b"hello"))
    async with between(answering(whole)) as (_, proxy):
        client = await proxy.connect()
        response = await client.ask(b"GET /x", b"Connection: keep-alive", version=b"1.0")
        assert await client.until_ended() == "closed"
    assert response.body == b"hello"
    assert b"keep-alive" not in response.members(b"connection")


async def test_http_1_1_client_that_says_close_is_closed():
    async with between(answering(answer(b"200 OK", body=b"hello"))) as (_, proxy):
        client = await proxy.connect()
        response = await client.ask(b"GET /x", b"Connection: close")
        assert await client.until_ended() == "closed"
    assert response.body == b"hello"
    assert b"close" in response.members(b"connection")


async def test_http_1_0_upstream_is_spoken_of_in_http_1_1():
    async with between(answering_then_close(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")) as (_, proxy):
        client = await proxy.connect()
        response = await client.ask(b"GET /x")
        assert response.version == b"HTTP/1.1"
        assert response.body == b"hello"
