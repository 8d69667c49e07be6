"""Requests in flight, and the queue of those that wait: nobody is lost, nobody comes in twice."""

from __future__ import annotations

import asyncio
import random

import pytest

from corsproxy.errors import ConnectFailed, Overloaded
from corsproxy.proxy.places import Places
from tests.e2e.rig import PATIENCE


def waiting(places, count):
    return [asyncio.ensure_future(places.enter()) for _ in range(count)]


async def turns():
    """Let everybody who can go on do so."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_who_finds_a_place_does_not_wait():
    places = Places(2, 0, PATIENCE)
    await places.enter()
    await places.enter()
    assert places.free == 0


async def test_who_comes_first_goes_first():
    places = Places(1, 10, PATIENCE)
    await places.enter()
    order = []
    for name in "abc":
        asyncio.ensure_future(places.enter()).add_done_callback(lambda _, name=name: order.append(name))
        await asyncio.sleep(0)
    for _ in range(3):
        places.leave()
        await turns()
    assert order == ["a", "b", "c"]
    places.leave()
    assert places.free == 1


async def test_the_queue_is_bounded():
    places = Places(1, 1, PATIENCE)
    await places.enter()
    (first,) = waiting(places, 1)
    await turns()
    with pytest.raises(Overloaded) as refused:
        await places.enter()
    assert (refused.value.status, refused.value.limit) == (503, "max_queue")
    places.leave()
    await first


async def test_a_wait_is_bounded():
    places = Places(1, 5, 0.01)
    await places.enter()
    with pytest.raises(Overloaded) as refused:
        await places.enter()
    assert (refused.value.status, refused.value.limit) == (503, "timeouts.queue")
    places.leave()
    assert places.free == 1  # it is not kept for who gave up


async def test_who_leaves_the_queue_takes_no_place():
    places = Places(1, 5, PATIENCE)
    await places.enter()
    first, second = waiting(places, 2)
    await turns()
    first.cancel()
    await turns()
    places.leave()
    await second
    assert first.cancelled()
    places.leave()
    assert places.free == 1


async def test_who_leaves_in_the_moment_of_its_turn_gives_the_place_on():
    places = Places(1, 5, PATIENCE)
    await places.enter()
    first, second = waiting(places, 2)
    await turns()
    places.leave()  # it is the first one's turn, and it does not know yet
    first.cancel()
    await second
    places.leave()
    assert places.free == 1


async def test_who_leaves_before_the_turn_and_is_not_told_yet_is_passed_over():
    places = Places(1, 5, PATIENCE)
    await places.enter()
    first, second = waiting(places, 2)
    await turns()
    first.cancel()  # its task has not run
    places.leave()
    await second
    assert places.free == 0


async def test_the_end_is_told_to_all_who_wait():
    places = Places(1, 5, PATIENCE)
    await places.enter()
    tasks = waiting(places, 3)
    await turns()
    tasks[1].cancel()
    places.refuse_all(ConnectFailed("the proxy is ending"))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ConnectFailed, asyncio.CancelledError, ConnectFailed]
    places.leave()
    assert places.free == 1


@pytest.mark.parametrize("seed", range(20))
async def test_places_are_never_lost_nor_made(seed):
    chance = random.Random(seed)
    places, inside, most = Places(3, 8, PATIENCE), 0, 0

    async def visit():
        nonlocal inside, most
        try:
            await places.enter()
        except Overloaded:
            return
        inside += 1
        most = max(most, inside)
        try:
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        finally:
            inside -= 1
            places.leave()

    tasks = []
    for _ in range(60):
        tasks.append(asyncio.ensure_future(visit()))
        if chance.random() < 0.4:
            chance.choice(tasks).cancel()
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (places.free, inside, most) == (3, 0, 3)
