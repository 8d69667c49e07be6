"""What a browser concludes from an answer, by the algorithms of ``cors/check.py``.  Pure.

The page's request is read back from the bytes that were sent: for a preflight it is the one that it asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from corsproxy.conformance.wire import Lines, Response
from corsproxy.cors.check import (
    ALLOWED,
    DEFAULT_MAX_AGE,
    Step,
    Verdict,
    check_origin,
    check_preflight,
    check_timing,
    exposed,
)
from corsproxy.cors.fetch import Credentials, Request, Tainting, WireResponse, get, is_token, members, values_of

_UNSAFE: Final = b"x" * 129  # a value that no header may have without a preflight


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was sent."""

    method: str
    target: str
    headers: Lines

    @property
    def is_preflight(self) -> bool:
        """Whether it is the browser's question."""
        return self.method == "OPTIONS" and bool(values_of(self.headers, b"access-control-request-method"))


def asked(sent: bytes) -> Asked:
    """The first request in some bytes, read leniently: a vector may send what is no request."""
    head = re.split(rb"\r?\n\r?\n", sent, maxsplit=1)[0]
    start, *lines = re.split(rb"\r?\n", head)
    parts = start.decode("latin-1").split(" ")
    pairs = (line.partition(b":") for line in lines if b":" in line)
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    return Asked(parts[0], parts[1] if len(parts) > 1 else "/", headers)


def page_request(sent: Asked, authority: str, credentials: Credentials) -> Request:
    """What the page would have asked for."""
    origin = get(sent.headers, b"origin") or b""
    url = f"http://{authority}{sent.target if sent.target.startswith('/') else '/'}"
    if not sent.is_preflight:
        return Request(url=url, origin=origin, method=sent.method.encode(), credentials=credentials)
    method = get(sent.headers, b"access-control-request-method") or b"GET"
    names = members(get(sent.headers, b"access-control-request-headers") or b"")
    headers = tuple((name, _UNSAFE) for name in names if is_token(name))
    return Request(url=url, origin=origin, method=method, headers=headers, credentials=credentials)


def conclude(sent: Asked, authority: str, credentials: Credentials, response: Response) -> Verdict:
    """Whether the page gets the answer, or may send what its preflight asks for."""
    request = page_request(sent, authority, credentials)
    answer = WireResponse(response.status, response.headers)
    if sent.is_preflight:
        return check_preflight(request, request.origin, answer)
    return check_origin(request, request.origin, answer, Step.ACTUAL)


def readable(credentials: Credentials, response: Response) -> set[str]:
    """The names of the response headers that a page can read, lower-case."""
    headers = exposed(WireResponse(response.status, response.headers), credentials)
    return {name.decode("latin-1").lower() for name, _ in headers}


def sees_timing(sent: Asked, authority: str, response: Response) -> bool:
    """Whether the page sees detailed timings."""
    request = page_request(sent, authority, Credentials.OMIT)
    return check_timing(request, request.origin, Tainting.CORS, WireResponse(response.status, response.headers))


def kept_for(response: Response) -> int:
    """Seconds for which a preflight's answer is kept, before any browser's own limit."""
    value = get(response.headers, b"access-control-max-age") or b""
    return int(value) if value.isdigit() else DEFAULT_MAX_AGE


__all__ = ["ALLOWED", "Asked", "asked", "conclude", "kept_for", "page_request", "readable", "sees_timing"]
