"""A client's connection as the request on it sees it: an object of its own beside aiohttp's protocol, and compiled.

What a request asks for is handed on to whoever owns the connection.  The fast lane answers for its own requests.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from corsproxy.http.answers import OwnAnswer
from corsproxy.proxy.request import Client

if TYPE_CHECKING:
    from corsproxy.proxy.arrival import Arrival


class Flow(Protocol):
    """Whoever writes to the client, and must stop while it takes no more."""

    def pause(self) -> None:
        """The client takes no more for now."""

    def resume(self) -> None:
        """The client takes more again."""

    def say_goodbye(self) -> None:
        """The proxy ends: what would go on for ever ends now, in an orderly way; what has an end goes on to it."""


class RawFlow(Flow, Protocol):
    """Whoever takes the client's bytes once HTTP has ended on its connection."""

    def data(self, data: bytes) -> None:
        """The client sent something."""


class Owner(Protocol):
    """The protocol that the loop knows, and the ordinary lane."""

    def follow(self, flow: Flow | None) -> None:
        """Tell ``flow`` from now on when to pause."""

    def switch(self, raw: RawFlow) -> None:
        """Hand over every byte from now on."""

    def done(self, arrival: Arrival, *, keeps_alive: bool) -> None:
        """The walk of this request has ended."""


class ClientConnection:
    """The connection of ``owner``."""

    __slots__ = ("client", "finishing", "owner", "refusal", "transport")

    def __init__(self, owner: Owner, client: Client, *, finishing: bool) -> None:
        self.owner = owner
        self.client = client
        self.transport: asyncio.Transport | None = None  # known when the client has connected
        self.refusal: OwnAnswer | None = None  # why every request on this connection is refused
        self.finishing = finishing  # no further request is taken

    def follow(self, flow: Flow | None) -> None:
        """Tell ``flow`` from now on when to pause."""
        self.owner.follow(flow)

    def switch(self, raw: RawFlow) -> None:
        """Hand over every byte from now on."""
        self.owner.switch(raw)

    def done(self, arrival: Arrival, *, keeps_alive: bool) -> None:
        """The walk of this request has ended."""
        self.owner.done(arrival, keeps_alive=keeps_alive)
