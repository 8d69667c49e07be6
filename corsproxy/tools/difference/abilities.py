"""What a page may do under one rule, as values that can be subtracted from one another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from corsproxy.cors.check import SAFELISTED_RESPONSE_NAMES
from corsproxy.cors.names import SAFELISTED_METHODS
from corsproxy.cors.spec import PolicySpec
from corsproxy.tools.difference.names import NO_NAMES, Names


class Ability(StrEnum):
    """One thing that a page may do."""

    READ = "read"  # what GET, HEAD and POST answer; open WebSockets
    METHODS = "methods"  # ask with these besides
    HEADERS = "headers"  # set these headers
    CREDENTIALS = "credentials"  # have cookies go along
    EXPOSED = "exposed"  # read these headers of an answer
    PRIVATE_NETWORK = "private-network"  # ask for it from a less private network
    SEND = "send"  # have simple requests reach the upstream, whether or not it reads the answers
    TIMING = "timing"  # see how long the network took for what it reads
    MEASURE = "measure"  # see how long the network took for what it embeds
    EMBED = "embed"  # embed answers, by Cross-Origin-Resource-Policy


class Gain(NamedTuple):
    """An ability that one side has and the other has not; ``names`` where it is one of methods or headers."""

    ability: Ability
    names: Names = NO_NAMES


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the pages of one origin may do."""

    read: bool = False
    methods: Names = NO_NAMES  # besides the safelisted ones
    headers: Names = NO_NAMES
    credentials: bool = False
    exposed: Names = NO_NAMES  # besides the safelisted ones
    private_network: bool = False
    send: bool = False

    def beyond(self, other: Abilities) -> tuple[Gain, ...]:
        """What is possible with these and impossible with the others."""
        gains = [
            Gain(Ability.READ) if self.read and not other.read else None,
            _named(Ability.METHODS, self.methods - other.methods),
            _named(Ability.HEADERS, self.headers - other.headers),
            Gain(Ability.CREDENTIALS) if self.credentials and not other.credentials else None,
            _named(Ability.EXPOSED, self.exposed - other.exposed),
            Gain(Ability.PRIVATE_NETWORK) if self.private_network and not other.private_network else None,
            Gain(Ability.SEND) if self.send and not other.send else None,
        ]
        return tuple(gain for gain in gains if gain is not None)


NOTHING: Final = Abilities()


def allowed(spec: PolicySpec) -> Abilities:
    """What a policy grants to the origins that it allows."""
    return Abilities(
        read=True,
        methods=Names.of(spec.allow_methods) - Names(frozenset(SAFELISTED_METHODS)),
        headers=Names.of([name.lower() for name in spec.allow_headers]),
        credentials=spec.allow_credentials,
        exposed=Names.of([name.lower() for name in spec.expose_headers]) - Names(_READ_ANYWAY),
        private_network=spec.allow_private_network,
        send=True,
    )


def denied(spec: PolicySpec) -> Abilities:
    """What is left to any other origin."""
    return Abilities(send=spec.on_denied == "forward")


_READ_ANYWAY: Final = frozenset(name.decode() for name in SAFELISTED_RESPONSE_NAMES)


def _named(ability: Ability, names: Names) -> Gain | None:
    return Gain(ability, names) if names else None
