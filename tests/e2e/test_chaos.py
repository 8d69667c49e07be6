"""Many clients that misbehave, an upstream that fails in every way, and a few honest clients who must not notice.

Who gets an answer gets their own, whole; nobody waits for ever; and in the end the proxy holds nothing.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    PATIENCE,
    STRANGER,
    RunningProxy,
    ServerWire,
    TransferError,
    answer,
    between,
    chunked,
    request,
)

BAD_CLIENTS, GOOD_CLIENTS, STEPS = 50, 5, 20


async def failing(wire: ServerWire) -> None:
    """Answers with the target, many times; a target that ends in a word gets what the word says."""
    while True:
        received = await wire.request()
        target = received.target
        body = target * 50 + received.body
        whole = answer(b"200 OK", body=body)
        match target.rpartition(b"/")[2]:
            case b"chunked":
                await wire.send(answer(b"200 OK", b"Transfer-Encoding: chunked", body=chunked(body, body)))
            case b"closing":
                await wire.send(answer(b"200 OK", b"Connection: close", body=body))
            case b"until-close":
                await wire.send(b"HTTP/1.1 200 OK\r\n\r\n" + body)
                wire.close()
            case b"truncated":
                await wire.send(whole[:-20])
                wire.reset()
            case b"more":
                await wire.send(whole + answer(b"200 OK", body=b"for nobody"))
            case b"malformed":
                await wire.send(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n")
            case b"gone":
                wire.close()
            case b"never":
                await wire.until_ended()
            case _:
                await wire.send(whole)


KINDS = ("plain", "chunked", "closing", "until-close", "truncated", "more", "malformed", "gone", "never")


async def misbehave(proxy: RunningProxy, number: int, chance: random.Random) -> None:
    """Pipelines requests of every kind, and leaves in the middle of it."""
    for step in range(STEPS):
        kinds = chance.choices(KINDS, k=chance.randint(1, 5))
        flood = b"".join(
            request(b"GET /bad/%d/%d/%b" % (number, step, kind.encode()), chance.choice([ORIGIN, STRANGER]))
            for kind in kinds
        )
        client = await proxy.send(flood[: chance.randint(1, len(flood))])
        for _ in range(chance.randint(0, 6)):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            client.reset()
        else:
            client.close()


async def behave(proxy: RunningProxy, number: int) -> None:
    """Keeps one connection, and checks every answer."""
    client = await proxy.connect()
    for step in range(STEPS * 5):
        kind = (b"plain", b"chunked", b"plain", b"plain", b"closing", b"more")[step % 6]
        target = b"/good/%d/%d/%b" % (number, step, kind)
        origin = ORIGIN if step % 2 else STRANGER
        response = await client.ask(b"PUT " + target, origin, body=b"body %d" % number)
        whole = target * 50 + b"body %d" % number
        assert response.status == 200
        assert response.body == whole * (2 if kind == b"chunked" else 1)
        assert response.cors == (GRANT if origin == ORIGIN else [])
        assert response.vary == [b"origin"]


@pytest.mark.parametrize("seed", range(3))
async def test_honest_clients_notice_nothing_of_the_others(seed):
    chance = random.Random(seed)
    async with between(failing) as (upstream, proxy):
        bad = [misbehave(proxy, number, chance) for number in range(BAD_CLIENTS)]
        await asyncio.gather(*bad, *(behave(proxy, number) for number in range(GOOD_CLIENTS)))
        proxy.hang_up()
        for wire in upstream.connections:
            if b"/never HTTP" in wire.received:
                await wire.until_ended()  # whoever asked has left, so the proxy has hung up too
        async with asyncio.timeout(PATIENCE):
            await proxy.server.stop(10 * PATIENCE)  # nothing is under way any more that it could wait for


@pytest.mark.parametrize("seed", range(3))
async def test_who_gets_an_answer_gets_their_own(seed):
    """Clients that read what they are given, whatever becomes of it."""
    chance = random.Random(seed)
    whole = 0

    async def visit(proxy: RunningProxy, number: int) -> None:
        nonlocal whole
        client = await proxy.connect()
        for step in range(STEPS):
            kind = chance.choice(KINDS[:-1]).encode()
            target = b"/%d/%d/%b" % (number, step, kind)
            try:
                response = await client.ask(b"GET " + target, ORIGIN)
            except TransferError:
                assert kind == b"truncated"
                client.close()
                client = await proxy.connect()
                continue
            assert response.cors == GRANT
            assert response.status == (502 if kind in {b"malformed", b"gone"} else 200)
            if response.status == 200:
                assert response.body == target * (100 if kind == b"chunked" else 50)
                whole += 1

    async with between(failing) as (_, proxy):
        await asyncio.gather(*(visit(proxy, number) for number in range(20)))
    assert whole > 20 * STEPS / 2
