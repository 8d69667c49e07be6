"""Clients that come by way of a balancer for TCP, which says first who they are."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl

import pytest
import trustme

from corsproxy.server import door
from tests.e2e.rig import ClientWire, RunningProxy, answer, answering, between, request

OK = answer(b"200 OK", body=b"ok")
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n"
V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\xc0\x00\x02\x01\x12\x34\x01\xbb"
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
BEHIND = {"address": "127.0.0.1:0", "proxy_protocol": True}


@contextlib.asynccontextmanager
async def behind(trusted="127.0.0.0/8", listen=BEHIND, **settings):
    async with between(answering(OK), listen=listen, trusted_proxies=trusted, **settings) as both:
        yield both


async def asked_by(preamble: bytes, proxy: RunningProxy, *lines: bytes) -> ClientWire:
    client = await proxy.send(preamble + request(b"GET /x", *lines))
    assert (await client.response()).body == b"ok"
    return client


@pytest.mark.parametrize(
    ("preamble", "source"),
    [(V1, b"203.0.113.7"), (V2, b"203.0.113.7"), (LOCAL, b"127.0.0.1"), (b"PROXY UNKNOWN\r\n", b"127.0.0.1")],
    ids=["1", "2", "LOCAL", "UNKNOWN"],
)
async def test_the_client_is_who_the_balancer_says(preamble, source):
    async with behind() as (upstream, proxy):
        client = await asked_by(preamble, proxy)
        await client.ask(b"GET /y")  # the connection is one like any other from now on
        records = await proxy.recorded(2)
    assert [asked.one(b"x-forwarded-for") for asked in upstream.requests] == [source, source]
    assert [record.client for record in records] == [source.decode()] * 2


async def test_the_client_itself_is_not_trusted_for_that():
    """It came through a trusted proxy, and is none."""
    async with behind() as (upstream, proxy):
        await asked_by(V1, proxy, b"X-Forwarded-For: 10.9.9.9")
    assert upstream.requests[0].one(b"x-forwarded-for") == b"203.0.113.7"


@pytest.mark.parametrize("preamble", [V1, V2], ids=["1", "2"])
async def test_a_preamble_may_come_in_pieces(preamble):
    async with behind() as (upstream, proxy):
        client = await proxy.connect()
        for byte in preamble:
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.ask(b"GET /x")).body == b"ok"
    assert upstream.requests[0].one(b"x-forwarded-for") == b"203.0.113.7"


@pytest.mark.parametrize("data", [request(b"GET /x"), b"PROXY TCP4 x\r\n", V2[:-1] + b"", b""], ids=repr)
async def test_what_begins_otherwise_is_closed_unanswered(data, caplog):
    async with behind(limits={"request_head_timeout": 0.05}) as (upstream, proxy):
        for _ in range(2):
            client = await proxy.send(data)
            assert await client.until_ended()
            assert client.pending == b""
    assert upstream.requests == []
    assert len(caplog.records) == (data.startswith((b"GET", b"PROXY")))  # said once


async def test_who_is_not_trusted_does_not_get_in(caplog):
    async with behind("192.0.2.0/24") as (upstream, proxy):
        client = await proxy.send(V1 + request(b"GET /x"))
        assert await client.until_ended()
    assert upstream.requests == []
    assert "127.0.0.1 is none of trusted_proxies (said once)" in caplog.text


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind():
    async with behind() as (_, proxy):
        client = await proxy.send(V1[:10])
        client.close()
        await asked_by(V1, proxy)


async def test_the_preamble_comes_before_the_handshake(tmp_path):
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(f"{tmp_path}/cert.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    tls = {"cert": f"{tmp_path}/cert.pem", "key": f"{tmp_path}/cert.pem"}
    async with behind(listen=BEHIND | {"tls": tls}) as (upstream, proxy):
        loop = asyncio.get_running_loop()
        sock = socket.create_connection((proxy.host, proxy.port))
        sock.sendall(V2)
        sock.setblocking(False)
        _, client = await loop.create_connection(ClientWire, sock=sock, ssl=context, server_hostname="localhost")
        assert (await client.ask(b"GET /x", b"Host: localhost:%d" % proxy.port)).body == b"ok"
        client.close()
        await client.until_ended()
        plain = await proxy.send(V2 + request(b"GET /x"))  # no handshake: closed, and nothing is logged
        await plain.until_ended()
    asked = upstream.requests[0]
    assert (asked.one(b"x-forwarded-for"), asked.one(b"x-forwarded-proto")) == (b"203.0.113.7", b"https")


async def test_who_is_on_the_way_in_when_the_proxy_ends_is_served():
    async with behind() as (_, proxy):
        client = await proxy.send(V1[:10])
        await asked_by(V1, proxy)  # by now the first has been accepted
        stopping = asyncio.ensure_future(proxy.server.stop())
        await asyncio.sleep(0)
        await client.send(V1[10:] + request(b"GET /x"))
        assert (await client.response()).body == b"ok"
        await stopping


async def test_who_does_not_come_in_holds_up_nothing(monkeypatch):
    monkeypatch.setattr(door, "_LAST_WORDS", 0.01)
    async with behind() as (_, proxy):
        client = await proxy.send(V1[:10])
        await asked_by(V1, proxy)
        await proxy.server.stop(3600)
        assert await client.until_ended()


async def test_there_is_a_bound_on_how_many_come_in_at_once(caplog):
    async with behind(limits={"max_connections": 1}) as (_, proxy):
        waiting = await proxy.send(V1[:10])
        await (await proxy.send(b"PROXY")).until_ended()
        await waiting.send(V1[10:] + request(b"GET /x"))
        assert (await waiting.response()).body == b"ok"
    assert "too many connections are coming in" in caplog.text


async def test_a_process_without_file_descriptors_tries_again(monkeypatch, caplog):
    monkeypatch.setattr(door, "_PAUSE", 0)
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, [OSError(errno.EMFILE, "Too many open files")]

    async def failing(sock):
        if failures:
            raise failures.pop()
        return await accept(sock)

    monkeypatch.setattr(loop, "sock_accept", failing)
    async with behind() as (_, proxy):
        await asked_by(V1, proxy)
    assert "a connection cannot be accepted (Too many open files)" in caplog.text
