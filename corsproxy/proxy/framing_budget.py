"""A bound for what a chunked body brings besides its content: chunk sizes, extensions, trailers.

The parser skips extensions and takes trailers without end (https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1); a
peer that sends nothing else would be read for ever.  Pure.
"""

from __future__ import annotations

from typing import Final

# Framing that each byte of content explains: five with chunks of one byte, which some servers do send.
_PER_BYTE: Final = 8
# Bytes of framing on top of that, in the whole body.
_ALLOWANCE: Final = 64 * 1024
# Bytes of framing without any content between them: one long extension, or trailers.
_LONGEST_RUN: Final = 8 * 1024


class FramingBudget:
    """What a body may still bring besides its content, on the whole and at a stretch."""

    __slots__ = ("_left", "_run")

    def __init__(self) -> None:
        self._left = _ALLOWANCE
        self._run = 0

    def spend(self, received: int, content: int) -> bool:
        """Account for ``received`` bytes that held ``content`` bytes of content; False when the budget is spent."""
        self._left += content * (1 + _PER_BYTE) - received
        self._run = 0 if content else self._run + received
        return self._left >= 0 and self._run <= _LONGEST_RUN
