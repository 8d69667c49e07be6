"""The Compose example: the API behind the proxy, and the API itself running behind it, with Compose's configuration."""

from __future__ import annotations

import contextlib
import runpy
import threading

import pytest
import yaml
from werkzeug.serving import make_server

from corsproxy.config.load import load_config
from tests.cli.running import running
from tests.documents import ROOT, redirected
from tests.e2e.rig import ACAO, APP, ORIGIN, STRANGER, preflight

DEPLOY = ROOT / "deploy"
SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
CONFIG = (DEPLOY / "config" / "config.yaml").read_text("utf-8")


@contextlib.contextmanager
def api():
    """The example's API, as it stands; its URL."""
    server = make_server("127.0.0.1", 0, runpy.run_path(str(DEPLOY / "api" / "app.py"))["app"], threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_configuration_is_valid():
    assert load_config(CONFIG, "config.yaml", {}).warnings == ()


def test_the_api_is_behind_the_proxy():
    proxy = SERVICES["corsproxy"]
    assert proxy["network_mode"] == "service:api"
    assert SERVICES["api"]["ports"] == ["8080:8080"], "the proxy's"
    compiled = load_config(CONFIG, "config.yaml", {})
    assert [str(listen) for listen in compiled.listen] == ["0.0.0.0:8080"]
    assert compiled.admin.host == "127.0.0.1"
    command = (DEPLOY / "api" / "Dockerfile").read_text("utf-8")
    assert '"--host", "127.0.0.1", "--port", "8000"' in command
    assert [str(endpoint) for rule in compiled.table.rules for endpoint in rule.upstream.endpoints] == [
        "http://127.0.0.1:8000"
    ]


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_may_do_nothing_more_than_it_must(service):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_folder_is_mounted_and_not_the_file():
    """A file that is mounted alone stays the old one when an editor puts another in its place."""
    (volume,) = SERVICES["corsproxy"]["volumes"]
    assert volume == "./config:/etc/corsproxy:ro"
    assert [path.name for path in (DEPLOY / "config").iterdir()] == ["config.yaml"]


async def test_a_page_uses_the_api_through_the_proxy(tmp_path):
    with api() as upstream:
        config = redirected(CONFIG, upstream).replace("127.0.0.1:9901", "127.0.0.1:0")
        (tmp_path / "config.yaml").write_text(config, "utf-8")
        async with running("serve", "-c", tmp_path / "config.yaml") as process:
            client = await process.connect(await process.port())
            read = await client.ask(b"GET /books", ORIGIN)
            assert (read.status, read.one(ACAO)) == (200, APP.encode())
            assert b"Uncle Vanya" in read.body
            asked = await client.ask(*preflight(b"POST", b"content-type"))
            assert asked.status == 204
            body, kind = b'{"title": "Ivanov"}', b"Content-Type: application/json"
            written = await client.ask(b"POST /books", ORIGIN, kind, body=body)
            assert (written.status, written.one(ACAO)) == (201, APP.encode())
            assert (await client.ask(b"GET /books", STRANGER)).all(ACAO) == []
