"""Markdown as tests read it: blocks, headings, tables and links, and the transcripts of commands that stand in it.

How a document marks what is to be tried is written in docs/README.md.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from corsproxy.config.load import Compiled, load_config
from corsproxy.config.model import PolicyConfig

ROOT: Final = Path(__file__).resolve().parent.parent
PATIENCE: Final = 60  # seconds, for a process that should be there at once

FENCE: Final = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
HEADING: Final = re.compile(r"^(#+) (.+)$", re.MULTILINE)
LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE: Final = re.compile(r"`([^`]+)`")


class Block(NamedTuple):
    """A fenced block: what stands behind its fence (``yaml refused``), its text, and the heading that it is under."""

    kind: str
    text: str
    section: str


class Document:
    """One Markdown file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text("utf-8")
        self.prose = FENCE.sub("", self.text)  # nothing in a block is a heading or a link
        self.headings = [match[2] for match in HEADING.finditer(self.prose)]
        self.blocks = list(_blocks(self.text))

    def of(self, *kinds: str) -> list[Block]:
        """The blocks of these kinds, in order."""
        return [block for block in self.blocks if block.kind in kinds]

    def section(self, heading: str) -> str:
        """The prose under a heading, up to the next one."""
        _, _, rest = self.prose.partition(f" {heading}\n")
        assert rest, f"{self.path.name} has no heading {heading!r}"
        return HEADING.split(rest, maxsplit=1)[0]

    def table(self, heading: str) -> list[list[str]]:
        """The rows of the first table under a heading, without its head."""
        lines = [line for line in self.section(heading).splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines[2:]]

    def anchors(self) -> set[str]:
        """The anchors of all headings, as forges make them."""
        return {anchor(heading) for heading in self.headings}


def pages(folder: str) -> list[Document]:
    """The documents of a folder of the checkout."""
    return [Document(path) for path in sorted((ROOT / folder).glob("*.md"))]


def _blocks(text: str) -> Iterator[Block]:
    for match in FENCE.finditer(text):
        before = FENCE.sub("", text[: match.start()])
        headings = [heading[2] for heading in HEADING.finditer(before)]
        indent = match[1]
        yield Block(match[2], re.sub(f"^{indent}", "", match[3], flags=re.MULTILINE), headings[-1] if headings else "")


def anchor(heading: str) -> str:
    """A heading as the fragment of a URL: lower case, words joined by hyphens, everything else left out."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def codes(cell: str) -> list[str]:
    """The pieces of code in a table's cell."""
    return CODE.findall(cell)


# Configurations


def whole(text: str) -> str:
    """A block of YAML as a configuration: a policy's keys are put into a policy, and each policy into a rule."""
    written: dict[str, Any] = yaml.safe_load(text)
    if "rules" in written:
        return text
    if set(written) <= set(PolicyConfig.model_fields):
        if not written.keys() & {"allow_origins", "allow_origin_regex"}:
            written["allow_origins"] = "https://myapp.com"
        written = {"policies": {"example": written}}
    policies = written.get("policies", ["none"])
    rules = [{"path": f"/{name}", "upstream": "http://127.0.0.1:8000", "policy": name} for name in policies]
    return yaml.safe_dump({**written, "rules": rules}, sort_keys=False)


def load(text: str) -> Compiled:
    """A block of YAML, compiled; nothing is taken from the environment."""
    return load_config(whole(text), "config.yaml", {})


def redirected(text: str, upstream: str) -> str:
    """The configuration with every upstream replaced, and listening at a free port; its lines stay where they are."""
    text = re.sub(r"(?<=upstream: )http\S+", upstream, text)
    elsewhere = "listen: 127.0.0.1:0"
    replaced, count = re.subn(r"^listen: .*$", elsewhere, text, flags=re.MULTILINE)
    return replaced if count else f"{text}\n{elsewhere}\n"


# Commands


def command_lines(document: Document) -> list[str]:
    """Every ``corsproxy ...`` line of a shell block, with or without a prompt, up to a redirection or comment."""
    lines = [line for block in document.of("sh", "console") for line in block.text.splitlines()]
    shown = [line.removeprefix("$ ") for line in lines]
    return [re.split(" [#>]", line)[0].rstrip() for line in shown if line.startswith("corsproxy ")]


def environment() -> dict[str, str]:
    """What a command gets from this process, without the settings of whoever runs the tests."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("CORSPROXY_") and name != "NO_COLOR"
    }


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a ``corsproxy`` command to its end, in a folder; standard error is with the output."""
    return subprocess.run(
        _command(line), check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
        env=environment() | {"PYTHONPATH": str(ROOT)}, timeout=PATIENCE,
    )  # fmt: skip


def _command(line: str) -> list[str]:
    words = shlex.split(line)
    assert words[0] == "corsproxy"
    return [sys.executable, "-m", *words]


class LegacyApi(BaseHTTPRequestHandler):
    """An API that answers everything with a little JSON, and knows nothing of CORS."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment

    def answer(self) -> None:
        body = b'[{"id": 1, "title": "Ulysses"}]\n'
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(201 if self.command == "POST" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  # the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's signature
        pass


class _FirstLocalhost(ThreadingHTTPServer):
    address_family = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)[0][0]


@contextlib.contextmanager
def legacy_api() -> Iterator[str]:
    """Its URL, on a free port of loopback, where the name localhost is looked for first."""
    server = _FirstLocalhost(("localhost", 0), LegacyApi)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


EXCHANGE: Final = re.compile(
    r"^(?P<time>\d\d:\d\d:\d\d)  (?P<method>\w+) *  (?P<target>\S+)  (?P<status>\d+)  (?P<ms>\d+ ms)  (?P<origin>\S+)  "
)


def transcript(block: Block) -> tuple[str, list[str]]:
    """The command of a console block, and the lines that it prints."""
    command, *printed = block.text.splitlines()
    return command.removeprefix("$ "), printed


@contextlib.contextmanager
def running(line: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A ``corsproxy`` command that runs until it is told to end, which it must do well."""
    process = subprocess.Popen(
        _command(line), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
        env=environment() | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    guard = threading.Timer(PATIENCE, process.kill)
    guard.start()
    try:
        yield process
        process.terminate()
        assert process.wait() == 0, process.stdout and process.stdout.read()
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def replay(process: subprocess.Popen[str], printed: list[str], preflight: Mapping[str, str]) -> list[str]:
    """What the command really prints when the requests of a transcript are made, made comparable to it.

    ``preflight`` is what its preflights ask for.
    """
    stdout = process.stdout
    assert stdout is not None
    found: list[str] = []
    port = 0
    for line in printed:
        exchange = EXCHANGE.match(line)
        if exchange:
            _ask(port, exchange, preflight if exchange["method"] == "OPTIONS" else {})
        said = stdout.readline().rstrip("\n")
        assert said, f"the process ended after {found}"
        if not port:
            port = int(re.findall(r"https?://[\w.]+:(\d+)", said)[0])
        found.append(said)
    return found


def _ask(port: int, exchange: re.Match[str], lines: Mapping[str, str]) -> None:
    origin = {} if exchange["origin"] == "-" else {"Origin": exchange["origin"]}
    connection = HTTPConnection("localhost", port, timeout=PATIENCE)
    try:
        connection.request(exchange["method"], exchange["target"], headers={**origin, **lines})
        connection.getresponse().read()
    finally:
        connection.close()


def comparable(lines: list[str]) -> list[str]:
    """Lines of a transcript without what differs from run to run: times, the proxy's own port, the inspector's URL."""
    own = re.findall(r":(\d+)", lines[0])[0]
    text = re.sub(r"^\d\d:\d\d:\d\d  ", "TIME  ", "\n".join(lines), flags=re.MULTILINE)
    text = re.sub(r"  \d+ ms  ", "  N ms  ", text)
    text = re.sub(r":\d+/inspector/#token=\S+", ":PORT/inspector/#token=TOKEN", text)
    return re.sub(rf"(?<=http://)(localhost|127\.0\.0\.1):{own}\b", r"\1:PORT", text).splitlines()
