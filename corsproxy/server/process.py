"""The server: one process's event loop, listening on sockets for one table, and the end of it.

What it owns: the walk (and with it the upstream pools), the servers on the listening sockets, the TLS of each listener,
and how far it has come with ending.  A configuration is put in force in two steps, so that whoever has several of these
can ask all whether they are able to before any of them does.
"""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

import corsproxy.proxy.authorities_later  # noqa: F401  # before anything else imports aiohttp
from corsproxy.config.table import RuleTable
from corsproxy.errors import UnusableCertificate
from corsproxy.proxy.clock import Clock
from corsproxy.proxy.exchange import Exchange, Observer
from corsproxy.proxy.lanes import lanes
from corsproxy.proxy.listener import Downstream
from corsproxy.proxy.reception import Listener
from corsproxy.proxy.walk import Walk
from corsproxy.server.colleagues import Alone, Colleagues
from corsproxy.server.door import Door
from corsproxy.server.listening import Listening, Opened
from corsproxy.server.metric_families import to_json
from corsproxy.server.metrics import Metrics, standing
from corsproxy.server.observers import Both
from corsproxy.server.sockets import BACKLOG
from corsproxy.server.tls import ListenerTls, server_context

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from aiohttp import web

    from corsproxy.config.addresses import Listen
    from corsproxy.config.load import Compiled
    from corsproxy.config.shadow import Shadow
    from corsproxy.proxy.pools import PreparedPools
    from corsproxy.server.admin import Admin
    from corsproxy.server.shadowing import Shadowing

DRAIN_SECONDS: Final = 10.0  # how long requests in flight may take after stop() has been called

# Turns of the loop after which a connection that it has accepted is known to the listener.
_TURNS: Final = 5

# CPython 3.13 and later would remove the file of a unix socket with the first worker that ends.
_KEEP_FILE: Final[dict[str, Any]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


def _nobody(exchange: Exchange) -> None:
    """Nobody watches."""


def _observer(metrics: Metrics | None, other: Observer | None) -> Observer:
    """Who is told of an exchange: without a layer where there is one to tell."""
    if metrics is None or other is None:
        return metrics or other or _nobody
    # The bound methods: to call an object makes plain Python look for the method each time.
    return Both(metrics.__call__, other).__call__


class Prepared(NamedTuple):
    """A configuration whose files have been read, and which only has to be put in force."""

    compiled: Compiled
    pools: PreparedPools
    contexts: dict[Listen, ssl.SSLContext]  # of listeners with a certificate that has changed


class Mount(Protocol):
    """Whoever adds pages to the admin listener, and what they are about."""

    def __call__(self, application: web.Application, server: Server) -> None:
        """Add them."""


class Server:
    """A proxy for one compiled configuration.

    ``start`` raises OSError when an address cannot be listened on, UnusableCertificate when a file of TLS cannot be
    loaded; nothing is left open then.
    """

    def __init__(
        self,
        compiled: Compiled,
        observe: Observer | None = None,
        *,
        connections: type[Downstream] | None = None,
        mount: Mount | None = None,
    ) -> None:
        self._compiled = compiled
        self._metrics = Metrics() if compiled.admin is not None else None
        self._observe = _observer(self._metrics, observe)
        self._shadowing: Shadowing | None = None  # from the first configuration on that has a shadow
        self._walk = Walk(compiled.table, self._beside(compiled.shadow, compiled.table), Clock())
        made = connections or lanes(os.environ)
        self._lane = "ordinary" if made is Downstream else "fast"
        self._listener = Listener(self._walk, compiled.limits, made)
        self._servers: list[asyncio.Server] = []
        self._doors: list[Door] = []  # what takes the place of a server where clients begin with the PROXY protocol
        self._tls: dict[Listen, ListenerTls] = {}
        self._admin: Admin | None = None
        self._mount = mount
        self._listening: Listening | None = None
        self._own: Listening | None = None  # the same, unless whoever started this has opened it

    @property
    def compiled(self) -> Compiled:
        """The configuration in force."""
        return self._compiled

    @property
    def table(self) -> RuleTable:
        """The table that new requests read."""
        return self._walk.table

    @table.setter
    def table(self, table: RuleTable) -> None:
        self._replace(table, self._walk.pools.prepare(table), self._compiled.shadow)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every TCP socket that is listened on, in the order of the configuration."""
        return self._listening.addresses if self._listening else []

    @property
    def names(self) -> list[str]:
        """Every address that is listened on, as people write it."""
        return self._listening.names if self._listening else []

    @property
    def admin_names(self) -> list[str]:
        """Every address that the admin listener listens on, as people write it; [] when it is off."""
        return self._listening.admin_names if self._listening else []

    @property
    def admin_addresses(self) -> list[tuple[str, int]]:
        """Host and port of the admin listener; [] when it is off."""
        return self._listening.admin_addresses if self._listening else []

    @property
    def in_flight(self) -> int:
        """Exchanges under way."""
        return self._listener.in_flight

    def snapshot(self) -> bytes:
        """The metrics of this process, as its colleagues understand them; b"" where nobody can ask."""
        if self._metrics is None:
            return b""
        clients = cast("list[Downstream]", self._listener.connections)
        shadows = self._shadowing.snapshot() if self._shadowing is not None else {}
        return to_json(
            {**self._metrics.snapshot(), **shadows, **standing(self._walk.pools.in_use, clients, self._lane)}
        )

    async def start(self, listening: Listening | None = None, colleagues: Colleagues | None = None) -> None:
        """Serve on sockets that are open already, or open those of the configuration.

        The admin listener answers for all ``colleagues``; without any this is the only process.
        """
        self._walk.pools.replace(self._walk.pools.prepare(self.table))
        try:
            if listening is None:
                listening = self._own = Listening(self._compiled)
            self._listening = listening
            for opened in listening.clients:
                await self._serve(opened)
            if listening.admin:
                await self._serve_admin(listening.admin, colleagues or Alone(self.snapshot))
        except (OSError, UnusableCertificate):
            await self.stop(0)
            raise
        # What modules and the configuration made lives as long as the process: the collector need not look at it again.
        # Collecting first would hold up the first answer by as much as a tenth of the start, and find next to nothing.
        gc.freeze()

    def prepare(self, compiled: Compiled, renewed: Container[str] = ()) -> Prepared:
        """Make ready what a configuration needs; ``renewed`` are files that hold something else than before.

        Raises UnusableCertificate; nothing has changed then.
        """
        contexts = {
            listen: server_context(listen)
            for listen in self._tls
            if any(file in renewed for file in (listen.tls_cert, listen.tls_key, listen.tls_client_ca))
        }
        return Prepared(compiled, self._walk.pools.prepare(compiled.table, renewed), contexts)

    def put_in_force(self, prepared: Prepared) -> None:
        """Serve by a prepared configuration from the next request on; what has begun goes on as it began.

        The sockets stay what they are.
        """
        self._replace(prepared.compiled.table, prepared.pools, prepared.compiled.shadow)
        self._listener.limits = prepared.compiled.limits
        for listen, context in prepared.contexts.items():
            self._tls[listen].renew(context)
        self._compiled = replace(prepared.compiled, listen=self._compiled.listen, admin=self._compiled.admin)

    async def wind_down(self, seconds: float) -> None:
        """For so long serve on, but be no longer ready, and end every connection with its next answer.

        Balancers in front stop sending then, and clients that keep connections open lose no request on them.
        """
        if self._admin is not None:
            self._admin.draining = True
        self._listener.wind_down()
        await asyncio.sleep(seconds)

    async def stop(self, drain: float = DRAIN_SECONDS) -> None:
        """Stop listening, let requests in flight end for ``drain`` seconds, then break what is left."""
        if self._admin is not None:
            self._admin.draining = True
        self._listener.wind_down()
        for server in self._servers:
            server.close()
        for door in self._doors:
            await door.close()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await self._listener.drain(drain)
        self._walk.close()
        if self._shadowing is not None:
            self._shadowing.flush()
        if self._admin is not None:
            await self._admin.stop()
        if self._own is not None:
            self._own.close()
        self._servers.clear()
        self._doors.clear()
        self._listening = None

    def _beside(self, shadow: Shadow | None, table: RuleTable) -> Observer:
        """Who is told of an exchange under this table: where it has a shadow, whoever asks that first."""
        if self._shadowing is None:
            if shadow is None:
                return self._observe
            from corsproxy.server.shadowing import Shadowing  # noqa: PLC0415  # only who has one pays for its import

            self._shadowing = Shadowing(self._observe)
        return self._shadowing.use(shadow, table)

    def _replace(self, table: RuleTable, pools: PreparedPools, shadow: Shadow | None) -> None:
        self._walk.pools.replace(pools)
        self._walk.table = table
        self._walk.observe = self._beside(shadow, table)
        if self._metrics is not None:
            self._metrics.replaced(table)

    async def _serve(self, opened: Opened) -> None:
        listen, sock = opened
        tls = self._listener_tls(listen)
        if listen.proxy_protocol:
            self._doors.append(Door(sock, self._listener, tls, self._walk.trusts))
            return
        loop = asyncio.get_running_loop()
        # The handshake is part of the time for a head: the loop's own limit would be a minute.
        patience = self._compiled.limits.request_head_timeout if tls else None
        if isinstance(sock.getsockname(), tuple):
            server = await loop.create_server(
                self._listener, sock=sock, ssl=tls, backlog=BACKLOG, ssl_handshake_timeout=patience
            )
        else:
            server = await loop.create_unix_server(
                self._listener, sock=sock, ssl=tls, backlog=BACKLOG, ssl_handshake_timeout=patience, **_KEEP_FILE
            )
        self._servers.append(server)

    def _listener_tls(self, listen: Listen) -> ssl.SSLContext | None:
        if not listen.tls_cert:
            return None
        if listen not in self._tls:
            self._tls[listen] = ListenerTls(listen)
        return self._tls[listen].context

    async def _serve_admin(self, opened: list[Opened], colleagues: Colleagues) -> None:
        from corsproxy.server.admin import Admin  # noqa: PLC0415  # only who asks for it pays for its import

        names = [one.name for one in opened]
        mount = partial(self._mount, server=self) if self._mount is not None else None
        self._admin = Admin([one.sock for one in opened], names, colleagues, self._describe, mount)
        await self._admin.start()

    def _describe(self) -> Mapping[str, object]:
        from corsproxy.server.config_view import described  # noqa: PLC0415  # as above

        return described(self._compiled, self.table)
