"""Texts with names in braces, and the bytes that they become.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# What is too long to be written out.
LONG: Final = {
    "kilobyte": "a" * 1024,
    "labels": "a." * 1024,
    "commas": "," * 1024,
    "names": ",".join(f"x-{number}" for number in range(512)),
    "half_a_megabyte_of_commas": "," * 2**19,
}

NAME: Final = re.compile(r"\{([a-z_]+)\}")


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with the names in braces replaced by their values; a name without one stays."""
    return NAME.sub(lambda match: str(values.get(match[1], match[0])), text)


def request_bytes(text: str, values: Mapping[str, str]) -> bytes:
    """The bytes of a request: its line ends as CRLF, and then the names in braces filled in.

    A text without an empty line is a head alone, which gets its end.
    """
    text = text if "\n\n" in text else f"{text}\n"
    return filled(text.replace("\n", "\r\n"), values).encode("latin-1")
