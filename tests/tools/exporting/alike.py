"""The same table in two proxies before the same upstream, and the same requests to both."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

from corsproxy.cors.browser import Fetched, run
from corsproxy.cors.fetch import Request, WireRequest, WireResponse

LISTS = {"access-control-allow-methods", "access-control-allow-headers", "access-control-expose-headers", "vary"}


class Asked(NamedTuple):
    """A request as it is sent."""

    line: str  # GET /path
    host: str = "api.example.com"
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return " ".join([self.line, self.host, *(f"{name}={value}" for name, value in self.headers)])


class Answered(NamedTuple):
    """What came of it, as far as the two have to agree."""

    status: int
    grants: dict[str, list[str]]  # Access-Control-* and their like: every value, and members of lists sorted
    vary: set[str]
    reached: dict[str, str] | None  # what the upstream saw
    moved: list[str]  # Location, and cookies
    headers: list[tuple[str, str]]


class Upstream(BaseHTTPRequestHandler):
    """Tells what it saw, and says of CORS whatever could do harm."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536  # head and body in one write

    def answer(self) -> None:
        path = urlsplit(self.path).path
        if length := int(self.headers.get("Content-Length") or 0):
            self.rfile.read(length)
        seen = {name: ", ".join(self.headers.get_all(name, [])) for name in ("Host", "Origin", "X-Key", "X-Added")}
        body = json.dumps({"method": self.command, "target": self.path, **seen}).encode()
        status = int(path.rpartition("/status-")[2]) if "/status-" in path else 200
        self.send_response(status)
        for name, value in (
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Allow-Methods", "EVIL"),
            ("Access-Control-Expose-Headers", "X-Secret"),
            ("Access-Control-Max-Age", "9999"),
            ("Timing-Allow-Origin", "*"),
            ("Vary", "Accept-Encoding"),
            ("X-Secret", "1"),
            ("X-Total-Count", "7"),
            ("X-Seen", body.decode()),
        ):
            self.send_header(name, value)
        if where := self.headers["X-Redirect"]:
            self.send_header("Location", where.replace("OWN", f"127.0.0.1:{self.connection.getsockname()[1]}"))
        if "/cookie" in path:
            self.send_header("Set-Cookie", "a=b; Path=/; HttpOnly")
            self.send_header("Set-Cookie", "c=d; path=/deep; Secure")
        bodyless = status in (204, 304) or self.command == "HEAD"
        self.send_header("Content-Length", "0" if bodyless else str(len(body)))
        self.end_headers()
        if not bodyless:
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = answer  # noqa: N815  # their names there

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def upstream() -> Iterator[int]:
    """The upstream; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Client:
    """A client of one proxy, with one connection as long as that lasts."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def close(self) -> None:
        self._connection.close()

    def ask(self, asked: Asked) -> Answered:
        """One request."""
        try:
            return self._ask(asked)
        except (http.client.RemoteDisconnected, ConnectionError):  # closed after the answer before
            self._connection.close()
            return self._ask(asked)

    def _ask(self, asked: Asked) -> Answered:
        method, _, target = asked.line.partition(" ")
        self._connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", asked.host), *asked.headers):
            self._connection.putheader(name, value)
        self._connection.endheaders()
        answer = self._connection.getresponse()
        answer.read()
        return read(answer.status, answer.getheaders())

    def fetch(self, request: Request) -> Fetched:
        """What a page gets."""

        def send(asked: WireRequest) -> WireResponse:
            parts = urlsplit(asked.url)
            headers = tuple((name.decode(), value.decode()) for name, value in asked.headers)
            answered = self.ask(Asked(f"{asked.method.decode()} {parts.path}", parts.netloc, headers))
            return WireResponse(answered.status, tuple((n.lower().encode(), v.encode()) for n, v in answered.headers))

        return run(request, send)


def read(status: int, headers: list[tuple[str, str]]) -> Answered:
    """What the two have to agree on, out of an answer's head."""
    grants: dict[str, list[str]] = {}
    vary: set[str] = set()
    reached = None
    for written, value in headers:
        name = written.lower()
        members = sorted(member.strip().lower() for member in value.split(","))
        if name == "vary":
            vary.update(members)
        elif name == "x-seen":
            reached = json.loads(value)
        elif name.startswith(("access-control-", "timing-", "cross-origin-")):
            grants.setdefault(name, []).extend(members if name in LISTS else [value])
    moved = sorted(value for name, value in headers if name.lower() in {"location", "set-cookie", "x-set"})
    return Answered(status, grants, vary, reached, moved, headers)
