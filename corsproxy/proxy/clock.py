"""The time of day as HTTP writes it, made once a second."""

from __future__ import annotations

import time
from email.utils import formatdate


class Clock:
    """``clock()`` is the current IMF-fixdate (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)."""

    __slots__ = ("_date", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._date = b""

    def __call__(self) -> bytes:
        """The present second."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True).encode()
        return self._date
