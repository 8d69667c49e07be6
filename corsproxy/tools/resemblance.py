"""Whether a host is made to be taken for another one.

Rules: looks are all that there is to judge by, so that an innocent host may be met; whoever has a registrable domain
has every name below it, so that two names of one domain are told apart only where the one ends in the other.
"""

from __future__ import annotations

from typing import Final

from corsproxy.cors.serialized import is_loopback
from corsproxy.cors.suffixes import site_part, suffix_part

_SHORTEST: Final = 5  # letters of a name in which one that differs is no chance
_SHORTEST_GLUED: Final = 3  # letters of a name that others do not end in by chance


def resembles(host: str, other: str) -> bool:
    """Whether ``host`` probably belongs to somebody else than ``other``, and looks like it.

    Such are the hosts that get past a check which is written carelessly (https://portswigger.net/web-security/cors),
    and those that get past a reader: one letter more, less, or another one.
    """
    if "." not in other and not is_loopback(other):
        return False
    site, own = other[site_part(other)], host[site_part(host)]
    if site == own:
        return _is_glued(host, other)
    around = host.startswith(site) or f".{site}." in host or f"-{site}" in host
    return around or _is_glued(host, site) or _same_but_for_dots(host, other) or _one_edit(_name(own), _name(site))


def _is_glued(host: str, end: str) -> bool:
    """Whether something stands before an ending without a dot between them."""
    return host != end and host.endswith(end) and host[-len(end) - 1] != "." and len(_name(end)) >= _SHORTEST_GLUED


def _same_but_for_dots(host: str, other: str) -> bool:
    """Whether each character is the same, or one in place of a dot."""
    return len(host) == len(other) and all(b in {a, "."} for a, b in zip(host, other, strict=True))


def _name(host: str) -> str:
    """What stands before the public suffix; "" where nothing does."""
    return host[: suffix_part(host).start].rstrip(".")


def _one_edit(name: str, other: str) -> bool:
    """Whether one letter is added, missing, another one, or two have changed places."""
    if min(len(name), len(other)) < _SHORTEST or name == other or abs(len(name) - len(other)) > 1:
        return False
    start = next((at for at, pair in enumerate(zip(name, other, strict=False)) if pair[0] != pair[1]), len(other))
    left, right = name[start:], other[start:]
    swapped = right[1:2] + right[:1] + right[2:]
    return left[1:] == right[1:] or left[1:] == right or left == right[1:] or left == swapped
