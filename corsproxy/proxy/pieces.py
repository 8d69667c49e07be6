"""Pieces of bodies as they are passed on.  Pure."""

from __future__ import annotations

from typing import Final

Piece = bytes | memoryview

WORTH_A_VIEW: Final = 8192  # bytes; to copy fewer costs less than to make a view of them


def behind(data: bytes, start: int) -> Piece:
    """What is behind the first ``start`` bytes: of a body that came with its head, a view, and no copy."""
    return data[start:] if len(data) <= WORTH_A_VIEW else memoryview(data)[start:]
