"""Requests at a fixed rate, whatever the proxy does.

``python -m benchmarks.load.open_loop PORT RATE SECONDS CONNECTIONS PREFIX``

A request is due at its place in the schedule.  When no connection is free it waits, and the wait counts: the latency
runs from the moment when it was due, not from when it could be sent.  A generator that waits for answers before it
sends would leave out exactly the requests that a stall delays ("coordinated omission").

It is a plain loop over select(), whose time-outs the kernel keeps to some 50 microseconds; an event loop's timers
would round to a millisecond, which is what a whole request takes here.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from contextlib import suppress
from time import perf_counter
from typing import NamedTuple

from benchmarks import rule
from benchmarks.load import requests

END = rule.SMALL[-24:].encode()


class Timing(NamedTuple):
    """What was measured, in microseconds."""

    answered: int
    late: float  # how late the generator itself sent, at the 99th percentile
    p50: float
    p99: float
    p999: float


def percentile(ordered: list[float], share: float) -> float:
    """The value below which that share lies; of an ordered list that is not empty."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _connected(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def run(port: int, rate: float, seconds: float, connections: int, prefix: str) -> Timing:
    """Send and wait for everything; raises RuntimeError when the proxy closes a connection or stops answering."""
    with suppress(OSError):  # as root: the upstream on the same core must not make the generator late
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    request = requests.small(prefix)[0]
    idle = [_connected(port) for _ in range(connections)]
    reopened = 0
    due: dict[socket.socket, float] = {}
    received: dict[socket.socket, bytes] = {}
    latencies: list[float] = []
    lateness: list[float] = []
    total, sent = int(rate * seconds), 0
    start = perf_counter()
    while len(latencies) < total:
        now = perf_counter()
        while sent < total and idle and start + sent / rate <= now:
            sock = idle.pop()
            sock.sendall(request)
            due[sock] = start + sent / rate
            lateness.append(now - due[sock])
            sent += 1
        wait = start + sent / rate - perf_counter() if sent < total and idle else 10.0
        readable, _, _ = select.select(list(due), [], [], max(0.0, wait))
        if not readable and wait >= 10.0:
            raise RuntimeError("no answer for ten seconds")
        for sock in readable:
            data = received.pop(sock, b"") + sock.recv(65536)
            if data.endswith((END, END + b"\r\n0\r\n\r\n")):
                latencies.append(perf_counter() - due.pop(sock))
                if b"connection: close" in data[:1024].lower():  # announced: the next request finds a new one
                    sock.close()
                    idle.append(_connected(port))
                else:
                    idle.append(sock)
            elif not data:  # some proxies close connections now and then; a client asks again
                reopened += 1
                if reopened > total / 100:
                    raise RuntimeError("the proxy closes connections in place of answering")
                fresh = _connected(port)
                fresh.sendall(request)
                due[fresh] = due.pop(sock)
                sock.close()
            else:
                received[sock] = data
    latencies.sort()
    lateness.sort()
    p50, p99, p999 = (percentile(latencies, share) * 1e6 for share in (0.5, 0.99, 0.999))
    return Timing(len(latencies), percentile(lateness, 0.99) * 1e6, p50, p99, p999)


if __name__ == "__main__":
    port, rate, seconds, connections, prefix = [*sys.argv[1:], ""][:5]
    print(json.dumps(run(int(port), float(rate), float(seconds), int(connections), prefix)._asdict()))
