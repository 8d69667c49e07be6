"""Messages of browsers that people take for CORS, and that no CORS header mends: what each of them means.

Rules: one row a message; the pattern is the part of it that never varies; the meaning says what to look at instead.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from corsproxy.tools.pasted.console import STRAIGHT_QUOTES


class OtherMessage(NamedTuple):
    """What a message means."""

    name: str  # a word for programs
    meaning: str


GENERIC: Final = "generic"  # the name of the message that means anything

_ROWS: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r"Mixed Content: The page at|Blocked loading mixed active content|was not allowed to (?:run|display) insecure",
        "mixed-content",
        ("a page over https may not ask a server over http; the request was never sent; serve the API by https "
        "(`corsproxy dev --tls` on this machine)"),
    ),
    (
        (r"Permission was denied for this request to access the `?(?:loopback|local|unknown|public)`? address space"
        r"|more-private address space|Access-Control-Allow-Private-Network|Access-Control-Allow-Local-Network"),
        "local-network-access",
        ("Local Network Access: a page of a public site asked a server on this machine or network, which needs the "
        "user's permission and a page over https; Chromium asks before it looks at CORS, and no header replaces that "
        "(where one misses Access-Control-Allow-Private-Network, set `allow_private_network: true` in the policy)"),
    ),
    (
        r"net::ERR_CERT_|SEC_ERROR_|MOZILLA_PKIX_ERROR|certificate for this server is invalid",
        "certificate",
        ("the server's certificate is not trusted by this browser, so that nothing was asked; open the URL in a tab to "
        "see why, and have the authority trusted"),
    ),
    (
        (r"net::ERR_CONNECTION_REFUSED|net::ERR_CONNECTION_RESET|net::ERR_EMPTY_RESPONSE|net::ERR_ADDRESS_UNREACHABLE"
        r"|Could not connect to the server"),
        "server-down",
        "nobody answers at this address: the server is down, or the page's URL has the wrong host or port",
    ),
    (
        r"net::ERR_NAME_NOT_RESOLVED|A server with the specified hostname could not be found",
        "name",
        "the host's name is not known; look at the page's URL",
    ),
    (
        r"Reason: CORS request did not succeed",
        "no-answer",
        ("Firefox got no answer at all: the server is down, the URL has the wrong host or port, or the certificate is "
        "not trusted; it is not about CORS, whatever the sentence says"),
    ),
    (
        r"ERR_BLOCKED_BY_RESPONSE\.NotSameOriginAfterDefaultedToSameOriginByCoep",
        "coep",
        ("the page requires Cross-Origin-Resource-Policy of everything that it embeds (COEP: require-corp); ask with "
        "CORS (crossorigin, or fetch), or set `cross_origin_resource_policy: cross-origin` in the policy"),
    ),
    (
        r"ERR_BLOCKED_BY_RESPONSE|violates the resource's Cross-Origin-Resource-Policy|Cross-Origin-Resource-Policy",
        "corp",
        ("the answer has a Cross-Origin-Resource-Policy that keeps other origins out; set "
        "`cross_origin_resource_policy: cross-origin` in the policy, which replaces the API's own"),
    ),
    (
        r"ERR_BLOCKED_BY_CLIENT|NS_ERROR_BLOCKED_BY_POLICY",
        "extension",
        "an extension or a policy of the browser blocked the request before it was sent; try a window without them",
    ),
    (
        r"Refused to connect to|violates the following Content Security Policy|blocked a resource .{0,40}connect-src",
        "csp",
        "the page's own Content-Security-Policy forbids to ask there; add the API's origin to its connect-src",
    ),
    (
        (r"Error during WebSocket handshake: Unexpected response code: (?:401|403)"
        r"|WebSocket connection to '[^']*' failed"),
        "websocket",
        ("the server refused the WebSocket handshake; no CORS applies to it: corsproxy refuses the origins that the "
        "rule's policy does not list with a 403; run `corsproxy explain` with --origin and the URL as http(s)"),
    ),
    (
        r"[Tt]ainted canvas|canvas has been tainted|The operation is insecure",
        "tainted-canvas",
        "an image was drawn without CORS: set crossOrigin = 'anonymous' before its src, and let the policy allow it",
    ),
    (
        (r"This attempt to set a cookie via a Set-Cookie header was blocked|has been rejected because|"
        r"cookie .{0,80}will be soon rejected|blocked by (?:third-party|tracking)"),
        "cookie",
        ("the browser refused a cookie; for a page of another site it needs SameSite=None; Secure (and Partitioned "
        "where third-party cookies are blocked), which the rule's `cookies:` can set"),
    ),
    (
        (r"net::ERR_TOO_MANY_REDIRECTS|net::ERR_INVALID_REDIRECT|net::ERR_UNSAFE_REDIRECT"
        r"|net::ERR_RESPONSE_HEADERS_MULTIPLE_LOCATION"),
        "redirect",
        "the redirects of this answer cannot be followed; ask for the final URL",
    ),
    (
        r"TypeError: (?:Failed to fetch|NetworkError when attempting to fetch resource|Load failed)|net::ERR_FAILED",
        GENERIC,
        ("this line is the same for every failure; the one above or below it in the console, which begins with "
        "'Access to' (Chromium), 'Cross-Origin Request Blocked' (Firefox) or 'Origin' (Safari), says which one it was"),
    ),
)  # fmt: skip
_PATTERNS: Final = [(re.compile(pattern), OtherMessage(name, meaning)) for pattern, name, meaning in _ROWS]


def read_other(text: str) -> OtherMessage | None:
    """What the first known message in a text means; None when none is known."""
    plain = text.translate(STRAIGHT_QUOTES)
    return next((message for pattern, message in _PATTERNS if pattern.search(plain)), None)
