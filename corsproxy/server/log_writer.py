"""Where log lines go: to a stream, from a thread of their own, so that no request waits for whoever reads them.

Rules that this file obeys:

- ``write`` never waits.  A reader that is too slow costs lines, not requests: what does not fit into the queue is left
  out, counted, and told in its place.
- Lines gather for a moment and leave together: each time that the thread runs, it takes the interpreter from the loop,
  and gives it back at each write.
- Several workers that share one standard output never write into each other's lines: batches are at most what a pipe
  takes whole (PIPE_BUF).  A regular file takes a write of any size whole, so there they are larger.
- A stream that is broken breaks nobody.
- The thread begins with the first line and ends with ``close``: a process that forks has none then.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import ClassVar, Final, TextIO

BATCH: Final = 4096  # bytes, https://man7.org/linux/man-pages/man7/pipe.7.html: PIPE_BUF
FILE_BATCH: Final = 65536  # bytes
INTERVAL: Final = 0.02  # seconds for which lines gather before they are written
LONGEST_QUEUE: Final = 8192  # lines, and as many again while they are being written


def _words(count: int) -> str:
    return f"{count} lines of this log were dropped, because its reader is too slow\n"


class LogWriter:
    """Writes to a stream with a file descriptor, in ``encoding``; ``dropped_line`` says that lines are missing."""

    dropped_in_process: ClassVar[int] = 0  # lines, of all writers

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding or "utf-8"
        self.dropped_line: Callable[[int], str] = _words
        self._dropped = 0  # lines, counted by whoever writes
        self._told = 0  # of these, by the thread
        self._queue: list[str] = []
        self._awake = False
        self._file = -1
        self._batch = BATCH
        self._written_to = threading.Event()
        self._closing = threading.Event()
        self._sender: threading.Thread | None = None

    def write(self, text: str) -> None:
        """Take one line, or several that belong together, each with its end."""
        queue = self._queue
        if len(queue) >= LONGEST_QUEUE:
            self._dropped += 1
            LogWriter.dropped_in_process += 1
            return
        queue.append(text)
        if not self._awake:
            self._wake()

    def flush(self) -> None:
        """Nothing is held back for longer than it takes to gather a batch, and nobody waits for that."""

    def close(self, seconds: float = 1.0) -> None:
        """Write what is left, as far as that can be done in time."""
        self._closing.set()
        self._written_to.set()
        if self._sender is not None:
            self._sender.join(seconds)

    def _wake(self) -> None:
        self._awake = True
        if self._sender is None:
            # A daemon: a reader that has stopped reading does not keep the process from ending.
            self._sender = threading.Thread(target=self._run, name="corsproxy-log", daemon=True)
            self._sender.start()
        self._written_to.set()

    def _run(self) -> None:
        self._stream.flush()  # what was printed before comes before
        self._file = self._stream.fileno()
        if stat.S_ISREG(os.fstat(self._file).st_mode):
            self._batch = FILE_BATCH
        while not self._closing.is_set():
            self._written_to.wait()
            self._written_to.clear()
            self._closing.wait(INTERVAL)
            self._awake = False  # before the queue is emptied: what comes from now on wakes again
            self._empty()
        self._empty()  # what came since, and what came when the end came before the first round

    def _empty(self) -> None:
        texts = self._queue[:]
        del self._queue[: len(texts)]  # and not what has come meanwhile
        dropped = self._dropped - self._told  # the queue has been full since the last of the texts came
        self._send_batches(texts)
        if dropped:
            self._told += dropped
            self._send(self._encoded(self.dropped_line(dropped)))

    def _send_batches(self, texts: list[str]) -> None:
        """Send whole texts, as many at once as a batch has room for; one that is longer goes alone."""
        joined = "".join(texts)
        data = self._encoded(joined)
        if len(data) <= self._batch:
            self._send(data)
            return
        ends = list(accumulate(map(len, texts if joined.isascii() else map(self._encoded, texts))))
        first = start = 0
        while first < len(ends):
            first = max(first + 1, bisect_right(ends, start + self._batch))
            end = ends[first - 1]
            self._send(data[start:end])
            start = end

    def _encoded(self, text: str) -> bytes:
        return text.encode(self.encoding, "backslashreplace")

    def _send(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._file, data) :]
            except BlockingIOError:  # somebody who shares the stream made it so
                select.select([], [self._file], [])
            except OSError:  # a reader that has left, or a full disk, is no reason to fail those who are served
                return
