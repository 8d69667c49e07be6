"""Making a connection to an endpoint: its name looked up anew, and every address that it has tried.

Names.  Each new connection asks the system's resolver, which knows how long an answer may be kept; here it is kept for
a second, so that a burst of connections is one question, and given up when no address of it works.  A look-up has a
thread of its own: in the loop's executor, or in libuv's four threads, names whose server does not answer would hold up
all others.

Addresses.  They are tried by families in turn, the next one a quarter of a second after the last, and the first that
accepts wins (https://www.rfc-editor.org/rfc/rfc8305): one family that leads nowhere costs a moment, not a time-out.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from aiohappyeyeballs import start_connection

from corsproxy.config.table import Endpoint
from corsproxy.errors import ConnectFailed

ANSWER_LIFETIME: Final = 1.0  # seconds
_ATTEMPT_DELAY: Final = 0.25  # seconds; https://www.rfc-editor.org/rfc/rfc8305#section-5

Addresses = list[tuple[Any, ...]]  # as getaddrinfo returns them
_Outcome = tuple[Addresses, Exception | None]


def is_name(endpoint: Endpoint) -> bool:
    """Whether the endpoint is found by a name, whose addresses may change."""
    if endpoint.unix_path:
        return False
    try:
        ipaddress.ip_address(endpoint.host)
    except ValueError:
        return True
    return False


class Resolver:
    """Looks names up; ``look_up`` stands for ``socket.getaddrinfo``."""

    def __init__(self, look_up: Callable[..., Addresses] = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[tuple[str, int], asyncio.Future[_Outcome]] = {}
        self._known: dict[tuple[str, int], tuple[float, Addresses]] = {}  # until when, and what

    async def resolve(self, host: str, port: int) -> Addresses:
        """The addresses of a name.

        Raises ConnectFailed when there is none.
        """
        name = (host, port)
        if name in self._known:
            until, addresses = self._known[name]
            if self._loop.time() < until:
                return addresses
        future = self._under_way.get(name)
        if future is None:
            future = self._under_way[name] = self._loop.create_future()
            threading.Thread(target=self._ask, args=(name,), name=f"resolve {host}", daemon=True).start()
        addresses, error = await asyncio.shield(future)  # who waits may leave; the others wait on
        if error is not None:
            raise ConnectFailed("its name cannot be resolved", f"{host}: {error}") from error
        return addresses

    def forget(self, host: str, port: int) -> None:
        """No address of the name works: the next one asks anew."""
        self._known.pop((host, port), None)

    def _ask(self, name: tuple[str, int]) -> None:
        outcome: _Outcome
        try:
            outcome = self._look_up(*name, type=socket.SOCK_STREAM), None
        except (OSError, UnicodeError) as error:  # the second for a label that IDNA refuses
            outcome = [], error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._settle, name, outcome)

    def _settle(self, name: tuple[str, int], outcome: _Outcome) -> None:
        if outcome[0]:
            self._known[name] = self._loop.time() + ANSWER_LIFETIME, outcome[0]
        future = self._under_way.pop(name)
        if not future.done():
            future.set_result(outcome)


async def dial(
    endpoint: Endpoint,
    protocol: asyncio.BaseProtocol,
    resolver: Resolver,
    context: ssl.SSLContext | None,
    server_name: str | None,
) -> None:
    """Connect ``protocol``; with TLS when there is a context.

    Raises OSError, ssl.SSLError, or ConnectFailed for a name without addresses.
    """
    loop = asyncio.get_running_loop()
    if endpoint.unix_path:
        await loop.create_unix_connection(lambda: protocol, endpoint.unix_path)
        return
    if not is_name(endpoint):
        await loop.create_connection(
            lambda: protocol, endpoint.host, endpoint.port, ssl=context, server_hostname=server_name
        )
        return
    addresses = await resolver.resolve(endpoint.host, endpoint.port)
    try:
        # uvloop's create_connection has no happy_eyeballs_delay, and would try one address after the other.
        sock = await start_connection(
            addresses,
            happy_eyeballs_delay=_ATTEMPT_DELAY,
            interleave=1,
        )
    except BaseException:
        resolver.forget(endpoint.host, endpoint.port)
        raise
    try:
        await loop.create_connection(lambda: protocol, sock=sock, ssl=context, server_hostname=server_name)
    except BaseException:
        sock.close()
        raise
