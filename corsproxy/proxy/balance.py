"""Which of an upstream's endpoints gets the next request.

Of two that are picked at random, the one with fewer requests in flight: nearly as even as asking all of them, and no
herd runs to the one that looks best (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
Endpoints that are not well are passed over, as long as another is: evidence alone never refuses a request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from corsproxy.config.table import Endpoint
from corsproxy.proxy.health import Health
from corsproxy.proxy.upstream import UpstreamConnection


class Member:
    """One endpoint of a pool: its connections, and its health."""

    __slots__ = ("busy", "connecting", "endpoint", "health", "idle")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.health = Health()
        self.idle: list[UpstreamConnection] = []  # in the order in which they became idle
        self.busy: set[UpstreamConnection] = set()
        self.connecting = 0

    @property
    def in_flight(self) -> int:
        """Its requests, tunnels and those whose connection is being made included."""
        return len(self.busy) + self.connecting

    def take_idle(self) -> UpstreamConnection | None:
        """The connection that was used last, which is the least likely to be stale; it is busy from now on."""
        while self.idle:
            connection = self.idle.pop()
            if connection.usable:
                self.busy.add(connection)
                return connection
        return None


class Balance:
    """Chooses among ``members``; ``random`` gives numbers from 0 to 1, ``now`` the time."""

    def __init__(self, members: Sequence[Member], random: Callable[[], float], now: Callable[[], float]) -> None:
        self._members = members
        self._random = random
        self._now = now
        self._well = list(members)
        self._ejected: list[Member] = []

    def sort(self) -> None:
        """Look at everybody's health anew, since somebody's has changed."""
        self._well = [member for member in self._members if member.health.well]
        self._ejected = [member for member in self._members if member.health.returns_at is not None]

    def choose(self, tried: Collection[Member] = ()) -> Member:
        """The member for the next request, none of those ``tried`` unless all were."""
        if self._ejected:
            member = self._to_try()
            if member is not None and member not in tried:
                return member
        if not tried:
            return self._of_two(self._well or self._members)
        left = [member for member in self._members if member not in tried]
        return self._of_two([member for member in left if member.health.well] or left or self._members)

    def _to_try(self) -> Member | None:
        """An ejected member that a request should try now."""
        now = self._now()
        for member in self._ejected:
            trial = member.health.trial
            if trial is not None and trial.answered:  # the head has come; a stream's end may be far
                member.health.succeeded()
                self.sort()
                return member
            if member.health.due(now):
                return member
        return None

    def _of_two(self, members: Sequence[Member]) -> Member:
        count = len(members)
        if count == 1:
            return members[0]
        first, second = int(self._random() * count), int(self._random() * (count - 1))
        one, other = members[first], members[second + (second >= first)]
        return other if other.in_flight < one.in_flight else one
