"""Which headers of a request on the wire the page's script has set: those that no browser adds by itself."""

from __future__ import annotations

from typing import Final

from corsproxy.cors.fetch import Headers, without

# Sec- and the forbidden names are the browser's anyway (cors.safelist); these are the others that it adds.
BROWSERS_OWN: Final = frozenset(
    b"accept accept-encoding accept-language cache-control connection content-length cookie dnt host origin pragma "
    b"priority referer te upgrade-insecure-requests user-agent".split()
)


def scripts_own(headers: Headers) -> Headers:
    """The headers that are left when the browser's own are taken away."""
    return tuple(header for header in without(headers, BROWSERS_OWN) if not header[0].lower().startswith(b"sec-"))
