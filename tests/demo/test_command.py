"""``corsproxy demo`` as its user meets it: a process, its lines, its end."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from contextlib import asynccontextmanager

import aiohttp
import pytest
from click.testing import CliRunner

from corsproxy.cli import demo as module
from corsproxy.server.sockets import loopback_sockets

PATIENCE = 60  # seconds, for a process that should be there at once


@asynccontextmanager
async def running(*arguments):
    """The command, started; what it has printed up to its invitation is the second value."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "corsproxy", "demo", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process, await asyncio.wait_for(_until_invited(process.stdout), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _until_invited(stream):
    lines = []
    while not any(line.startswith("open ") for line in lines):
        line = await stream.readline()
        assert line, f"the process ended after {lines}"
        lines.append(line.decode())
    return "".join(lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
async def test_says_where_everybody_is_and_ends_cleanly(number):
    async with running() as (process, said):
        api, proxy, page = (
            re.search(rf"^{name} +(http://localhost:\d+)", said, re.MULTILINE)[1] for name in ("API", "proxy", "page")
        )
        assert f"\nopen {page}\n" in said
        async with aiohttp.ClientSession() as session:
            assert (await session.get(page)).status == 200
            assert (await session.get(f"{api}/books", headers={"Origin": page})).status == 200
            assert (await session.get(f"{proxy}/books", headers={"Origin": page})).status == 200
        line = ""
        while "/books" not in line:
            line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        assert "allowed" in line
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


async def test_a_taken_port_is_said_in_words():
    sockets = loopback_sockets(0)
    sockets[0].listen()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "corsproxy",
        "demo",
        "--port",
        str(sockets[0].getsockname()[1]),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE)
    for one in sockets:
        one.close()
    assert process.returncode == 1
    assert said.startswith(b"cannot listen: ")
    assert b"Traceback" not in said


def test_opens_a_browser_only_when_asked(monkeypatch):
    opened = []

    async def ended():
        return signal.SIGINT

    class Signals:
        get = staticmethod(ended)

    monkeypatch.setattr(module, "stop_signals", Signals)
    monkeypatch.setattr(module.webbrowser, "open", opened.append)
    for arguments in ([], ["--open"]):
        assert CliRunner().invoke(module.demo, arguments).exit_code == 0
    assert len(opened) == 1
    assert opened[0].startswith("http://localhost:")


def test_an_impossible_port_is_wrong_usage():
    assert CliRunner().invoke(module.demo, ["--port", "65536"]).exit_code == 2
