"""The record of one exchange: made with the request, filled along the walk, read once at its end by every observer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from corsproxy.config.table import Rule
from corsproxy.cors.decision import NO_POLICY, Decision
from corsproxy.proxy.request import Line


@dataclass(slots=True)
class Exchange:
    """One request and what became of it."""

    client: str  # the peer's address; "" on a unix socket
    method: bytes
    target: bytes  # as the client sent it
    host: bytes
    origin: bytes  # the Origin header, b"" when there is none
    scheme: str = "http"
    websocket: bool = False  # whether the client asked for one
    rule: Rule | None = None
    decision: Decision = NO_POLICY
    upstream: str = ""  # the endpoint that was asked
    status: int = 0  # 0: the connection ended before an answer
    request_bytes: int = 0  # of the body
    response_bytes: int = 0  # of the body
    passed: Sequence[Line] = ()  # the client's end-to-end lines
    started: float = 0.0  # seconds, by time.perf_counter()
    duration: float = 0.0  # seconds
    answered: Sequence[tuple[bytes, bytes]] = ()  # the upstream's header lines, as they came
    failure: str = ""  # what went wrong, in words, for the log; never sent to the client

    @property
    def url(self) -> str:
        """The URL as the browser names it in its console."""
        target = self.target.decode("ascii", "backslashreplace")
        if not target.startswith("/"):  # absolute-form already
            return target
        return f"{self.scheme}://{self.host.decode('ascii', 'backslashreplace')}{target}"


Observer = Callable[[Exchange], None]
