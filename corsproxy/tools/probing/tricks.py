"""What an attacker sends to be taken for an origin that is let in, one origin for each mistake that people make.

Rules: only what would be a finding of its own; the corpus that a policy of ours has to withstand (``cors.hostile``) is
ten times as long, and would be no handful of requests.  Every name is below a reserved domain, or one of the API's own
owner: nobody can have registered it (https://www.rfc-editor.org/rfc/rfc2606#section-2).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from corsproxy.cors.origin import Origin
from corsproxy.cors.serialized import ends_in_number, is_loopback
from corsproxy.cors.suffixes import owner_part
from corsproxy.tools.probing.kinds import Kind

NAME: Final = "corsproxy-probe"
STRANGER: Final = f"https://{NAME}.example"  # an origin that nobody has a reason to allow

_OTHER_PORT: Final = 8444  # nothing's default


class Trick(NamedTuple):
    """An origin that resembles another; ``kind`` is what is found where it is let in."""

    kind: Kind
    base: str  # the origin that it resembles
    origin: str


def tricks(base: Origin) -> list[Trick]:
    """What to try on whoever lets ``base`` in; the origins differ from each other and from ``base``."""
    return [Trick(kind, str(base), origin) for kind, origin in dict(_imitations(base)).items() if origin != str(base)]


def _imitations(base: Origin) -> Iterator[tuple[Kind, str]]:
    start, host, port = f"{base.scheme}://", base.host, "" if base.port is None else f":{base.port}"
    if host.startswith("["):  # an address in brackets resembles no name
        return
    yield Kind.SUFFIX, f"{start}{host}.{NAME}.example{port}"
    if ends_in_number(host):
        return
    owner = host[owner_part(host)]
    yield Kind.PREFIX, f"{start}{NAME}{owner}{port}"
    if is_loopback(host):  # whatever listens on this machine is the user's own, on any port
        return
    yield Kind.UNDERSCORE, f"{start}{host}_.{NAME}.example{port}"
    if host.count(".") > 1:
        yield Kind.DOT, f"{start}{host.replace('.', 'x', 1)}{port}"
    if host != owner:
        yield Kind.SIBLING, f"{start}{NAME}{host}{port}"
    if base.scheme == "https":
        yield Kind.HTTP, f"http://{host}{port}"
    yield Kind.PORT, f"{start}{host}:{_OTHER_PORT}"
    yield Kind.UPPERCASE, str(base).upper()
