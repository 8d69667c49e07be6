"""The server: listeners on one table, started together and ended together.

What it owns: the walk (and with it the upstream pools), the listening sockets, and whether it is draining.  The table
is replaced whole, by assigning to ``table``.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from corsproxy.config.table import RuleTable
from corsproxy.errors import UnusableCertificate
from corsproxy.proxy.clock import Clock
from corsproxy.proxy.exchange import Exchange, Observer
from corsproxy.proxy.lanes import lanes
from corsproxy.proxy.listener import Downstream, Listener
from corsproxy.proxy.walk import Walk
from corsproxy.server.colleagues import Alone, Colleagues
from corsproxy.server.metric_families import to_json
from corsproxy.server.metrics import Metrics, standing
from corsproxy.server.sockets import BACKLOG, open_sockets

if TYPE_CHECKING:
    from corsproxy.config.addresses import Listen
    from corsproxy.config.load import Compiled
    from corsproxy.server.admin import Admin

DRAIN_SECONDS: Final = 10.0  # how long requests in flight may take after stop() has been called


def _nobody(exchange: Exchange) -> None:
    """Nobody watches."""


def _observer(metrics: Metrics | None, other: Observer | None) -> Observer:
    """Who is told of an exchange: without a layer where there is one to tell."""
    if metrics is None or other is None:
        return metrics or other or _nobody

    def both(exchange: Exchange) -> None:
        metrics(exchange)
        other(exchange)

    return both


class Server:
    """A proxy for one compiled configuration.

    ``start`` raises OSError when an address cannot be listened on, UnusableCertificate when a file of TLS cannot be
    loaded; nothing is left open then.
    """

    def __init__(
        self,
        compiled: Compiled,
        observe: Observer | None = None,
        colleagues: Colleagues | None = None,
        *,
        connections: type[Downstream] | None = None,
    ) -> None:
        self._compiled = compiled
        self._metrics = Metrics() if compiled.admin is not None else None
        self._colleagues = colleagues or Alone(self.snapshot)
        self._walk = Walk(compiled.table, _observer(self._metrics, observe), Clock())
        made = connections or lanes(os.environ)
        self._lane = "ordinary" if made is Downstream else "fast"
        self._listener = Listener(self._walk, compiled.limits, made)
        self._servers: list[asyncio.Server] = []
        self._names: list[str] = []
        self._admin: Admin | None = None
        self._files = ExitStack()  # of unix sockets

    @property
    def table(self) -> RuleTable:
        """The table that new requests read."""
        return self._walk.table

    @table.setter
    def table(self, table: RuleTable) -> None:
        self._walk.table = table
        if self._metrics is not None:
            self._metrics.replaced(table)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every TCP socket that is listened on, in the order of the configuration."""
        names = [sock.getsockname() for server in self._servers for sock in server.sockets]
        return [(name[0], name[1]) for name in names if isinstance(name, tuple)]

    @property
    def names(self) -> list[str]:
        """Every address that is listened on, as people write it."""
        return list(self._names)

    @property
    def admin_names(self) -> list[str]:
        """Every address that the admin listener listens on, as people write it; [] when it is off."""
        return self._admin.names if self._admin is not None else []

    @property
    def admin_addresses(self) -> list[tuple[str, int]]:
        """Host and port of the admin listener; [] when it is off."""
        return self._admin.addresses if self._admin is not None else []

    def snapshot(self) -> bytes:
        """The metrics of this process, as its colleagues understand them; b"" where nobody can ask."""
        if self._metrics is None:
            return b""
        clients = cast("list[Downstream]", self._listener.connections)
        return to_json({**self._metrics.snapshot(), **standing(self._walk.pools, clients, self._lane)})

    async def start(self) -> None:
        """Listen on every address."""
        self._walk.prepare()
        try:
            for listen in self._compiled.listen:
                await self._open(listen)
            if self._compiled.admin is not None:
                await self._open_admin(self._compiled.admin)
        except (OSError, UnusableCertificate):
            await self.stop(0)
            raise
        # What the configuration made lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    async def stop(self, drain: float = DRAIN_SECONDS) -> None:
        """Stop listening, let requests in flight end for ``drain`` seconds, then break what is left."""
        if self._admin is not None:
            self._admin.draining = True
        for server in self._servers:
            server.close()
        await self._listener.drain(drain)
        self._walk.close()
        if self._admin is not None:
            await self._admin.stop()
        self._files.close()
        self._servers.clear()
        self._names.clear()

    async def _open(self, listen: Listen) -> None:
        loop = asyncio.get_running_loop()
        tls = tls_context(listen)
        # The handshake is part of the time for a head: the loop's own limit would be a minute.
        patience = self._compiled.limits.request_head_timeout if tls else None
        create = loop.create_unix_server if listen.unix_path else loop.create_server
        for sock in open_sockets(listen, self._files):
            self._servers.append(
                await create(self._listener, sock=sock, ssl=tls, backlog=BACKLOG, ssl_handshake_timeout=patience)
            )
            self._names.append(_name(listen, sock))

    async def _open_admin(self, listen: Listen) -> None:
        from corsproxy.server.admin import Admin  # noqa: PLC0415  # only who asks for it pays for its import

        sockets = open_sockets(listen, self._files)
        self._admin = Admin(sockets, [_name(listen, sock) for sock in sockets], self._colleagues, self._describe)
        await self._admin.start()

    def _describe(self) -> Mapping[str, object]:
        from corsproxy.server.config_view import described  # noqa: PLC0415  # as above

        return described(self._compiled, self.table)


def _name(listen: Listen, sock: socket.socket) -> str:
    """An address that is listened on, as people write it, with the port that it really has."""
    if listen.unix_path:
        return str(listen)
    host, port = sock.getsockname()[:2]
    return f"{'https' if listen.tls_cert else 'http'}://{replace(listen, host=host, port=port)}"


def tls_context(listen: Listen) -> ssl.SSLContext | None:
    """The listener's TLS, TLS 1.2 and later, HTTP/1.1 by ALPN; None without a certificate.

    Raises UnusableCertificate when the certificate or its key cannot be loaded.
    """
    if not listen.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password of some kind OpenSSL would ask the terminal for one, and wait.
        context.load_cert_chain(listen.tls_cert, listen.tls_key, password="")
    except OSError as error:  # ssl.SSLError too; its own words do not name the file
        what = f"{listen}: the certificate {listen.tls_cert} or its key cannot be loaded ({error})"
        raise UnusableCertificate(what) from error
    return context
