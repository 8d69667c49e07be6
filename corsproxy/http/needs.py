"""What an exchange shows of its page's needs: what CORS would have to grant, read off the header lines alone.

Rules that this file obeys:

- A preflight says what its page is about to do, and is believed; of any other request only that counts which no browser
  and no proxy on the way adds by itself, as far as names can tell.
- A header of an answer counts unless its reader is the browser, a cache or the network.  Where the server itself lists
  what it exposes, its list is believed.
- No value of a header is kept, but for short types and languages of bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from corsproxy.cors.browsers_own import BROWSERS_OWN, scripts_own
from corsproxy.cors.check import SAFELISTED_RESPONSE_NAMES
from corsproxy.cors.fetch import members
from corsproxy.cors.grants import asked_names
from corsproxy.cors.names import is_token
from corsproxy.cors.safelist import is_forbidden_header, is_safelisted_header
from corsproxy.http.fields import HOP_BY_HOP, SPEAKS_FOR_THE_UPSTREAM

Fields = Iterable[tuple[bytes, bytes]]  # names in lower case, and values

COOKIES: Final = "cookies"
LOGIN: Final = "login"  # HTTP authentication of a kind that browsers do by themselves
SETS_COOKIE: Final = "set-cookie"  # the answer sets one, which is kept only where credentials are allowed

CORS: Final = b"cors"
WEBSOCKET: Final = b"websocket"
SAME_ORIGIN: Final = b"same-origin"
OTHER: Final = b"other"

# The User-Agent of `corsproxy probe`, which asks in the name of pages that there are not.
PROBE_AGENT: Final = b"corsproxy-probe"


class Needs(NamedTuple):
    """What a page asks for by one request."""

    mode: bytes  # Sec-Fetch-Mode; WEBSOCKET, SAME_ORIGIN where it is that; CORS where no browser says; OTHER
    method: bytes  # of a preflight: the one that it asks for
    preflight: bool = False
    headers: tuple[bytes, ...] = ()  # lower-case names that need a grant
    credentials: str = ""  # COOKIES, LOGIN, SETS_COOKIE
    readable: tuple[bytes, ...] = ()  # lower-case names of the answer's headers that a page could need to read


# https://fetch.spec.whatwg.org/#concept-request-mode
_MODES: Final = frozenset({CORS, b"navigate", b"no-cors", SAME_ORIGIN, WEBSOCKET})

# https://www.rfc-editor.org/rfc/rfc9110#section-11 has the schemes; a browser answers these without a script.
_BROWSERS_SCHEMES: Final = frozenset({b"basic", b"digest", b"negotiate", b"ntlm"})

# What a browser adds after its preflight, for its cache, its media and by Client Hints
# (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch), and what proxies and tracing add on the way.  A page
# that sets one of these has asked for it in a preflight.
_ADDED_ON_THE_WAY: Final = frozenset(
    b"baggage cdn-loop device-memory downlink dpr ect if-modified-since if-none-match if-range last-event-id "
    b"purpose rtt save-data traceparent tracestate true-client-ip viewport-width via width x-client-ip "
    b"x-cloud-trace-context x-real-ip x-request-id".split()
)
# With these of the browser's own, what is in nearly every request.
_SEC: Final = frozenset(
    b"sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-gpc".split()
)
_PASSED_OVER: Final = BROWSERS_OWN | _ADDED_ON_THE_WAY | _SEC
_ADDED_PREFIXES: Final = (
    b"access-control-",
    b"cf-",
    b"fastly-",
    b"x-amz-cf-",
    b"x-amzn-",
    b"x-b3-",
    b"x-envoy-",
    b"x-forwarded-",
)

# Headers of answers whose reader is the browser, a cache or the network; what says which software answered is for
# nobody.
_NOT_FOR_PAGES: Final = (
    SAFELISTED_RESPONSE_NAMES
    | HOP_BY_HOP
    | SPEAKS_FOR_THE_UPSTREAM
    | frozenset(
        b"accept-ch accept-ranges age allow authentication-info clear-site-data content-encoding "
        b"content-security-policy content-security-policy-report-only critical-ch cross-origin-embedder-policy "
        b"cross-origin-embedder-policy-report-only cross-origin-opener-policy cross-origin-opener-policy-report-only "
        b"cross-origin-resource-policy date document-policy expect-ct feature-policy nel no-vary-search "
        b"origin origin-agent-cluster p3p permissions-policy public-key-pins referrer-policy refresh report-to "
        b"reporting-endpoints server server-timing service-worker-allowed set-cookie set-cookie2 sourcemap "
        b"speculation-rules strict-transport-security supports-loading-mode timing-allow-origin trailer traceparent "
        b"vary via www-authenticate x-aspnet-version x-aspnetmvc-version x-cache x-cache-hits x-content-type-options "
        b"x-dns-prefetch-control x-download-options x-frame-options x-permitted-cross-domain-policies x-powered-by "
        b"x-robots-tag x-served-by x-sourcemap x-timer x-ua-compatible x-varnish x-xss-protection".split()
    )
)
_NOT_FOR_PAGES_PREFIXES: Final = (b"access-control-", b"cf-", b"sec-", b"x-amz-cf-", b"x-amzn-", b"x-envoy-")
_EXPOSE_HEADERS: Final = b"access-control-expose-headers"
# Of these the value says whether they need a grant (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
_VALUE_DECIDES: Final = frozenset({b"content-language", b"content-type", b"range"})
_LONGEST_SAFELISTED: Final = 128  # bytes
_LONGEST_REMEMBERED: Final = 64  # bytes of a name
_CREATED: Final = frozenset({201, 202})  # a Location that the browser does not follow, and the page may need


def needs_of(method: bytes, asked: Fields, answered: Fields, status: int, *, websocket: bool = False) -> Needs:
    """What the request that has an Origin header shows; ``status`` 0: it was not answered.

    The access log asks this of every such request: what is in most of them is passed over by its name alone.
    """
    lines = [*asked]
    sent = dict(reversed(lines))  # of several lines with one name the first
    if sent.get(b"user-agent") == PROBE_AGENT:
        return Needs(OTHER, method)
    requested = sent.get(b"access-control-request-method")
    if method == b"OPTIONS" and requested is not None:
        names = b",".join(value for name, value in lines if name == b"access-control-request-headers")
        return Needs(CORS, requested, preflight=True, headers=tuple(filter(is_token, asked_names(names))))
    mode = _mode(sent, websocket=websocket)
    if mode != CORS:
        return Needs(mode, method)
    login = sent.get(b"authorization", b"").partition(b" ")[0].lower() in _BROWSERS_SCHEMES
    received = [*answered]
    set_cookie = SETS_COOKIE if any(name == b"set-cookie" for name, _ in received) else ""
    credentials = COOKIES if b"cookie" in sent else LOGIN if login else set_cookie
    return Needs(
        mode,
        method,
        headers=_unsafe([line for line in lines if line[0] not in _PASSED_OVER], login=login),
        credentials=credentials,
        readable=_readable([line for line in received if line[0] not in _NOT_FOR_PAGES], status),
    )


def _mode(sent: Mapping[bytes, bytes], *, websocket: bool) -> bytes:
    if websocket:
        return WEBSOCKET
    if sent.get(b"sec-fetch-site") == SAME_ORIGIN:
        return SAME_ORIGIN
    mode = sent.get(b"sec-fetch-mode", CORS)
    return mode if mode in _MODES else OTHER


def _unsafe(lines: list[tuple[bytes, bytes]], *, login: bool) -> tuple[bytes, ...]:
    """The names of a request's headers that need a grant; not Authorization, where the browser has logged in."""
    found = {name for name, value in lines if not _needs_none(name, value)}
    if login:
        found.discard(b"authorization")
    return tuple(sorted(found))


def _needs_none(name: bytes, value: bytes) -> bool:
    if name in _VALUE_DECIDES:
        return len(value) <= _LONGEST_SAFELISTED and _is_safelisted(name, value)
    return _is_added(name) if len(name) <= _LONGEST_REMEMBERED else _judge_added(name)


def _judge_added(name: bytes) -> bool:
    """Whether a header is one that browsers or proxies add, by its name."""
    return name.startswith(_ADDED_PREFIXES) or not scripts_own(((name, b""),)) or is_forbidden_header(name, b"")


# The same few names come with every request, and of types of bodies there are few.
_is_added = lru_cache(maxsize=1024)(_judge_added)
_is_safelisted = lru_cache(maxsize=1024)(is_safelisted_header)


def _readable(received: list[tuple[bytes, bytes]], status: int) -> tuple[bytes, ...]:
    names = {name for name, _ in received}
    if _EXPOSE_HEADERS in names:
        listed = {name.lower() for key, value in received if key == _EXPOSE_HEADERS for name in members(value)}
        names = names if b"*" in listed else names & listed
    return tuple(sorted(name for name in names if _is_for_pages(name, status)))


def _is_for_pages(name: bytes, status: int) -> bool:
    if name == b"location":
        return status in _CREATED
    return not name.startswith(_NOT_FOR_PAGES_PREFIXES)
