"""Origins as values: scheme, host, port.

Rules: an ``Origin`` is always one that a browser could send, so ``parse_origin(str(origin)) == origin``; whatever else
a person may have written is an error with a correction, never quietly repaired, because a text that differs from the
bytes of the header would never match.
"""

from __future__ import annotations

from typing import NamedTuple

from corsproxy.cors.correction import diagnose
from corsproxy.cors.serialized import split_origin
from corsproxy.errors import InvalidOrigin


class Origin(NamedTuple):
    """A tuple origin (https://html.spec.whatwg.org/multipage/browsers.html#concept-origin-tuple)."""

    scheme: str
    host: str  # lower case, Punycode; an IPv6 address stands in brackets
    port: int | None  # None: the scheme's default

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}" if self.port is None else f"{self.scheme}://{self.host}:{self.port}"


def parse_origin(text: str) -> Origin:
    """The origin that ``text`` is the serialization of.

    Raises ``InvalidOrigin`` when a browser would not send exactly this text, with the text to write instead if there is
    one.
    """
    origin = read_origin(text)
    if origin is None:
        diagnosis = diagnose(text)
        raise InvalidOrigin(f"{text!r} {diagnosis.reason}", diagnosis.correction)
    return origin


def read_origin(text: str) -> Origin | None:
    """The origin that ``text`` is the serialization of, or None."""
    # "?" is no part of any origin, so that replacing what is not ASCII cannot make one.
    parts = split_origin(text.encode("ascii", "replace"))
    if parts is None:
        return None
    scheme, host, port = parts
    return Origin(scheme.decode("ascii"), host.decode("ascii"), int(port) if port else None)
