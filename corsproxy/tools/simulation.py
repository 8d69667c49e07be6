"""The proxy without a socket: what it would answer to a request, with an upstream that is imagined.

It is the data plane's own plan and the data plane's own response head; this file only turns the browser model's values
into theirs and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from corsproxy.config.table import Rule, RuleTable
from corsproxy.cors.decision import Decision
from corsproxy.cors.fetch import WireRequest, WireResponse
from corsproxy.http.fields import lines_of
from corsproxy.proxy.answer import answer_bytes
from corsproxy.proxy.framing import NO_BODY
from corsproxy.proxy.plan import Answer, Forward, plan
from corsproxy.proxy.received import ResponseHead, Status, received_line
from corsproxy.proxy.request import Client, Fields, RequestHead
from corsproxy.proxy.response import delivery, response_head

_DATE: Final = b"Thu, 01 Jan 1970 00:00:00 GMT"  # some date; no verdict depends on it
_PEER: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One request of a fetch and its answer; rule and decision where this proxy gave it."""

    asked: WireRequest
    answered: WireResponse
    rule: Rule | None = None
    decision: Decision | None = None
    own: str = ""  # the proxy's own words, where the upstream was not asked

    @property
    def preflight(self) -> bool:
        """Whether this was the browser's question, and not the page's."""
        return self.asked.method == b"OPTIONS" and any(
            name.lower() == b"access-control-request-method" for name, _ in self.asked.headers
        )


def imagined(asked: WireRequest) -> WireResponse:  # noqa: ARG001  # an upstream's signature
    """The answer of an upstream that knows no CORS and has nothing to complain about."""
    return WireResponse(200, ((b"Content-Type", b"application/json"),))


class Simulation:
    """Answers requests as the proxy would, and remembers them in order."""

    def __init__(self, table: RuleTable, upstream: Callable[[WireRequest], WireResponse] = imagined) -> None:
        self.exchanges: list[Exchanged] = []
        self._table = table
        self._upstream = upstream

    def send(self, asked: WireRequest) -> WireResponse:
        """The proxy's answer to one request of a browser."""
        parts = urlsplit(asked.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = Fields([(b"Host", parts.netloc.rpartition("@")[2].encode()), *asked.headers])
        head = RequestHead(asked.method, target.encode("utf-8"), b"1.1", fields)
        planned = plan(self._table, head, Client(_PEER, parts.scheme == "https"))
        if isinstance(planned, Answer):
            answered, own = _own(planned, asked), planned.own.detail
        else:
            answered, own = self._forwarded(planned, asked), ""
        self.exchanges.append(Exchanged(asked, answered, planned.rule, planned.decision, own))
        return answered

    def _forwarded(self, forward: Forward, asked: WireRequest) -> WireResponse:
        answered = self._upstream(asked)
        head = ResponseHead(b"1.1", Status(answered.status, b""), [received_line(*line) for line in answered.headers])
        delivered = delivery(NO_BODY, version=b"1.1", closes=False)
        return WireResponse(answered.status, lines_of(response_head(forward, head, delivered, lambda: _DATE)))


def _own(answer: Answer, asked: WireRequest) -> WireResponse:
    head = answer_bytes(answer, (), method=asked.method, version=b"1.1", closes=answer.closes, date=_DATE)
    return WireResponse(answer.status, lines_of(head))
