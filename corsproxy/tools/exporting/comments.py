"""What stands in comments of an output: where it comes from, and what is lost in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

# Line ends of every reader: of JSON and YAML, of HAProxy and nginx, and of editors.
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(text: str) -> str:
    """A text that stays in its comment."""
    return _CONTROLS.sub(" ", text)


def remarks(source: str, differences: Iterable[str]) -> list[str]:
    """Where an output comes from, and what is lost in it."""
    first = f"corsproxy export of {source}; change that file, and export again"
    return [first, *(f"DIFFERENCE: {difference}" for difference in differences)]


def above(text: str, said: Iterable[str]) -> str:
    """The text with remarks before it, for targets whose comments begin with ``#``."""
    return "".join(f"# {one_line(line)}\n" for line in said) + text
