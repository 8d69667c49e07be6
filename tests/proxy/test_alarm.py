"""A timer that may be set and cleared without asking."""

import asyncio

from corsproxy.proxy.alarm import Alarm


async def test_it_rings_once_however_often_it_was_set():
    rings, rung = [], asyncio.Event()

    def ring():
        rings.append(1)
        rung.set()

    alarm = Alarm(asyncio.get_running_loop(), 0.0, ring)
    alarm.set()
    alarm.set()
    await rung.wait()
    await asyncio.sleep(0)
    assert rings == [1]


async def test_it_rings_again_when_it_is_set_by_its_own_ring():
    rings, rung = [], asyncio.Event()

    def ring():
        rings.append(1)
        if len(rings) == 2:
            rung.set()
        else:
            alarm.set()

    alarm = Alarm(asyncio.get_running_loop(), 0.0, ring)
    alarm.set()
    await rung.wait()


async def test_cleared_or_without_a_time_it_never_rings():
    loop, later = asyncio.get_running_loop(), asyncio.Event()
    alarm = Alarm(loop, 0.0, lambda: (_ for _ in ()).throw(AssertionError))
    alarm.set()
    alarm.clear()
    alarm.clear()
    Alarm(loop, None, later.set).set()
    loop.call_later(0.0, loop.call_soon, later.set)
    await later.wait()
