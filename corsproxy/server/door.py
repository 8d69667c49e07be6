"""A listening socket whose clients begin with the PROXY protocol: what they begin with is read before they are let in.

Nothing of it is on the way of a request.  The preamble is taken from the socket itself, byte for byte, so that what
comes after it (a TLS handshake, or HTTP) is all that the loop ever sees of the connection.  Only trusted proxies get
in: everybody else could pose as anybody.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from corsproxy.errors import MalformedPreamble
from corsproxy.http.proxy_protocol import MOST, read_preamble
from corsproxy.proxy.reception import Listener

log: Final = logging.getLogger("corsproxy.process")

_PAUSE: Final = 1.0  # seconds after the system had no file descriptor left for a connection
_LAST_WORDS: Final = 1.0  # seconds that a preamble on its way gets when the door closes


class Door:
    """Takes connections from one socket until it is closed, and hands them to ``listener``."""

    def __init__(
        self,
        sock: socket.socket,
        listener: Listener,
        tls: ssl.SSLContext | None,
        trusts: Callable[[str], bool],
    ) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._listener = listener
        self._tls = tls
        self._trusts = trusts
        self._said: set[str] = set()
        self._entering: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._accepting = self._loop.create_task(self._accept())

    async def close(self) -> None:
        """Take no more; who has begun to come in gets a moment."""
        self._accepting.cancel()
        if self._entering:
            await asyncio.wait(self._entering, timeout=_LAST_WORDS)
        for task in self._entering:
            task.cancel()
        self._sock.close()

    async def _accept(self) -> None:
        while True:
            try:
                sock, address = await self._loop.sock_accept(self._sock)
            except OSError as error:  # no file descriptor is left, or the client has gone already
                log.warning("a connection cannot be accepted (%s)", error.strerror)
                await asyncio.sleep(_PAUSE)
                continue
            if not self._trusts(address[0]):
                self._refuse(sock, f"{address[0]} is none of trusted_proxies")
            elif len(self._entering) >= self._listener.limits.max_connections:
                self._refuse(sock, "too many connections are coming in")
            else:
                task = self._loop.create_task(self._let_in(sock))
                self._entering.add(task)
                task.add_done_callback(self._entering.discard)

    async def _let_in(self, sock: socket.socket) -> None:
        patience = self._listener.limits.request_head_timeout
        try:
            async with asyncio.timeout(patience):
                source = await self._source(sock)
        except MalformedPreamble as malformed:
            self._refuse(sock, str(malformed))
            return
        except (OSError, TimeoutError, asyncio.CancelledError):
            sock.close()
            return
        # A handshake that fails is the client's affair, as it is where the loop itself accepts.
        with suppress(OSError, TimeoutError):
            await self._loop.connect_accepted_socket(
                partial(self._listener, source),
                sock,
                ssl=self._tls,
                ssl_handshake_timeout=patience if self._tls else None,
            )

    async def _source(self, sock: socket.socket) -> str | None:
        """Take the preamble, and not a byte more, from a connection; the client that it names.

        Raises MalformedPreamble, and OSError when the connection ends.
        """
        taken = b""
        while True:
            await self._readable(sock)
            seen = sock.recv(MOST, socket.MSG_PEEK)
            if not seen:
                raise ConnectionResetError
            preamble = read_preamble(taken + seen)
            if preamble is not None:
                sock.recv(preamble.length - len(taken))
                return preamble.source
            taken += sock.recv(len(seen))

    async def _readable(self, sock: socket.socket) -> None:
        readable = asyncio.Event()
        self._loop.add_reader(sock, readable.set)
        try:
            await readable.wait()
        finally:
            self._loop.remove_reader(sock)

    def _refuse(self, sock: socket.socket, why: str) -> None:
        """Close a connection, and say of each reason once why: a port scan must not fill a disk."""
        host, port = sock.getsockname()[:2]
        sock.close()
        if why not in self._said and len(self._said) < 100:
            self._said.add(why)
            log.warning("a connection to %s was refused: %s (said once)", f"{host}:{port}", why)
