"""A request head as the listener received it, its header lines sorted in one pass by what is done with them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from corsproxy.http.fields import HOP_BY_HOP, connection_options, list_members
from corsproxy.http.forwarded import FOLD, is_forwarded_field

Field = tuple[bytes, bytes]


class Client(NamedTuple):
    """Who is at the other end of the connection: the peer's address (None on a unix socket), and whether TLS is on."""

    peer: str | None
    tls: bool


# What is done with a field, as bits: an enum's operators would cost more than everything else that is done here.
_DROP = 0  # it ends at this hop
_PASS = 1  # the upstream gets the line as it came
_READ = 2  # the plan decides by it
_FORWARDED = 4  # it speaks of forwarding; whether it is believed is for Forwarding


# Host and Expect are written by the plan, from the rule.
_READ_NAMES = frozenset({b"connection", b"expect", b"host", b"te", b"transfer-encoding", b"upgrade"})
_READ_AND_PASSED_NAMES = frozenset(
    {
        b"accept", b"access-control-request-headers", b"access-control-request-method",
        b"access-control-request-private-network", b"content-length", b"max-forwards", b"origin", b"sec-fetch-site",
        b"traceparent", b"via",
    }
)  # fmt: skip
_JUDGED_NAMES = HOP_BY_HOP | _READ_NAMES | _READ_AND_PASSED_NAMES


@lru_cache(maxsize=4096)  # the same few names come with every request
def _use(written: bytes) -> tuple[bytes, int]:
    """A field name in lower case, and what is done with its line."""
    name = written.lower()
    if name in _READ_AND_PASSED_NAMES:
        return name, _READ | _PASS
    if name in _READ_NAMES:
        return name, _READ
    if is_forwarded_field(name):
        return name, _FORWARDED
    if (folded := name.translate(FOLD)) != name and folded in _JUDGED_NAMES:
        return name, _DROP  # content_length: what this proxy has judged, told once more to a server that folds names
    return name, _DROP if name in HOP_BY_HOP else _PASS


@dataclass(slots=True)  # never changed; frozen ones cost three times as much to make, and a named tuple more to read
class Line:
    """A header line, and what is done with it."""

    name: bytes  # lower case
    use: int
    written: bytes  # the name as it came
    value: bytes
    values: tuple[bytes, ...]  # the value again, as the values of all lines of this name when it is the only one
    whole: bytes  # as it goes on, with CRLF


def header_line(written: bytes, value: bytes) -> Line:
    """The line of a name and a value that a parser has checked."""
    name, use = _use(written)
    return Line(name, use, written, value, (value,), b"%b: %b\r\n" % (written, value))


_GO_ON = (b"keep-alive",)  # it nominates Keep-Alive, which ends at this hop anyway
_NONE: frozenset[bytes] = frozenset()


class Fields:
    """The header lines of one request."""

    __slots__ = ("_read", "forwarded", "passed")

    def __init__(self, lines: Iterable[Field]) -> None:
        self._read: dict[bytes, tuple[bytes, ...]] = {}
        self.passed: list[Line] = []  # what the upstream gets
        self.forwarded: list[Field] = []  # X-Forwarded-* and their like, with lower-case names
        for written, value in lines:
            line = header_line(written, value)
            self._read[line.name] = (*self._read.get(line.name, ()), value)
            self._sort(line)

    @classmethod
    def of_distinct(cls, lines: dict[bytes, Line]) -> Fields:
        """The same of lines that have been made already, by their names, of which no two are alike."""
        fields = cls(())
        read, passed = fields._read, fields.passed  # its own class's
        for name, line in lines.items():
            read[name] = line.values
            if line.use & _PASS:
                passed.append(line)
            elif line.use & _FORWARDED:
                fields.forwarded.append((name, line.value))
        return fields

    def _sort(self, line: Line) -> None:
        if line.use & _PASS:
            self.passed.append(line)
        elif line.use & _FORWARDED:
            self.forwarded.append((line.name, line.value))

    def all(self, name: bytes) -> Sequence[bytes]:
        """The values of every line of this lower-case name; () when there is none."""
        return self._read.get(name, ())

    def first(self, name: bytes) -> bytes:
        """The value of the first such line; b"" when there is none."""
        values = self._read.get(name)
        return values[0] if values else b""

    def nominated(self) -> frozenset[bytes]:
        """The names that the client declared hop-by-hop (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)."""
        values = self._read.get(b"connection")
        if values is None or values == _GO_ON:
            return _NONE
        return connection_options(values)

    def upgrade(self) -> bytes:
        """The protocol that the client wants to switch to, lower-case, or b"".

        Only WebSocket is known to keep its meaning through this proxy; h2c and every other upgrade is dropped, which
        a server may always do (https://www.rfc-editor.org/rfc/rfc9110#section-7.8).
        """
        values = self._read.get(b"upgrade")
        if not values or b"upgrade" not in list_members([b",".join(self.all(b"connection")).lower()]):
            return b""
        return b"websocket" if [member.lower() for member in list_members(values)] == [b"websocket"] else b""

    def wants_trailers(self) -> bool:
        """Whether the client said that it reads trailers (https://www.rfc-editor.org/rfc/rfc9110#section-10.1.4)."""
        values = self._read.get(b"te")
        return bool(values) and b"trailers" in [member.lower() for member in list_members(values or ())]


class RequestHead(NamedTuple):
    """The request line, byte for byte, and the header lines; ``version`` is b"1.1"."""

    method: bytes
    target: bytes
    version: bytes
    fields: Fields
