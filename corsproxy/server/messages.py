"""What parent and workers say to each other over their socket pairs: a kind, and bytes whose meaning it has.

Rules: a message is whole or not there; whoever reads never waits for the rest of one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

_HEAD: Final = struct.Struct("!IB")


class Kind(IntEnum):
    """What a message is about.  A generation numbers the configurations, a round the requests for snapshots."""

    # from a worker
    READY = 1  # it serves
    BEAT = 2  # its loop turns
    PREPARED = 3  # generation
    REFUSED = 4  # {generation, problem}
    GATHER = 5  # the snapshots of all, please
    SNAPSHOT = 6  # round, newline, snapshot
    # from the parent
    LOAD = 11  # {generation, content, shadow, renewed, tried}: make this configuration ready
    COMMIT = 12  # generation: put it in force
    DISCARD = 13  # generation: forget it
    ASK = 14  # round: your snapshot, please
    GATHERED = 15  # messages of the two kinds below, one after the other
    STATE = 16
    ONE = 17
    DRAIN = 18  # {delay, timeout}: end in an orderly way
    END = 19  # end at once


def message(kind: Kind, payload: bytes = b"") -> bytes:
    """A message as it is sent."""
    return _HEAD.pack(len(payload), kind) + payload


class Messages:
    """Cuts what arrives into messages."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """The messages that are whole by now."""
        self._pending += data
        while len(self._pending) >= _HEAD.size:
            length, kind = _HEAD.unpack_from(self._pending)
            end = _HEAD.size + length
            if len(self._pending) < end:
                return
            payload = bytes(self._pending[_HEAD.size : end])
            del self._pending[:end]
            yield Kind(kind), payload
