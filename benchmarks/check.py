"""Whether a proxy answers rightly: on the very process that is measured, before it is timed, and under load.

Each check is of one capability; what a proxy cannot do is said in words and never timed.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from benchmarks import rule
from benchmarks.load import requests
from benchmarks.load.streams import ECHO, FRAME, HANDSHAKE

TIMEOUT: Final = 10.0
_THREADS, _EACH = 16, 40  # of the check under load


class WrongAnswerError(Exception):
    """What a proxy did in place of the right thing."""


class Door(NamedTuple):
    """Where a proxy is asked."""

    port: int
    prefix: str
    lenient: bool  # its documentation has no way to say the rule exactly
    stream_port: int  # of the upstream


class Reply(NamedTuple):
    """An answer, read to its end."""

    status: int
    fields: http.client.HTTPMessage
    body: bytes

    @property
    def origin(self) -> str:
        """The one Access-Control-Allow-Origin; "" without any."""
        values = self.fields.get_all("Access-Control-Allow-Origin", [])
        return ", ".join(values)


def check(capability: str, door: Door) -> None:
    """Raise WrongAnswerError unless a proxy has the capability."""
    try:
        CHECKS[capability](door)
    except (OSError, http.client.HTTPException) as error:
        raise WrongAnswerError(f"{type(error).__name__}: {error}") from error


def _ask(door: Door, method: str, path: str, fields: Mapping[str, str], body: bytes | None = None) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=TIMEOUT)
    try:
        return _ask_over(connection, door, method, path, fields, body)
    finally:
        connection.close()


def _ask_over(
    connection: http.client.HTTPConnection,
    door: Door,
    method: str,
    path: str,
    fields: Mapping[str, str],
    body: bytes | None = None,
) -> Reply:
    connection.request(method, door.prefix + path, body=body, headers={"Host": "localhost", **fields})
    answer = connection.getresponse()
    return Reply(answer.status, answer.headers, answer.read())


def _expect(holds: bool, what: str, reply: Reply) -> None:  # noqa: FBT001  # it is the condition
    if not holds:
        granted = {name: value for name, value in reply.fields.items() if name.lower().startswith("access-control")}
        raise WrongAnswerError(f"{what}: {reply.status}, {granted or 'no Access-Control-*'}, {reply.body[:60]!r}")


def _expect_granted(door: Door, reply: Reply) -> None:
    exact = reply.origin == rule.ORIGIN and reply.fields["Access-Control-Allow-Credentials"] == "true"
    _expect(exact or (door.lenient and reply.origin == "*"), "the allowed page may not read it", reply)


def _expect_not_granted(door: Door, reply: Reply) -> None:
    granted = reply.origin == rule.STRANGER or (reply.origin == "*" and not door.lenient)
    _expect(not granted, "a page that is not allowed may read it", reply)


def _get(door: Door) -> None:
    allowed = _ask(door, "GET", "/books/7", {"Origin": rule.ORIGIN})
    _expect(allowed.status == 200 and allowed.body == rule.SMALL.encode(), "a wrong answer to a GET", allowed)
    _expect_granted(door, allowed)
    refused = _ask(door, "GET", "/books/7", {"Origin": rule.STRANGER})
    _expect_not_granted(door, refused)
    _under_load(door)


def _under_load(door: Door) -> None:
    """Many connections at once, allowed and denied requests and preflights in turn; every answer is looked at."""

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=TIMEOUT)
        for turn in range(_EACH):
            kind = (number + turn) % 3
            if kind == 0:
                reply = _ask_over(connection, door, "OPTIONS", "/books/7", rule.PREFLIGHT)
                _expect(reply.status in {200, 204}, "a preflight under load", reply)
                _expect_granted(door, reply)
                continue
            reply = _ask_over(connection, door, "GET", "/books/7", {**rule.BROWSER, "Origin": ORIGINS[kind - 1]})
            if kind == 1:
                _expect(reply.body == rule.SMALL.encode(), "a wrong body under load", reply)
                _expect_granted(door, reply)
            else:
                _expect_not_granted(door, reply)
        connection.close()

    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(client, range(_THREADS)))


ORIGINS: Final = (rule.ORIGIN, rule.STRANGER)


def _preflight(door: Door) -> None:
    granted = _ask(door, "OPTIONS", "/bodies/none", rule.PREFLIGHT)  # the upstream has no such file
    _expect(granted.status in {200, 204}, "a preflight is not answered", granted)
    _expect_granted(door, granted)
    methods = granted.fields.get("Access-Control-Allow-Methods", "")
    _expect("PUT" in methods, "a preflight does not grant the method", granted)
    names = granted.fields.get("Access-Control-Allow-Headers", "").lower()
    _expect("content-type" in names and "authorization" in names, "a preflight does not grant the headers", granted)
    _expect_not_granted(door, _ask(door, "OPTIONS", "/books/7", rule.DENIED_PREFLIGHT))


def _download(door: Door) -> None:
    for name, size in rule.BODIES.items():
        reply = _ask(door, "GET", f"/bodies/{name}", {"Origin": rule.ORIGIN})
        _expect(reply.status == 200 and reply.body == body(size), f"a wrong body of {size} bytes", reply)
        _expect_granted(door, reply)


def body(size: int) -> bytes:
    """A body in which no two lines are alike."""
    lines = b"".join(b"%015d\n" % number for number in range(size // 16 + 1))
    return lines[:size]


def _upload(door: Door) -> None:
    for size in rule.BODIES.values():
        reply = _ask(door, "POST", "/uploads", {"Origin": rule.ORIGIN}, b"u" * size)
        _expect(reply.status == 200 and reply.body == b"%d" % size, f"an upload of {size} bytes", reply)
        _expect_granted(door, reply)


def _connect(door: Door, request: bytes) -> tuple[socket.socket, bytes]:
    """A connection on which a request was sent, and what was read with the head of its answer."""
    sock = socket.create_connection(("127.0.0.1", door.port), timeout=TIMEOUT)
    sock.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(65536)
        if not data:
            break
        received += data
    return sock, received


def _sse(door: Door) -> None:
    """The first event arrives although nothing follows it, and so does the next."""
    request = requests.head("GET", f"{door.prefix}/sse", {"Origin": rule.ORIGIN})
    sock, received = _connect(door, request)
    with sock:
        if b" 200 " not in received[:16]:
            raise WrongAnswerError(f"an event stream: {received[:60]!r}")
        for expected in (1, 2):
            deadline = time.monotonic() + TIMEOUT
            while received.count(b"\n\n") < expected and time.monotonic() < deadline:
                received += sock.recv(65536)
            _tick(door)


def _tick(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.stream_port), timeout=TIMEOUT) as sock:
        sock.sendall(b"GET /tick HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.recv(4096)


def _websocket(door: Door) -> None:
    sock, received = _connect(door, requests.head("GET", f"{door.prefix}/ws", HANDSHAKE))
    with sock:
        head, _, received = received.partition(b"\r\n\r\n")
        if b" 101 " not in head[:16]:
            raise WrongAnswerError(f"a WebSocket handshake: {head[:60]!r}")
        sock.sendall(FRAME)
        while len(received) < len(ECHO):
            data = sock.recv(65536)
            if not data:
                break
            received += data
    if received != ECHO:
        raise WrongAnswerError(f"a WebSocket message came back as {received[:60]!r}")


CHECKS: Final[Mapping[str, Callable[[Door], None]]] = {
    "get": _get,
    "preflight": _preflight,
    "download": _download,
    "upload": _upload,
    "sse": _sse,
    "websocket": _websocket,
}
STREAMED: Final = frozenset({"upload", "sse", "websocket"})  # what the second upstream is needed for
