"""Who owns a host: the public suffix list, and what stands in its place for addresses and the machine's own names.

Rules: the list is read at most once, and only for a policy that needs it; a name that it does not know has its last
label as the suffix (https://github.com/publicsuffix/list/wiki/Format#algorithm).
"""

from __future__ import annotations

import ipaddress
from functools import cache
from typing import TYPE_CHECKING

from corsproxy.cors.serialized import ends_in_number, is_loopback

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

# https://www.rfc-editor.org/rfc/rfc1918#section-3 and 127.0.0.0/8; with the octets that tell them apart.
_PRIVATE = tuple(
    (ipaddress.IPv4Network(network), octets)
    for network, octets in (("10.0.0.0/8", 1), ("127.0.0.0/8", 1), ("172.16.0.0/12", 2), ("192.168.0.0/16", 2))
)


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - takes 80 ms that most policies need not spend

    return PublicSuffixList()


def is_public_suffix(host: str) -> bool:
    """Whether anybody can register a name directly below this host."""
    return not is_loopback(host) and _suffixes().is_public(host)


def suffix_part(host: str) -> slice:
    """Where in a host its public suffix stands; what ``owner_part`` says of a host that has none."""
    if host.startswith("[") or ends_in_number(host) or is_loopback(host):
        return owner_part(host)
    return slice(len(host) - len(_suffixes().publicsuffix(host) or host), len(host))


def owner_part(host: str) -> slice:
    """Where in a host its owner stands: whoever has this part has the whole.

    A domain belongs to the owner of its registrable domain (https://url.spec.whatwg.org/#host-registrable-domain), an
    address to itself, a private or loopback address to whoever runs the network that its first octets name.
    """
    if host.startswith("["):
        return slice(0, len(host))
    if ends_in_number(host):
        return slice(0, _network_length(host))
    if is_loopback(host):
        return slice(len(host) - len("localhost"), len(host))
    return slice(len(host) - len(_suffixes().privatesuffix(host) or host), len(host))


def site_part(host: str) -> slice:
    """Where in a host the part stands that makes its site, with the scheme (https://html.spec.whatwg.org/#obtain-a-site).

    It is the registrable domain; of an address, a public suffix or a name without a dot, the whole host.
    """
    if host.startswith("[") or ends_in_number(host) or "." not in host:
        return slice(0, len(host))
    return slice(len(host) - len(_suffixes().privatesuffix(host) or host), len(host))


def _network_length(host: str) -> int:
    address = ipaddress.IPv4Address(host)
    for network, octets in _PRIVATE:
        if address in network:
            return sum(len(octet) + 1 for octet in host.split(".")[:octets])
    return len(host)
