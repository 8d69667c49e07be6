"""A response head as the upstream sent it, its lines sorted by what is done with them on the way back.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from corsproxy.http.fields import HOP_BY_HOP, SPEAKS_FOR_THE_UPSTREAM

Field = tuple[bytes, bytes]

REWRITTEN: Final = frozenset({b"content-location", b"link", b"location", b"refresh", b"set-cookie"})

# Lines that end here, or that the policy may write in the upstream's place.
_JUDGED: Final = (
    HOP_BY_HOP | SPEAKS_FOR_THE_UPSTREAM | {b"cross-origin-resource-policy", b"timing-allow-origin", b"vary"}
)


@dataclass(slots=True)  # as Line, in request.py
class ReceivedLine:
    """A header line of a response."""

    name: bytes  # lower case
    field: Field  # name and value as they came
    whole: bytes  # as it goes on, with CRLF
    plain: bool  # nothing but a rule's own edits can keep or change it


@lru_cache(maxsize=4096)  # the same few names come with every response
def _kind(written: bytes) -> tuple[bytes, bool]:
    """A field name in lower case, and whether its line is plain."""
    name = written.lower()
    return name, name not in _JUDGED and name not in REWRITTEN and not name.startswith(b"access-control-")


def received_line(written: bytes, value: bytes) -> ReceivedLine:
    """The line of a name and a value that a parser has checked."""
    name, plain = _kind(written)
    return ReceivedLine(name, (written, value), b"%b: %b\r\n" % (written, value), plain)


class ResponseHead:
    """A response head as the upstream sent it, checked by the parser; ``version`` is b"1.1"."""

    __slots__ = ("_values", "lines", "reason", "status", "version")

    def __init__(self, version: bytes, status: int, reason: bytes, lines: Sequence[ReceivedLine]) -> None:
        self.version = version
        self.status = status
        self.reason = reason
        self.lines = lines
        self._values: dict[bytes, tuple[bytes, ...]] = {}
        for line in lines:
            if line.name in self._values:
                self._values[line.name] += (line.field[1],)
            else:
                self._values[line.name] = (line.field[1],)

    @property
    def fields(self) -> Sequence[Field]:
        """Name and value of every line, as they came."""
        return [line.field for line in self.lines]

    @property
    def names(self) -> Iterable[bytes]:
        """The lower-case names of the lines, each once."""
        return self._values.keys()

    def all(self, name: bytes) -> tuple[bytes, ...]:
        """The values of every line of that lower-case name."""
        return self._values.get(name, ())
