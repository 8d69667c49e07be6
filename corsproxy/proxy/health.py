"""What is known of the health of one endpoint among several, and what follows.

Passive evidence is what clients' requests met: an endpoint is ejected after a few failures in a row, stays out for a
time that doubles, and comes back when one request, which tries it, is answered.  A failure is a connection that does
not come about, breaks, brings no HTTP or no answer in time; a status is none, whatever it says: one page's bug must not
take an endpoint from all others.  Active evidence is what checks of its own met.

No clock and no loop: times are given, in seconds.
"""

from __future__ import annotations

from typing import Final, Protocol

EJECT_AFTER: Final = 3  # failures in a row
FIRST_EJECTION: Final = 1.0  # seconds; each that follows without an answer in between is twice as long
LONGEST_EJECTION: Final = 60.0  # seconds
SICK_AFTER: Final = 2  # failed checks in a row; one may be lost to a restart


class Trial(Protocol):
    """The connection of the request that tries an ejected endpoint."""

    answered: bool


class Health:
    """One endpoint's."""

    __slots__ = ("_ejections", "_failed_checks", "_failures", "returns_at", "trial")

    def __init__(self) -> None:
        self.returns_at: float | None = None  # when it may be tried again; None: it is not ejected
        self.trial: Trial | None = None
        self._failures = 0
        self._ejections = 0
        self._failed_checks = 0

    @property
    def well(self) -> bool:
        """Whether requests may go there without second thoughts."""
        return self.returns_at is None and self._failed_checks < SICK_AFTER

    @property
    def spotless(self) -> bool:
        """Whether a success would change nothing."""
        return not self._failures

    def due(self, now: float) -> bool:
        """Whether it is time for a request to try it, and none does."""
        return self.returns_at is not None and self.trial is None and now >= self.returns_at

    def succeeded(self) -> None:
        """A request was answered."""
        self._failures = self._ejections = 0
        self.returns_at = self.trial = None

    def failed(self, now: float, trial: Trial | None = None) -> None:
        """A request was not; ``trial`` is its connection, where it had one.

        Those that were under way already when it was ejected prove nothing new.
        """
        self._failures += 1
        ejected = self.returns_at is not None
        if self._failures < EJECT_AFTER or (ejected and (trial is None or trial is not self.trial)):
            return
        self.trial = None
        self.returns_at = now + min(LONGEST_EJECTION, FIRST_EJECTION * 2.0**self._ejections)
        self._ejections = min(self._ejections + 1, 16)

    def gave_up(self, trial: Trial) -> None:
        """A request ended without evidence, because its client left; if it was the trial, another may try."""
        if self.trial is trial:
            self.trial = None

    def checked(self, *, well: bool) -> None:
        """A check of its own ended; one that passes also ends an ejection."""
        self._failed_checks = 0 if well else min(self._failed_checks + 1, SICK_AFTER)
        if well:
            self.succeeded()
