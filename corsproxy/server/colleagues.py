"""What the processes of one proxy know of each other: the state that they share, and a snapshot from each of them.

With one worker there is nobody to ask (``Alone``).  With several, ``worker_channel.py`` asks the parent,
which asks every worker; so whichever worker is asked over the admin listener, which they share, answers for all.

For metrics: a worker answers a request for its snapshot with bytes of its own choice (``Snapshot``), and what those
mean is known only to who made them.  Of a worker that has died the parent keeps what ``Remember`` makes of its last
snapshot that was asked for, so that a sum over all workers never goes back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Snapshot = Callable[[], bytes]

# (what is kept of the dead so far, or b""; the last snapshot of one more) -> what is kept from now on
Remember = Callable[[bytes, bytes], bytes]


def no_snapshot() -> bytes:
    """Nobody counts."""
    return b""


@dataclass(frozen=True, slots=True)
class State:
    """What is true of the proxy as a whole, whichever process says it."""

    config_hash: str = ""  # SHA-256 of the configuration's text that is in force, the first 12 hexadecimal digits
    shadow_config: str = ""  # the same of one that is tried in its shadow before it comes in force; "": none is
    reloads: int = 0  # configurations put in force since the start, the first one not counted
    refused_reloads: int = 0
    refused: tuple[str, ...] = ()  # the problems of the newest configuration; () when it is the one in force
    workers: int = 1  # that run now
    workers_wanted: int = 1
    workers_replaced: int = 0  # that died, or hung and were ended, since the start


class Gathered(NamedTuple):
    """The shared state, and the snapshots of all workers, the asked one's included; then what is kept of the dead."""

    state: State
    snapshots: tuple[bytes, ...]


class Colleagues(Protocol):
    """All workers of this proxy, from the view of one of them."""

    async def gather(self) -> Gathered:
        """Ask all; one that does not answer within a second is left out."""


class Alone:
    """The only process of a proxy; whoever reloads keeps ``state`` true."""

    def __init__(self, snapshot: Snapshot = no_snapshot) -> None:
        self.state = State()
        self._snapshot = snapshot

    async def gather(self) -> Gathered:
        """The one snapshot that there is."""
        return Gathered(self.state, (self._snapshot(),))
