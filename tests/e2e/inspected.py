"""A proxy with an inspector, for tests: over HTTP, and in a browser."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import aiohttp

from corsproxy.cli.inspecting import Inspection
from corsproxy.config.load import load_config
from corsproxy.server.process import Server
from corsproxy.tools.written_config import WrittenConfig
from tests.e2e.rig import PATIENCE, RawUpstream, answer, answering, config, no_surprises
from tests.e2e.wire import ClientWire

TOKEN = "a-token-that-nobody-guesses"  # noqa: S105  # of tests
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ANSWER = (b"Content-Type: text/plain", b"Access-Control-Allow-Origin: *", b"Server: legacy")


class Inspected:
    """A proxy with an inspector: ``ask`` is a client of the first, ``session`` one of the second."""

    def __init__(self, server, upstream, url):
        self.server = server
        self.url = url
        self.upstream = upstream
        self.base = f"{server.admin_names[0]}/inspector"
        self.session = aiohttp.ClientSession()

    async def ask(self, line, *lines):
        host, port = self.server.addresses[0]
        _, client = await asyncio.get_running_loop().create_connection(ClientWire, host, port)
        response = await client.ask(line, *lines)
        client.close()
        return response

    async def get(self, path, method="GET", headers=BEARER, **options):
        async with self.session.request(method, self.base + path, headers=headers, **options) as response:
            return response.status, await response.text()


def written(upstream):
    return config(upstream, admin="127.0.0.1:0")


@asynccontextmanager
async def inspected(*, credentials=True, write=written):
    """An inspected proxy before an upstream that says "hi"; ``write`` makes the configuration for an upstream's URL."""
    async with RawUpstream(answering(answer(b"200 OK", *ANSWER, body=b"hi"))) as upstream:
        text = write(upstream.url)
        inspection = Inspection(
            TOKEN, credentials=credentials, config=lambda: WrittenConfig.read(text, "config.yaml", {})
        )
        server = Server(
            load_config(text, "config.yaml", {}, pseudonym="inspected"),
            inspection.beside(lambda _: None),
            mount=inspection.mount,
        )
        with no_surprises():
            await server.start()
            found = Inspected(server, upstream, inspection.url)
            try:
                yield found
            finally:
                await found.session.close()
                async with asyncio.timeout(PATIENCE):
                    await server.stop(0)
