"""What of a head may leave the process: everything but what lets its reader in.

Rules: names always stay, values of credentials never; a cookie keeps its attributes, since the browser judges by them.
Everything that the page, an export or an explanation gets has passed here first, so that no later step can forget it.
"""

from __future__ import annotations

from typing import Final

from corsproxy.cors.fetch import Headers
from corsproxy.http.redaction import MASK, is_secret, shown_target

_MASK: Final = MASK.encode()
_ADDRESSES: Final = frozenset({b"content-location", b"link", b"location", b"referer", b"refresh"})
CREDENTIALS: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization"})
# They speak of credentials without holding any.
_HARMLESS: Final = (b"access-control-", b"sec-fetch-")


def masked(headers: Headers) -> Headers:
    """The lines of a head, with every secret in them masked."""
    return tuple((name, masked_value(name.lower(), value)) for name, value in headers)


def masked_value(name: bytes, value: bytes) -> bytes:
    """The value of a line with this lower-case name."""
    if name in {b"authorization", b"proxy-authorization", b"www-authenticate"}:
        scheme, space, rest = value.partition(b" ")
        return scheme + space + _MASK if space and rest else _MASK
    if name == b"cookie":
        return b"; ".join(_masked_pair(pair) for pair in value.split(b";"))
    if name == b"set-cookie":
        pair, semicolon, attributes = value.partition(b";")
        return _masked_pair(pair) + semicolon + attributes
    if name in _ADDRESSES:
        return shown_target(value).encode()
    if not name.startswith(_HARMLESS) and is_secret(name.decode("latin-1")):
        return _MASK
    return value


def masked_url(url: str) -> str:
    """A URL with the secrets of its query, and a password before its host, masked."""
    return shown_target(url.encode("latin-1", "replace"))


def _masked_pair(pair: bytes) -> bytes:
    name, equals, _ = pair.strip().partition(b"=")
    return name + b"=" + _MASK if equals else _MASK
