"""The grammar of a serialized origin, as the bytes of an Origin header.

Rules: whatever arrives from the network is judged without an exception; what is not byte for byte what a browser
serializes (https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin) is no origin; the
time is linear in the length, and the length is bounded by the grammar.

Browsers let a few more host names through (``!``, ``{``, empty labels, a trailing dot).  No page that anybody meant to
list has one, and they are what attacks on origin checks are made of, so they are refused here.
"""

from __future__ import annotations

import ipaddress
import re

DEFAULT_PORTS = {"http": "80", "https": "443"}

# Pages under these schemes have an opaque origin, which is serialized as "null".
OPAQUE_SCHEMES = frozenset({"about", "blob", "data", "file", "filesystem", "javascript"})
# A WebSocket handshake carries the origin of the page that opened it, never its own URL's.
WEBSOCKET_SCHEMES = {"ws": "http", "wss": "https"}

# https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4, the host without the root's dot
MAX_HOST = 253
MAX_LABEL = 63
MAX_PORT = 65535

_ORIGIN = re.compile(
    rb"([a-z][a-z0-9+.\-]{0,63})://"
    rb"([a-z0-9_\-]{1,63}(?:\.[a-z0-9_\-]{1,63}){0,126}|\[[0-9a-f:]{2,39}\])"
    rb"(?::([1-9][0-9]{0,4}))?"
)
# https://url.spec.whatwg.org/#ends-in-a-number-checker: such a host is an IPv4 address or nothing.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

_DEFAULT_PORTS = {scheme.encode(): port.encode() for scheme, port in DEFAULT_PORTS.items()}
_PAGELESS_SCHEMES = frozenset(scheme.encode() for scheme in (*OPAQUE_SCHEMES, *WEBSOCKET_SCHEMES))


def split_origin(origin: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Scheme, host and port (b"": the scheme's default) of a serialized origin; None for anything else."""
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return None
    scheme, host, port = match.groups(b"")
    if scheme in _PAGELESS_SCHEMES or port == _DEFAULT_PORTS.get(scheme) or (port and int(port) > MAX_PORT):
        return None
    return (scheme, host, port) if _is_canonical(host) else None


def _is_canonical(host: bytes) -> bool:
    """Whether a host of the right characters is of the right length, and an address in its one serialized form."""
    if host.startswith(b"["):
        return _is_canonical_ipv6(host[1:-1].decode("ascii"))
    # Most names end in a letter that no number has: the common case decodes nothing.
    if host[-1] in b"0123456789abcdefx" and ends_in_number(text := host.decode("ascii")):
        return is_ipv4(text)
    return len(host) <= MAX_HOST


def ends_in_number(host: str) -> bool:
    """Whether a browser would read this host as an IPv4 address."""
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def is_ipv4(host: str) -> bool:
    """Whether this is a dotted quad without leading zeros."""
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_canonical_ipv6(host: str) -> bool:
    """Whether this is an address as URLs serialize it; IPv4-mapped ones are refused.

    A mapped address is an IPv4 host under a second name, which nobody lists on purpose.
    """
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return address.ipv4_mapped is None and address.compressed == host


def is_loopback(host: str) -> bool:
    """Whether a host (an IPv6 address in brackets) never leaves the machine.

    https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy trusts the same set: localhost, every name
    below it, 127.0.0.0/8 and [::1].  ``localhost.example.com`` is none of them.
    """
    if host in ("localhost", "[::1]") or host.endswith(".localhost"):
        return True
    return host.startswith("127.") and is_ipv4(host)
