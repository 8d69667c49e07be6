"""The parent of several workers: it opens the sockets, forks, replaces who dies or hangs, reloads and ends them all.

It serves nothing itself.  Its one loop sleeps until a worker speaks, a signal comes or something is due.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from corsproxy.errors import CorsproxyError
from corsproxy.server.brood import Brood, Worker
from corsproxy.server.colleagues import Gathered, Remember, State
from corsproxy.server.messages import Kind
from corsproxy.server.reload import Reloads, check_files, problems, refused
from corsproxy.server.rounds import GATHER_SECONDS, LOAD_SECONDS, Gathering, Loading
from corsproxy.server.watch import INTERVAL, Change
from corsproxy.server.worker_channel import write_gathered

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.server.ending import Patience

log: Final = logging.getLogger("corsproxy.process")

_TURN: Final = 0.2  # seconds after which what is due is looked for
_HEALTHY: Final = 60.0  # seconds after which a worker's death is no part of a series
_LONGEST_PAUSE: Final = 30.0  # seconds between two starts in a series of deaths
_HOPELESS: Final = 5  # deaths before any worker has served: what keeps them from it will not go away
_OVERTIME: Final = 5.0  # seconds that a worker may take longer than it was told to


class Supervisor:
    """Workers, from the first start to the last end.

    ``main`` is a worker's life: the configuration to begin with, and its end of the socket pair.  ``started`` is told
    once, when the first worker serves.
    """

    def __init__(
        self,
        compiled: Compiled,
        main: Callable[[Compiled, socket.socket], None],
        *,
        count: int,
        hang_after: float,
        reloads: Reloads | None,
        watching: bool,
        remember: Remember,
        started: Callable[[], None],
    ) -> None:
        self._compiled = compiled
        self._selector = selectors.DefaultSelector()
        self._brood = Brood(self._selector, lambda sock: main(self._compiled, sock), hang_after)
        self._count = count
        self._reloads = reloads
        self._watching = watching
        self._remember = remember
        self._started: Callable[[], None] | None = started
        self._state = State(reloads.watch.config_hash if reloads else "", workers_wanted=count)
        self._dead = b""  # what is kept of the snapshots of workers that have died
        self._due = [0.0] * count  # when a worker is to be started
        self._deaths = 0  # in a row
        self._wants_reload = False
        self._next_look = time.monotonic() + INTERVAL
        self._number = 0  # of the last round
        self._gathering: Gathering | None = None
        self._loading: Loading | None = None
        self._ends_by: float | None = None  # once it is ending
        self._failed = False

    def run(self, patience: Patience) -> int:
        """Work until a signal ends it; the exit code."""
        wakeup, wake = socket.socketpair()
        wakeup.settimeout(0)
        wake.settimeout(0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._selector.register(wakeup, selectors.EVENT_READ)

        def close() -> None:
            signal.set_wakeup_fd(-1)
            wakeup.close()
            wake.close()

        while self._due or self._brood.workers:
            self._spawn_due(close)
            for key, events in self._selector.select(_TURN):
                if key.data is None:
                    self._obey(wakeup.recv(4096), patience)
                else:
                    self._hear(key.data, events)
            self._reap()
            self._look(time.monotonic())
        close()
        self._selector.close()
        return int(self._failed)

    def _spawn_due(self, close: Callable[[], None]) -> None:
        if self._loading is not None:  # who starts now would miss the end of it
            return
        now = time.monotonic()
        for due in [due for due in self._due if due <= now]:
            self._due.remove(due)
            self._brood.spawn(close)

    def _obey(self, signals: bytes, patience: Patience) -> None:
        for number in signals:
            if number == signal.SIGHUP:
                self._wants_reload = True
            elif number in {signal.SIGINT, signal.SIGTERM}:
                self._end(patience)

    def _end(self, patience: Patience) -> None:
        self._due.clear()
        if self._ends_by is None:
            self._ends_by = time.monotonic() + sum(patience) + _OVERTIME
            self._brood.tell(Kind.DRAIN, json.dumps(patience._asdict()).encode())
        else:
            self._ends_by = time.monotonic() + _OVERTIME
            self._brood.tell(Kind.END)

    def _look(self, now: float) -> None:
        """Do what is due."""
        self._brood.kill_hung(now)
        if self._gathering is not None and self._gathering.over(now):
            self._finish_gathering(self._gathering)
        if self._loading is not None and self._loading.over(now):
            self._finish_loading(self._loading)
        if self._ends_by is not None:
            if now > self._ends_by:
                log.error("workers that do not end are killed: %s", ", ".join(map(str, self._brood.workers)))
                self._failed = True
                self._brood.kill()
        elif self._loading is None and self._reloads is not None:
            self._look_for_change(now, self._reloads)

    # workers

    def _hear(self, worker: Worker, events: int) -> None:
        for kind, payload in self._brood.served(worker, events):
            if kind is Kind.READY:
                self._ready(worker)
            elif kind is Kind.GATHER:
                self._gather(worker)
            elif kind is Kind.SNAPSHOT:
                self._snapshot(worker, payload)
            elif kind in {Kind.PREPARED, Kind.REFUSED}:
                self._answered(worker, json.loads(payload))

    def _ready(self, worker: Worker) -> None:
        worker.ready = True
        started, self._started = self._started, None
        if started is not None:
            started()

    def _reap(self) -> None:
        for worker, status in self._brood.reap():
            for going_on in (self._gathering, self._loading):
                if going_on is not None:
                    going_on.missing.discard(worker)
            if self._gathering is not None and worker in self._gathering.askers:
                self._gathering.askers.remove(worker)
            if worker.snapshot:
                self._dead = self._remember(self._dead, worker.snapshot)
            if self._ends_by is None:
                self._replace(worker, status)
            elif status:
                log.error("worker %d ended by %s", worker.pid, _cause(status))
                self._failed = True

    def _replace(self, worker: Worker, status: int) -> None:
        now = time.monotonic()
        self._deaths = 1 if now - worker.born > _HEALTHY else self._deaths + 1
        pause = 0.0 if self._deaths == 1 else min(_LONGEST_PAUSE, 0.1 * 2**self._deaths)
        self._state = replace(self._state, workers_replaced=self._state.workers_replaced + 1)
        if self._started is not None and self._deaths >= _HOPELESS:
            log.critical("worker %d ended by %s, and none has ever served; giving up", worker.pid, _cause(status))
            self._failed = True
            self._due.clear()
            self._ends_by = now
            return
        log.error("worker %d ended by %s; another one is started in %gs", worker.pid, _cause(status), pause)
        self._due.append(now + pause)

    # snapshots

    def _gather(self, asker: Worker) -> None:
        if self._gathering is None:
            self._number += 1
            workers = [worker for worker in self._brood.workers.values() if worker.ready]
            self._gathering = Gathering(self._number, workers, time.monotonic() + GATHER_SECONDS)
            for worker in workers:
                self._brood.tell_one(worker, Kind.ASK, str(self._number).encode())
        self._gathering.askers.append(asker)

    def _snapshot(self, worker: Worker, payload: bytes) -> None:
        number, _, worker.snapshot = payload.partition(b"\n")
        gathering = self._gathering
        if gathering is not None and int(number) == gathering.number:
            gathering.missing.discard(worker)
            gathering.snapshots.append(worker.snapshot)

    def _finish_gathering(self, gathering: Gathering) -> None:
        self._gathering = None
        alive = sum(worker.ready for worker in self._brood.workers.values())
        snapshots = (*gathering.snapshots, self._dead) if self._dead else tuple(gathering.snapshots)
        gathered = write_gathered(Gathered(replace(self._state, workers=alive), snapshots))
        for asker in gathering.askers:
            self._brood.tell_one(asker, Kind.GATHERED, gathered)

    # the configuration

    def _look_for_change(self, now: float, reloads: Reloads) -> None:
        if self._wants_reload:
            self._wants_reload = False
            self._load(reloads.watch.now(), reloads, asked=True)
        elif self._watching and now >= self._next_look:
            self._next_look = now + INTERVAL
            change = reloads.watch.look()
            if change is not None:
                self._load(change, reloads, asked=False)

    def _load(self, change: Change, reloads: Reloads, *, asked: bool) -> None:
        try:
            reload = reloads.compile(change, asked=asked)
            check_files(reload.written)
        except CorsproxyError as error:
            self._state = refused(self._state, problems(error))
            return
        self._number += 1
        workers = self._brood.workers.values()
        self._loading = Loading(self._number, workers, time.monotonic() + LOAD_SECONDS, reload, reloads)
        shadow = reload.written.shadow
        written = {
            "generation": self._number,
            "content": reload.content.decode(),
            "shadow": shadow.text if shadow is not None else None,
            "renewed": sorted(reload.renewed),
            "tried": reload.tried,
        }
        self._brood.tell(Kind.LOAD, json.dumps(written).encode())

    def _answered(self, worker: Worker, answer: int | dict[str, str]) -> None:
        number = answer if isinstance(answer, int) else answer["generation"]
        if self._loading is None or number != self._loading.number:
            return
        self._loading.missing.discard(worker)
        if not isinstance(answer, int):
            self._loading.problems.append(f"worker {worker.pid}: {answer['problem']}")

    def _finish_loading(self, loading: Loading) -> None:
        self._loading = None
        loading.problems += [f"worker {worker.pid} did not answer in time" for worker in loading.missing]
        if loading.problems:
            self._brood.tell(Kind.DISCARD)
            self._state = refused(self._state, loading.problems)
            return
        self._brood.tell(Kind.COMMIT)
        self._compiled = loading.reload.compiled
        self._state = loading.reloads.accept(loading.reload, self._state)


def _cause(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
