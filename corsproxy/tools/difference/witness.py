"""A request to show for each thing that changes: one that a page can make, and that two tables answer differently."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from corsproxy.cors.fetch import Credentials, Mode, Request, origin_of
from corsproxy.tools.difference.abilities import Ability, Gain

_METHODS: Final = ("DELETE", "PUT", "PATCH", "PURGE")
_READ: Final = ("x-total-count", "etag")
_HEADERS: Final = ("authorization", "content-type", "x-anything")
# Values that have to be asked for, of headers that are safelisted otherwise; and what looks right in the others.
_VALUES: Final = {
    "accept": 'application/json;v="1"',
    "accept-language": "en_US",
    "authorization": "Bearer token",
    "content-language": "en_US",
    "content-type": "application/json",
    "range": "bytes=-5",
}


@dataclass(frozen=True, slots=True)
class Witness:
    """One request, and what is looked at in its answer."""

    request: Request
    private_network: bool = False  # whether its preflight asks for access to a private network
    reads: str = ""  # the header of the answer that it reads

    def __str__(self) -> str:
        asked = self.request
        headers = ", ".join(f"{name.decode()}: {value.decode()}" for name, value in asked.headers)
        parts = [
            f"{asked.method.decode()} {asked.url} from {asked.origin.decode()}",
            f"with {headers}" if headers else "",
            "with credentials" if asked.credentials is Credentials.INCLUDE else "",
            "without asking by CORS" if asked.mode is Mode.NO_CORS else "",
            "into a private network" if self.private_network else "",
            f"reading {self.reads}" if self.reads else "",
        ]
        return ", ".join(part for part in parts if part)


def witness_of(gain: Gain | None, origin: str, host: str, path: str) -> Witness:
    """A request of a page with this origin that needs the ability; None: any request shows the change."""
    asked = Request(url=_url(origin, host, path), origin=origin.encode("ascii"))
    if gain is None:
        return Witness(asked)
    if gain.ability is Ability.EXPOSED:
        return Witness(asked, reads=gain.names.example(_READ, "x-anything").title())
    return Witness(_asking(asked, gain), private_network=gain.ability is Ability.PRIVATE_NETWORK)


def _asking(asked: Request, gain: Gain) -> Request:
    """The request with what the ability is needed for."""
    match gain.ability:
        case Ability.METHODS:
            return replace(asked, method=gain.names.example(_METHODS, "METHOD").encode("ascii"))
        case Ability.HEADERS:
            name = gain.names.example(_HEADERS, "x-anything")
            header = (name.title().encode("ascii"), _VALUES.get(name, "1").encode("ascii"))
            return replace(asked, headers=(header,))
        case Ability.CREDENTIALS:
            return replace(asked, credentials=Credentials.INCLUDE)
        case Ability.SEND:
            return replace(asked, method=b"POST")
        case Ability.MEASURE | Ability.EMBED:  # pages embed without CORS
            return replace(asked, mode=Mode.NO_CORS)
        case _:
            return asked


def _url(origin: str, host: str, path: str) -> str:
    """Where the request goes: never to the page's own origin, where CORS does not apply."""
    name = f"[{host}]" if ":" in host else host
    url = f"https://{name}{path or '/'}"
    return url if origin_of(url) != origin.encode("ascii") else f"https://{name}:8443{path or '/'}"
