"""The connections to one upstream that are open and idle, and the making of new ones.

An idle connection is found last in, first out: the one used most recently is the least likely to be stale.
"""

from __future__ import annotations

import asyncio
import ssl

from corsproxy.config.table import Endpoint, Upstream
from corsproxy.errors import ConnectFailed, UpstreamTimeout
from corsproxy.proxy.client_tls import client_context
from corsproxy.proxy.upstream import UpstreamConnection

# Seconds that an idle connection is kept.  Servers close theirs after 5 (Node), 60 or 75 (nginx); a closed one is
# noticed and forgotten, so that this only bounds how long sockets stand open for nothing.
IDLE_LIFETIME = 55.0


class Pool:
    """Connections to one upstream, over its endpoints in turn; raises UnusableCertificate for its TLS files."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._idle: dict[Endpoint, list[UpstreamConnection]] = {endpoint: [] for endpoint in upstream.endpoints}
        self._turn = 0  # the endpoint that the next request tries first
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self._busy: set[UpstreamConnection] = set()
        self._ssl = client_context(upstream.tls) if any(endpoint.tls for endpoint in upstream.endpoints) else None

    def at_hand(self) -> UpstreamConnection | None:
        """An idle connection to the endpoint whose turn it is; None: ``acquire`` finds one elsewhere, or makes it."""
        endpoints, turn = self._upstream.endpoints, self._turn
        connection = self._take_idle(endpoints[turn])
        if connection is not None:
            self._turn = (turn + 1) % len(endpoints)
        return connection

    async def acquire(self, *, fresh: bool = False) -> UpstreamConnection:
        """A connection that is ready for a request; ``fresh`` refuses an idle one, which may be stale.

        Every endpoint is tried once, in turn.  Raises ConnectFailed, or UpstreamTimeout when the last one did not
        answer in time.
        """
        endpoints, turn = self._upstream.endpoints, self._turn
        self._turn = (turn + 1) % len(endpoints)
        error: ConnectFailed | UpstreamTimeout = ConnectFailed("it has no endpoint")
        for endpoint in (*endpoints[turn:], *endpoints[:turn]):
            connection = None if fresh else self._take_idle(endpoint)
            if connection is not None:
                return connection
            try:
                return await self._connect(endpoint)
            except (ConnectFailed, UpstreamTimeout) as failure:
                error = failure
        raise error

    def close(self) -> None:
        """Close what is idle, and break what is not."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in [*self._busy, *(connection for idle in self._idle.values() for connection in idle)]:
            connection.close()

    def _take_idle(self, endpoint: Endpoint) -> UpstreamConnection | None:
        idle = self._idle[endpoint]
        while idle:
            connection = idle.pop()
            if connection.usable:
                self._busy.add(connection)
                return connection
        return None

    async def _connect(self, endpoint: Endpoint) -> UpstreamConnection:
        connection = UpstreamConnection(endpoint, self._upstream.timeouts, self._put_idle, self._forget)
        context = self._ssl if endpoint.tls else None
        name = (self._upstream.tls.server_name or endpoint.host) if endpoint.tls else None
        try:
            async with asyncio.timeout(self._upstream.timeouts.connect):
                if endpoint.unix_path:
                    await self._loop.create_unix_connection(lambda: connection, endpoint.unix_path)
                else:
                    await self._loop.create_connection(
                        lambda: connection, endpoint.host, endpoint.port, ssl=context, server_hostname=name
                    )
        except TimeoutError:
            raise UpstreamTimeout("it did not accept a connection in time", str(endpoint)) from None
        except ssl.SSLCertVerificationError as error:
            detail = f"{endpoint}: {error.verify_message}"
            raise ConnectFailed("its certificate is not accepted", detail) from error
        except ssl.SSLError as error:
            raise ConnectFailed("the TLS handshake with it failed", f"{endpoint}: {error}") from error
        except OSError as error:
            raise ConnectFailed("it cannot be reached", f"{endpoint}: {error}") from error
        self._busy.add(connection)
        return connection

    def _put_idle(self, connection: UpstreamConnection) -> None:
        self._busy.discard(connection)
        connection.idle_since = self._loop.time()
        self._idle[connection.endpoint].append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(IDLE_LIFETIME, self._sweep)

    def _forget(self, connection: UpstreamConnection) -> None:
        self._busy.discard(connection)
        idle = self._idle[connection.endpoint]
        if connection in idle:
            idle.remove(connection)

    def _sweep(self) -> None:
        """Close what has been idle too long; the lists are in the order of ``idle_since``."""
        self._sweeper = None
        oldest = self._loop.time() - IDLE_LIFETIME
        for idle in self._idle.values():
            while idle and idle[0].idle_since <= oldest:
                idle.pop(0).close()
        if any(self._idle.values()):
            self._sweeper = self._loop.call_later(IDLE_LIFETIME / 2, self._sweep)
