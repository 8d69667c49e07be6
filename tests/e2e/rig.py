"""What every end-to-end test needs: the proxy under test between a client and an upstream, on real sockets.

    async with RawUpstream(answering(answer(b"200 OK", body=b"hi"))) as upstream:
        async with running_proxy(config(upstream.url)) as proxy:
            response = await proxy.ask(b"GET /x", ORIGIN)

or in one step, ``async with between(answering(...)) as (upstream, proxy)``.  Ports are the kernel's choice, and nothing
sleeps.  Whatever happens, a proxy that logs an exception or leaves one to the event loop fails the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from corsproxy.config.load import Compiled, load_config
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.listener import Downstream
from corsproxy.server.process import Server
from tests.e2e.messages import NotHTTPError, Request, Response, answer, chunked, request
from tests.e2e.upstreams import (
    ApiUpstream,
    RawUpstream,
    Script,
    answering,
    answering_then_close,
    answering_then_reset,
    black_hole,
    echoing,
    refusing,
    silent,
    unreachable,
)
from tests.e2e.wire import PATIENCE, ClientWire, ServerWire, TransferError, Wire

__all__ = [
    "ACAO",
    "APP",
    "EVIL",
    "GRANT",
    "ORIGIN",
    "PATIENCE",
    "STRANGER",
    "WEB_APP",
    "ApiUpstream",
    "ClientWire",
    "NotHTTPError",
    "RawUpstream",
    "Request",
    "Response",
    "RunningProxy",
    "Script",
    "ServerWire",
    "TransferError",
    "Wire",
    "answer",
    "answering",
    "answering_then_close",
    "answering_then_reset",
    "assert_readable_failure",
    "between",
    "black_hole",
    "chunked",
    "config",
    "echoing",
    "eventually",
    "preflight",
    "refusing",
    "request",
    "running_proxy",
    "silent",
    "unreachable",
]

APP: Final = "https://app.example.com"
EVIL: Final = "https://evil.example.net"
ORIGIN: Final = b"Origin: https://app.example.com"
STRANGER: Final = b"Origin: https://evil.example.net"
ACAO: Final = b"access-control-allow-origin"
GRANT: Final = [(ACAO, APP.encode())]  # what the policy of most tests grants to ORIGIN

WEB_APP: Final[Mapping[str, Any]] = {"allow_origins": [APP]}  # the policy of most tests


def config(
    upstream: str,
    *,
    policy: object = WEB_APP,
    rule: Mapping[str, Any] | None = None,
    timeouts: Mapping[str, Any] | None = None,
    **top: Any,
) -> str:
    """A configuration of one rule, ``/`` to the upstream; ``rule`` adds keys to it and ``top`` adds top-level keys."""
    upstreams = {"api": {"url": upstream, **({"timeouts": timeouts} if timeouts else {})}}
    rules = [{"path": "/", "upstream": "api", "policy": policy, **(rule or {})}]
    document = {"listen": "127.0.0.1:0", "upstreams": upstreams, "rules": rules, **top}
    return yaml.dump(document, Dumper=_NoAliases, sort_keys=False)


connections: type[Downstream] | None = None  # what a test's own lane makes of clients' connections; None: the default

_serial = itertools.count(1)  # each proxy has a name of its own in Via, as each process has


class _NoAliases(yaml.SafeDumper):
    """Writes shared values twice instead of using an anchor, as people do."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def preflight(method: bytes = b"PUT", headers: bytes = b"", origin: bytes = ORIGIN) -> tuple[bytes, ...]:
    """The request line and lines of a preflight, to be passed to ``ask``."""
    lines = (b"OPTIONS /x", origin, b"Access-Control-Request-Method: " + method)
    return (*lines, b"Access-Control-Request-Headers: " + headers) if headers else lines


def assert_readable_failure(response: Response, status: int) -> None:
    """The proxy's own answer, which the page may read and which tells no secrets of the implementation."""
    assert response.status == status
    assert response.cors == GRANT
    assert response.vary == [b"origin"]
    assert response.body.startswith(b"corsproxy: %d " % status)
    assert b"Traceback" not in response.body
    assert b'File "' not in response.body


class RunningProxy:
    """The proxy under test, its address, and the record of every exchange that it finished."""

    def __init__(self, compiled: Compiled) -> None:
        self.server = Server(compiled, self._observe, connections=connections)
        self.host, self.port = "", 0  # of the first listener, once it listens
        self.exchanges: list[Exchange] = []
        self._clients: list[ClientWire] = []
        self._recorded = asyncio.Event()

    async def start(self) -> None:
        await self.server.start()
        self.host, self.port = self.server.addresses[0]

    def _observe(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        self._recorded.set()

    async def recorded(self, count: int = 1) -> list[Exchange]:
        """The exchanges, once there are that many."""
        async with asyncio.timeout(PATIENCE):
            while len(self.exchanges) < count:
                self._recorded.clear()
                await self._recorded.wait()
        return self.exchanges

    async def connect(self, listener: int = 0) -> ClientWire:
        """A new connection to one of the listeners; it is closed with the proxy."""
        host, port = self.server.addresses[listener]
        _, client = await asyncio.get_running_loop().create_connection(ClientWire, host, port)
        self._clients.append(client)
        return client

    async def ask(self, line: bytes, *lines: bytes, body: bytes | None = None, version: bytes = b"1.1") -> Response:
        """One request on a connection of its own, and its answer."""
        client = await self.connect()
        response = await client.ask(line, *lines, body=body, version=version)
        client.close()
        return response

    async def send(self, data: bytes) -> ClientWire:
        """A new connection with the bytes already sent."""
        client = await self.connect()
        return await client.send(data)

    def hang_up(self) -> None:
        for client in self._clients:
            client.close()


@contextlib.asynccontextmanager
async def running_proxy(
    yaml_text: str, *, environment: Mapping[str, str] | None = None, may_log: Sequence[str] = ()
) -> AsyncIterator[RunningProxy]:
    """The proxy with this configuration; ``may_log`` are the exceptions, by name, that the test provokes on purpose."""
    compiled = load_config(yaml_text, "config.yaml", environment or {}, pseudonym=f"corsproxy-{next(_serial)}")
    proxy = RunningProxy(compiled)
    with no_surprises(may_log):
        await proxy.start()
        try:
            yield proxy
        finally:
            proxy.hang_up()
            async with asyncio.timeout(PATIENCE):
                await proxy.server.stop()


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for something inside the proxy, or at several upstreams, which nobody tells."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.002)


@contextlib.contextmanager
def no_surprises(may_log: Sequence[str] = ()) -> Any:
    """Fails when an exception reaches a log or the event loop's handler, since both mean a bug in the proxy."""
    seen: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: seen.append(repr(context)))
    handler = _ExceptionRecords(seen)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
    unexpected = [text for text in seen if not any(name in text for name in may_log)]
    assert not unexpected, "\n".join(unexpected)


class _ExceptionRecords(logging.Handler):
    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.seen = seen
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.seen.append(self.format(record))


@contextlib.asynccontextmanager
async def between(
    script: Script, *, unix_path: Path | None = None, **settings: Any
) -> AsyncIterator[tuple[RawUpstream, RunningProxy]]:
    """A scripted upstream and the proxy before it; ``settings`` are those of ``config``."""
    async with (
        RawUpstream(script, unix_path=unix_path) as upstream,
        running_proxy(config(upstream.url, **settings)) as proxy,
    ):
        yield upstream, proxy
