"""docs/policy.md: whoever follows it from an empty folder, with Chromium for the page, sees what stands there.

Its ports stand for free ones; times differ, and nothing else does.
"""

from __future__ import annotations

import asyncio
import json
import re
import runpy
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli
from tests import documents
from tests.apps.serving import old_files, wsgi
from tests.browser.shop import PATIENCE, visiting
from tests.documents import EXCHANGE, ROOT, Document

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE: Final = Document(ROOT / "docs" / "policy.md")
API, SITE, PROXY = "8000", "5173", "8080"  # the ports of the page
SEES: Final = "2 books: Ulysses, Emma"
INTERRUPT: Final = "^C"  # what a terminal shows when Ctrl-C is pressed
SHADOWED: Final = {"Access-Control-Request-Method": "DELETE"}
JSON: Final = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
# What the pages do while the last table is in force.
USED: Final[list[tuple[str, str, str, Mapping[str, str]]]] = [
    ("https://preview.example.com", "GET", "/api/books", {}),
    ("https://shop.example.com", "OPTIONS", "/api/books", JSON),
    ("https://shop.example.com", "POST", "/api/books", {"Content-Type": "application/json"}),
    ("https://shop.example.com", "OPTIONS", "/api/books/2", SHADOWED),
    ("https://shop.example.com", "DELETE", "/api/books/2", {}),
]


async def test_whoever_follows_the_page_sees_what_stands_there(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ExitStack() as running:
        reader = Reader(browser, tmp_path, running)
        for block in PAGE.blocks:
            kind, _, name = block.kind.partition(" ")
            if name:
                reader.write(name, block.text)
            elif kind == "console":
                command, printed = documents.transcript(block)
                found = await reader.run(command, printed)
                assert comparable(command, found) == comparable(command, printed)
    assert f"`{SEES}`" in PAGE.prose


class Reader:
    """Who follows the page, in an empty folder; what is started ends with ``running``."""

    def __init__(self, browser: Browser, folder: Path, running: ExitStack) -> None:
        self._browser = browser
        self._folder = folder
        self._running = running
        self._ports: dict[str, str] = {}  # the real ones by those of the page

    def write(self, name: str, text: str) -> None:
        """Write a file of the page; the API and the page's server start with theirs."""
        file = self._folder / name
        file.write_text(self._mapped(text, self._ports), "utf-8")
        if name == "api.py":
            self._ports[API] = _port(self._running.enter_context(wsgi(runpy.run_path(str(file))["app"])))
        elif name == "index.html":
            self._ports[SITE] = _port(self._running.enter_context(old_files(self._folder)))

    async def run(self, command: str, printed: list[str]) -> list[str]:
        """What a command prints, with the ports of the page."""
        real = self._mapped(command, self._ports)
        line, _, file = real.partition(" > ")
        if command.startswith("corsproxy dev "):
            found = await self._dev(real, printed)
        elif command.startswith("corsproxy serve "):
            self._append("listen: 127.0.0.1:0\n")
            found = self._keep(line, self._folder / file) if file else self._serve(line, printed)
        elif command.startswith("corsproxy "):
            found = await asyncio.to_thread(_run, command, real)
        else:
            done = subprocess.run(["bash", "-c", real], check=True, capture_output=True, text=True)  # noqa: ASYNC221, S607
            found = done.stdout.splitlines()
        back = {real: port for port, real in self._ports.items()}
        return [self._mapped(line, back) for line in found]

    async def _dev(self, command: str, printed: list[str]) -> list[str]:
        """Visit the page through a proxy that runs until Ctrl-C."""
        before = printed[: printed.index(INTERRUPT)]
        with documents.running(f"{command} --listen localhost:0", self._folder) as process:
            assert process.stdout
            found = [process.stdout.readline() for line in before if not EXCHANGE.match(line)]
            await self._visit(_port(found[0]))
            found += [process.stdout.readline() for line in before if EXCHANGE.match(line)]
            process.send_signal(signal.SIGINT)
            found += [INTERRUPT, *process.stdout]
            process.wait()  # what has ended by itself is not told to end
        return [line.rstrip("\n") for line in found]

    async def _visit(self, proxy: str) -> None:
        page = self._folder / "index.html"
        page.write_text(self._mapped(page.read_text("utf-8"), {PROXY: proxy}), "utf-8")
        async with visiting(self._browser, f"http://localhost:{self._ports[SITE]}") as visit:
            await visit.page.get_by_text(SEES).wait_for(timeout=PATIENCE * 1000)

    def _serve(self, command: str, printed: list[str]) -> list[str]:
        """Make the requests that are shown."""
        with documents.running(command, self._folder) as process:
            return documents.replay(process, printed, SHADOWED)

    def _keep(self, command: str, log: Path) -> list[str]:
        """Make requests to a proxy that runs to the end, and write its log; it prints nothing."""
        process = self._running.enter_context(documents.running(command, self._folder))
        assert process.stdout
        lines = [process.stdout.readline()]
        self._ports[PROXY] = _port(json.loads(lines[0])["message"])
        for origin, method, path, headers in USED:
            connection = HTTPConnection("127.0.0.1", int(self._ports[PROXY]), timeout=PATIENCE)
            body = '{"title": "Dracula"}' if method == "POST" else None
            connection.request(method, path, body, {"Origin": origin, **headers})
            connection.getresponse().read()
            connection.close()
            lines.append(process.stdout.readline())
        log.write_text("".join(lines), "utf-8")
        return []

    def _append(self, line: str) -> None:
        with (self._folder / "config.yaml").open("a", encoding="utf-8") as file:
            file.write(line)

    @staticmethod
    def _mapped(text: str, ports: Mapping[str, str]) -> str:
        return re.sub(r"(?<=localhost:)\d+", lambda port: ports.get(port[0], port[0]), text)


def _run(command: str, real: str) -> list[str]:
    """A command that ends by itself, as it should."""
    result = CliRunner().invoke(cli, shlex.split(real)[1:])
    assert result.exit_code == command.startswith("corsproxy diff "), result.output
    return result.output.splitlines()


def _port(url: str) -> str:
    return re.findall(r"https?://[\w.]+:(\d+)", url)[0]


def comparable(command: str, printed: list[str]) -> list[str]:
    """What a command printed, without what differs from run to run."""
    lines = documents.comparable(printed) if re.match("corsproxy (dev|serve) [^>]*$", command) else printed
    # Chromium comes over IPv6 and IPv4 where the one takes long.
    lines = [re.sub(r" by \d+ clients?", " by CLIENTS", line) for line in lines]
    text = re.sub(r", \d{4}-\d\d-\d\d \d\d:\d\d( to [\d: -]+)? UTC", ", TIME", "\n".join(lines))
    return re.sub(r"(?<=\S) {2,}", "  ", text).splitlines()  # tables are as wide as their ports
