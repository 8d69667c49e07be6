"""The origins that an expression is meant for, derived from its tree.

Rules: what is spelled out by literals, by alternation, by ``?`` or by a class that enumerates (``[12]``) is taken as
meant, each branch giving a sample of its own.  What ranges over characters or counts is *free*: the sample holds some
filling of it and says so.  A lone ``.`` is read as the dot that was meant, and its place is noted.
"""

from __future__ import annotations

import itertools
import string
from typing import NamedTuple

from corsproxy.cors.expression import Anchor, Characters, Choice, Dot, Node, Repeat, Sequence, read_expression
from corsproxy.errors import InvalidOrigin

MAX_SAMPLES = 1000

# What a free place is filled with: the first of these that it takes, so that a sample is an origin if it can be one.
_FILLINGS = "a1" + string.ascii_lowercase + string.digits + "-_.:/[]+"


class Piece(NamedTuple):
    """A part of a sample; ``free`` when the expression also takes something else in its place."""

    text: str
    free: bool


Sample = tuple[Piece, ...]


class Reading(NamedTuple):
    """What an expression says: a sample of each branch, and the places of its unescaped dots."""

    samples: list[Sample]
    dots: list[int]


def read_samples(text: str) -> Reading:
    """The samples of an expression.

    Raises ``InvalidOrigin`` when the reader does not know what it uses, or when it branches too much.
    """
    expression = read_expression(text)
    return Reading(_samples(expression.tree), expression.dots)


def spelled(sample: Sample) -> str:
    """The sample as a text."""
    return "".join(piece.text for piece in sample)


def _samples(tree: Node) -> list[Sample]:
    match tree:
        case Characters(members, listed):
            return [(Piece(member, free=False),) for member in sorted(members)] if listed else [_free(members)]
        case Dot(lone):
            return [(Piece("." if lone else _FILLINGS[0], free=not lone),)]
        case Anchor():
            return [()]  # the match is always full
        case Sequence(parts):
            return _sequence(parts)
        case Choice(branches):
            return _choice(branches)
        case _:
            return _repeat(tree)


def _sequence(parts: tuple[Node, ...]) -> list[Sample]:
    samples: list[Sample] = [()]
    for part in parts:
        samples = _joined(samples, _samples(part))
    return samples


def _choice(branches: tuple[Node, ...]) -> list[Sample]:
    samples: list[Sample] = []
    for branch in branches:
        samples += _samples(branch)
        if len(samples) > MAX_SAMPLES:
            raise _too_many()
    return samples


def _free(members: frozenset[str]) -> Sample:
    filling = next((char for char in _FILLINGS if char in members), min(members, default="?"))
    return (Piece(filling, free=True),)


def _joined(left: list[Sample], right: list[Sample]) -> list[Sample]:
    if len(left) * len(right) > MAX_SAMPLES:
        raise _too_many()
    return [first + second for first, second in itertools.product(left, right)]


def _too_many() -> InvalidOrigin:
    return InvalidOrigin(f"it branches into more than {MAX_SAMPLES} origins; list them in allow_origins")


def _repeat(tree: Repeat) -> list[Sample]:
    samples, low, high = _samples(tree.part), tree.low, tree.high
    if (low, high) == (0, 1):
        return [(), *samples]
    if low == high:
        repeated: list[Sample] = [()]
        for _ in range(low):
            repeated = _joined(repeated, samples)
        return repeated
    absent: list[Sample] = [] if low else [()]
    return absent + [(Piece("".join(piece.text for piece in sample) * max(low, 1), free=True),) for sample in samples]
