"""What the inspector costs while nobody watches: the time of its observer, and the memory of what it keeps.

    python -m benchmarks.inspector

One exchange is recorded over and over; the loop around it is measured by itself and taken off.  The best of several
rounds counts, since whatever else the machine does can only add.
"""

from __future__ import annotations

import sys
import timeit
import tracemalloc

from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.request import header_line
from corsproxy.tools.inspector.recorder import MOST, Recorder

ROUNDS, CALLS = 20, 200_000
HEADER_LINES = 20


def exchange(number: int) -> Exchange:
    """A record with as many header lines as browsers and APIs send."""
    lines = [header_line(b"X-Header-%d" % line, b"%d-%s" % (number, b"v" * 40)) for line in range(HEADER_LINES)]
    answered = [(b"X-Header-%d" % line, b"%d-%s" % (number, b"v" * 40)) for line in range(HEADER_LINES)]
    return Exchange("127.0.0.1", b"GET", b"/%d" % number, b"api", b"", passed=lines, answered=answered)


def nobody(_: Exchange) -> None:
    """What is called where there is no inspector."""


def seconds(observer: object) -> float:
    """The time of one call."""
    one = exchange(0)
    return (
        min(timeit.repeat("observer(one)", globals={"observer": observer, "one": one}, number=CALLS, repeat=ROUNDS))
        / CALLS
    )


def kept() -> int:
    """Bytes that a full ring holds on to."""
    tracemalloc.start()
    recorder = Recorder()
    for number in range(2 * MOST):
        recorder(exchange(number))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size


def main() -> None:
    """Print both."""
    added = (seconds(Recorder()) - seconds(nobody)) * 1e9
    sys.stdout.write(f"an exchange that is recorded and not watched: {added:.0f} ns\n")
    sys.stdout.write(f"{MOST} of them with {2 * HEADER_LINES} header lines each: {kept() / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
