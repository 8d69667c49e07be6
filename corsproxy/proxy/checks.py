"""Active health checks: a request of the proxy's own to each endpoint, again and again, while its pool lives.

It takes no part in what clients' requests count: no place among those in flight, no connection of theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from corsproxy.config.table import Endpoint, HealthCheck, Timeouts
from corsproxy.errors import UpstreamError
from corsproxy.proxy.balance import Member
from corsproxy.proxy.framing import Framing
from corsproxy.proxy.pieces import Piece
from corsproxy.proxy.received import Field, ResponseHead
from corsproxy.proxy.upstream import UpstreamConnection

Dial = Callable[[Endpoint, UpstreamConnection], Awaitable[None]]

_HEAD = b"GET %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: corsproxy\r\nConnection: close\r\n\r\n"

# The check has one limit for all, its own.
_NO_LIMITS = Timeouts(connect=None, response=None, idle=None)


class Checks:
    """Checks ``members`` until ``stop``; ``changed`` is told after each verdict."""

    def __init__(self, check: HealthCheck, members: Sequence[Member], dial: Dial, changed: Callable[[], None]) -> None:
        self._check = check
        self._dial = dial
        self._changed = changed
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._repeat(member)) for member in members]

    def stop(self) -> None:
        """Check no more; one that is under way is broken off."""
        for task in self._tasks:
            task.cancel()

    async def _repeat(self, member: Member) -> None:
        while True:
            member.health.checked(well=await self._is_well(member.endpoint))
            self._changed()
            await asyncio.sleep(self._check.interval)

    async def _is_well(self, endpoint: Endpoint) -> bool:
        verdict = _Verdict()
        connection = UpstreamConnection(endpoint, _NO_LIMITS, UpstreamConnection.close, _nothing)
        head = _HEAD % (self._check.target, endpoint.authority)
        try:
            async with asyncio.timeout(self._check.timeout):
                await self._dial(endpoint, connection)
                try:
                    connection.begin(head, b"GET", verdict, upgrade=b"", whole=True)
                    return await verdict.ended
                finally:
                    connection.close()
        except (UpstreamError, OSError):  # TimeoutError is an OSError
            return False


def _nothing(connection: UpstreamConnection) -> None:
    """Nobody keeps it."""


class _Verdict:
    """Receives the answer to one check; ``ended`` says whether it was well."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._status = 0

    def interim(self, head: ResponseHead) -> None:
        """A 1xx says nothing yet."""

    def head(self, head: ResponseHead, framing: Framing) -> None:  # noqa: ARG002  # the signature of a Sink
        """The status is all that counts."""
        self._status = head.status

    def body(self, piece: Piece) -> None:
        """Nobody reads it."""

    def end(self, trailers: Sequence[Field]) -> None:  # noqa: ARG002  # the signature of a Sink
        """It is whole."""
        if not self.ended.done():
            self.ended.set_result(200 <= self._status < 400)

    def switched(self, head: ResponseHead, rest: bytes) -> None:
        """Never: no upgrade was asked for."""

    def flush(self) -> None:
        """Nothing is held back."""

    def done(self) -> None:
        """The connection is of no further use."""

    def failed(self, error: Exception) -> None:
        """There is no whole answer."""
        if not self.ended.done():
            self.ended.set_exception(error)
