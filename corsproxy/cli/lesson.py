"""Learning while a proxy runs: what observes beside the log, and where the proposal goes at the end, or when asked."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from corsproxy.cli.config_file import STANDARD_INPUT, read_written
from corsproxy.cli.style import print_problems
from corsproxy.errors import InvalidConfig
from corsproxy.tools.learning.live import Learner
from corsproxy.tools.learning.places import Places

if TYPE_CHECKING:
    from corsproxy.cli.learning_options import Learning
    from corsproxy.proxy.exchange import Exchange, Observer
    from corsproxy.server.run import Observing
    from corsproxy.tools.learning.proposal import Basis
    from corsproxy.tools.learning.wanted import Counted

STANDARD_OUTPUT: Final = "-"
_ASKED: Final = getattr(signal, "SIGUSR1", None)  # Windows has none


class Lesson:
    """What one process learns; ``basis`` is asked for what the proposal starts from, each time anew."""

    def __init__(self, output: str, places: Places, basis: Callable[[], Basis]) -> None:
        self._output = output
        self._basis = basis
        self._learner = Learner(places)
        self._writing = threading.Lock()

    def beside_those(self, observing: Observing) -> Observing:
        """Learn beside those who observe; at the end, and at SIGUSR1, the proposal is written."""

        @contextmanager
        def both() -> Iterator[Observer]:
            with observing() as observe, self._asked_for():
                yield self._beside(observe) if observe is not None else self._learner
            self._write(self._learner.evidence.kinds())

        return both

    def _beside(self, observe: Observer) -> Observer:
        learner = self._learner

        def both(exchange: Exchange) -> None:
            learner(exchange)
            observe(exchange)

        return both

    @contextmanager
    def _asked_for(self) -> Iterator[None]:
        """Write when SIGUSR1 comes, in a thread: no request waits for it."""
        if _ASKED is None:
            yield
            return

        def write(number: int, frame: object) -> None:  # noqa: ARG001  # a signal handler's signature
            threading.Thread(target=self._write, args=(self._learner.evidence.kinds(),)).start()

        before = signal.signal(_ASKED, write)
        try:
            yield
        finally:
            signal.signal(_ASKED, before)

    def _write(self, counted: Counted) -> None:
        from corsproxy.cli.learning_text import remark_lines  # noqa: PLC0415  # slow to import, and not at the start
        from corsproxy.tools.learning.proposal import propose  # noqa: PLC0415

        with self._writing:
            try:
                proposal = propose(counted, self._basis())
            except InvalidConfig as invalid:
                print_problems(invalid.problems)
                return
            for line in remark_lines(proposal, self._learner.evidence.notes):
                click.echo(line, err=True)
            if not proposal.changed:
                click.echo("nothing to learn: all that was seen is allowed, or left out", err=True)
            elif self._output == STANDARD_OUTPUT:
                click.echo(proposal.after, nl=False)
            else:
                _save(self._output, proposal.after)


def _save(file: str, text: str) -> None:
    try:
        Path(file).write_text(text, "utf-8")
    except OSError as error:
        click.echo(f"what was learnt cannot be written to {file} ({error.strerror}); it follows", err=True)
        click.echo(text, nl=False)
    else:
        click.echo(f"what was learnt is in {file}; review it, and serve it when it is right", err=True)


def lesson_of_api(learning: Learning, upstream: str, workers: int = 1) -> Lesson:
    """A new table for one API; raises UsageError where it cannot be had."""
    _check_workers(workers)

    def basis() -> Basis:
        from corsproxy.tools.learning.proposal import Basis  # noqa: PLC0415  # as above

        return Basis(None, upstream, learning.trusted, environment=dict(os.environ))

    return Lesson(learning.output, Places(), basis)


def lesson_of_file(learning: Learning, file: str, places: Places, workers: int) -> Lesson:
    """The change of a file; raises UsageError where it cannot be had."""
    _check_workers(workers)
    if file == STANDARD_INPUT:
        raise click.UsageError("standard input cannot be read again at the end; name the file, or leave --learn out")
    if learning.output != STANDARD_OUTPUT and Path(learning.output).resolve() == Path(file).resolve():
        raise click.UsageError("what is learnt does not go into the file that is served; name another for --learn")

    def basis() -> Basis:
        from corsproxy.tools.learning.proposal import Basis  # noqa: PLC0415  # as above

        return Basis(read_written(file), "", learning.trusted)

    return Lesson(learning.output, places, basis)


def _check_workers(workers: int) -> None:
    if workers > 1:
        raise click.UsageError("one process can learn; leave --workers or --learn out, or learn from the access log")
