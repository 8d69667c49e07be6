"""The long form of tests/e2e/test_soak.py, and the crowds; see scripts/soak."""

from __future__ import annotations

import argparse
import asyncio
import time

from tests.e2e.rig import running_proxy
from tests.soak.chaos import Storm, Troubled, held, resident, served_again, settled, troubled
from tests.soak.crowd import MEBI, crowd

ROUND = 5_000  # exchanges between two counts


async def soak(hours: float, seed: int) -> None:
    """Storm for so long, and say after every round what is held; fails where descriptors or tasks stay."""
    until = time.monotonic() + hours * 3600
    async with Troubled() as upstream, running_proxy(troubled(upstream)) as proxy:
        await served_again(proxy)
        empty = await settled(upstream, proxy, held())
        storm = Storm(upstream, proxy, seed)
        while True:
            await storm.rage(ROUND)
            await served_again(proxy)
            left = await settled(upstream, proxy, empty)
            print(  # noqa: T201
                f"{sum(storm.outcomes.values()):>9} exchanges  {left.descriptors} descriptors  {left.tasks} tasks  "
                f"{resident() / MEBI:.1f} MiB  {dict(sorted(storm.outcomes.items()))}",
                flush=True,
            )
            if time.monotonic() > until:
                return


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/soak")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--connections", action="store_true", help="measure crowds of connections instead")
    parser.add_argument("--scale", type=float, default=1.0, help="the size of the crowds")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}") if not arguments.connections else None  # noqa: T201
    asyncio.run(crowd(arguments.scale) if arguments.connections else soak(arguments.hours, arguments.seed))


if __name__ == "__main__":
    main()
