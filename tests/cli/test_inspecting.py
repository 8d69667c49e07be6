"""The inspector of the commands: where its URL is printed, who gets in, and that serve has none unasked."""

from __future__ import annotations

import json

import aiohttp
import pytest
from click.testing import CliRunner

from corsproxy.cli.serve import serve
from tests.cli.running import running
from tests.e2e.rig import STRANGER, RawUpstream, answer, answering, config

TOKEN = "0123456789abcdef"  # noqa: S105  # of tests
OK = answer(b"200 OK", body=b"hello")


async def explained(url):
    """The details of the first exchange, asked with the token of a printed URL."""
    page, _, token = url.partition("#token=")
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{page}api/exchanges/1") as response,
    ):
        return response.status, await response.text()


async def test_dev_prints_its_url_and_the_fix_is_a_flag():
    async with (
        RawUpstream(answering(OK)) as upstream,
        running("dev", upstream.url, "--listen", "localhost:0") as process,
    ):
        port = await process.port()
        url = (await process.line("inspector")).split()[-1]
        client = await process.connect(port)
        await client.ask(b"GET /x", b"Host: localhost:%d" % port, STRANGER)
        await process.line("blocked")
        status, text = await explained(url)
        assert status == 200
        assert "--allow-origin https://evil.example.net" in json.loads(text)["advice"]


async def test_serve_has_it_for_who_has_the_token(tmp_path):
    async with RawUpstream(answering(OK)) as upstream:
        file = tmp_path / "config.yaml"
        file.write_text(config(upstream.url, admin="127.0.0.1:0"), "utf-8")
        environment = {"CORSPROXY_INSPECTOR_TOKEN": TOKEN}
        async with running("serve", "-c", str(file), environment=environment) as process:
            port = await process.port()
            said = await process.line("inspector")
            assert TOKEN not in said  # logs are read by many
            client = await process.connect(port)
            await client.ask(b"GET /x", STRANGER)
            await process.line("blocked")
            status, text = await explained(said.split()[-1].replace("...", TOKEN))
            assert status == 200
            assert "+    - https://evil.example.net" in json.loads(text)["explanation"]["fix"]["diff"]
            assert (await explained(said.split()[-1].replace("...", "wrong")))[0] == 401


async def test_serve_has_none_unasked(tmp_path):
    async with RawUpstream(answering(OK)) as upstream:
        file = tmp_path / "config.yaml"
        file.write_text(config(upstream.url, admin="127.0.0.1:0"), "utf-8")
        async with running("serve", "-c", str(file)) as process:
            await process.port()
            admin = (await process.line("admin on")).split()[-1]
            assert (await explained(f"{admin}/inspector/#token="))[0] == 404


@pytest.mark.parametrize(
    ("token", "workers", "top", "says"),
    [
        (TOKEN, "1", {}, "set admin:"),
        ("short", "1", {"admin": "127.0.0.1:0"}, "too short"),
        (TOKEN, "2", {"admin": "127.0.0.1:0"}, "sees one process"),
    ],
)
def test_what_lacks_is_said(tmp_path, token, workers, top, says):
    file = tmp_path / "config.yaml"
    file.write_text(config("http://127.0.0.1:9", **top), "utf-8")
    result = CliRunner().invoke(serve, ["-c", str(file), "--inspector-token", token, "--workers", workers])
    assert (result.exit_code, says in result.stderr) == (2, True)
