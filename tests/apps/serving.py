"""Real applications on real sockets: how tests start them, and how they ask them without the proxy.

Every server has a port of the kernel's choice and listens before its URL is known, so there is nothing to wait for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn
from urllib.parse import urlsplit

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from corsproxy.cors.browser import Request
from tests.e2e.rig import ClientWire, Response

NODE_APPS: Final = Path(__file__).parent / "node"
PATIENCE: Final = 20.0  # seconds, for a process that answers at once

APP: Final = "https://myapp.com"
EVIL: Final = "https://evil.example"
API: Final = "http://api.example.com"  # the name under which pages know the proxy
ORIGIN: Final = b"Origin: https://myapp.com"
JSON: Final = (b"Content-Type", b"application/json")


def page(origin: str, path: str, **details: Any) -> Request:
    """What a page of this origin fetches from the API."""
    return Request(url=API + path, origin=origin.encode(), **details)


class Place(NamedTuple):
    """A server that is asked directly, in the way that the proxy is asked in tests."""

    url: str

    async def ask(self, line: bytes, *lines: bytes, body: bytes | None = None, version: bytes = b"1.1") -> Response:
        """One request on a connection of its own, and its answer."""
        host, _, port = urlsplit(self.url).netloc.partition(":")
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(ClientWire, host, int(port))
        try:
            return await client.ask(line, *lines, body=body, version=version)
        finally:
            client.close()


# WSGI


class _Handler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # werkzeug's name
        pass


class _Keeping(_Handler):
    protocol_version = "HTTP/1.1"


@contextlib.contextmanager
def wsgi(app: Any, version: str = "HTTP/1.1") -> Iterator[str]:
    """The URL of a WSGI application; with HTTP/1.0, the end of the connection ends every body without a length."""
    handler = _Keeping if version == "HTTP/1.1" else _Handler
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=handler)
    with _running(server):
        yield f"http://127.0.0.1:{server.server_port}"


@contextlib.contextmanager
def old_files(folder: Path) -> Iterator[str]:
    """The URL of ``python3 -m http.server`` on a folder: HTTP/1.0, one connection a request."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with _running(server):
        yield f"http://127.0.0.1:{server.server_port}"


@contextlib.contextmanager
def _running(server: Any) -> Iterator[None]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# Node


def node_command() -> str:
    """The command of Node with its packages."""
    command = shutil.which("node") or cannot("no node on PATH; install Node.js 20 or later")
    if not (NODE_APPS / "node_modules" / "express").is_dir():
        cannot("the packages of tests/apps/node are missing; run npm ci there, or scripts/test")
    return command


def cannot(reason: str) -> NoReturn:
    """Skip the test for want of something; where CI=true, it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def express(*cors_options: str) -> Iterator[str]:
    """The URL of the Express applications; ``cors_options`` are in JavaScript, one for each of /cors/0, /cors/1, ..."""
    command = [node_command(), str(NODE_APPS / "apps.js"), json.dumps(cors_options)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    guard = threading.Timer(PATIENCE, process.kill)
    guard.start()
    with process:  # closing its standard input ends it
        assert process.stdout
        port = process.stdout.readline()
        guard.cancel()
        assert port, "the Express applications did not start"
        yield f"http://127.0.0.1:{int(port)}"
        process.terminate()
