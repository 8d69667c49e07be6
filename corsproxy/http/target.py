"""Request targets and hosts: one reading for choosing a rule and for forwarding.

A proxy that chooses the rule by one reading of the path and forwards another one applies the wrong policy to what the
upstream serves.  Rules that this file obeys:

- The bytes that are forwarded are the bytes that were received, less whole segments in front, plus the base path.
- What two servers may resolve to two different paths (dot segments in any spelling, NUL, fragments) is refused.
- ``Target.key`` has as many segments as the raw path: only unreserved characters are decoded, so no slash appears or
  goes.  ``%2F`` separates no segments, but it counts as a separator when dot segments are looked for, since many
  servers decode it first.
- What honest APIs use and some servers read differently (``%2F``, ``//``, ``;``) passes, and ``Target.lenient`` says
  how such a server reads it: the caller refuses the request if that reading belongs to another rule.
- No byte of the target is repeated in an error message.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container
from functools import lru_cache
from typing import Final

from corsproxy.errors import MalformedRequest


class Target:  # no named tuple: compiled, one costs ten times as much to make and to read
    """A request target, taken apart.

    ``authority`` is the one of absolute-form (it overrules the Host field, RFC 9112 section 3.2.2), else None.
    ``path`` and ``query`` are the raw bytes; the query keeps its "?", so that ``path + query`` is what was sent.
    ``key`` is the path to look rules up by: unreserved characters decoded, other escapes in upper case (RFC 3986
    sections 6.2.2.1 and 6.2.2.2).
    ``lenient`` is the path as the most lenient server reads it: escaped separators and delimiters decoded, backslashes
    as slashes, path parameters cut off, empty segments merged.  Nearly always it is ``key`` itself; where it is not,
    and finds another rule than ``key``, the request is to be refused.
    """

    __slots__ = ("authority", "key", "lenient", "path", "query")

    def __init__(self, authority: bytes | None, path: bytes, query: bytes, key: str, lenient: str) -> None:
        self.authority = authority
        self.path = path
        self.query = query
        self.key = key
        self.lenient = lenient


def keeping(kept: Container[int]) -> bytes:
    """A table for ``bytes.translate`` that changes whatever is not ``kept``: the cheapest way to look at each byte."""
    return bytes(byte if byte in kept else byte ^ 1 for byte in range(256))


# What nearly all requests look like: nothing to decode, nothing that two servers read differently.
_ORDINARY_PATH: Final = keeping(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_~!$&'()*+,=:@.-/")
_ORDINARY_QUERY: Final = keeping({*range(0x21, 0x7F)} - {ord("#")})
_DOTS_AS_SLASHES: Final = bytes.maketrans(b".", b"/")

# Printable ASCII without "#"; the path ends at the first "?".  A URI has no other bytes (RFC 3986 section 2); browsers
# escape the rest.  Braces, quotes and bars are no URI characters either, but browsers send them and APIs expect them.
_SHAPE = re.compile(rb"(/[!-\"$->@-~]*)(\?[!-\"$-~]*)?")
_ABSOLUTE = re.compile(rb"https?://([^/?#\\]*)", re.IGNORECASE)

# ".." and "." between separators, each in any spelling; Tomcat cuts ";..." off before it resolves dot segments.
_DOT_SEGMENT = re.compile(rb"(?:/|\\|%2f|%5c)(?:\.|%2e){1,2}(?=/|\\|%2f|%5c|;|%3b|\Z)", re.IGNORECASE)
_IIS_ESCAPE = re.compile(rb"%u00(?=[0-9a-f]{2})", re.IGNORECASE)  # %u002e is a dot there, nowhere else
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_DELIMITER_ESCAPE = re.compile(r"%(2[146789ABCF]|3[ABD]|40|5C)")  # ! $ & ' ( ) * + , / : ; = @ and the backslash
_PATH_PARAMETER = re.compile(r";[^/]*")
_SLASHES = re.compile(r"/{2,}")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_REG_NAME = re.compile(rb"([0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*)\.?")
_HOST_PORT = re.compile(rb"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]{0,5}))?")
_MAX_HOST = 255  # bytes, the longest name that DNS knows
_MAX_PORT = 65535


def parse_target(target: bytes) -> Target:
    """Read a request target in origin-form or absolute-form.

    The asterisk-form of OPTIONS and the authority-form of CONNECT are for the caller; here they are malformed.  Escapes
    that are none (``/100%``) pass as they are, as legacy APIs know them; ``%00`` in the path is refused.

    Raises MalformedRequest (400).
    """
    return read_ordinary(target) or _parse_with_care(target)


def read_ordinary(target: bytes) -> Target | None:
    """What ``parse_target`` says of nearly every target; None for those that it must look at with care."""
    path, mark, query = target.partition(b"?")
    if (
        path.translate(_ORDINARY_PATH) != path
        or not path.startswith(b"/")
        # "//" and "/.", in one search; "in" would try its left side as a number first, and that costs more than this.
        or path.translate(_DOTS_AS_SLASHES).find(b"//") >= 0
        or (mark and query.translate(_ORDINARY_QUERY) != query)
    ):
        return None
    key = path.decode("ascii")
    return Target(None, path, mark + query, key, key)


def _parse_with_care(target: bytes) -> Target:
    authority = None
    if not target.startswith(b"/"):
        authority, target = _split_absolute(target)
    shape = _SHAPE.fullmatch(target)
    if shape is None:
        raise MalformedRequest(400, _why_misshapen(target))
    path, query = shape.groups(b"")
    standard = _IIS_ESCAPE.sub(b"%", path)
    _refuse_ambiguous(standard)
    return Target(authority, path, query, _key(path.decode("ascii")), _lenient(standard.decode("ascii")))


def forward_path(target: Target, strip: int, base: bytes) -> bytes:
    """The target for the upstream: the first ``strip`` segments cut off, ``base`` in front, the query as it came.

    ``base`` has no trailing slash.  Segments are cut from the raw path, so an escaped spelling of the prefix is
    removed like any other; what is left begins with a slash.
    """
    path = target.path
    if strip:
        start = 0
        for _ in range(strip):
            start = path.find(b"/", start + 1)
            if start < 0:
                return base + b"/" + target.query
        path = path[start:]
    return base + path + target.query


@lru_cache(maxsize=1024)  # a proxy is called by few names, and this is read on every request
def parse_host(value: bytes) -> tuple[str, bytes]:
    """Read a Host field or an authority: the lower-case name to look rules up by, and the value itself.

    The name has neither port nor brackets nor the root's trailing dot; IPv6 is compressed.

    Raises MalformedRequest (400) for anything but host[:port]; user information, lists and paths are nothing that a
    host may carry (RFC 9112 section 3.2).
    """
    shape = _HOST_PORT.fullmatch(value)
    if shape is None or len(value) > _MAX_HOST or int(shape[3] or 0) > _MAX_PORT:
        raise _no_host()
    if shape[1] is not None:
        return _ipv6(shape[1]), value
    name = _REG_NAME.fullmatch(shape[2])
    if name is None:
        raise _no_host()
    return name[1].decode("ascii").lower(), value


def _no_host() -> MalformedRequest:
    return MalformedRequest(400, "the Host is no host name; send exactly one, as name or name:port")


def _ipv6(text: bytes) -> str:
    try:
        return str(ipaddress.IPv6Address(text.decode("ascii")))
    except ValueError:
        raise _no_host() from None


def _split_absolute(target: bytes) -> tuple[bytes, bytes]:
    """The authority of an absolute-form target, and the rest in origin-form."""
    match = _ABSOLUTE.match(target)
    if match is None:
        raise MalformedRequest(400, "the request target is neither a path nor an http URL; begin it with a slash")
    parse_host(match[1])
    rest = target[match.end() :]
    return match[1], b"/" + rest if rest[:1] in (b"", b"?") else rest


def _why_misshapen(target: bytes) -> str:
    if b"#" in target:
        return "the request target has a fragment; leave it out, it is never sent to a server"
    return "the request target has characters that no URL has; percent-encode them"


def _refuse_ambiguous(path: bytes) -> None:
    if _DOT_SEGMENT.search(path):
        raise MalformedRequest(400, "the path has dot segments, plain or encoded; resolve them before sending")
    if b"%00" in path:
        raise MalformedRequest(400, "the path has an encoded NUL; remove it")


def _key(path: str) -> str:
    """Normalise a path for matching (RFC 3986 section 6.2.2.2)."""
    return _ESCAPE.sub(_decode_unreserved, path)


def _decode_unreserved(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _decode_delimiter(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16))


def _lenient(path: str) -> str:
    path = _DELIMITER_ESCAPE.sub(_decode_delimiter, _key(path)).replace("\\", "/")
    return _SLASHES.sub("/", _PATH_PARAMETER.sub("", path))
