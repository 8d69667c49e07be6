"""A worker's end of the socket pair to its parent: what the parent orders, and what the other workers know.

The parent alone decides: a worker takes no signals, so that one which reaches a whole group of processes (Ctrl-C,
systemd) counts once.  A parent that has gone is an order to end.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Any, Final, cast

from corsproxy.server.colleagues import Gathered, Snapshot, State
from corsproxy.server.messages import Kind, Messages, message

Order = tuple[Kind, bytes]

_ORPHANED: Final = (Kind.DRAIN, b"{}")


class WorkerChannel(asyncio.Protocol):
    """``orders`` gets every message that is one; this is the ``Colleagues`` of a worker too."""

    _transport: asyncio.Transport

    def __init__(self, snapshot: Snapshot) -> None:
        self.orders: asyncio.Queue[Order] = asyncio.Queue()
        self._snapshot = snapshot
        self._messages = Messages()
        self._asked: list[asyncio.Future[Gathered]] = []
        self._loop = asyncio.get_running_loop()

    def tell(self, kind: Kind, payload: bytes = b"") -> None:
        """Send the parent a message."""
        self._transport.write(message(kind, payload))

    def beat(self, interval: float) -> None:
        """Show from now on that the loop turns."""
        self.tell(Kind.BEAT)
        self._loop.call_later(interval, self.beat, interval)

    async def gather(self) -> Gathered:
        """The state of the whole proxy, and the snapshots of all workers, by way of the parent."""
        answer: asyncio.Future[Gathered] = self._loop.create_future()
        self._asked.append(answer)
        self.tell(Kind.GATHER)
        return await answer

    # what the loop tells it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The parent can be heard."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """The parent said something."""
        for kind, payload in self._messages.feed(data):
            if kind is Kind.ASK:
                self.tell(Kind.SNAPSHOT, payload + b"\n" + self._snapshot())
            elif kind is Kind.GATHERED:
                self._answer(read_gathered(payload))
            else:
                self.orders.put_nowait((kind, payload))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """The parent has gone."""
        self.orders.put_nowait(_ORPHANED)

    def _answer(self, gathered: Gathered) -> None:
        asked, self._asked = self._asked, []
        for answer in asked:
            if not answer.done():
                answer.set_result(gathered)


def write_gathered(gathered: Gathered) -> bytes:
    """The payload of ``Kind.GATHERED``."""
    ones = [message(Kind.ONE, snapshot) for snapshot in gathered.snapshots]
    return message(Kind.STATE, json.dumps(asdict(gathered.state)).encode()) + b"".join(ones)


def read_gathered(payload: bytes) -> Gathered:
    """What ``write_gathered`` has written."""
    (_, state), *ones = Messages().feed(payload)
    written: dict[str, Any] = json.loads(state)
    return Gathered(State(**written | {"refused": tuple(written["refused"])}), tuple(one for _, one in ones))
