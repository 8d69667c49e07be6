"""Kinds of values that several options have."""

from __future__ import annotations

import click

from corsproxy.config.quantities import parse_duration
from corsproxy.config.written import Unusable


class Duration(click.ParamType[float]):
    """Seconds, written as in a configuration: 500ms, 90s, 10m, or a number."""

    name = "duration"

    def __init__(self, *, zero: bool = True) -> None:
        self._zero = zero

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds; ends the program where there are none."""
        try:
            seconds = parse_duration(float(value) if isinstance(value, str) and _is_number(value) else value)
        except Unusable as unusable:
            self.fail(str(unusable), param, ctx)
        if seconds == 0 and not self._zero:
            self.fail("it must be longer than zero", param, ctx)
        return seconds


class WorkerCount(click.ParamType[int]):
    """A number of processes, or ``auto``: one for each core that this process may use."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; ends the program where it is none."""
        if value == "auto":
            from corsproxy.server.supervisor import available_cores  # noqa: PLC0415  # one worker does not need it

            return available_cores()
        text = str(value)
        if not text.isdecimal() or not 1 <= int(text) <= 1024:
            self.fail(f"{text!r} is no number of workers; write 1 to 1024, or auto", param, ctx)
        return int(text)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal() and text.isascii()
