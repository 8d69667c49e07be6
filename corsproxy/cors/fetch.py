"""The values of the Fetch standard: what a page asks for, what goes over the wire, what comes back.

Rules: nothing here decides anything, and nothing here or in ``safelist``, ``check`` and ``browser`` knows this proxy's
policies.  Those four files are the browser's side of the protocol, written from the standard
(https://fetch.spec.whatwg.org/), so that a policy can be judged by somebody who has not read its code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

# A header list (https://fetch.spec.whatwg.org/#concept-header-list): names and values as bytes, in order.
Headers = tuple[tuple[bytes, bytes], ...]

WHITE_SPACE = b" \t\r\n"  # https://fetch.spec.whatwg.org/#http-whitespace-byte
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Credentials(StrEnum):
    """When cookies and client certificates go along (https://fetch.spec.whatwg.org/#concept-request-credentials-mode)."""

    OMIT = "omit"
    SAME_ORIGIN = "same-origin"
    INCLUDE = "include"


class Mode(StrEnum):
    """What the page wants of an answer from elsewhere (https://fetch.spec.whatwg.org/#concept-request-mode)."""

    CORS = "cors"
    NO_CORS = "no-cors"
    SAME_ORIGIN = "same-origin"
    NAVIGATE = "navigate"


class Upload(Enum):
    """How the body goes out, as far as the protocol cares."""

    PLAIN = "plain"  # none, or one that can be sent again
    WATCHED = (
        "watched"  # XMLHttpRequest with listeners on its upload (https://xhr.spec.whatwg.org/#upload-listener-flag)
    )
    STREAM = "stream"  # a ReadableStream, which can be sent once (https://fetch.spec.whatwg.org/#concept-body-source)


class Tainting(StrEnum):
    """What became of the answer (https://fetch.spec.whatwg.org/#concept-request-response-tainting)."""

    BASIC = "basic"
    CORS = "cors"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a page asks for, in the words of its script (https://fetch.spec.whatwg.org/#concept-request).

    ``url`` is absolute and as a URL parser serializes it, without a fragment; ``origin`` is the page's own, serialized
    (``b"null"`` for a sandboxed frame or a file).  Redirects are followed, which is what ``fetch`` does by default.
    """

    url: str
    origin: bytes
    method: bytes = b"GET"
    headers: Headers = ()
    credentials: Credentials = Credentials.SAME_ORIGIN
    mode: Mode = Mode.CORS
    upload: Upload = Upload.PLAIN


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as the server gets it; ``credentials``: whether the browser adds the cookies that it has."""

    method: bytes
    url: str
    headers: Headers = ()
    credentials: bool = False


@dataclass(frozen=True, slots=True)
class WireResponse:
    """A response as the browser gets it."""

    status: int
    headers: Headers = ()


def script_headers(lines: Iterable[str]) -> Headers:
    """What a script sets, written as ``Name: value`` or ``Name``.

    A header without a value gets one that no safelist knows, as nearly every value is.
    """
    pairs = (line.partition(":") for line in lines)
    return tuple(
        (name.strip().encode(), (value.strip() or "?").encode("latin-1", "replace")) for name, _, value in pairs
    )


def origin_of(url: str) -> bytes:
    """The serialized origin of a URL; a ValueError says that the URL has no valid host or port.

    https://url.spec.whatwg.org/#concept-url-origin
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}".encode("ascii")


def values_of(headers: Headers, name: bytes) -> list[bytes]:
    """The values of all headers of a name (lower-case), in order, without the white space around them."""
    return [value.strip(WHITE_SPACE) for candidate, value in headers if candidate.lower() == name]


def get(headers: Headers, name: bytes) -> bytes | None:
    """All values of a name, combined; None without any (https://fetch.spec.whatwg.org/#concept-header-list-get)."""
    values = values_of(headers, name)
    return b", ".join(values) if values else None


def without(headers: Headers, names: Iterable[bytes]) -> Headers:
    """The header list with every header of these names (lower-case) deleted."""
    names = frozenset(names)
    return tuple(header for header in headers if header[0].lower() not in names)


def members(value: bytes) -> list[bytes]:
    """The members of a comma-separated value, empty ones too.

    Quoted strings are not looked into: no header that this protocol reads has any.
    https://fetch.spec.whatwg.org/#concept-header-list-get-decode-split
    """
    return [member.strip(WHITE_SPACE) for member in value.split(b",")]


def is_token(value: bytes) -> bool:
    """Whether this is a method or a header name (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)."""
    return _TOKEN.fullmatch(value) is not None


def token_list(headers: Headers, name: bytes) -> list[bytes] | None:
    """The members of a list of tokens over all its lines; None when one of them is malformed.

    Empty members are fine (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1.2).  A header that is absent reads like
    an empty one: the algorithms of this protocol never tell the two apart for a list.
    https://fetch.spec.whatwg.org/#extract-header-list-values
    """
    tokens = [member for value in values_of(headers, name) for member in members(value) if member]
    return tokens if all(map(is_token, tokens)) else None
