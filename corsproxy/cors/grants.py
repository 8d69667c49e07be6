"""The two lists that a preflight asks about, compiled: methods and request headers.

Rules: whatever the answer can be is joined into bytes when the policy is compiled; what a request asks for is bounded
before it is looked at, so that a megabyte of commas costs no more than a line of text (rs/cors #170).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from corsproxy.cors.names import FORBIDDEN_METHODS, SAFELISTED_METHODS, is_token

# A browser that sends 5,000 custom headers asks for them in one line of 38,889 bytes.
MAX_ASKED_BYTES = 65536
MAX_ASKED_NAMES = 8192
MAX_SHOWN_BYTES = 256
MAX_SHOWN_NAMES = 20

_FORBIDDEN = frozenset(method.encode("ascii") for method in FORBIDDEN_METHODS)


@dataclass(frozen=True, slots=True)
class Methods:
    """``allow_methods``: the methods, or None for any, and the line that names them (None: the one asked for)."""

    names: frozenset[bytes] | None
    line: bytes | None

    def grant(self, method: bytes) -> bytes | None:
        """The header line that grants a method; None when it is denied."""
        if not self._covers(method):
            return None
        return b"Access-Control-Allow-Methods: %b\r\n" % method if self.line is None else self.line

    def _covers(self, method: bytes) -> bool:
        if self.names is not None:
            return method in self.names
        return is_token(method) and method.upper() not in _FORBIDDEN


def compile_methods(methods: Sequence[str], *, credentials: bool) -> Methods:
    """The methods as written.

    GET, HEAD and POST are granted whatever is listed: the preflight check of a browser passes them in any case
    (https://fetch.spec.whatwg.org/#cors-preflight-fetch-0), so that a refusal would only pretend to protect.
    """
    if tuple(methods) == ("*",):
        return Methods(None, None if credentials else b"Access-Control-Allow-Methods: *\r\n")
    names = frozenset(method.encode("ascii") for method in (*methods, *SAFELISTED_METHODS))
    return Methods(names, field_line("Access-Control-Allow-Methods", methods))


@dataclass(frozen=True, slots=True)
class Headers:
    """``allow_headers``: the lower-case names, or None for any, and their line (None: it names those asked for)."""

    names: frozenset[bytes] | None
    line: bytes | None

    def grant(self, asked: bytes) -> bytes | None:
        """The header line that grants every name asked for (b"": none is needed); None when one is denied."""
        if _is_excessive(asked):
            return None
        # Browsers send names in lower case without white space, so most requests end here.
        if self.names is not None and self.names.issuperset(asked.split(b",")):
            return self.line
        names = asked_names(asked)
        if any(self._refused(names)):
            return None
        if self.line is not None:
            return self.line
        return b"Access-Control-Allow-Headers: %b\r\n" % b", ".join(names) if names else b""

    def denied(self, asked: bytes) -> bytes:
        """What ``grant`` has refused, for people to read: the first names, or the beginning of what is too much."""
        if _is_excessive(asked):
            return asked[:MAX_SHOWN_BYTES]
        return b", ".join(itertools.islice(self._refused(asked_names(asked)), MAX_SHOWN_NAMES))

    def _refused(self, names: Iterable[bytes]) -> Iterator[bytes]:
        if self.names is None:
            return (name for name in names if not is_token(name))
        return (name for name in names if name not in self.names)


def _is_excessive(asked: bytes) -> bool:
    return len(asked) > MAX_ASKED_BYTES or asked.count(b",") >= MAX_ASKED_NAMES


def asked_names(asked: bytes) -> list[bytes]:
    """The names of an Access-Control-Request-Headers value, in lower case, each once, without empty items.

    Gateways split and fold the line that browsers send, so white space and empty items are tolerated
    (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1.2; rs/cors #184), and so is any order (rs/cors #183).
    """
    names = (item.strip(b" \t") for item in asked.lower().split(b","))
    return [name for name in dict.fromkeys(names) if name]


def compile_headers(names: Sequence[str], *, credentials: bool) -> Headers:
    """The request headers as written.

    Authorization is named beside ``*``, which does not cover it
    (https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name).
    """
    if tuple(names) == ("*",):
        return Headers(None, None if credentials else b"Access-Control-Allow-Headers: *, Authorization\r\n")
    lower = frozenset(name.lower().encode("ascii") for name in names)
    return Headers(lower, field_line("Access-Control-Allow-Headers", names))


def field_line(name: str, members: Sequence[str]) -> bytes:
    """A header line with its CRLF; b"" when there is nothing to say, since an empty list helps nobody."""
    return f"{name}: {', '.join(members)}\r\n".encode("ascii") if members else b""
