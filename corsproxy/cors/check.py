"""How a browser judges an answer: the CORS check, the preflight's answer, what the page may read and measure.

Rules: pure functions of what came over the wire and of the request that it answers; every refusal says why, as a value.
The standard only says failure.  Where it leaves the order of two reasons open, Chromium's order is kept, so that its
sentences (``words``) come out right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from corsproxy.cors.fetch import (
    Credentials,
    Headers,
    Mode,
    Request,
    Tainting,
    WireRequest,
    WireResponse,
    get,
    members,
    origin_of,
    token_list,
    values_of,
)
from corsproxy.cors.safelist import NON_WILDCARD_NAME, SAFELISTED_METHODS, unsafe_names

_OK_STATUSES = range(200, 300)  # https://fetch.spec.whatwg.org/#ok-status
# https://fetch.spec.whatwg.org/#redirect-status
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})

DEFAULT_MAX_AGE = 5  # seconds, https://fetch.spec.whatwg.org/#http-access-control-max-age
CHROMIUM_MAX_AGE = 7200  # Chromium's limit in seconds; Firefox's is 86400, WebKit's 600

# https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
SAFELISTED_RESPONSE_NAMES = frozenset(
    b"cache-control content-language content-length content-type expires last-modified pragma".split()
)
# https://fetch.spec.whatwg.org/#forbidden-response-header-name
_FORBIDDEN_RESPONSE_NAMES = frozenset({b"set-cookie", b"set-cookie2"})
_SPECIAL_SCHEMES = frozenset({b"http", b"https", b"ws", b"wss", b"ftp"})
_SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*):")
_DELTA_SECONDS = re.compile(rb"[0-9]+")


class Step(StrEnum):
    """Whose answer was refused."""

    PREFLIGHT = "preflight"
    ACTUAL = "actual"


class Blocked(StrEnum):
    """Why a browser keeps an answer from the page; beside each, what the verdict's subject is."""

    REQUEST_MODE = "request-mode"  # same-origin was asked for, the URL is elsewhere
    SCHEME = "scheme"  # the URL's scheme
    MISSING_ALLOW_ORIGIN = "missing-allow-origin"
    MULTIPLE_ALLOW_ORIGIN = "multiple-allow-origin"  # the value
    INVALID_ALLOW_ORIGIN = "invalid-allow-origin"  # the value
    OTHER_ALLOW_ORIGIN = "other-allow-origin"  # the value
    WILDCARD_WITH_CREDENTIALS = "wildcard-with-credentials"
    ALLOW_CREDENTIALS = "allow-credentials"  # the value, b"" without any
    PREFLIGHT_REDIRECT = "preflight-redirect"  # the location
    PREFLIGHT_STATUS = "preflight-status"  # the status
    MALFORMED_ALLOW_METHODS = "malformed-allow-methods"  # the value
    MALFORMED_ALLOW_HEADERS = "malformed-allow-headers"  # the value
    METHOD = "method"  # the method
    HEADER = "header"  # the first header that is not allowed, lower-case
    REDIRECT_CREDENTIALS = "redirect-credentials"  # the location with its user name or password
    REDIRECT_LOCATION = "redirect-location"  # the location, which is no URL
    REDIRECT_LOCATIONS = "redirect-locations"  # the locations, more than one
    REDIRECT_SCHEME = "redirect-scheme"  # the location's scheme
    REDIRECT_STREAM = "redirect-stream"  # the location, where a streamed body would have to be sent again
    TOO_MANY_REDIRECTS = "too-many-redirects"  # the location of the last one


# Reasons not to follow a redirect; no header of the answer changes them.
REDIRECT_REASONS = frozenset(
    {
        Blocked.REDIRECT_CREDENTIALS,
        Blocked.REDIRECT_LOCATION,
        Blocked.REDIRECT_LOCATIONS,
        Blocked.REDIRECT_SCHEME,
        Blocked.REDIRECT_STREAM,
        Blocked.TOO_MANY_REDIRECTS,
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the page gets the answer, and if not: why, what about, at which step, and at which URL."""

    blocked: Blocked | None = None
    subject: bytes = b""
    step: Step = Step.ACTUAL
    url: str = ""  # the URL at which it was blocked; "" when allowed

    @property
    def allowed(self) -> bool:
        """Whether the page gets the answer."""
        return self.blocked is None


ALLOWED = Verdict()


def check_origin(request: Request, origin: bytes, response: WireResponse, step: Step) -> Verdict:
    """The CORS check (https://fetch.spec.whatwg.org/#concept-cors-check).

    ``origin`` is the serialized origin as it was sent, which redirects may have turned into ``null``.
    """
    include = request.credentials is Credentials.INCLUDE
    found = get(response.headers, b"access-control-allow-origin")
    if found == b"*" and not include:
        return ALLOWED
    if found != origin:
        return Verdict(_why_not(found), found or b"", step, request.url)
    credentials = get(response.headers, b"access-control-allow-credentials")
    if include and credentials != b"true":
        return Verdict(Blocked.ALLOW_CREDENTIALS, credentials or b"", step, request.url)
    return ALLOWED


def preflight_of(request: Request, origin: bytes) -> WireRequest:
    """The preflight that precedes this request (https://fetch.spec.whatwg.org/#cors-preflight-fetch-0)."""
    names = unsafe_names(request.headers)
    asked = ((b"Access-Control-Request-Headers", b",".join(names)),) if names else ()
    method = (b"Access-Control-Request-Method", request.method)
    return WireRequest(b"OPTIONS", request.url, ((b"Accept", b"*/*"), method, *asked, (b"Origin", origin)))


def check_preflight(request: Request, origin: bytes, response: WireResponse) -> Verdict:
    """Whether the answer to a preflight lets the request go out.

    https://fetch.spec.whatwg.org/#cors-preflight-fetch-0, step 7
    """
    location = get(response.headers, b"location")
    if response.status in REDIRECT_STATUSES and location is not None:
        return Verdict(Blocked.PREFLIGHT_REDIRECT, location, Step.PREFLIGHT, request.url)
    shared = check_origin(request, origin, response, Step.PREFLIGHT)
    if not shared.allowed:
        return shared
    if response.status not in _OK_STATUSES:
        return Verdict(Blocked.PREFLIGHT_STATUS, b"%d" % response.status, Step.PREFLIGHT, request.url)
    return _check_lists(request, response.headers)


def max_age(headers: Headers, limit: int = CHROMIUM_MAX_AGE) -> int:
    """For how many seconds a browser with this limit may keep a preflight's answer.

    https://fetch.spec.whatwg.org/#http-access-control-max-age: absent, malformed or sent twice, it is 5.
    """
    values = values_of(headers, b"access-control-max-age")
    if len(values) != 1 or not _DELTA_SECONDS.fullmatch(values[0]):
        return DEFAULT_MAX_AGE
    # Python refuses to convert thousands of digits; no limit has more than these.
    return min(int(values[0].lstrip(b"0")[:19] or b"0"), limit)


def exposed(response: WireResponse, credentials: Credentials) -> Headers:
    """The headers that the page may read of an answer that passed the CORS check.

    https://fetch.spec.whatwg.org/#concept-filtered-response-cors
    """
    listed = {name.lower() for name in token_list(response.headers, b"access-control-expose-headers") or ()}
    if b"*" in listed and credentials is not Credentials.INCLUDE:
        listed.update(name.lower() for name, _ in response.headers)
    readable = (listed | SAFELISTED_RESPONSE_NAMES) - _FORBIDDEN_RESPONSE_NAMES
    return tuple(header for header in response.headers if header[0].lower() in readable)


def unforbidden(response: WireResponse) -> Headers:
    """The headers that a page may read of its own origin (https://fetch.spec.whatwg.org/#concept-filtered-response-basic)."""
    return tuple(header for header in response.headers if header[0].lower() not in _FORBIDDEN_RESPONSE_NAMES)


def check_timing(request: Request, origin: bytes, tainting: Tainting, response: WireResponse) -> bool:
    """Whether the page may see the timing of this answer (https://fetch.spec.whatwg.org/#concept-tao-check)."""
    listed = members(get(response.headers, b"timing-allow-origin") or b"")
    if b"*" in listed or origin in listed:
        return True
    if request.mode is Mode.NAVIGATE and origin_of(request.url) != request.origin:
        return False
    return tainting is Tainting.BASIC


def _check_lists(request: Request, headers: Headers) -> Verdict:
    """Whether a preflight's answer grants the method and the headers."""
    methods = token_list(headers, b"access-control-allow-methods")
    if methods is None:
        return _malformed(request, headers, b"access-control-allow-methods", Blocked.MALFORMED_ALLOW_METHODS)
    names = token_list(headers, b"access-control-allow-headers")
    if names is None:
        return _malformed(request, headers, b"access-control-allow-headers", Blocked.MALFORMED_ALLOW_HEADERS)
    # "*" is an ordinary name once credentials are asked for (https://fetch.spec.whatwg.org/#http-new-header-syntax).
    wildcard = {b"*"} if request.credentials is not Credentials.INCLUDE else frozenset[bytes]()
    if request.method not in SAFELISTED_METHODS and not {request.method, *wildcard}.intersection(methods):
        return Verdict(Blocked.METHOD, request.method, Step.PREFLIGHT, request.url)
    listed = {name.lower() for name in names}
    for name in unsafe_names(request.headers):
        if name not in listed and (name == NON_WILDCARD_NAME or not wildcard & listed):
            return Verdict(Blocked.HEADER, name, Step.PREFLIGHT, request.url)
    return ALLOWED


def _malformed(request: Request, headers: Headers, name: bytes, blocked: Blocked) -> Verdict:
    return Verdict(blocked, get(headers, name) or b"", Step.PREFLIGHT, request.url)


def _why_not(found: bytes | None) -> Blocked:
    """Which way an Access-Control-Allow-Origin is not the origin; the standard has one failure for all of them."""
    if found is None:
        return Blocked.MISSING_ALLOW_ORIGIN
    if found == b"*":
        return Blocked.WILDCARD_WITH_CREDENTIALS
    if b"," in found or b" " in found:
        return Blocked.MULTIPLE_ALLOW_ORIGIN
    return Blocked.OTHER_ALLOW_ORIGIN if found == b"null" or _is_url(found) else Blocked.INVALID_ALLOW_ORIGIN


def _is_url(value: bytes) -> bool:
    """Whether this could be a URL, as far as telling a wrong origin from a wrong value needs it."""
    scheme = _SCHEME.match(value)
    if scheme is None or scheme[1].lower() not in _SPECIAL_SCHEMES:
        return scheme is not None
    # However many slashes there are (https://url.spec.whatwg.org/#special-authority-ignore-slashes-state).
    url = f"{scheme[1].decode()}://{value[scheme.end() :].decode('latin-1').lstrip('/')}"
    try:
        return bool(urlsplit(url).hostname and origin_of(url))
    except ValueError:
        return False
