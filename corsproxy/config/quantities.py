"""Durations and sizes: ``90s``, ``10m``, ``64KiB``, or a plain number of seconds or bytes.

Rules: every unit is spelled out, so that nobody has to guess what ``M`` is; nothing is rounded.
"""

from __future__ import annotations

import re
from typing import Final

from corsproxy.config.written import Unusable

SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES: Final = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
MAX_SECONDS: Final = 366 * 86400  # longer is a slip of the finger
MAX_BYTES: Final = 2**60

_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")
_FORMS = {"duration": "90s, 10m, 2h or a number of seconds", "size": "64KiB, 10MiB or a number of bytes"}
# What people write for the units above, in lower case.
_SECONDS_SYNONYMS = {"sec": "s", "second": "s", "min": "m", "minute": "m", "hr": "h", "hour": "h", "day": "d"}
_BYTES_SYNONYMS = {"k": "KiB", "m": "MiB", "g": "GiB", "ki": "KiB", "mi": "MiB", "gi": "GiB"}
_SYNONYMS = (*_SECONDS_SYNONYMS.items(), *_BYTES_SYNONYMS.items())


def parse_duration(value: object) -> float:
    """Seconds.

    Raises Unusable for anything but a number of seconds, or a number and one of the units in ``SECONDS``.
    """
    seconds = _amount(value, SECONDS, "duration")
    if seconds > MAX_SECONDS:
        raise Unusable(f"{value!r} is longer than a year; write less, or none where no limit is allowed")
    return seconds


def parse_size(value: object) -> int:
    """Bytes.

    Raises Unusable for anything but a whole number of bytes, or a number and one of the units in ``BYTES``.
    """
    size = _amount(value, BYTES, "size")
    if size > MAX_BYTES or size != int(size):
        raise Unusable(f"{value!r} is no number of bytes that a message can have; write {_FORMS['size']}")
    return int(size)


def _amount(value: object, units: dict[str, float] | dict[str, int], kind: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return value
    match = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Unusable(f"{value!r} is no {kind}; write {_FORMS[kind]}")
    number, unit = match.groups()
    if unit and unit not in units:
        raise _unknown_unit(number, unit, list(units), kind)
    # int() where it can be: a float loses the last digits of a large size.
    return (float(number) if "." in number else int(number)) * (units[unit] if unit else 1)


def _unknown_unit(number: str, unit: str, units: list[str], kind: str) -> Unusable:
    known = {name.lower(): name for name in units}
    known |= {synonym: name for synonym, name in _SYNONYMS if name in units}
    meant = known.get(unit.lower()) or known.get(unit.lower().rstrip("s"), "")
    message = f"{number}{unit} is no {kind}; the units are {', '.join(units[:-1])} and {units[-1]}"
    return Unusable(message, f"{number}{meant}" if meant else "")


def show_duration(seconds: float) -> str:
    """A duration as people write it, in the largest unit that leaves a whole number."""
    for unit, length in reversed(SECONDS.items()):
        amount = seconds / length
        if amount >= 1 and amount == int(amount):
            return f"{int(amount)}{unit}"
    return f"{seconds:g}s"
