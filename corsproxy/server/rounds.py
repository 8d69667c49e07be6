"""What the parent asks of all workers at once: their snapshots, and whether a new configuration is ready everywhere.

A round ends when every worker that still lives has answered, or when its time is over.  Whoever owns it sends and
receives; nothing here does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corsproxy.server.brood import Worker
    from corsproxy.server.reload import Reload, Reloads

GATHER_SECONDS: Final = 1.0  # what a worker does not say by then is left out
LOAD_SECONDS: Final = 30.0  # what a worker has not made ready by then, it cannot


class Round:
    """A question to the workers of this moment."""

    def __init__(self, number: int, workers: Iterable[Worker], deadline: float) -> None:
        self.number = number
        self.missing = set(workers)
        self.deadline = deadline

    def over(self, now: float) -> bool:
        """Whether nobody has to be waited for any more."""
        return not self.missing or now >= self.deadline


class Gathering(Round):
    """A request for the snapshots of all, made by one worker or by several in the meantime."""

    def __init__(self, number: int, workers: Iterable[Worker], deadline: float) -> None:
        super().__init__(number, workers, deadline)
        self.askers: list[Worker] = []
        self.snapshots: list[bytes] = []


class Loading(Round):
    """A configuration on its way into force."""

    def __init__(
        self, number: int, workers: Iterable[Worker], deadline: float, reload: Reload, reloads: Reloads
    ) -> None:
        super().__init__(number, workers, deadline)
        self.reload = reload
        self.reloads = reloads
        self.problems: list[str] = []
