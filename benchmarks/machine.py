"""The machine at hand: cores, free ports, CPU time and memory of processes (Linux)."""

from __future__ import annotations

import os
import platform
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")


class Cores(NamedTuple):
    """Who may run where: proxies alone, load generator and upstream together."""

    proxy: int
    load: int


def cores() -> Cores:
    """The first two cores that this process may use; raises RuntimeError when there is one only."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise RuntimeError("the benchmark needs two cores: one for the proxy, one for load and upstream")
    return Cores(usable[0], usable[1])


def proxy_cores(workers: int) -> set[int]:
    """Where a proxy of so many workers runs: one core for each where there are as many besides, else one for all."""
    usable = sorted(os.sched_getaffinity(0))
    others = usable[2 : workers + 1]
    return {usable[0], *others} if len(others) == workers - 1 else {usable[0]}


def free_ports(number: int) -> list[int]:
    """Ports of the loopback address that are free now."""
    with ExitStack() as sockets:
        ports = []
        for _ in range(number):
            sock = sockets.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            ports.append(sock.getsockname()[1])
        return ports


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time that a process and everything below it have used."""
    return sum(_cpu_of(each) for each in tree(pid))


def _cpu_of(pid: int) -> float:
    """By the scheduler's nanoseconds where the kernel has them, else by its ticks."""
    try:
        tasks = [(task / "schedstat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int(task.split()[0]) for task in tasks) / 1e9
    except OSError:
        pass
    with suppress(OSError):
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) * _TICK
    return 0.0


def rss_bytes(pid: int) -> int:
    """Memory that a process and everything below it hold; pages that they share count once for each."""
    total = 0
    for each in tree(pid):
        with suppress(OSError):
            total += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def busy_seconds(core: int) -> tuple[float, float]:
    """Seconds since the start that a core was busy, and that the hypervisor gave to somebody else."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _, _, irq, softirq, steal = (int(field) for field in fields[:8])
            return (user + nice + system + irq + softirq) * _TICK, steal * _TICK
    raise RuntimeError(f"/proc/stat knows no core {core}")


def description() -> dict[str, str]:
    """What a reader has to know about this machine."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
