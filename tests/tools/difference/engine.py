"""What the engine itself says of a request, one fact after the other, for the difference to be held against.

Everything is asked of the data plane's own plan, by way of the browser model; nothing of the difference is used.
"""

from __future__ import annotations

from typing import NamedTuple

from corsproxy.cors.browser import Credentials, Mode, Request, WireRequest, WireResponse, run
from corsproxy.cors.decision import Outcome
from corsproxy.cors.fetch import get, origin_of
from corsproxy.tools.simulation import Simulation

READABLE = (b"X-A", b"X-Total-Count", b"ETag", b"Content-Type", b"Link", b"X-Anything", b"X-Anything2")
CORPS = (b"same-origin", b"same-site", b"cross-origin")


def closed(asked):
    """An upstream that knows no CORS."""
    return WireResponse(200, tuple((name, b"1") for name in READABLE))


def open_to_all(asked):
    """An upstream that lets every page do everything."""
    origin = get(asked.headers, b"origin") or b"*"
    method = get(asked.headers, b"access-control-request-method") or b"GET"
    names = get(asked.headers, b"access-control-request-headers") or b"x-none"
    lines = (
        (b"Access-Control-Allow-Origin", origin),
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Allow-Methods", method),
        (b"Access-Control-Allow-Headers", names),
        (b"Access-Control-Expose-Headers", b", ".join(READABLE)),
        (b"Timing-Allow-Origin", origin),
    )
    return WireResponse(200, (*closed(asked).headers, *lines))


class Facts(NamedTuple):
    """What a table makes of one request."""

    allowed: bool
    readable: frozenset[bytes] = frozenset()
    timing: bool = False


def fetched(table, request, upstream=closed):
    """What a page gets that asks by CORS."""
    got = run(request, Simulation(table, upstream).send)
    if not got.verdict.allowed or got.response is None:
        return Facts(allowed=False)
    return Facts(True, frozenset(name.lower() for name, _ in got.response.headers), got.timing)


def private_network(table, request):
    """Whether a preflight is granted that asks for access to a private network too."""
    names = b",".join(sorted({name.lower() for name, _ in request.headers}))
    asked = ((b"Access-Control-Request-Headers", names),) if names else ()
    lines = (
        (b"Origin", request.origin),
        (b"Access-Control-Request-Method", request.method),
        (b"Access-Control-Request-Private-Network", b"true"),
        *asked,
    )
    simulation = Simulation(table)
    simulation.send(WireRequest(b"OPTIONS", request.url, lines))
    decision = simulation.exchanges[0].decision
    return decision is not None and decision.outcome is Outcome.PREFLIGHT_ALLOWED


def sent(table, url, origin):
    """Whether the upstream gets a simple request of a page."""
    return _forwarded(table, WireRequest(b"POST", url, ((b"Origin", origin),)))


def connected(table, url, origin):
    """Whether the upstream gets the handshake of a page's WebSocket."""
    lines = ((b"Origin", origin), (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    return _forwarded(table, WireRequest(b"GET", url, lines))


def _forwarded(table, asked):
    simulation = Simulation(table)
    simulation.send(asked)
    return not simulation.exchanges[0].own


def measured(table, url, origin):
    """Whether a page sees the timing of what it embeds."""
    return run(Request(url=url, origin=origin, mode=Mode.NO_CORS), Simulation(table).send).timing


def embedding(table, url):
    """The Cross-Origin-Resource-Policy of an answer, None without one."""
    return get(Simulation(table).send(WireRequest(b"GET", url)).headers, b"cross-origin-resource-policy")


def same_origin(request):
    """Whether CORS does not apply."""
    return origin_of(request.url) == request.origin


def includes(request):
    """Whether cookies go along."""
    return request.credentials is Credentials.INCLUDE
