"""Any server that runs already, by its URL: nothing is configured and nothing is started."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from corsproxy.conformance.target import Place, Settings, Site, Target
from corsproxy.errors import CorsproxyError


class NoUrl(CorsproxyError):
    """A text is no URL of a server."""


class Running(Target):
    """A server at a URL, with the policy that somebody has stated.

    Raises NoUrl for a text that is none.
    """

    name = "url"
    title = "url"
    notes = ("Only GET, HEAD and OPTIONS were sent, and only what can be seen from outside was judged.",)

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise NoUrl(f"{url!r} is no URL of a server; begin it with http:// or https://")
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        port = parts.port or (443 if tls else 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._place = Place(parts.hostname, port, parts.netloc.rpartition("@")[2], path=path, tls=tls)
        self.url = url

    def version(self) -> str:
        """What is known of it."""
        return self.url

    def batches(self, settings: Settings) -> Iterator[Settings]:
        """All at once: it is there already."""
        yield settings

    @asynccontextmanager
    async def serving(self, settings: Settings, site: Site) -> AsyncIterator[Mapping[str, Place]]:  # noqa: ARG002  # it needs none
        """Where it is."""
        yield dict.fromkeys(settings, self._place)
