"""A browser, as far as CORS is concerned: given what a page asks for and a server to ask, what the page gets.

Rules: written from the Fetch standard alone (https://fetch.spec.whatwg.org/) and independent of this proxy's policies,
so that the two can be held against each other.  Pure: whoever calls ``run`` lends it a way to send.  No caches, no
service workers, no cookies: each fetch is the first one, and ``WireRequest.credentials`` says when cookies would go.

The walk of a fetch, in the standard's names: ``run`` (fetch), ``_main_fetch`` (is it CORS at all), the preflight,
``_http_fetch`` (send and check), ``_follow`` (HTTP-redirect fetch, and around again).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import pairwise
from urllib.parse import urljoin, urlsplit

from corsproxy.cors.check import (
    ALLOWED,
    REDIRECT_STATUSES,
    Blocked,
    Step,
    Verdict,
    check_origin,
    check_preflight,
    check_timing,
    exposed,
    preflight_of,
    unforbidden,
)
from corsproxy.cors.fetch import (
    Credentials,
    Headers,
    Mode,
    Request,
    Tainting,
    Upload,
    WireRequest,
    WireResponse,
    origin_of,
    values_of,
    without,
)
from corsproxy.cors.safelist import (
    NON_WILDCARD_NAME,
    REQUEST_BODY_NAMES,
    is_preflighted,
    normalize_method,
    settable,
)

__all__ = [
    "ALLOWED",
    "Blocked",
    "Credentials",
    "Fetched",
    "Headers",
    "Mode",
    "Request",
    "Send",
    "Step",
    "Tainting",
    "Upload",
    "Verdict",
    "WireRequest",
    "WireResponse",
    "run",
]

Send = Callable[[WireRequest], WireResponse]

_MAX_REDIRECTS = 20  # https://fetch.spec.whatwg.org/#concept-http-redirect-fetch
_HTTP_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the page has in the end.

    ``response`` is what the page can read of the answer: nothing when it was blocked, a status of 0 without headers
    when it is opaque.  ``timing`` is whether it may see how long the network took.
    """

    verdict: Verdict
    tainting: Tainting
    response: WireResponse | None = None
    timing: bool = False


@dataclass(frozen=True, slots=True)
class _Leg:
    """One request of a fetch on its way: the first, or the one after a redirect."""

    request: Request
    urls: tuple[str, ...]  # https://fetch.spec.whatwg.org/#concept-request-url-list
    tainting: Tainting = Tainting.BASIC
    timing: bool = True

    @property
    def origin(self) -> bytes:
        """The origin as it is sent: ``null`` once a stranger has redirected to somebody else.

        https://fetch.spec.whatwg.org/#concept-request-tainted-origin
        """
        own = self.request.origin
        hops = [origin_of(url) for url in self.urls]
        strange = any(before not in {own, after} for before, after in pairwise(hops))
        return b"null" if strange else own

    def blocked(self, reason: Blocked, subject: bytes = b"") -> Fetched:
        return Fetched(Verdict(reason, subject, Step.ACTUAL, self.request.url), self.tainting)


def run(request: Request, send: Send) -> Fetched:
    """Fetch, to the end of all redirects; a ValueError says that the request's URL is none.

    https://fetch.spec.whatwg.org/#concept-fetch
    """
    request = replace(request, method=normalize_method(request.method), headers=settable(request))
    leg: _Leg | Fetched = _Leg(request, (request.url,))
    while isinstance(leg, _Leg):
        leg = _main_fetch(leg, send)
    return leg


def _main_fetch(leg: _Leg, send: Send) -> _Leg | Fetched:
    """Whether this request is CORS at all (https://fetch.spec.whatwg.org/#concept-main-fetch, step 12)."""
    request = leg.request
    same_origin = origin_of(request.url) == request.origin and leg.tainting is Tainting.BASIC
    if same_origin or request.mode is Mode.NAVIGATE:
        return _http_fetch(leg, send)
    if request.mode is Mode.SAME_ORIGIN:
        return leg.blocked(Blocked.REQUEST_MODE)
    if request.mode is Mode.NO_CORS:
        return _http_fetch(replace(leg, tainting=Tainting.OPAQUE), send)
    if (scheme := urlsplit(request.url).scheme) not in _HTTP_SCHEMES:
        return leg.blocked(Blocked.SCHEME, scheme.encode())
    leg = replace(leg, tainting=Tainting.CORS)
    if is_preflighted(request):
        answer = send(preflight_of(request, leg.origin))
        verdict = check_preflight(request, leg.origin, answer)
        if not verdict.allowed:
            return Fetched(verdict, leg.tainting)
    return _http_fetch(leg, send)


def _http_fetch(leg: _Leg, send: Send) -> _Leg | Fetched:
    """Send, and check what comes back (https://fetch.spec.whatwg.org/#concept-http-fetch, step 4)."""
    response = send(_on_the_wire(leg))
    if leg.tainting is Tainting.CORS:
        verdict = check_origin(leg.request, leg.origin, response, Step.ACTUAL)
        if not verdict.allowed:
            return Fetched(verdict, leg.tainting)
    timing = leg.timing and check_timing(leg.request, leg.origin, leg.tainting, response)
    leg = replace(leg, timing=timing)
    locations = values_of(response.headers, b"location")
    if response.status in REDIRECT_STATUSES and locations:
        return _follow(leg, response.status, locations)
    return Fetched(ALLOWED, leg.tainting, _readable(leg, response), timing)


def _on_the_wire(leg: _Leg) -> WireRequest:
    request = leg.request
    credentials = request.credentials is Credentials.INCLUDE or (
        request.credentials is Credentials.SAME_ORIGIN and leg.tainting is Tainting.BASIC
    )
    return WireRequest(request.method, request.url, (*request.headers, *_origin_line(leg)), credentials)


def _origin_line(leg: _Leg) -> Headers:
    """The Origin header, if there is one (https://fetch.spec.whatwg.org/#append-a-request-origin-header).

    The referrer policy is the default one, strict-origin-when-cross-origin.
    """
    request = leg.request
    if leg.tainting is Tainting.CORS:
        return ((b"Origin", leg.origin),)
    if request.method in {b"GET", b"HEAD"}:
        return ()
    downgrade = leg.origin.startswith(b"https:") and not request.url.startswith("https:")
    return ((b"Origin", b"null" if downgrade and request.mode is not Mode.CORS else leg.origin),)


def _readable(leg: _Leg, response: WireResponse) -> WireResponse:
    """The response as the page sees it (https://fetch.spec.whatwg.org/#concept-filtered-response)."""
    if leg.tainting is Tainting.OPAQUE:
        return WireResponse(0)
    if leg.tainting is Tainting.BASIC:
        return replace(response, headers=unforbidden(response))
    return replace(response, headers=exposed(response, leg.request.credentials))


def _follow(leg: _Leg, status: int, locations: list[bytes]) -> _Leg | Fetched:
    """The request after a redirect (https://fetch.spec.whatwg.org/#concept-http-redirect-fetch)."""
    request = leg.request
    found = b", ".join(locations)
    if len(locations) > 1:
        return leg.blocked(Blocked.REDIRECT_LOCATIONS, found)
    url = _resolve(request.url, found)
    if not url:
        return leg.blocked(Blocked.REDIRECT_LOCATION, found)
    if (scheme := urlsplit(url).scheme) not in _HTTP_SCHEMES:
        moved = replace(leg, request=replace(request, url=url))
        return moved.blocked(Blocked.REDIRECT_SCHEME, scheme.encode())
    reason = _refused(leg, status, url)
    if reason is not None:
        return leg.blocked(reason, found)
    return replace(leg, request=_redirected(request, status, url), urls=(*leg.urls, url))


def _refused(leg: _Leg, status: int, url: str) -> Blocked | None:
    """Why a redirect to this URL is not followed, None when it is."""
    if len(leg.urls) > _MAX_REDIRECTS:
        return Blocked.TOO_MANY_REDIRECTS
    target = urlsplit(url)
    if (target.username or target.password) and _is_cross_origin(leg, url):
        return Blocked.REDIRECT_CREDENTIALS
    if status != HTTPStatus.SEE_OTHER and leg.request.upload is Upload.STREAM:
        return Blocked.REDIRECT_STREAM
    return None


def _resolve(base: str, location: bytes) -> str:
    """The URL that a Location means, "" for none (https://fetch.spec.whatwg.org/#concept-response-location-url)."""
    try:
        url = urljoin(base, location.decode("latin-1"))
        origin_of(url)
    except ValueError:
        return ""
    return url


def _is_cross_origin(leg: _Leg, url: str) -> bool:
    """Whether a user name in this location is refused: the page is or was in another origin."""
    foreign = leg.request.mode is Mode.CORS and origin_of(url) != leg.request.origin
    return foreign or leg.tainting is Tainting.CORS


def _redirected(request: Request, status: int, url: str) -> Request:
    """The request with a new URL, and without what must not go there."""
    method, headers, upload = request.method, request.headers, request.upload
    if _becomes_get(status, method):
        method, headers = b"GET", without(headers, REQUEST_BODY_NAMES)
        # The stream is gone, but the use-CORS-preflight flag that it set stays.
        upload = Upload.WATCHED if upload is Upload.STREAM else upload
    if origin_of(request.url) != origin_of(url):
        headers = without(headers, {NON_WILDCARD_NAME})
    return replace(request, url=url, method=method, headers=headers, upload=upload)


def _becomes_get(status: int, method: bytes) -> bool:
    if status == HTTPStatus.SEE_OTHER:
        return method not in {b"GET", b"HEAD"}
    return method == b"POST" and status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND}
