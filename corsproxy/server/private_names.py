"""Which names nobody outside can point at this machine.  Pure.

A page of evil.example whose name is made to lead to a loopback address is same-origin with what listens there (DNS
rebinding); an address, and a name that no public DNS server answers for, cannot be taken so.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

# Reserved: https://www.rfc-editor.org/rfc/rfc6761#section-6.3, ICANN's resolution 2024.07.29.06 of the name internal,
# and the names of a Kubernetes cluster.
_RESERVED: Final = ("localhost", "internal", "svc", "cluster.local")


def is_private(host: str, own: str) -> bool:
    """Whether a lower-case host without port is an IP address, ``own``, or a name that only this network can resolve.

    A single label, as containers call each other, is never looked up as it stands in the public DNS
    (ICANN allows no dotless domains).
    """
    if not host:
        return False
    try:
        ip_address(host)
    except ValueError:
        name = host.removesuffix(".")
        return "." not in name or name == own.lower() or name.endswith(tuple(f".{end}" for end in _RESERVED))
    return True
