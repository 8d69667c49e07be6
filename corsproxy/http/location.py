"""Location and Content-Location: from the upstream's paths back into the proxy's.

A redirect of the upstream is passed on, never followed, and it names the upstream's own URLs.  Rules that this file
obeys:

- What leads to the upstream becomes a path in the proxy; what leads elsewhere stays as it is, byte for byte.
- A rewritten reference never names another authority: a path that would read as one is written as ``/.//...``.
- Whatever a browser and a strict parser may take for two different authorities (user information, backslashes,
  control characters) is left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# An absolute path, with or without scheme and authority in front.  Where browsers see more than a strict parser, there
# is no match: a backslash beside the authority (https://url.spec.whatwg.org/#authority-state), and controls, since tab
# and line ends are deleted wherever they stand (https://url.spec.whatwg.org/#concept-basic-url-parser).
_REFERENCE = re.compile(
    rb"(?:((?:https?:)?//([^/?#\\\x00-\x1f\x7f]++))(?!\\)|(?=/(?![/\\])))([^\x00-\x1f\x7f]*)", re.IGNORECASE
)
_QUERY_OR_FRAGMENT = re.compile(rb"[?#]")
_DOT_SEGMENT = re.compile(rb"/(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _is_within(path: bytes, prefix: bytes) -> bool:
    """Whether a path has this prefix in whole segments."""
    return path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in (b"", b"/", b"?", b"#")


def proxy_path(path: bytes, base: bytes, prefix: bytes) -> bytes | None:
    """A path of the upstream as the proxy's clients know it: ``base`` removed, ``prefix`` put back.

    Both are without a trailing slash and are compared in whole segments.  None: the path is outside the base, so no
    path of the proxy leads there.
    """
    return prefix + path[len(base) :] or b"/" if _is_within(path, base) else None


@dataclass(frozen=True, slots=True)
class LocationRewrite:
    """How references of one rule's upstream are brought back into the proxy."""

    authorities: frozenset[bytes] = frozenset()  # lower case, with and without scheme: http://a:80, //a:80, http://a
    base: bytes = b""
    prefix: bytes = b""

    @classmethod
    def create(cls, upstream_urls: Sequence[str], base: str, prefix: str) -> LocationRewrite:
        """Compile the rewriting of one rule.

        ``upstream_urls`` are all URLs that the upstream may call itself by: its endpoints, and with a literal
        ``forward_host`` the one with that host; those without a host (``unix:``) are skipped.  ``base`` is the
        upstream's base path, ``prefix`` the rule's path when it is stripped, else "".
        """
        authorities = frozenset(spelling for url in upstream_urls for spelling in _spellings(url))
        return cls(authorities, base.rstrip("/").encode(), prefix.rstrip("/").encode())

    def rewrite(self, value: bytes, host: bytes = b"") -> bytes:
        """A reference as the proxy's client must see it.

        ``host`` is the client's own Host: an upstream that is told it, by Host or X-Forwarded-Host, names itself so,
        and its paths still lack the prefix unless it was configured with it.

        Absolute and scheme-relative URLs of the upstream become absolute paths; absolute paths lose the base and get
        the prefix; a path outside the base, a relative reference and any other URL come back untouched.
        """
        match = _REFERENCE.fullmatch(value)
        if match is None:
            return value
        start, authority, rest = match.groups(b"")
        if not start or start.lower() in self.authorities:
            here = self._in_proxy(rest)
            return value if here is None else _as_path(here)
        if authority.lower() == host.lower() and not (self.prefix and _is_within(rest, self.prefix)):
            here = self._in_proxy(rest)
            return value if here is None else start + here
        return value

    def _in_proxy(self, reference: bytes) -> bytes | None:
        """Bring path, query and fragment of an upstream's URL into the proxy; None: outside the base."""
        path = _QUERY_OR_FRAGMENT.split(reference, maxsplit=1)[0]
        rest = reference[len(path) :]
        path = path or b"/"
        if (self.base or self.prefix) and _DOT_SEGMENT.search(path):
            path = _resolve(path)
        here = proxy_path(path, self.base, self.prefix)
        return None if here is None else here + rest


def _as_path(reference: bytes) -> bytes:
    """A reference that begins with a path, even if the path begins with two slashes.

    https://url.spec.whatwg.org/#url-serializing has the same remedy.
    """
    return b"/." + reference if reference[1:2] in (b"/", b"\\") else reference


def _spellings(url: str) -> Iterator[bytes]:
    """The ways to write a URL's scheme and authority, in lower case."""
    parts = urlsplit(url)
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or parts.hostname is None:
        return
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or default
    for authority in (name, f"{name}:", f"{name}:{port}") if port == default else (f"{name}:{port}",):
        yield f"{parts.scheme}://{authority}".encode()
        yield f"//{authority}".encode()


def _resolve(path: bytes) -> bytes:
    """Resolve dot segments as a browser does, ``%2e`` included (https://url.spec.whatwg.org/#path-state)."""
    kept: list[bytes] = []
    plain = b""
    for segment in path.split(b"/")[1:]:
        plain = segment.lower().replace(b"%2e", b".")
        if plain == b"..":
            del kept[-1:]
        elif plain != b".":
            kept.append(segment)
    if plain in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)
