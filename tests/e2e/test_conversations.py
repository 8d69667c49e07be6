"""Whole conversations, generated: a model says what must come out, whatever the pieces and whoever leaves when.

One machine plays the clients: requests in arbitrary splits, pipelined, whole or abandoned.  The other plays the
upstream: answers in arbitrary splits, ended in order or not.  Both run over real sockets, and a step ends when what the
model expects has happened; nothing waits for time to pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.conftest import LOOPS, PRODUCTION
from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    STRANGER,
    ClientWire,
    RawUpstream,
    Response,
    RunningProxy,
    ServerWire,
    TransferError,
    answer,
    between,
    chunked,
    request,
)

CHUNKED = b"Transfer-Encoding: chunked"
CUTS = st.lists(st.floats(0, 1), max_size=3)
BODIES = st.one_of(st.just(b""), st.binary(max_size=40), st.integers(1, 100_000).map(lambda size: b"z" * size))


def pieces(whole: bytes, cuts: list[float]) -> list[bytes]:
    """The bytes, cut at these places."""
    places = sorted({int(cut * len(whole)) for cut in cuts} | {0, len(whole)})
    return [whole[start:end] for start, end in itertools.pairwise(places)]


class Conversation(RuleBasedStateMachine):
    """A proxy that runs on a loop of its own while the rules are chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = LOOPS[PRODUCTION]()
        self.stack = contextlib.AsyncExitStack()
        self.upstream: RawUpstream
        self.proxy: RunningProxy

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        async def in_time() -> Any:
            async with asyncio.timeout(5):
                return await coroutine

        return self.loop.run_until_complete(in_time())

    async def open(self, script: Any) -> None:
        self.upstream, self.proxy = await self.stack.enter_async_context(between(script))

    async def turns(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    def teardown(self) -> None:
        try:
            self.run(self.stack.aclose())
        finally:
            self.loop.close()


class Clients(Conversation):
    """Each request that arrives whole is answered once, in its turn, with its own body; no other reaches anybody."""

    @initialize()
    def begin(self) -> None:
        async def script(wire: ServerWire) -> None:
            while True:
                received = await wire.request()
                await wire.send(answer(b"200 OK", b"X-Target: " + received.target, body=received.body))

        self.run(self.open(script))
        self.clients: list[ClientWire] = []
        self.due: dict[int, list[tuple[bytes, bytes, bool]]] = {}  # client -> target, body, allowed; in order
        self.sent = 0
        self.whole: set[bytes] = set()

    @rule()
    def connect(self) -> None:
        self.due[len(self.clients)] = []
        self.clients.append(self.run(self.proxy.connect()))

    def open_clients(self) -> list[int]:
        return [index for index, client in enumerate(self.clients) if index in self.due and not client.lost]

    def message(self, body: bytes, allowed: bool, how: str) -> tuple[bytes, bytes]:
        self.sent += 1
        target = b"/%d" % self.sent
        origin = ORIGIN if allowed else STRANGER
        if how == "chunked":
            chunks = chunked(*(body[start : start + 7000] for start in range(0, len(body), 7000)))
            return target, request(b"PUT " + target, origin, CHUNKED) + chunks
        return target, request(b"PUT " + target, origin, body=body)

    @precondition(lambda self: self.open_clients())
    @rule(
        data=st.data(), body=BODIES, allowed=st.booleans(), how=st.sampled_from(["length", "chunked"]), cuts=CUTS,
        pipelined=st.integers(1, 3),
    )  # fmt: skip
    def ask(self, data, body, allowed, how, cuts, pipelined) -> None:
        """One request or several in a row, in any pieces."""
        index = data.draw(st.sampled_from(self.open_clients()))
        stream = b""
        for _ in range(pipelined):
            target, sent = self.message(body, allowed, how)
            self.due[index].append((target, body, allowed))
            self.whole.add(target)
            stream += sent

        async def send() -> None:
            for piece in pieces(stream, cuts):
                self.clients[index]._transport.write(piece)
                await self.turns()

        self.run(send())

    @precondition(lambda self: any(self.due.values()))
    @rule(data=st.data())
    def hear(self, data) -> None:
        """The answer to the oldest request of a connection."""
        index = data.draw(st.sampled_from([index for index, due in self.due.items() if due]))
        target, body, allowed = self.due[index].pop(0)
        response: Response = self.run(self.clients[index].response())
        assert (response.status, response.one(b"x-target"), response.body) == (200, target, body)
        assert response.cors == (GRANT if allowed else [])

    @precondition(lambda self: self.open_clients())
    @rule(
        data=st.data(),
        body=BODIES,
        how=st.sampled_from(["length", "chunked"]),
        reset=st.booleans(),
        cut=st.floats(0, 0.99),
    )
    def leave(self, data, body, how, reset, cut) -> None:
        """Go away, with a part of one more request sent."""
        index = data.draw(st.sampled_from(self.open_clients()))
        _, sent = self.message(body, True, how)
        client = self.clients[index]
        self.due.pop(index)

        async def go() -> None:
            client._transport.write(sent[: int(cut * len(sent))])
            await self.turns()
            if reset:
                client.reset()
            else:
                client.close()
            await self.turns()

        self.run(go())

    def teardown(self) -> None:
        try:
            for index, due in getattr(self, "due", {}).items():
                for target, body, _ in due:
                    response = self.run(self.clients[index].response())
                    assert (response.one(b"x-target"), response.body) == (target, body)
            if hasattr(self, "upstream"):
                seen = [received.target for received in self.upstream.requests if received.target in self.whole]
                assert len(seen) == len(set(seen)), "a request was sent twice"
        finally:
            super().teardown()


class Upstream(Conversation):
    """What the upstream sends decides what the client sees: the answer whole, an own failure, or a broken transfer."""

    @initialize()
    def begin(self) -> None:
        self.wires: asyncio.Queue[ServerWire] = asyncio.Queue()

        async def script(wire: ServerWire) -> None:
            while True:
                await wire.request()
                self.wires.put_nowait(wire)
                await wire.until(lambda: wire.taken < len(wire.received))

        self.run(self.open(script))
        self.client: ClientWire = self.run(self.proxy.connect())
        self.answers = 0

    async def asked(self) -> ServerWire:
        """Send a request, and find the connection on which it has arrived."""
        if self.client.ended:
            self.client = await self.proxy.connect()
        await self.client.send(request(b"POST /x", ORIGIN, body=b""))  # which is never sent twice
        return await self.wires.get()

    def whole_answer(self, body: bytes, how: str, interim: bool) -> bytes:
        self.answers += 1
        name = b"X-Number: %d" % self.answers
        if how == "chunked":
            sent = answer(
                b"200 OK", name, CHUNKED, body=chunked(*(body[i : i + 5000] for i in range(0, len(body), 5000)))
            )
        elif how == "closing":
            sent = answer(b"200 OK", name, b"Connection: close", body=body)
        else:
            sent = answer(b"200 OK", name, body=body)
        return b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * interim + sent

    async def final(self) -> Response:
        while (response := await self.client.response()).status == 103:
            pass
        return response

    async def give(self, wire: ServerWire, data: bytes, cuts: list[float]) -> None:
        for piece in pieces(data, cuts):
            if not wire.lost:  # the proxy may have had its answer, and gone
                wire._transport.write(piece)
            await self.turns()

    @rule(
        body=BODIES, how=st.sampled_from(["length", "chunked", "closing"]), interim=st.booleans(), cuts=CUTS,
        extra=st.sampled_from([b"", b"", b"x", answer(b"200 OK", body=b"for nobody")]),
    )  # fmt: skip
    def answer_whole(self, body, how, interim, cuts, extra) -> None:
        """A whole answer, with or without bytes behind it, is relayed as it is; the bytes behind it never are."""

        async def step() -> None:
            wire = await self.asked()
            await self.give(wire, self.whole_answer(body, how, interim) + extra, cuts)
            response = await self.final()
            assert (response.status, response.body, response.cors) == (200, body, GRANT)
            assert response.one(b"x-number") == b"%d" % self.answers
            if extra:
                await wire.until(lambda: wire.ended)

        self.run(step())

    @rule(
        body=BODIES, how=st.sampled_from(["length", "chunked"]), cut=st.floats(0, 1, exclude_max=True), cuts=CUTS,
        end=st.sampled_from(["close", "reset"]),
    )  # fmt: skip
    def break_off(self, body, how, cut, cuts, end) -> None:
        """A part of an answer, and then the end."""
        whole = self.whole_answer(body, how, interim=False)
        part = whole[: int(cut * len(whole))]

        async def step() -> None:
            wire = await self.asked()
            await self.give(wire, part, cuts)
            if end == "close":
                wire.close()
            else:
                wire.reset()
            try:
                response = await self.final()
            except TransferError:
                assert b"\r\n\r\n" in part
                return
            assert (response.status, response.cors) == (502, GRANT)

        self.run(step())

    @rule(
        rubbish=st.sampled_from([b"\x00", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", b"HTTP/1.1 1\r\n\r\n"])
    )
    def answer_rubbish(self, rubbish) -> None:
        async def step() -> None:
            wire = await self.asked()
            await self.give(wire, rubbish, [])
            response = await self.final()
            assert (response.status, response.cors) == (502, GRANT)
            await wire.until(lambda: wire.ended)

        self.run(step())


@pytest.mark.parametrize("machine", [Clients, Upstream])
def test_conversation(machine):
    run_state_machine_as_test(machine, settings=settings(stateful_step_count=15, max_examples=25, deadline=None))
