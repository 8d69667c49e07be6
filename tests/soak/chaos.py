"""An upstream in trouble under load: killed, stalled, reset and restarted, while every answer is checked.

Trouble strikes by the count of exchanges, not by the clock, so that a run means the same on any machine.  What is left
open in the end is counted: descriptors, tasks, bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    PATIENCE,
    WEB_APP,
    ClientWire,
    RawUpstream,
    Response,
    RunningProxy,
    ServerWire,
    TransferError,
    answer,
    chunked,
    config,
    request,
)

TIMEOUTS: Final = {"connect": 0.5, "response": 0.3, "idle": 0.3}
_PATIENT: Final = b"/patient/3/length"  # its rule would wait for an answer longer than any test
TROUBLES: Final = ("reset", "close", "restart", "stall", "die in answers", "none")
EVERY: Final = 40  # exchanges between two troubles
WORKERS: Final = 16
_LEAVING: Final = 0.05  # of the clients go before their answer comes
_SIZES: Final = (0, 1, 100, 5_000, 70_000)


class Left(NamedTuple):
    """What a process holds."""

    descriptors: int
    tasks: int
    traced: int  # bytes that Python allocated; 0 when nobody traces


def held() -> Left:
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0
    return Left(len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()), traced)  # noqa: PTH208


def content(target: bytes) -> bytes:
    """The one right body of the answer to a target, which names its size: /number/size/framing."""
    _, number, size, _ = target.split(b"/")
    return (number + b".") * int(size)


class Troubled(RawUpstream):
    """An upstream that can be hit."""

    def __init__(self) -> None:
        super().__init__(self._serve)
        self.calm = asyncio.Event()
        self.calm.set()
        self.dying = False  # answers break off in their middle
        self.kept: list[ServerWire] = []  # of requests that wait for the calm

    async def _serve(self, wire: ServerWire) -> None:
        while True:
            received = await wire.request()
            self.requests.clear()  # a run of hours keeps no record
            if not self.calm.is_set():
                self.kept.append(wire)
                await self.calm.wait()
            body = content(received.target) + received.body
            if received.target.endswith(b"chunked"):
                whole = answer(b"200 OK", b"Transfer-Encoding: chunked", body=chunked(body) if body else chunked())
            elif received.target.endswith(b"closing"):
                whole = answer(b"200 OK", b"Connection: close", body=body)
            else:
                whole = answer(b"200 OK", body=body)
            if self.dying:
                await wire.send(whole[: len(whole) * 2 // 3])
                wire.reset()
                return
            await wire.send(whole)
            if received.target.endswith(b"closing"):
                wire.close()
                return

    def forget(self, *, reset: bool = False) -> None:
        """End every connection."""
        for wire in self.connections:
            if not wire.lost:
                if reset:
                    wire.reset()
                else:
                    wire.close()
        self.connections.clear()
        self._tasks = [task for task in self._tasks if not task.done()]

    async def restart(self) -> None:
        """Die with everything that is open, and come back at the same address."""
        self._server.close()
        self.forget(reset=True)
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", self.port)

    async def strike(self, trouble: str) -> None:
        self.dying = trouble == "die in answers"
        if trouble == "stall":
            self.calm.clear()
        else:
            self.calm.set()
            self.kept.clear()
        if trouble in {"reset", "close"}:
            self.forget(reset=trouble == "reset")
        elif trouble == "restart":
            await self.restart()


def troubled(upstream: Troubled) -> str:
    """A configuration that gives the upstream up soon, but for the requests of those who leave."""
    upstreams = {"api": {"url": upstream.url, "timeouts": TIMEOUTS}, "patient": {"url": upstream.url}}
    rules = [
        {"path": "/", "upstream": "api", "policy": WEB_APP},
        {"path": "/patient", "upstream": "patient", "policy": WEB_APP},
    ]
    return config(upstream.url, upstreams=upstreams, rules=rules)


async def desert(upstream: Troubled, proxy: RunningProxy, clients: int = WORKERS) -> None:
    """Clients leave while the upstream is silent; runs out of time unless each of their requests is given up there."""
    await upstream.strike("stall")
    leaving = [await connect(proxy) for _ in range(clients)]
    for client in leaving:
        await client.send(request(b"GET " + _PATIENT, ORIGIN))
    async with asyncio.timeout(PATIENCE):
        while len(upstream.kept) < clients:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.01)
        for client in leaving:
            client.reset()
        while not all(wire.ended for wire in upstream.kept):  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)
    await upstream.strike("none")


class Storm:
    """A number of exchanges by WORKERS clients, with trouble in between; ``outcomes`` says what became of them."""

    def __init__(self, upstream: Troubled, proxy: RunningProxy, seed: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self._upstream = upstream
        self._proxy = proxy
        self._chance = random.Random(seed)  # chaos that can be repeated
        self._begun = 0

    async def rage(self, exchanges: int) -> None:
        """Make so many exchanges; each has one right answer, or the proxy's own, or breaks.  Then clients leave."""
        end = self._begun + exchanges
        await asyncio.gather(*(self._work(end) for _ in range(WORKERS)))
        await desert(self._upstream, self._proxy)

    async def _work(self, end: int) -> None:
        client: ClientWire | None = None
        while self._begun < end:
            self._begun += 1
            if self._begun % EVERY == 0:
                await self._upstream.strike(self._chance.choice(TROUBLES))
            client = client if client is not None and not client.ended else await connect(self._proxy)
            if not await self._exchange(client):
                client.close()
                client = None
        if client is not None:
            client.close()

    async def _exchange(self, client: ClientWire) -> bool:
        """One exchange; whether its connection lives on."""
        framing = self._chance.choice([b"length", b"chunked", b"closing"])
        target = b"/%d/%d/%b" % (self._begun, self._chance.choice(_SIZES), framing)
        body = self._chance.choice([None, b"x" * 1_000, b"y" * 300_000])
        method = b"GET" if body is None else b"POST"
        try:
            await client.send(request(method + b" " + target, ORIGIN, body=body))
            if self._chance.random() < _LEAVING:
                self.outcomes["left"] += 1
                client.reset()
                return False
            response = await client.response()
        except TransferError:
            self.outcomes["broken"] += 1
            return False
        self.outcomes[str(response.status)] += 1
        check(response, target, body or b"")
        return b"close" not in response.members(b"connection")


def check(response: Response, target: bytes, body: bytes) -> None:
    """Assert that an answer is the right one, whole, or an own failure which the page may read."""
    assert response.cors == GRANT
    if response.status == 200:
        assert response.body == content(target) + body
    else:
        assert response.status in {502, 503, 504}
        assert response.body.startswith(b"corsproxy: ")


async def connect(proxy: RunningProxy) -> ClientWire:
    """A connection that the proxy's rig does not remember: a run of hours makes many."""
    _, client = await asyncio.get_running_loop().create_connection(ClientWire, proxy.host, proxy.port)
    return client


async def served_again(proxy: RunningProxy, in_a_row: int = 20) -> None:
    """Wait until so many requests in a row are served; a service that does not come back runs out of time."""
    served = 0
    async with asyncio.timeout(PATIENCE):
        while served < in_a_row:
            client = await connect(proxy)
            response = None
            with contextlib.suppress(TransferError):
                response = await client.ask(b"GET /0/3/length", ORIGIN)
            client.close()
            served = served + 1 if response is not None and response.status == 200 else 0


async def settled(upstream: Troubled, proxy: RunningProxy, before: Left) -> Left:
    """What is held once everything that was open has been closed; it runs out of time where something leaks."""
    upstream.forget()
    async with asyncio.timeout(PATIENCE):
        while (now := held()).descriptors > before.descriptors or now.tasks > before.tasks:
            upstream.forget()
            await asyncio.sleep(0.02)
    proxy.exchanges.clear()
    return held()


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
