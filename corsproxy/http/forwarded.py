"""X-Forwarded-For, -Proto, -Host and Via: what the upstream is told about the client, and whose word is taken for it.

Rules that this file obeys:

- What an untrusted peer says about forwarding never reaches the upstream, in no spelling.
- What a trusted peer says is passed on, after it has been checked for form.
- A peer without an address (a unix socket) is trusted by no network.
"""

from __future__ import annotations

import ipaddress
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from corsproxy.errors import MalformedRequest
from corsproxy.http.fields import is_field_value, is_token, list_members
from corsproxy.http.target import parse_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What proxies say about the client's connection, and the two by which IIS and Symfony let a proxy replace the path,
# which would make the upstream serve another path than the one that the rule was chosen by.  Fields that bear a
# vendor's name (CF-Connecting-IP) are none of them: an upstream that reads those has that vendor in front.
_FORWARDED_FIELDS: Final = frozenset(
    {
        b"forwarded",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-original-host",
        b"x-original-url",
        b"x-real-ip",
        b"x-rewrite-url",
    }
)

# CGI and WSGI cannot tell X_Forwarded_For from X-Forwarded-For: all that is no letter and no digit becomes "_" there.
_LETTERS_AND_DIGITS: Final = (string.ascii_letters + string.digits).encode()
FOLD: Final = bytes(byte if byte in _LETTERS_AND_DIGITS else ord("-") for byte in range(256))

# Traefik says "wss" of WebSockets.
_SCHEMES: Final = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}
_PEERS_REMEMBERED: Final = 4096


class _Peer(NamedTuple):
    """What is known of one peer address."""

    trusted: bool
    address: bytes  # in canonical form; b"" when there is none
    line: bytes  # X-Forwarded-For with this address alone


_NO_ADDRESS = _Peer(trusted=False, address=b"", line=b"")


def is_forwarded_field(name_lower: bytes) -> bool:
    """Whether a field, by its lower-case name, speaks of forwarding and must be dropped before ours are added.

    Look-alikes count (``x_forwarded_for``, ``x.forwarded.for``): many servers fold them into the real ones (Caddy
    GHSA-f59h-q822-g45g).  ``Via`` is none of these: its lines stay and ``Forwarding.lines`` adds one.
    """
    if not name_lower.startswith((b"x", b"f")):
        return False
    folded = name_lower.translate(FOLD)
    return folded.startswith(b"x-forwarded-") or folded in _FORWARDED_FIELDS


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Whose forwarding fields are believed, and the name of this proxy in Via.

    ``pseudonym`` should be one of its own for each process: two that share it take each other for a loop.
    """

    networks: tuple[Network, ...] = ()
    pseudonym: bytes = b"corsproxy"
    _peers: dict[str, _Peer] = field(default_factory=dict, init=False, repr=False, compare=False)
    _plain: dict[tuple[str | None, bool, bytes, bytes], bytes] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def create(cls, trusted: Sequence[str], pseudonym: str) -> Forwarding:
        """Compile networks in CIDR notation, or single addresses.

        Raises ValueError for a text that is no network, for one with host bits set, and for a pseudonym that is no
        token.
        """
        if not is_token(pseudonym.encode()):
            raise ValueError("the Via pseudonym is no token; use letters, digits and hyphens")
        return cls(tuple(ipaddress.ip_network(text) for text in trusted), pseudonym.encode())

    def trusts(self, peer: str | None) -> bool:
        """Whether this peer's forwarding fields are believed."""
        return self._peer(peer).trusted

    def lines(
        self,
        peer: str | None,
        tls: bool,  # noqa: FBT001  a fact about the connection, not a mode
        host: bytes,
        received: Sequence[tuple[bytes, bytes]],
        version: bytes,
    ) -> bytes:
        """The X-Forwarded-For, -Proto, -Host and Via lines for the upstream.

        ``host`` is the client's checked Host (b"": none), ``received`` the request's fields, of which only forwarding
        fields are read, ``version`` the HTTP version that was received, "1.1" (RFC 9110 section 7.6.3).  A trusted
        peer's X-Forwarded-For is continued, its Proto and Host are kept when they are valid, and its other forwarding
        fields pass.
        """
        if received and self.trusts(peer):
            return _continued(self._peer(peer), b"https" if tls else b"http", host, received) + self._via(version)
        connection = (peer, tls, host, version)
        lines = self._plain.get(connection)
        if lines is None:
            lines = self._peer(peer).line + _proto_and_host(b"https" if tls else b"http", host) + self._via(version)
            if len(self._plain) >= _PEERS_REMEMBERED:
                self._plain.clear()
            self._plain[connection] = lines
        return lines

    def _via(self, version: bytes) -> bytes:
        return b"".join((b"Via: ", version, b" ", self.pseudonym, b"\r\n"))

    def scheme(
        self,
        peer: str | None,
        tls: bool,  # noqa: FBT001  a fact about the connection, not a mode
        received: Sequence[tuple[bytes, bytes]],
    ) -> str:
        """The client's scheme, "http" or "https", as far as a trusted peer is believed."""
        if received and self.trusts(peer) and (proto := _believed_proto(_values(received, b"x-forwarded-proto"))):
            return _SCHEMES[proto.lower()]
        return "https" if tls else "http"

    def host(self, peer: str | None, host: bytes, received: Sequence[tuple[bytes, bytes]]) -> bytes:
        """The authority that the client addressed, as far as a trusted peer is believed; else ``host``."""
        if not received or not self.trusts(peer):
            return host
        return _believed_host(_values(received, b"x-forwarded-host")) or host

    def client(self, peer: str | None, received: Sequence[tuple[bytes, bytes]]) -> str:
        """The client's address for logs: the last one in X-Forwarded-For that is not itself a trusted proxy's."""
        client = peer or ""
        hops = list_members(_values(received, b"x-forwarded-for")) if received and self.trusts(peer) else []
        while hops and self.trusts(client):
            address = _parse_address(_without_port(hops.pop().decode("latin-1")))
            if address is None:
                break
            client = str(address)
        return client

    def loops(self, via_values: Iterable[bytes]) -> bool:
        """Whether this very proxy has forwarded the request before (RFC 9110 section 7.6.3)."""
        return any(
            self.pseudonym in value and any(_received_by(member) == self.pseudonym for member in list_members((value,)))
            for value in via_values
        )

    def _peer(self, peer: str | None) -> _Peer:
        if peer is None:
            return _NO_ADDRESS
        known = self._peers.get(peer)
        if known is None:
            if len(self._peers) >= _PEERS_REMEMBERED:  # forgetting all is cheaper than knowing which
                self._peers.clear()
            known = self._peers[peer] = self._judge(peer)
        return known

    def _judge(self, peer: str) -> _Peer:
        address = _parse_address(peer)
        if address is None:
            return _NO_ADDRESS
        text = str(address).encode()
        trusted = any(address in network for network in self.networks)
        return _Peer(trusted, text, _line(b"X-Forwarded-For", text))


def _parse_address(text: str) -> Address | None:
    """An address without zone; IPv4 in IPv6's clothes, as a dual-stack listener sees it, is IPv4."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _line(name: bytes, value: bytes) -> bytes:
    return b"%b: %b\r\n" % (name, value)


def _values(received: Sequence[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value for name, value in received if name.lower() == wanted and is_field_value(value)]


def _proto_and_host(proto: bytes, host: bytes) -> bytes:
    if not host:
        return b"".join((b"X-Forwarded-Proto: ", proto, b"\r\n"))
    return b"".join((b"X-Forwarded-Proto: ", proto, b"\r\nX-Forwarded-Host: ", host, b"\r\n"))


def _continued(known: _Peer, scheme: bytes, host: bytes, received: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The lines about the client when a trusted peer has some already."""
    written: dict[bytes, list[bytes]] = {b"x-forwarded-for": [], b"x-forwarded-proto": [], b"x-forwarded-host": []}
    others: list[bytes] = []
    for name, value in received:
        lower = name.lower()
        if not is_forwarded_field(lower) or not is_field_value(value):
            continue
        if lower in written:
            written[lower].append(value)
        elif lower == lower.translate(FOLD):  # no look-alike: those the trusted proxy may have let through unread
            others.append(_line(name, value))
    hops = (*list_members(written[b"x-forwarded-for"]), known.address)
    proto = _believed_proto(written[b"x-forwarded-proto"]) or scheme
    believed_host = _believed_host(written[b"x-forwarded-host"]) or host
    return _line(b"X-Forwarded-For", b", ".join(hops)) + _proto_and_host(proto, believed_host) + b"".join(others)


def _believed_proto(values: Sequence[bytes]) -> bytes:
    """The one X-Forwarded-Proto; of several, nobody can say which hop wrote which."""
    return values[0] if len(values) == 1 and values[0].lower() in _SCHEMES else b""


def _believed_host(values: Sequence[bytes]) -> bytes:
    try:
        return parse_host(values[0])[1] if len(values) == 1 else b""
    except MalformedRequest:
        return b""


def _received_by(member: bytes) -> bytes:
    words = member.split(None, 2)
    return words[1] if len(words) > 1 else b""
