"""The connections to one upstream that are open and idle, and the making of new ones.

``at_hand`` gives an idle connection at once, or none; ``acquire`` may wait, for a place among the requests in flight
and for a new connection.  Whoever has got one gives it back by ending the exchange: the connection itself tells the
pool that it may serve again, or that it is lost, and why.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from functools import partial
from typing import Final, cast

from corsproxy.config.table import Endpoint, Upstream
from corsproxy.errors import ConnectFailed, ConnectionLost, MalformedResponse, StaleConnection, UpstreamTimeout
from corsproxy.proxy.balance import Balance, Member
from corsproxy.proxy.checks import Checks
from corsproxy.proxy.client_tls import client_context
from corsproxy.proxy.dial import Resolver, dial, is_name
from corsproxy.proxy.places import Places
from corsproxy.proxy.upstream import UpstreamConnection

# Seconds that an idle connection is kept.  Servers close theirs after 5 (Node), 60 or 75 (nginx); a closed one is
# noticed and forgotten, so that this only bounds how long sockets stand open for nothing.
IDLE_LIFETIME: Final = 55.0

# Seconds after which a connection to a name serves no further request: its address may no longer be the name's.
NAMED_LIFETIME: Final = 60.0

# Time-outs of connecting after which one request tries no further endpoint.  Those that refuse cost no time, and are
# passed over however many there are.
_MOST_TIMEOUTS: Final = 2


class Pool:
    """Connections to one upstream, over its endpoints; raises UnusableCertificate for its TLS files.

    ``rand`` gives numbers from 0 to 1, by which endpoints are picked.
    """

    def __init__(
        self, upstream: Upstream, resolver: Resolver | None = None, rand: Callable[[], float] = random.random
    ) -> None:
        self._upstream = upstream
        self.ejections = 0  # how often an endpoint has been left out after failures
        self._loop = asyncio.get_running_loop()
        self._resolver = resolver or Resolver()
        self._members = [Member(endpoint) for endpoint in upstream.endpoints]
        self._sole = self._members[0] if len(self._members) == 1 else None
        self._balance = Balance(self._members, rand, self._loop.time)
        self._places = Places(upstream.max_requests, upstream.max_queue, upstream.timeouts.queue)
        self._sweeper: asyncio.TimerHandle | None = None
        self._retired = False
        self._chosen: Member | None = None  # to choose again would prefer those that have idle ones
        self._ssl = client_context(upstream.tls) if any(endpoint.tls for endpoint in upstream.endpoints) else None
        check = upstream.health_check
        self._checks = Checks(check, self._members, self._dial, self._balance.sort) if check else None

    def at_hand(self) -> UpstreamConnection | None:
        """An idle connection that is ready for a request, or None: then ``acquire`` has to be waited for."""
        if self._places.free <= 0:
            return None
        member = self._sole or self._balance.choose()
        connection = member.take_idle()
        if connection is None:
            self._chosen = member
        else:
            self._places.free -= 1
        return connection

    async def acquire(self, *, fresh: bool = False) -> UpstreamConnection:
        """A connection that is ready for a request; ``fresh`` refuses an idle one, which may be stale.

        An endpoint that cannot be reached is passed over: nothing has been sent to it.  Raises ConnectFailed or
        UpstreamTimeout for the last one that was tried, and Overloaded when too many requests are in flight.
        """
        await self._places.enter()
        try:
            return await self._connected(fresh=fresh)
        except BaseException:
            self._places.leave()
            raise

    def connections(self) -> tuple[int, int]:
        """How many connections serve an exchange now, and how many are idle."""
        return sum(len(member.busy) for member in self._members), sum(len(member.idle) for member in self._members)

    def retire(self) -> None:
        """Keep no connection from now on: what is idle ends at once, and the rest with its exchange; check no more."""
        self._retired = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._checks is not None:
            self._checks.stop()
        for member in self._members:
            for connection in [*member.idle]:
                connection.close()

    def close(self) -> None:
        """Close what is idle, and break what is not."""
        self.retire()
        self._places.refuse_all(ConnectFailed("the proxy is ending"))
        for member in self._members:
            for connection in [*member.busy]:
                connection.close()

    async def _connected(self, *, fresh: bool) -> UpstreamConnection:
        tried: list[Member] = []
        timeouts = 0
        while True:
            member = self._chosen or self._balance.choose(tried)
            self._chosen = None
            connection = None if fresh else member.take_idle()
            if connection is not None:
                return connection
            try:
                return await self._connect(member)
            except (ConnectFailed, UpstreamTimeout) as failure:
                tried.append(member)
                timeouts += isinstance(failure, UpstreamTimeout)
                if len(tried) == len(self._members) or timeouts == _MOST_TIMEOUTS:
                    raise

    async def _connect(self, member: Member) -> UpstreamConnection:
        """A new connection; what it teaches of the member's health is kept."""
        endpoint, limits = member.endpoint, self._upstream.timeouts
        connection = UpstreamConnection(
            endpoint, limits, partial(self._put_idle, member), partial(self._forget, member)
        )
        if member.health.returns_at is not None and member.health.trial is None:
            member.health.trial = connection
        member.connecting += 1
        try:
            async with asyncio.timeout(limits.connect):
                await self._dial(endpoint, connection)
        except TimeoutError:
            self._failed(member, connection)
            raise UpstreamTimeout(
                "it did not accept a connection in time", str(endpoint), limit="timeouts.connect"
            ) from None
        except (ConnectFailed, OSError) as error:  # ssl.SSLError too
            self._failed(member, connection)
            raise _translated(error, endpoint) from error
        except BaseException:
            member.health.gave_up(connection)
            raise
        finally:
            member.connecting -= 1
        if is_name(endpoint):
            connection.expires = self._loop.time() + NAMED_LIFETIME
        member.busy.add(connection)
        return connection

    async def _dial(self, endpoint: Endpoint, connection: UpstreamConnection) -> None:
        context = self._ssl if endpoint.tls else None
        name = (self._upstream.tls.server_name or endpoint.host) if endpoint.tls else None
        await dial(endpoint, cast("asyncio.Protocol", connection), self._resolver, context, name)

    # what the connections tell

    def _put_idle(self, member: Member, connection: UpstreamConnection) -> None:
        """It has served, and may serve again."""
        member.busy.discard(connection)
        self._places.leave()
        if not member.health.spotless:
            self._succeeded(member)
        now = self._loop.time()
        if now >= connection.expires or self._retired:
            connection.close()
            return
        connection.idle_since = now
        member.idle.append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(IDLE_LIFETIME, self._sweep)

    def _forget(self, member: Member, connection: UpstreamConnection) -> None:
        """It has ended."""
        if connection not in member.busy:
            if connection in member.idle:
                member.idle.remove(connection)
            return
        member.busy.remove(connection)
        self._places.leave()
        if _is_blamed(connection.failure):
            self._failed(member, connection)
        elif connection.answered and not member.health.spotless:
            self._succeeded(member)
        member.health.gave_up(connection)

    def _succeeded(self, member: Member) -> None:
        member.health.succeeded()
        self._balance.sort()

    def _failed(self, member: Member, connection: UpstreamConnection) -> None:
        """Learn from a failure; an endpoint that is ejected loses its idle connections, which are likely dead too."""
        if self._sole is not None:  # there is no other to turn to
            return
        before = member.health.returns_at
        member.health.failed(self._loop.time(), connection)
        self.ejections += member.health.returns_at != before
        self._balance.sort()
        if not member.health.well:
            for idle in [*member.idle]:
                idle.close()

    def _sweep(self) -> None:
        """Close what has been idle too long; the lists are in the order of ``idle_since``."""
        self._sweeper = None
        oldest = self._loop.time() - IDLE_LIFETIME
        for member in self._members:
            while member.idle and member.idle[0].idle_since <= oldest:
                member.idle.pop(0).close()
        if any(member.idle for member in self._members):
            self._sweeper = self._loop.call_later(IDLE_LIFETIME / 2, self._sweep)


def _is_blamed(failure: Exception | None) -> bool:
    """Whether a failure speaks against the endpoint.

    A connection that was closed while it was idle says nothing about a new one, and of what lasts too long or grows too
    large the limits may be to blame.
    """
    if isinstance(failure, UpstreamTimeout):
        return failure.limit == "timeouts.response"
    return isinstance(failure, ConnectionLost | MalformedResponse) and not isinstance(failure, StaleConnection)


def _translated(error: ConnectFailed | OSError, endpoint: Endpoint) -> ConnectFailed:
    """What the system says of a connection that did not come about, in this program's words."""
    if isinstance(error, ConnectFailed):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectFailed("its certificate is not accepted", f"{endpoint}: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return ConnectFailed("the TLS handshake with it failed", f"{endpoint}: {error}")
    return ConnectFailed("it cannot be reached", f"{endpoint}: {error}")
