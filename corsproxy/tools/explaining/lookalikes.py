"""What only looks like CORS: the browser says "blocked by CORS policy", and the reason is another one.

Rules: each remark is certain from what was asked and answered, and says what to look at instead; what is merely
possible is said as possible.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from corsproxy.config.addresses import Listen
from corsproxy.cors.browser import Fetched
from corsproxy.cors.check import REDIRECT_STATUSES, Blocked
from corsproxy.cors.correction import diagnose
from corsproxy.cors.fetch import Credentials, Mode, Request, get, members, values_of
from corsproxy.cors.origin import Origin, read_origin
from corsproxy.cors.policy import Policy
from corsproxy.cors.safelist import is_forbidden_header
from corsproxy.cors.serialized import is_loopback
from corsproxy.cors.words import escaped
from corsproxy.http.cookie_verdict import Asked, cookie_name, why_refused
from corsproxy.tools.simulation import Exchanged

_PORTS: Final = {"http": 80, "https": 443}
_SERVER_ERRORS: Final = range(500, 600)
_ALLOW_ORIGIN: Final = b"access-control-allow-origin"


def lookalikes(request: Request, exchanges: Sequence[Exchanged], fetched: Fetched) -> tuple[str, ...]:
    """Every remark on a request, its answers and what a browser made of them."""
    return (*_before(request), *_after(request, exchanges, fetched))


def lookalikes_before(request: Request) -> tuple[str, ...]:
    """The remarks that a request alone gives cause to."""
    return tuple(_before(request))


def other_port(listen: Sequence[Listen], request: Request) -> Iterator[str]:
    """Whether a page asks this machine at a port where this configuration does not listen."""
    ports = [listener.port for listener in listen if listener.port]
    url = urlsplit(request.url)
    asked = url.port or _PORTS.get(url.scheme, 0)
    if ports and is_loopback(_bracketed(url.hostname or "")) and asked not in ports:
        listed = ", ".join(map(str, ports))
        yield (
            f"the page asks port {asked}, and this configuration listens on {listed}: unless that port is mapped to "
            "it, another server answers; correct the URL"
        )


def nearly_listed(policy: Policy, request: Request) -> Iterator[str]:
    """Which listed origin is almost the page's, where that is not listed itself."""
    page = read_origin(request.origin.decode("latin-1"))
    if page is None or policy.allows_origin(request.origin):
        return
    for entry in policy.spec.allow_origins:
        listed = read_origin(entry)
        if listed is None:  # a pattern
            continue
        if different := _difference(page, listed):
            yield (
                f"{different} from {entry}, which policy {policy.name} lists: an origin is scheme, host and port, so "
                f"{entry} and {page} are two"
            )


def _difference(page: Origin, listed: Origin) -> str:
    if page.host == listed.host:
        return f"only the {'scheme' if page.scheme != listed.scheme else 'port'} differs"
    if page.host == f"www.{listed.host}" or listed.host == f"www.{page.host}":
        return "only the www. differs"
    return ""


def _before(request: Request) -> Iterator[str]:
    """What can be said before anything is sent."""
    page, url = read_origin(request.origin.decode("latin-1")), urlsplit(request.url)
    host = _bracketed(url.hostname or "")
    if page and page.scheme == "https" and url.scheme == "http" and not is_loopback(host):
        yield (
            "mixed content: a page over https may not ask a server over http, and the browser does not even send the "
            "request; serve the API by https"
        )
    if page and not is_loopback(page.host) and is_local(host) and not is_local(page.host):
        yield (
            "Local Network Access: a page of a public site that asks a server on this machine or network needs the "
            "user's permission, which Chromium asks for before it looks at CORS; no response header replaces it"
        )
    if page is None and request.origin != b"null":
        diagnosis = diagnose(request.origin.decode("latin-1"))
        meant = f"; browsers send {diagnosis.correction}" if diagnosis.correction else ""
        yield f"{escaped(request.origin)} {diagnosis.reason}{meant}"
    if request.mode is Mode.NO_CORS:
        yield (
            "mode no-cors: the answer is opaque (status 0, no body), whatever the server allows; use the default mode, "
            "cors"
        )
    for name, value in request.headers:
        if is_forbidden_header(name, value):
            yield f"{escaped(name)} is set by the browser alone: it drops what a script sets, without a word"


def is_local(host: str) -> bool:
    """Whether a host (IPv6 in brackets) names this machine or a private network."""
    if is_loopback(host):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.endswith(".local")
    return address.is_private


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _after(request: Request, exchanges: Sequence[Exchanged], fetched: Fetched) -> Iterator[str]:
    """What the answers give away."""
    if not exchanges:
        return
    last, blocked = exchanges[-1], fetched.verdict.blocked
    status, headers = last.answered.status, last.answered.headers
    if blocked is Blocked.MISSING_ALLOW_ORIGIN:
        yield from _missing(last)
    if len(values_of(headers, _ALLOW_ORIGIN)) > 1:
        yield (
            "two Access-Control-Allow-Origin headers: the API and something in front of it both write one; behind "
            "corsproxy the API's own are replaced"
        )
    if blocked is Blocked.PREFLIGHT_STATUS and status in {401, 403, 407}:
        yield (
            f"the preflight got {status}: browsers send no credentials with it, so whatever asks for them must leave "
            "OPTIONS alone; corsproxy answers it before the API is asked"
        )
    if blocked is Blocked.PREFLIGHT_REDIRECT:
        yield (
            "the preflight was redirected, often to https, to a log-in page or to a path with a slash at its end; ask "
            "for the final URL"
        )
    yield from _slash(request, get(headers, _ALLOW_ORIGIN))
    yield from _stars(request, last, blocked)
    if last.preflight:
        return
    yield from _cookies(request, last)
    resource_policy = get(headers, b"cross-origin-resource-policy")
    if resource_policy in {b"same-origin", b"same-site"}:
        yield (
            f"Cross-Origin-Resource-Policy is {escaped(resource_policy)}: it keeps <img>, <script> and other no-cors "
            "requests of other origins out, whatever CORS allows"
        )


def _stars(request: Request, last: Exchanged, blocked: Blocked | None) -> Iterator[str]:
    """Where a ``*`` stands, and does not count."""
    include = request.credentials is Credentials.INCLUDE
    headers = last.answered.headers
    listed = {name for name in _LISTS if b"*" in members(get(headers, name) or b"")}
    if blocked is Blocked.HEADER and b"access-control-allow-headers" in listed:
        if include:
            yield f"Access-Control-Allow-Headers: * {_LITERAL}"
        else:
            yield (
                "Access-Control-Allow-Headers: * stands for every header but Authorization, which has to be listed by "
                "its name; Chromium 156 lets it pass all the same, and the standard does not"
            )
    if blocked is Blocked.METHOD and b"access-control-allow-methods" in listed:
        yield f"Access-Control-Allow-Methods: * {_LITERAL}"
    if blocked is None and include and b"access-control-expose-headers" in listed and not last.preflight:
        yield f"Access-Control-Expose-Headers: * {_LITERAL}, so that the page sees the safelisted headers only"


_LISTS: Final = (b"access-control-allow-headers", b"access-control-allow-methods", b"access-control-expose-headers")
_LITERAL: Final = "is an ordinary name once credentials go along: each has to be listed"


def _missing(last: Exchanged) -> Iterator[str]:
    status = last.answered.status
    if last.rule is None and last.own:
        yield f"corsproxy itself answered {status}, before any policy applied: {last.own}"
    elif status in _SERVER_ERRORS and last.rule is None:
        yield (
            f"the answer was {status}: the server failed, and its error carries no CORS headers, so that the browser "
            "speaks of CORS; look at the server's log"
        )
    elif status in REDIRECT_STATUSES:
        yield f"the answer was a redirect ({status}) without CORS headers; each server on the way has to allow the page"


def _slash(request: Request, found: bytes | None) -> Iterator[str]:
    if found is None or found == request.origin:
        return
    if found.rstrip(b"/") == request.origin:
        yield "Access-Control-Allow-Origin ends with a slash, which no origin has; it must be the origin byte for byte"
        return
    page, other = read_origin(request.origin.decode("latin-1")), read_origin(found.decode("latin-1"))
    if page and other and page.host == other.host:
        yield (
            f"{_difference(page, other)}: an origin is scheme, host and port, so {escaped(found)} and "
            f"{escaped(request.origin)} are two"
        )


def _cookies(request: Request, last: Exchanged) -> Iterator[str]:
    lines = values_of(last.answered.headers, b"set-cookie")
    url = urlsplit(request.url)
    asked = Asked(url.scheme, _bracketed(url.hostname or ""))
    if (page := read_origin(request.origin.decode("latin-1"))) is not None:
        asked = asked._replace(page_scheme=page.scheme, page_host=page.host)
    if request.credentials is Credentials.INCLUDE:
        yield from _withheld(asked)
    elif lines:
        yield "the answer sets a cookie, which is ignored: only credentials: 'include' keeps cookies across origins"
        return
    for line in lines:
        if why := why_refused(line, asked):
            yield f"the browser refuses the cookie {cookie_name(line).decode('latin-1')}: {why}"


def _withheld(asked: Asked) -> Iterator[str]:
    if not asked.same_site:
        page, api = f"{asked.page_scheme}://{asked.page_host}", f"{asked.scheme}://{asked.host}"
        yield (
            f"{page} is of another site than {api}: only cookies "
            "with SameSite=None; Secure go along, and where the browser blocks third-party cookies (Safari and Firefox "
            "do, Chromium for some users) only those with Partitioned too"
        )
