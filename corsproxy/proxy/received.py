"""A response head as the upstream sent it, its lines sorted by what is done with them on the way back.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from corsproxy.http.fields import HOP_BY_HOP, SPEAKS_FOR_THE_UPSTREAM, by_name, connection_options
from corsproxy.proxy.framing import Framing

if TYPE_CHECKING:
    from corsproxy.proxy.response import Told

Field = tuple[bytes, bytes]

REWRITTEN: Final = frozenset({b"content-location", b"link", b"location", b"refresh", b"set-cookie"})

# Lines that end here, or that the policy may write in the upstream's place.
_JUDGED: Final = (
    HOP_BY_HOP | SPEAKS_FOR_THE_UPSTREAM | {b"cross-origin-resource-policy", b"timing-allow-origin", b"vary"}
)


class ReceivedLine:
    """A header line of a response; never changed."""

    __slots__ = ("field", "name", "plain", "values", "whole")

    def __init__(self, name: bytes, written: bytes, value: bytes, plain: bool) -> None:  # noqa: FBT001  # a fact
        self.name = name  # lower case
        self.field = (written, value)  # as they came
        self.values: tuple[bytes, ...] = (value,)  # the values of all lines of this name, when it is the only one
        self.whole = b"%b: %b\r\n" % (written, value)  # as it goes on
        self.plain = plain  # nothing but a rule's own edits can keep or change it


@lru_cache(maxsize=4096)  # the same few names come with every response
def _kind(written: bytes) -> tuple[bytes, bool]:
    """A field name in lower case, and whether its line is plain."""
    name = written.lower()
    return name, name not in _JUDGED and name not in REWRITTEN and not name.startswith(b"access-control-")


def received_line(written: bytes, value: bytes) -> ReceivedLine:
    """The line of a name and a value that a parser has checked."""
    name, plain = _kind(written)
    return ReceivedLine(name, written, value, plain)


class Status:
    """A status code, its reason phrase, and the line that tells the client of both."""

    __slots__ = ("code", "line", "reason")

    def __init__(self, code: int, reason: bytes) -> None:
        self.code = code
        self.reason = reason
        self.line = b"HTTP/1.1 %d %b\r\n" % (code, reason)


_NONE: Final[frozenset[bytes]] = frozenset()


class ResponseHead:
    """A response head as the upstream sent it, checked by the parser; ``version`` is b"1.1".

    One that comes again, byte for byte, may be the same object again (``repeats``), and what was found out about it is
    kept with it.
    """

    __slots__ = (
        "_fields",
        "_values",
        "framing",
        "lines",
        "options",
        "persists",
        "repeats",
        "start",
        "status",
        "told",
        "version",
    )

    def __init__(self, version: bytes, start: Status, lines: list[ReceivedLine]) -> None:
        self.version = version
        self.start = start
        self.status = start.code
        self.lines = lines
        values = {line.name: line.values for line in lines}
        self._values = values if len(values) == len(lines) else by_name((line.name, line.field[1]) for line in lines)
        self._fields: list[Field] | None = None
        connection = values.get(b"connection")
        # The names that it declares hop-by-hop, and whether the upstream keeps the connection
        # (https://www.rfc-editor.org/rfc/rfc9112#section-9.3).
        self.options = connection_options(self.all(b"connection")) if connection else _NONE
        self.persists = b"close" not in self.options and (version == b"1.1" or b"keep-alive" in self.options)
        self.repeats = False
        self.framing: Framing | None = None  # of the body that follows, unless HEAD was asked; once somebody has asked
        self.told: Told | None = None  # what the last client was told of it, if it repeats

    @property
    def fields(self) -> Sequence[Field]:
        """Name and value of every line, as they came."""
        fields = self._fields
        if fields is None:
            fields = self._fields = [line.field for line in self.lines]
        return fields

    @property
    def names(self) -> Iterable[bytes]:
        """The lower-case names of the lines, each once."""
        return self._values.keys()

    def all(self, name: bytes) -> tuple[bytes, ...]:
        """The values of every line of that lower-case name."""
        return self._values.get(name, ())
