"""Trouble under load, in short: the same storm as ``scripts/soak``, by a count of exchanges that takes some seconds."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from tests.e2e.rig import running_proxy
from tests.soak.chaos import Storm, Troubled, held, served_again, settled, troubled

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")

ROUND = 1_000  # exchanges
KEPT = 400_000  # bytes that a round may leave: caches that are not full yet, not a few hundred per exchange


async def test_storm_leaves_nothing_behind():
    """Each exchange ends in one right answer, an own failure or a break; then all is as before."""
    async with Troubled() as upstream, running_proxy(troubled(upstream)) as proxy:
        await served_again(proxy)
        empty = await settled(upstream, proxy, held())
        storm = Storm(upstream, proxy, seed=1)
        await storm.rage(ROUND)
        await served_again(proxy)
        await settled(upstream, proxy, empty)
        tracemalloc.start()
        try:
            first = held()
            await storm.rage(ROUND)
            await served_again(proxy)
            second = await settled(upstream, proxy, empty)
        finally:
            tracemalloc.stop()
    assert sum(storm.outcomes.values()) == 2 * ROUND
    assert storm.outcomes["200"] > ROUND / 2, storm.outcomes
    assert set(storm.outcomes) > {"200", "broken", "left"}, storm.outcomes
    assert second.traced - first.traced < KEPT, storm.outcomes
