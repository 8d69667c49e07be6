"""A request head as the listener received it, its header lines sorted in one pass by what is done with them.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from corsproxy.http.fields import HOP_BY_HOP, by_name, connection_options, list_members
from corsproxy.http.forwarded import FOLD, Forwarding, is_forwarded_field
from corsproxy.http.target import Target

if TYPE_CHECKING:
    from corsproxy.config.table import RuleTable
    from corsproxy.proxy.plan import Answer, Forward, Verdict

Field = tuple[bytes, bytes]


class Client:
    """Who is at the other end of the connection: the peer's address (None on a unix socket), and whether TLS is on."""

    __slots__ = ("_authority", "_forwarding", "_lines", "addressed", "peer", "tls", "verdict")

    def __init__(self, peer: str | None, tls: bool) -> None:  # noqa: FBT001  # a fact about the connection, not a mode
        self.peer = peer
        self.tls = tls
        self._forwarding: Forwarding | None = None  # who wrote the lines, for which authority
        self._authority = b""
        self._lines = b""
        self.addressed: tuple[str, bytes] | None = None  # what its last Host line says, if that is a host
        self.verdict: Verdict | None = None  # what came of the last lines that came again

    def lines(self, forwarding: Forwarding, authority: bytes, head: RequestHead) -> bytes:
        """X-Forwarded-* and Via for the upstream; most requests of a connection have the same as the one before."""
        received = head.fields.forwarded
        if received or head.version != b"1.1":
            return forwarding.lines(self.peer, self.tls, authority, received, head.version)
        if self._forwarding is not forwarding or self._authority != authority:
            self._lines = forwarding.lines(self.peer, self.tls, authority, received, head.version)
            self._forwarding, self._authority = forwarding, authority
        return self._lines


# What is done with a field, as bits: an enum's operators would cost more than everything else that is done here.
_DROP: Final = 0  # it ends at this hop
_PASS: Final = 1  # the upstream gets the line as it came
_READ: Final = 2  # the plan decides by it
_FORWARDED: Final = 4  # it speaks of forwarding; whether it is believed is for Forwarding
_UNUSUAL: Final = 8  # few requests have it, and what it asks for takes a closer look


# Host and Expect are written by the plan, from the rule.
_READ_NAMES: Final = frozenset({b"connection", b"expect", b"host", b"te", b"transfer-encoding", b"upgrade"})
_READ_AND_PASSED_NAMES: Final = frozenset(
    {
        b"accept", b"access-control-request-headers", b"access-control-request-method",
        b"access-control-request-private-network", b"content-length", b"max-forwards", b"origin", b"sec-fetch-site",
        b"traceparent", b"via",
    }
)  # fmt: skip
_JUDGED_NAMES: Final = HOP_BY_HOP | _READ_NAMES | _READ_AND_PASSED_NAMES
_UNUSUAL_NAMES: Final = frozenset(
    {b"connection", b"expect", b"max-forwards", b"te", b"transfer-encoding", b"upgrade", b"via"}
)


@lru_cache(maxsize=4096)  # the same few names come with every request
def _use(written: bytes) -> tuple[bytes, int]:
    """A field name in lower case, and what is done with its line."""
    name = written.lower()
    if name in _READ_AND_PASSED_NAMES:
        return name, _READ | _PASS | (_UNUSUAL if name in _UNUSUAL_NAMES else 0)
    if name in _READ_NAMES:
        return name, _READ | (_UNUSUAL if name in _UNUSUAL_NAMES else 0)
    if is_forwarded_field(name):
        return name, _FORWARDED
    if (folded := name.translate(FOLD)) != name and folded in _JUDGED_NAMES:
        return name, _DROP  # content_length: what this proxy has judged, told once more to a server that folds names
    return name, _DROP if name in HOP_BY_HOP else _PASS


class Line:
    """A header line, and what is done with it; never changed."""

    __slots__ = ("name", "use", "value", "values", "whole", "written")

    def __init__(self, name: bytes, use: int, written: bytes, value: bytes) -> None:
        self.name = name  # lower case
        self.use = use
        self.written = written  # the name as it came
        self.value = value
        self.values: tuple[bytes, ...] = (value,)  # the values of all lines of this name, when it is the only one
        self.whole = written + b": " + value + b"\r\n"  # as it goes on


def header_line(written: bytes, value: bytes) -> Line:
    """The line of a name and a value that a parser has checked."""
    name, use = _use(written)
    if name == b"connection" and value.lower() == b"keep-alive":  # it nominates Keep-Alive, which ends here anyway
        use = _READ
    return Line(name, use, written, value)


_NONE: Final[frozenset[bytes]] = frozenset()


class Fields:
    """The header lines of one request; ``unusual``: whether any has a say about more than the everyday."""

    __slots__ = ("_read", "_whole", "addressed", "forwarded", "host", "origin", "passed", "traceparent", "unusual")

    def __init__(self, lines: Sequence[Field] = ()) -> None:
        self._read: dict[bytes, tuple[bytes, ...]] = {}
        self.passed: list[Line] = []  # what the upstream gets
        self.forwarded: list[Field] = []  # X-Forwarded-* and their like, with lower-case names
        self.unusual = False
        self.host = self.origin = self.traceparent = b""  # what the first such line says
        self.addressed: tuple[str, bytes] | None = None  # what the Host line says, once somebody has read it
        self._whole: bytes | None = None
        if lines:
            self.take([header_line(written, value) for written, value in lines])

    def take(self, lines: list[Line]) -> bool:
        """Sort all the lines, once; whether there is but one of each name."""
        read, passed = self._read, self.passed
        uses = 0
        for line in lines:
            use = line.use
            uses |= use
            read[line.name] = line.values
            if use & _PASS:
                passed.append(line)
        single = len(read) == len(lines)
        if not single:
            self._read = by_name((line.name, line.value) for line in lines)
        if uses & _FORWARDED:
            self.forwarded = [(line.name, line.value) for line in lines if line.use & _FORWARDED]
        self.unusual = bool(uses & _UNUSUAL)
        self.host, self.origin = self.first(b"host"), self.first(b"origin")
        self.traceparent = self.first(b"traceparent")
        return single

    @property
    def whole(self) -> bytes:
        """All lines that the upstream gets, as one."""
        whole = self._whole
        if whole is None:
            whole = self._whole = b"".join([line.whole for line in self.passed])
        return whole

    def all(self, name: bytes) -> tuple[bytes, ...]:
        """The values of every line of this lower-case name; () when there is none."""
        return self._read.get(name, ())

    def first(self, name: bytes) -> bytes:
        """The value of the first such line; b"" when there is none."""
        values = self._read.get(name)
        return values[0] if values else b""

    def nominated(self) -> frozenset[bytes]:
        """The names that the client declared hop-by-hop (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)."""
        return connection_options(self.all(b"connection")) if self.unusual else _NONE

    def upgrade(self) -> bytes:
        """The protocol that the client wants to switch to, lower-case, or b"".

        Only WebSocket is known to keep its meaning through this proxy; h2c and every other upgrade is dropped, which
        a server may always do (https://www.rfc-editor.org/rfc/rfc9110#section-7.8).
        """
        values = self._read.get(b"upgrade") if self.unusual else None
        if not values or b"upgrade" not in list_members([b",".join(self.all(b"connection")).lower()]):
            return b""
        return b"websocket" if [member.lower() for member in list_members(values)] == [b"websocket"] else b""

    def wants_trailers(self) -> bool:
        """Whether the client said that it reads trailers (https://www.rfc-editor.org/rfc/rfc9110#section-10.1.4)."""
        if not self.unusual:
            return False
        return b"trailers" in [member.lower() for member in list_members(self.all(b"te"))]


class RequestHead:
    """The request line, byte for byte, and the header lines; ``version`` is b"1.1".

    ``ordinary`` is the target taken apart, where whoever read the head has seen that it is an ordinary one.
    ``known_lines``: whether the lines are those of the request before it on its connection.  One that comes again as a
    whole may be the same object again (``repeats``); then ``planned`` is what ``client`` was to get by ``table``.
    """

    __slots__ = (
        "client",
        "fields",
        "known_lines",
        "method",
        "ordinary",
        "planned",
        "repeats",
        "table",
        "target",
        "version",
    )

    def __init__(
        self, method: bytes, target: bytes, version: bytes, fields: Fields, ordinary: Target | None = None
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
        self.ordinary = ordinary
        self.known_lines = False
        self.repeats = False
        self.table: RuleTable | None = None
        self.client: Client | None = None
        self.planned: Answer | Forward | None = None
