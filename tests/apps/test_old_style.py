"""An old-style server behind the proxy: ``python3 -m http.server``, HTTP/1.0, a connection for each request."""

from __future__ import annotations

import os

import pytest

from corsproxy.cors.browser import Request
from tests.apps.serving import APP, EVIL, ORIGIN, Place, old_files, page, wsgi
from tests.e2e.page import browse
from tests.e2e.rig import ACAO, config, running_proxy

POLICY = {"allow_origins": [APP]}
LARGE = os.urandom(1_500_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "data.json").write_bytes(b'{"name": "caf\xc3\xa9"}\n')
    (folder / "large.bin").write_bytes(LARGE)
    (folder / "empty.txt").write_bytes(b"")
    (folder / "with space.txt").write_bytes(b"space")
    (folder / "sub").mkdir()
    (folder / "sub" / "index.html").write_bytes(b"<!doctype html><p>index")
    return folder


@pytest.fixture(scope="module")
def files(folder):
    with old_files(folder) as url:
        yield url


PATHS = ["/data.json", "/large.bin", "/empty.txt", "/with%20space.txt", "/sub/", "/sub", "/missing", "/data.json?x=1"]


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("path", PATHS)
async def test_files_pass_as_they_are(files, path, method):
    line = method + b" " + path.encode()
    async with running_proxy(config(files, policy=POLICY)) as proxy:
        through = await proxy.ask(line, ORIGIN)
    direct = await Place(files).ask(line, ORIGIN)
    assert (through.status, through.reason, through.body) == (direct.status, direct.reason, direct.body)
    for name in (b"content-type", b"content-length", b"last-modified", b"server", b"location"):
        assert through.all(name) == direct.all(name)
    assert through.version == b"HTTP/1.1"
    assert through.one(ACAO) == APP.encode()


async def test_one_connection_of_the_client_outlives_many_of_the_server(files):
    """Each answer ends the server's connection; the client's goes on, and a stale one is never used."""
    async with running_proxy(config(files, policy=POLICY)) as proxy:
        client = await proxy.connect()
        answers = [await client.ask(b"GET /data.json", ORIGIN) for _ in range(20)]
        last = await client.ask(b"GET /large.bin", ORIGIN)
    assert {(answer.status, answer.body) for answer in answers} == {(200, b'{"name": "caf\xc3\xa9"}\n')}
    assert last.body == LARGE


async def test_conditional_requests_are_the_servers_business(files):
    async with running_proxy(config(files, policy=POLICY)) as proxy:
        first = await proxy.ask(b"GET /data.json", ORIGIN)
        again = await proxy.ask(b"GET /data.json", ORIGIN, b"If-Modified-Since: " + first.one(b"last-modified"))
    assert (again.status, again.body) == (304, b"")
    assert again.one(ACAO) == APP.encode()


async def test_what_it_cannot_do_is_readable(files):
    """It answers 501 to POST and OPTIONS; preflights never get there."""
    json = ((b"Content-Type", b"application/json"),)
    policy = {**POLICY, "allow_methods": ["PUT"], "allow_headers": ["Content-Type"]}
    async with running_proxy(config(files, policy=policy)) as proxy:
        visit = await browse(proxy, page(APP, "/data.json", method=b"PUT", headers=json), body=b"{}")
        stranger = await browse(proxy, page(EVIL, "/data.json"))
        options = await proxy.ask(b"OPTIONS /data.json", ORIGIN)
    assert [response.status for response in visit.responses] == [204, 501]
    assert visit.allowed
    assert not stranger.allowed
    assert options.status == 501


async def test_redirect_to_the_folder_stays_at_the_proxy(files):
    rule = {"path": "/files", "strip_prefix": True}
    async with running_proxy(config(files, policy=POLICY, rule=rule)) as proxy:
        asked = Request(url=f"http://127.0.0.1:{proxy.port}/files/sub", origin=APP.encode())
        visit = await browse(proxy, asked)
    assert [response.status for response in visit.responses] == [301, 200]
    assert visit.responses[0].one(b"location") == b"/files/sub/"
    assert visit.body == b"<!doctype html><p>index"


@pytest.mark.parametrize("pieces", [[b"one ", b"two ", b"three"], [LARGE, LARGE], []])
async def test_body_that_ends_with_the_connection(pieces):
    """HTTP/1.0 without a length: the proxy's answer has an end that the client can tell from a broken one."""

    def app(environment, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter(pieces)

    with wsgi(app, "HTTP/1.0") as url:
        async with running_proxy(config(url, policy=POLICY)) as proxy:
            client = await proxy.connect()
            answers = [await client.ask(b"GET /", ORIGIN) for _ in range(2)]  # on one connection, so they are framed
    assert [answer.body for answer in answers] == [b"".join(pieces)] * 2
