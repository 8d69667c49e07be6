"""Who holds how many connections to this process, and what becomes of one too many.

One client must not take all of them.  An address is often more than one client, though: a load balancer, a company, the
gateway of a container network.  So addresses are not counted unless it is asked for, and never those of the proxies
that the configuration trusts, nor a unix socket, whose peers have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from corsproxy.http.answers import RETRY_AFTER, OwnAnswer

if TYPE_CHECKING:
    from corsproxy.config.load import Limits

FULL: Final = OwnAnswer(503, "the proxy has as many connections as it is allowed", RETRY_AFTER, "max_connections")
FULL_FOR_CLIENT: Final = OwnAnswer(
    503, "this address has as many connections as it is allowed", RETRY_AFTER, "max_connections_per_client"
)
UNREAD: Final = OwnAnswer(503, "")  # never sent: the connection is closed

# Beyond this many times its limit a connection is closed unread; up to it, its request is read and refused with an
# answer that the page can read.
_HARD_LIMIT: Final = 2


class Occupancy:
    """Judges each new connection by the limits; ``exempt`` tells whose address is not counted."""

    __slots__ = ("_counts", "_exempt", "_most", "_most_per_client")

    def __init__(self, limits: Limits, exempt: Callable[[str], bool]) -> None:
        self._most = limits.max_connections
        self._most_per_client = limits.max_connections_per_client
        self._exempt = exempt
        self._counts: dict[str, int] = {}

    def change(self, limits: Limits) -> None:
        """Judge by other limits from now on; those who are in stay in."""
        self._most = limits.max_connections
        self._most_per_client = limits.max_connections_per_client

    def enter(self, peer: str | None, taken: int) -> OwnAnswer | None:
        """Why a new connection is refused, None for not at all; ``taken`` are all that there are, with this one."""
        limit, own = self._most_per_client, 0
        if limit is not None and peer is not None and not self._exempt(peer):
            own = self._counts[peer] = self._counts.get(peer, 0) + 1
        if taken > _HARD_LIMIT * self._most or own > _HARD_LIMIT * (limit or 0):
            return UNREAD
        if taken > self._most:
            return FULL
        return FULL_FOR_CLIENT if own > (limit or 0) else None

    def leave(self, peer: str | None) -> None:
        """A connection has ended; one that was not counted changes nothing."""
        if peer in self._counts:
            self._counts[peer] -= 1
            if not self._counts[peer]:
                del self._counts[peer]
