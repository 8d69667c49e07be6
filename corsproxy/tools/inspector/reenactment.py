"""The heads of an exchange, made again from its record: what was asked and answered is kept, what was sent is not.

Rules: the data plane's own functions make them, from the rule that decided; nothing is guessed.  Where the rule table
has been replaced since, there is no knowing any more, and None says so.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Final

from corsproxy.config.table import RuleTable
from corsproxy.cors.fetch import Headers
from corsproxy.http.answers import OwnAnswer
from corsproxy.http.fields import lines_of
from corsproxy.proxy.answer import answer_bytes
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.framing import NO_BODY
from corsproxy.proxy.plan import Answer, Forward, plan
from corsproxy.proxy.received import ResponseHead, Status, received_line
from corsproxy.proxy.request import Client, Fields, RequestHead
from corsproxy.proxy.response import delivery, response_head

_SWITCH: Final = ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))


def asked(exchange: Exchange) -> Headers:
    """The end-to-end lines that the client sent, Host first."""
    return ((b"Host", exchange.host), *((line.written, line.value) for line in exchange.passed))


def forwarded(exchange: Exchange, table: RuleTable) -> Headers | None:
    """The lines that the upstream got; none where it was not asked."""
    if not exchange.upstream:
        return ()
    planned = _planned(exchange, table)
    if not isinstance(planned, Forward):
        return None
    endpoints = planned.rule.upstream.endpoints
    authority = next((point.authority for point in endpoints if str(point) == exchange.upstream), b"")
    return lines_of(planned.head(authority))


def delivered(exchange: Exchange, table: RuleTable) -> Headers | None:
    """The lines that the client got; none where the connection ended before an answer."""
    if not exchange.status:
        return ()
    planned = _planned(exchange, table)
    if planned is None:
        return None
    date = formatdate(began(exchange) + exchange.duration, usegmt=True).encode()
    if exchange.heard and exchange.status != 101 and isinstance(planned, Forward):
        received = [received_line(*field) for field in exchange.answered]
        head = ResponseHead(b"1.1", Status(exchange.status, b""), received)
        return lines_of(response_head(planned, head, delivery(NO_BODY, version=b"1.1", closes=False), lambda: date))
    if isinstance(planned, Forward) and exchange.status == 101:
        return (*lines_of(b"\r\n" + planned.decision.lines), *_SWITCH)
    own = planned.own if isinstance(planned, Answer) else OwnAnswer(exchange.status, "")
    own = OwnAnswer(exchange.status, own.detail, own.headers, own.limit)
    answer = Answer(own, exchange.decision, exchange.rule)
    return lines_of(answer_bytes(answer, (), method=exchange.method, version=b"1.1", closes=False, date=date))


def granted(exchange: Exchange) -> Headers:
    """What a browser judges of the answer, from the record alone: enough where the table has been replaced."""
    own = lines_of(b"\r\n" + exchange.decision.lines)
    policy = exchange.rule.policy if exchange.rule is not None else None
    return own if policy is not None else (*exchange.answered, *own)


def began(exchange: Exchange) -> float:
    """When it began, in seconds since the epoch."""
    return time.time() - (time.perf_counter() - exchange.started)


def _planned(exchange: Exchange, table: RuleTable) -> Answer | Forward | None:
    """What the data plane makes of the same request; None where another table would decide otherwise."""
    lines = asked(exchange) + (_SWITCH if exchange.websocket else ())
    head = RequestHead(exchange.method, exchange.target, b"1.1", Fields(lines))
    planned = plan(table, head, Client(exchange.client or None, exchange.scheme == "https"))
    return planned if planned.rule is exchange.rule else None
