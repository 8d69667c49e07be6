"""aiohttp's client reads the system's certificate authorities when it is used, and not when it is imported.

The contract with aiohttp is the table of what a program finds that imports it this way and then uses its client.  When
aiohttp makes no contexts any more while it is imported, the first test says so: the module has nothing left to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys

import pytest
import trustme
import uvloop

from corsproxy.proxy.authorities_later import reading_authorities_later

IMPORTED = """
import ssl, sys
import corsproxy.proxy.authorities_later
import aiohttp.connector
made = [value for value in vars(aiohttp.connector).values() if isinstance(value, ssl.SSLContext)]
print(len(made), sum(context.cert_store_stats()["x509"] for context in made))
"""
ASKED = """
import asyncio, sys
import corsproxy.proxy.authorities_later
import aiohttp
async def main():
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            try:
                async with session.get(sys.argv[1]) as answer:
                    print(await answer.text())
            except aiohttp.ClientConnectorCertificateError:
                print("not believed")
asyncio.run(main())
"""


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """The only authority of the system."""
    made = trustme.CA()
    made.cert_pem.write_to_path(f"{tmp_path}/authorities.pem")
    monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/authorities.pem")
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}/none")
    return made


@contextlib.asynccontextmanager
async def served(authority):
    """A server with a certificate of the authority; its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    async def answer(reader, writer):
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def run(code, *arguments):
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, *arguments, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().split("\n")[:-1]


async def test_aiohttp_makes_two_contexts_when_it_is_imported_and_neither_has_read_anything(authority):
    assert await run(IMPORTED) == ["2 0"]


async def test_its_client_believes_the_system_s_authorities_all_the_same(authority):
    async with served(authority) as port:
        assert await run(ASKED, f"https://localhost:{port}") == ["ok", "ok"]


async def test_and_nobody_else(authority):
    async with served(trustme.CA()) as port:
        assert await run(ASKED, f"https://localhost:{port}") == ["not believed", "not believed"]


def handshake_in_memory(context):
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")


def handshake_on_a_socket(context):
    with socket.socket() as sock:
        context.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False).close()


@pytest.mark.parametrize("begin", [handshake_in_memory, handshake_on_a_socket])
def test_a_context_that_is_made_meanwhile_reads_with_its_first_handshake(authority, begin):
    with reading_authorities_later():
        context = ssl.create_default_context()
    assert context.get_ca_certs() == []
    begin(context)
    assert len(context.get_ca_certs()) == 1
    begin(context)
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_every_event_loop_begins_a_handshake_in_that_way(authority, run):
    with reading_authorities_later():
        context = ssl.create_default_context()

    async def main():
        async with served(authority) as port:
            _, writer = await asyncio.open_connection("localhost", port, ssl=context)
            writer.close()

    run(main())
    assert len(context.get_ca_certs()) == 1


def test_a_context_that_is_made_afterwards_reads_at_once(authority):
    before = dict(vars(ssl.SSLContext))
    with contextlib.suppress(KeyError), reading_authorities_later():
        raise KeyError
    assert dict(vars(ssl.SSLContext)) == before
    assert len(ssl.create_default_context().get_ca_certs()) == 1
