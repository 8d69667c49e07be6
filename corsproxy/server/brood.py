"""The workers from their parent's side: started by fork, heard and told things, and noticed when they are gone.

Rules: the parent has no thread and no event loop, so that it may fork at any time, and nothing that it does waits for a
worker.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NoReturn

from corsproxy.server.messages import Kind, Messages, message

log: Final = logging.getLogger("corsproxy.process")

_READ: Final = 64 * 1024
_TERMINAL: Final = 1.0  # seconds that a worker gets to say where it hung


class Worker:
    """One worker, as its parent knows it."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.sock = sock
        self.born = self.heard = time.monotonic()
        self.ready = False
        self.condemned: float | None = None  # since when it is being killed
        self.snapshot = b""  # the last one
        self.messages = Messages()
        self.unsent = bytearray()


class Brood:
    """Every worker that lives; ``told`` gets each message, ``lost`` each worker that has ended, with its status."""

    def __init__(
        self, selector: selectors.BaseSelector, main: Callable[[socket.socket], None], hang_after: float
    ) -> None:
        self.workers: dict[int, Worker] = {}
        self._selector = selector
        self._main = main
        self._hang_after = hang_after
        self._looked = time.monotonic()

    def spawn(self, close: Callable[[], None]) -> None:
        """Start one more; ``close`` closes in the worker what is the parent's alone."""
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become_worker(theirs, close)
        theirs.close()
        ours.setblocking(False)  # noqa: FBT003  # the socket module's signature
        worker = self.workers[pid] = Worker(pid, ours)
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _become_worker(self, sock: socket.socket, close: Callable[[], None]) -> NoReturn:
        """The worker's whole life: it must never return into the code of its parent."""
        status = 1
        try:
            close()
            self._selector.close()
            for worker in self.workers.values():
                worker.sock.close()
            self._main(sock)
            status = 0
        except BaseException:  # whatever it is, the parent reads it in the log, and the status
            log.critical("a worker failed", exc_info=True)
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def tell(self, kind: Kind, payload: bytes = b"") -> None:
        """Tell all workers."""
        for worker in self.workers.values():
            self.tell_one(worker, kind, payload)

    def tell_one(self, worker: Worker, kind: Kind, payload: bytes = b"") -> None:
        """Tell one worker, as soon as it listens."""
        worker.unsent += message(kind, payload)
        self._send(worker)

    def served(self, worker: Worker, events: int) -> list[tuple[Kind, bytes]]:
        """What a worker has said, when its socket is ready."""
        if events & selectors.EVENT_WRITE:
            self._send(worker)
        if not events & selectors.EVENT_READ:
            return []
        try:
            data = worker.sock.recv(_READ)
        except OSError:
            data = b""
        if not data:  # it has ended, or is about to
            self._mute(worker)
            return []
        worker.heard = time.monotonic()
        return list(worker.messages.feed(data))

    def reap(self) -> Iterator[tuple[Worker, int]]:
        """Workers that have ended, with their exit status, negative for a signal."""
        for worker in list(self.workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._mute(worker)
                worker.sock.close()
                del self.workers[pid]
                yield worker, os.waitstatus_to_exitcode(status)

    def kill_hung(self, now: float) -> None:
        """End workers that have not been heard of for too long; their end is told by ``reap``."""
        asleep = now - self._looked > self._hang_after / 2  # this very process was; nobody could be heard
        self._looked = now
        for worker in self.workers.values():
            if asleep:
                worker.heard = now
            if worker.condemned is None and now - worker.heard > self._hang_after:
                log.error("worker %d has hung for %gs; it is replaced", worker.pid, self._hang_after)
                worker.condemned = now
                os.kill(worker.pid, signal.SIGABRT)  # faulthandler writes where it hangs
            elif worker.condemned is not None and now - worker.condemned > _TERMINAL:
                os.kill(worker.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End all at once, whatever they do."""
        for worker in self.workers.values():
            os.kill(worker.pid, signal.SIGKILL)

    def _send(self, worker: Worker) -> None:
        if worker.unsent:
            try:
                del worker.unsent[: worker.sock.send(worker.unsent)]
            except BlockingIOError:
                pass
            except OSError:  # it has ended
                worker.unsent.clear()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.unsent else 0)
        with suppress(KeyError):
            if self._selector.get_key(worker.sock).events != wanted:
                self._selector.modify(worker.sock, wanted, worker)

    def _mute(self, worker: Worker) -> None:
        with suppress(KeyError):
            self._selector.unregister(worker.sock)
