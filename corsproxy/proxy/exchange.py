"""The record of one exchange: made with the request, filled along the walk, read once at its end by every observer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from corsproxy.config.table import Rule
from corsproxy.cors.decision import NO_POLICY, Decision
from corsproxy.cors.flip import Flip
from corsproxy.http.answers import printable
from corsproxy.http.redaction import shown_target
from corsproxy.proxy.request import Client, Line, RequestHead


class Exchange:
    """One request and what became of it.

    Its fields have their defaults on the class: most keep them, and what is not written costs nothing.
    """

    client: str  # the peer's address; "" on a unix socket
    method: bytes
    target: bytes  # as the client sent it
    host: bytes
    origin: bytes  # the Origin header, b"" when there is none
    head: RequestHead  # as it was planned; empty where it could not be read
    peer: Client  # whose connection it came on, whoever that speaks for
    scheme: str = "http"
    websocket: bool = False  # whether the client asked for one
    rule: Rule | None = None
    decision: Decision = NO_POLICY
    upstream: str = ""  # the endpoint that was asked
    status: int = 0  # 0: the connection ended before an answer
    request_bytes: int = 0  # of the body
    response_bytes: int = 0  # of the body
    passed: Sequence[Line] = ()  # the client's end-to-end lines
    started: float = 0.0  # when the head was there; seconds, by time.perf_counter(), as the two below
    asked: float = 0.0  # when the upstream was turned to; 0: it was not
    heard: float = 0.0  # when the head of its answer came; 0: it did not
    duration: float = 0.0  # seconds
    answered: Sequence[tuple[bytes, bytes]] = ()  # the upstream's header lines, as they came
    limit: str = ""  # the configuration's key of the limit that was met: "max_request_body", "timeouts.response"
    retries: int = 0  # attempts after the first
    traceparent: bytes = b""  # the client's, as it came
    request_id: bytes = b""  # what it is called here and at the upstream; b"": the configuration asks for no name
    shadow: Flip | None = None  # what the shadow would have decided otherwise
    failure: str = ""  # what went wrong, in words, for the log; never sent to the client

    def __init__(  # what is known of every request when it arrives; the rest is written along the walk
        self, client: str, method: bytes, target: bytes, host: bytes, origin: bytes, **written: object
    ) -> None:
        self.client = client
        self.method = method
        self.target = target
        self.host = host
        self.origin = origin
        if written:
            for name, value in written.items():
                setattr(self, name, value)

    @property
    def shown_target(self) -> str:
        """The target for logs and terminals: printable ASCII, and without secrets."""
        return shown_target(self.target)

    @property
    def url(self) -> str:
        """The URL as the browser names it in its console, as far as a log may."""
        target = self.shown_target
        if not target.startswith("/"):  # absolute-form already
            return target
        return f"{self.scheme}://{printable(self.host.decode('latin-1'))}{target}"


Observer = Callable[[Exchange], None]
