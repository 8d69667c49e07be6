"""Every client gets from Flask behind the proxy what it gets from a browser's point of view: curl, requests, httpx,
aiohttp, Node's fetch, and the websockets package."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.apps.encoded import endpoints
from tests.apps.flask_apps import plain
from tests.apps.serving import APP, EVIL, PATIENCE, cannot, node_command, wsgi
from tests.e2e.rig import config, running_proxy

POLICY = {"allow_origins": [APP], "allow_methods": ["PUT"], "allow_headers": ["Content-Type"], "max_age": 600}
SENT = {"note": "caf\u00e9", "numbers": list(range(500))}
DATA = {"items": [1, 2, 3], "name": "caf\u00e9"}

# What a client found: the status, the grant, and the body as JSON.
Found = tuple[int, str | None, object]


@pytest.fixture(scope="module")
def api():
    with wsgi(plain()) as url:
        yield url


async def output_of(*command: str) -> str:
    """What a command prints; it must end well."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(PATIENCE):
        printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return printed.decode()


async def by_curl(url: str, method: str, body: object) -> Found:
    command = shutil.which("curl") or cannot("no curl on PATH; install it")
    data = ["--data-binary", json.dumps(body), "--header", "Content-Type: application/json"] if body else []
    asked = ["--request", method, "--header", f"Origin: {APP}", *data, url]
    text = await output_of(command, "--silent", "--include", "--noproxy", "*", *asked)
    head, _, answer = text.partition("\r\n\r\n")
    status = int(head.split(" ")[1])
    grants = re.findall(r"(?mi)^access-control-allow-origin: (.*?)\r?$", head)
    return status, ", ".join(grants), json.loads(answer)


async def by_requests(url: str, method: str, body: Any) -> Found:
    def ask() -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, url, json=body, headers={"Origin": APP}, timeout=PATIENCE)

    response = await asyncio.to_thread(ask)
    return response.status_code, response.headers.get("Access-Control-Allow-Origin"), response.json()


async def by_httpx(url: str, method: str, body: object) -> Found:
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.request(method, url, json=body, headers={"Origin": APP})
    return response.status_code, response.headers.get("Access-Control-Allow-Origin"), response.json()


async def by_aiohttp(url: str, method: str, body: object) -> Found:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, json=body, headers={"Origin": APP}) as response,
    ):
        return response.status, response.headers.get("Access-Control-Allow-Origin"), await response.json()


NODE_FETCH = """
const [url, method, body] = process.argv.slice(1);
const options = { method, headers: { Origin: "%s", "Content-Type": "application/json" } };
fetch(url, body === "null" ? options : { ...options, body }).then(async (response) => {
  const grant = response.headers.get("access-control-allow-origin");
  console.log(JSON.stringify([response.status, grant, await response.json()]));
});
"""


async def by_node(url: str, method: str, body: object) -> Found:
    status, grant, answer = json.loads(
        await output_of(node_command(), "-e", NODE_FETCH % APP, url, method, json.dumps(body))
    )
    return status, grant, answer


CLIENTS = [by_curl, by_requests, by_httpx, by_aiohttp, by_node]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
async def test_client_reads_and_writes(api, client):
    async with running_proxy(config(api, policy=POLICY)) as proxy:
        base = f"http://127.0.0.1:{proxy.port}"
        assert await client(f"{base}/data", "GET", None) == (200, APP, DATA)
        answer = {"method": "PUT", "sent": SENT, "origin": APP}
        assert await client(f"{base}/data", "PUT", SENT) == (201, APP, answer)
        assert await client(f"{base}/boom", "GET", None) == (500, APP, {"error": "boom"})


@pytest.mark.parametrize("path", ["gzip", "deflate"])
@pytest.mark.parametrize("client", [by_requests, by_httpx, by_aiohttp, by_node], ids=lambda client: client.__name__)
async def test_client_decodes_what_the_upstream_encoded(client, path):
    with wsgi(endpoints) as url:
        async with running_proxy(config(url, policy=POLICY)) as proxy:
            found = await client(f"http://127.0.0.1:{proxy.port}/{path}", "GET", None)
    assert found == (200, APP, {"caf\u00e9": list(range(200))})


async def test_one_session_makes_many_requests_at_once(api):
    async with running_proxy(config(api, policy=POLICY)) as proxy, aiohttp.ClientSession() as session:

        async def write(number: int) -> object:
            async with session.put(f"http://127.0.0.1:{proxy.port}/data", json=number) as response:
                return (await response.json())["sent"]

        assert await asyncio.gather(*map(write, range(100))) == list(range(100))


async def test_requests_keeps_its_connection(api):
    """A session of requests sends all on one connection; each request gets its own answer."""

    def ask(base: str) -> list[object]:
        with requests.Session() as session:
            session.trust_env = False
            return [session.post(f"{base}/data", json=n, timeout=PATIENCE).json()["sent"] for n in range(30)]

    async with running_proxy(config(api, policy=POLICY)) as proxy:
        assert await asyncio.to_thread(ask, f"http://127.0.0.1:{proxy.port}") == list(range(30))


async def test_upload_without_a_length(api):
    """httpx sends a generator's body in chunks; Flask gets it whole."""

    async def pieces():
        yield b'{"a": "'
        for _ in range(50):
            yield os.urandom(1000).hex().encode()
        yield b'"}'

    async with running_proxy(config(api, policy=POLICY)) as proxy, httpx.AsyncClient(trust_env=False) as client:
        headers = {"Content-Type": "application/json"}
        response = await client.post(f"http://127.0.0.1:{proxy.port}/data", content=pieces(), headers=headers)
    assert len(response.json()["sent"]["a"]) == 100_000


async def test_websockets_package(api):
    """Allowed for a listed page and for who is no page; refused for others, before the server sees it."""

    async def echo(connection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with running_proxy(config(f"http://127.0.0.1:{port}", policy=POLICY)) as proxy:
            url = f"ws://127.0.0.1:{proxy.port}/feed"
            for origin in (Origin(APP), None):
                async with connect(url, origin=origin, proxy=None) as client:
                    await client.send("caf\u00e9")
                    assert await client.recv() == "caf\u00e9"
            with pytest.raises(InvalidStatus):
                await connect(url, origin=Origin(EVIL), proxy=None)
