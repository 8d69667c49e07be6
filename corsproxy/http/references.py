"""Refresh and Link: the references inside them, brought into the proxy's paths as Location is.

Rules that this file obeys:

- Only the reference changes; every other byte of the value stays, whatever sense it makes.
- What is a reference is decided as a browser does, for it is the browser that will follow it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Rewrite = Callable[[bytes], bytes]

# https://html.spec.whatwg.org/#shared-declarative-refresh-steps: a time, one separator or spaces, "url=" or not, a
# quotation mark or not; a URL in quotation marks ends with them, any other with the value.
_REFRESH = re.compile(
    rb"[\t\n\f\r ]*(?:[0-9]|(?=\.))[0-9.]*(?:[\t\n\f\r ]*[;,]|[\t\n\f\r ])[\t\n\f\r ]*+"
    # Not "(...)?+": Python below 3.11.5 loses its place where such a group begins to match and does not
    # (https://github.com/python/cpython/issues/106052).
    rb"(?:url[\t\n\f\r ]*=[\t\n\f\r ]*+|(?!url[\t\n\f\r ]*=))(?:\"([^\"]*)|'([^']*)|([^\"'].*))",
    re.IGNORECASE | re.DOTALL,
)

# https://www.rfc-editor.org/rfc/rfc8288#section-3: a target stands in angle brackets, and so does nothing else outside
# of quotation marks; the link's context, if there is one, is the parameter anchor (3.2).
_LINK = re.compile(
    rb"(<)([^>]*)|(;[\t ]*anchor[\t ]*=[\t ]*\")([^\"\\]*+\")|\"(?:[^\"\\]|\\.)*+\"?", re.IGNORECASE | re.DOTALL
)


def rewrite_refresh(value: bytes, rewrite: Rewrite) -> bytes:
    """A Refresh value with its URL rewritten, if it has one."""
    match = _REFRESH.match(value)
    if match is None:
        return value
    start, end = max(match.span(1), match.span(2), match.span(3))  # of the two that did not match: (-1, -1)
    return value[:start] + rewrite(value[start:end]) + value[end:]


def rewrite_link(value: bytes, rewrite: Rewrite) -> bytes:
    """A Link value with the targets and anchors of all its links rewritten."""
    return _LINK.sub(lambda match: _rewritten(match, rewrite), value)


def _rewritten(match: re.Match[bytes], rewrite: Rewrite) -> bytes:
    """A target or anchor, rewritten; any other text in quotation marks as it is."""
    target_start, target, anchor_start, anchor = match.groups()
    if target_start:
        return target_start + rewrite(target)
    return anchor_start + rewrite(anchor[:-1]) + b'"' if anchor_start else match[0]
