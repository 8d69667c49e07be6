"""What was seen, added up: each kind of request once, with how often, from where, and when.

Rules: memory is bounded, whatever is sent (what was met longest ago is forgotten first, and that is counted); nothing
of a request is kept but names, the origin and the addresses of a few clients.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from corsproxy.http.needs import CORS, WEBSOCKET, Needs
from corsproxy.tools.learning.places import Place, Places

MOST_KINDS: Final = 10_000
_MOST_CLIENTS: Final = 100  # that are told apart, of one kind
_MOST_NAMES: Final = 100  # headers of one request; more are nobody's
_LONGEST: Final = 256  # characters of an origin or a method
_FAILED: Final = 400


class Seen(NamedTuple):
    """One request, as a source tells it."""

    origin: str  # "" without an Origin header
    host: str
    target: str
    needs: Needs | None  # None: no Origin, or not told
    status: int
    time: float  # seconds since the epoch; 0: not told
    client: str  # "": not told
    source: str


class Kind(NamedTuple):
    """Requests that are alike."""

    place: Place
    origin: str = ""  # "": no page of another origin
    method: str = ""
    preflight: bool = False
    websocket: bool = False
    headers: tuple[str, ...] = ()
    credentials: str = ""
    readable: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """How often something was seen, by how many clients, in which sources, and when first and last."""

    count: int = 0
    first: float = 0.0  # seconds since the epoch; 0: no source says when
    last: float = 0.0
    clients: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)

    def add(self, other: Tally) -> None:
        """Add what was seen elsewhere."""
        self.count += other.count
        times = [time for time in (self.first, other.first) if time]
        self.first, self.last = min(times, default=0.0), max(self.last, other.last)
        self.sources |= other.sources
        self.clients |= other.clients
        while len(self.clients) > _MOST_CLIENTS:
            self.clients.pop()

    def copy(self) -> Tally:
        """The same, for whoever reads it while more is seen."""
        return replace(self, clients=set(self.clients), sources=set(self.sources))

    def __str__(self) -> str:
        """In words, for a comment."""
        times = "once" if self.count == 1 else f"{self.count} times"
        more = "or more " if len(self.clients) == _MOST_CLIENTS else ""
        by = f" by {len(self.clients)} {more}client{'s' if len(self.clients) > 1 else ''}" if self.clients else ""
        return f"{times}{by}{_when(self.first, self.last)}, {' '.join(sorted(self.sources))}"


def together(tallies: Iterable[Tally]) -> Tally:
    """The sum."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole


def _when(first: float, last: float) -> str:
    if not first:
        return ""
    begun, ended = (f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M}" for time in (first, last))
    if begun == ended:
        return f", {begun} UTC"
    return f", {begun} to {ended.removeprefix(begun[: len('2026-01-01 ')])} UTC"


class Evidence:
    """Everything that was seen; ``places`` says where it belongs."""

    def __init__(self, places: Places, most: int = MOST_KINDS) -> None:
        self._forgotten = 0  # kinds, when there were too many
        self._passed_over = 0
        self._places = places
        self._most = most
        self._kinds: OrderedDict[Kind, Tally] = OrderedDict()

    def add(self, seen: Seen) -> None:
        """Count one request."""
        kind = self._kind(seen)
        if kind is None:
            self._passed_over += 1
            return
        tally = self._kinds.get(kind)
        if tally is None:
            tally = self._kinds[kind] = Tally()
            if len(self._kinds) > self._most:
                self._kinds.popitem(last=False)
                self._forgotten += 1
        self._kinds.move_to_end(kind)
        clients = {seen.client} if seen.client else set()
        tally.add(Tally(1, seen.time, seen.time, clients, {seen.source}))

    def kinds(self) -> list[tuple[Kind, Tally]]:
        """All of them as they are now, those met longest ago first."""
        return [(kind, tally.copy()) for kind, tally in self._kinds.items()]

    @property
    def notes(self) -> list[str]:
        """What was not counted, and why."""
        said = {
            f"{self._passed_over} requests need no grant, or are none that a proxy forwards": self._passed_over,
            f"{self._forgotten} kinds of request were forgotten, since there were more than {self._most}; learn from "
            "less at a time": self._forgotten,
        }
        return [words for words, count in said.items() if count]

    def _kind(self, seen: Seen) -> Kind | None:
        place = self._places.find(seen.host, seen.target)
        if place is None:
            return None
        needs = seen.needs
        if needs is None or needs.mode not in {CORS, WEBSOCKET}:
            # It needs a way, and no grant; what was refused or not found needs neither.
            return Kind(place) if 0 < seen.status < _FAILED else None
        if len(seen.origin) > _LONGEST or len(needs.method) > _LONGEST or len(needs.headers) > _MOST_NAMES:
            return None
        return Kind(
            place,
            seen.origin,
            needs.method.decode("latin-1"),
            needs.preflight,
            needs.mode == WEBSOCKET,
            tuple(name.decode("latin-1") for name in needs.headers),
            needs.credentials,
            tuple(name.decode("latin-1") for name in needs.readable[:_MOST_NAMES]),
        )
