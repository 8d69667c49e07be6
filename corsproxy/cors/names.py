"""The names that a policy lists: methods, request headers, response headers.

Rules: an entry that a browser could never make use of is an error, since whoever wrote it expects something of it; the
lists of the Fetch standard are copied whole and linked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from corsproxy.errors import PolicyProblem

# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# https://fetch.spec.whatwg.org/#cors-safelisted-method
SAFELISTED_METHODS = frozenset({"GET", "HEAD", "POST"})
# https://fetch.spec.whatwg.org/#forbidden-method
FORBIDDEN_METHODS = frozenset({"CONNECT", "TRACE", "TRACK"})
# Methods in use on the web, all upper case: another case of these is a mistake, of any other method it may be meant.
_KNOWN_METHODS = SAFELISTED_METHODS | {"DELETE", "OPTIONS", "PATCH", "PUT", "QUERY", "PROPFIND", "REPORT"}

# https://fetch.spec.whatwg.org/#forbidden-request-header
_FORBIDDEN_REQUEST_HEADERS = frozenset(
    {
        "accept-charset",
        "accept-encoding",
        "access-control-request-headers",
        "access-control-request-method",
        "connection",
        "content-length",
        "cookie",
        "cookie2",
        "date",
        "dnt",
        "expect",
        "host",
        "keep-alive",
        "origin",
        "referer",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    }
)
_FORBIDDEN_REQUEST_PREFIXES = ("proxy-", "sec-")
# https://fetch.spec.whatwg.org/#forbidden-response-header-name
_FORBIDDEN_RESPONSE_HEADERS = frozenset({"set-cookie", "set-cookie2"})
_CORS_PREFIX = "access-control-"


class _Fault(NamedTuple):
    reason: str
    correction: str = ""


def is_token(name: bytes) -> bool:
    """Whether a name may stand on the wire as a method or a header name."""
    return TOKEN.fullmatch(name) is not None


def method_problems(methods: Sequence[str]) -> Iterator[PolicyProblem]:
    """What is wrong with ``allow_methods``."""
    # Case counts: https://fetch.spec.whatwg.org/#concept-method
    return _problems("allow_methods", methods, _method_fault, str)


def request_header_problems(names: Sequence[str]) -> Iterator[PolicyProblem]:
    """What is wrong with ``allow_headers``."""
    return _problems("allow_headers", names, _request_header_fault, str.lower)


def response_header_problems(names: Sequence[str]) -> Iterator[PolicyProblem]:
    """What is wrong with ``expose_headers``."""
    return _problems("expose_headers", names, _response_header_fault, str.lower)


def _problems(
    field: str, entries: Sequence[str], fault_of: Callable[[str], _Fault | None], key: Callable[[str], str]
) -> Iterator[PolicyProblem]:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry == "*" and len(set(entries)) > 1:
            fault: _Fault | None = _Fault(
                "'*' stands among names, which it covers already; write one or the other", f'{field}: "*"'
            )
        elif key(entry) in seen:
            fault = _Fault(f"{entry!r} is listed twice; remove one")
        else:
            fault = None if entry == "*" else _token_fault(entry) or fault_of(entry)
        seen.add(key(entry))
        if fault:
            yield PolicyProblem(field, index, fault.reason, fault.correction)


def _token_fault(name: str) -> _Fault | None:
    # "?" is no token character, so that replacing what is not ASCII cannot make a token.
    if is_token(name.encode("ascii", "replace")):
        return None
    if is_token(name.strip().encode("ascii", "replace")):
        return _Fault(f"{name!r} has white space around it; remove it", name.strip())
    return _Fault(f"{name!r} is no token of RFC 9110; list each name as an entry of its own")


def _method_fault(method: str) -> _Fault | None:
    upper = method.upper()
    if upper in FORBIDDEN_METHODS:
        return _Fault(f"{method!r} is a method that browsers never send for a page; remove it")
    if upper in _KNOWN_METHODS and method != upper:
        return _Fault(f"{method!r} never matches, since methods are case-sensitive; write it in upper case", upper)
    return None


def _request_header_fault(name: str) -> _Fault | None:
    lower = name.lower()
    if lower in _FORBIDDEN_REQUEST_HEADERS or lower.startswith(_FORBIDDEN_REQUEST_PREFIXES):
        return _Fault(f"{name!r} is set by the browser alone, so no page ever asks for it; remove it")
    if lower.startswith(_CORS_PREFIX):
        return _Fault(f"{name!r} is a header of responses; remove it")
    return None


def _response_header_fault(name: str) -> _Fault | None:
    lower = name.lower()
    if lower in _FORBIDDEN_RESPONSE_HEADERS:
        return _Fault(f"{name!r} is kept from pages by every browser, whatever is exposed; remove it")
    if lower == "origin" or lower.startswith(_CORS_PREFIX):
        return _Fault(f"{name!r} is for the browser and says nothing to a page; remove it")
    return None
