"""A bound for what a chunked body brings besides its content: chunk sizes, extensions, trailers.

llhttp skips extensions and takes trailers without end (https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1); a peer
that sends nothing else would be read for ever.  Pure.
"""

from __future__ import annotations

from typing import Final

# Framing that each byte of content explains: five with chunks of one byte, which some servers do send.
_PER_BYTE: Final = 8


class FramingBudget:
    """What is left of ``allowance`` bytes, beyond what the content explains."""

    __slots__ = ("_left",)

    def __init__(self, allowance: int) -> None:
        self._left = allowance

    def spend(self, received: int, content: int) -> bool:
        """Account for ``received`` bytes that held ``content`` bytes of content; False when the budget is spent."""
        self._left += content * (1 + _PER_BYTE) - received
        return self._left >= 0
