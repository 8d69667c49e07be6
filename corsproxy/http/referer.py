"""Referer toward the upstream, where a rule gives it another origin (https://www.rfc-editor.org/rfc/rfc9110#section-10.1.3)."""

from __future__ import annotations

import re

# https://www.rfc-editor.org/rfc/rfc3986#section-3: scheme and authority.
_ORIGIN = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def with_origin(referer: bytes, origin: bytes) -> bytes:
    """A Referer whose page has moved to ``origin``; its path and query stay.

    ``about:blank`` and a path without an authority name no origin, and stay as they are.
    """
    match = _ORIGIN.match(referer)
    return origin + referer[match.end() :] if match else referer
