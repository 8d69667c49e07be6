"""The walk of a request, in order: plan, connect, send, relay, record.

Nothing here waits: each step is called by the one before it, or by the upstream's connection when it has news, so that
a request which finds an idle connection to its upstream needs neither a task nor a future.  Only the making of a new
connection is a task.  Both lanes of the listener lead their requests through here.  Everything that the client or the
upstream does wrong ends as an answer or as a broken connection, never as an exception.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter  # the loop's own clock stands still within an iteration
from typing import Final

from corsproxy.config.table import RuleTable
from corsproxy.cors.decision import NO_POLICY
from corsproxy.errors import (
    CorsproxyError,
    MalformedRequest,
    Overloaded,
    StaleConnection,
    UpstreamError,
)
from corsproxy.http.answers import RETRY_AFTER, OwnAnswer
from corsproxy.proxy.answer import answer_bytes
from corsproxy.proxy.arrival import NO_HEAD, Arrival
from corsproxy.proxy.exchange import Exchange, Observer
from corsproxy.proxy.framing import NO_BODY
from corsproxy.proxy.plan import Answer, Forward, plan
from corsproxy.proxy.pools import Pools
from corsproxy.proxy.relay import Relay
from corsproxy.proxy.request_id import identified
from corsproxy.proxy.upload import begin_upload
from corsproxy.proxy.upstream import UpstreamConnection

log: Final = logging.getLogger("corsproxy")

_now: Final[Callable[[], float]] = perf_counter


class Walk:
    """Leads requests through the table; ``table`` may be replaced at any time, whole, and so may who observes."""

    def __init__(self, table: RuleTable, observe: Observer, date: Callable[[], bytes]) -> None:
        self.table = table
        self.observe = observe
        self._date = date
        self.pools = Pools()
        self._pool = self.pools.of
        self._loop = asyncio.get_running_loop()

    def trusts(self, peer: str) -> bool:
        """Whether a peer is a trusted proxy, by the present table."""
        return self.table.forwarding.trusts(peer)

    def close(self) -> None:
        """Close every upstream connection."""
        self.pools.close()

    def begin(self, arrival: Arrival) -> None:
        """Lead one request; ``Arrival.finish`` tells its connection of the end, which may come before this returns."""
        exchange = arrival.exchange
        exchange.started = _now()
        try:
            table = self.table  # read once, so that a swap in between mixes nothing
            planned = arrival.planned = _plan(table, arrival)
            exchange.rule, exchange.decision = planned.rule, planned.decision
            if arrival.head.fields.forwarded:
                _address(table, arrival, exchange)
            if isinstance(planned, Answer):
                self._answer(arrival, planned)
                return
            exchange.asked = _now()
            connection = self._pool(planned.rule.upstream).at_hand()
            if connection is None:
                self._connect(arrival, planned, fresh=False)
            else:
                self._send(arrival, planned, connection)
        except Exception as error:  # noqa: BLE001  # whatever it is, the client gets an answer
            self._bug(arrival, error)

    def abandon(self, arrival: Arrival) -> None:
        """The client has gone, or its connection is broken off: nobody waits for the answer."""
        if arrival.over:
            return
        if arrival.exchange.status != 101:  # the end of a tunnel is no failure
            arrival.exchange.failure = "the client went away"
        arrival.stop()
        self._finish(arrival, keeps_alive=False)

    # the steps of a request that is forwarded

    def _connect(self, arrival: Arrival, forward: Forward, *, fresh: bool) -> None:
        arrival.connecting = self._loop.create_task(self._connected(arrival, forward, fresh=fresh))

    async def _connected(self, arrival: Arrival, forward: Forward, *, fresh: bool) -> None:
        try:
            try:
                connection = await self._pool(forward.rule.upstream).acquire(fresh=fresh)
            except UpstreamError as refused:
                self._failed(arrival, forward, refused)
            else:
                self._send(arrival, forward, connection)
        except Exception as error:  # noqa: BLE001  # as above
            self._bug(arrival, error)

    def _send(self, arrival: Arrival, forward: Forward, connection: UpstreamConnection) -> None:
        client = arrival.downstream.transport
        if client is None or client.is_closing():
            connection.close()
            self.abandon(arrival)
            return
        arrival.exchange.upstream = connection.name
        relay = arrival.relay = Relay(arrival, forward, connection, client, self._date, self._relayed)
        arrival.downstream.follow(relay)
        whole = forward.framing is NO_BODY
        head = forward.head(connection.endpoint.authority)
        connection.begin(head, forward.method, relay, upgrade=forward.upgrade, whole=whole)
        if not whole:
            arrival.sending = begin_upload(arrival, forward, connection, relay, self._loop)
            connection.push()

    def _relayed(self, arrival: Arrival, error: Exception | None) -> None:
        """An attempt has ended: well, or by an error of the upstream, of the client's body, or of ours."""
        relay, forward = arrival.relay, arrival.planned
        if relay is None or not isinstance(forward, Forward):  # pragma: no cover  # a relay has both
            raise AssertionError
        if arrival.sending is not None:
            arrival.sending.cancel()
        if error is None:
            self._finish(arrival, keeps_alive=relay.delivered is not None and not relay.delivered.closes)
        elif not isinstance(error, CorsproxyError):
            self._bug(arrival, error)
        elif isinstance(error, StaleConnection) and forward.repeatable and not arrival.repeated:
            arrival.repeated = True
            arrival.exchange.retries += 1
            self._connect(arrival, forward, fresh=True)
        else:
            self._failed(arrival, forward, error)

    def _failed(self, arrival: Arrival, forward: Forward, error: CorsproxyError) -> None:
        arrival.exchange.failure, arrival.exchange.limit = _in_full(error, arrival.exchange), error.limit
        if arrival.exchange.status:  # the answer had begun, and has been broken off
            self._finish(arrival, keeps_alive=False)
        else:
            self._answer(arrival, _failure(error, forward))

    # the end

    def _answer(self, arrival: Arrival, answer: Answer) -> None:
        client = arrival.downstream.transport
        if client is None or client.is_closing():
            self.abandon(arrival)
            return
        exchange, own, head = arrival.exchange, answer.own, arrival.head
        exchange.status, exchange.limit = answer.status, own.limit
        closes = answer.closes or arrival.closes()
        accept = arrival.accept if own.detail else ()
        client.write(
            answer_bytes(answer, accept, method=head.method, version=head.version, closes=closes, date=self._date())
        )
        self._finish(arrival, keeps_alive=not closes)

    def _bug(self, arrival: Arrival, error: Exception) -> None:
        """A bug of ours: the page reads a 500, and the log has the trace."""
        log.error("a request failed inside the proxy", exc_info=error)
        if arrival.over:
            return
        exchange, planned, client = arrival.exchange, arrival.planned, arrival.downstream.transport
        exchange.failure = "a bug in the proxy; the log has the trace"
        arrival.stop()
        if exchange.status:
            if client is not None:
                client.abort()
            self._finish(arrival, keeps_alive=False)
            return
        own = OwnAnswer(500, "the proxy failed; its log says why")
        decision, rule = (planned.decision, planned.rule) if planned is not None else (NO_POLICY, None)
        self._answer(arrival, Answer(own, decision, rule, closes=True))

    def _finish(self, arrival: Arrival, *, keeps_alive: bool) -> None:
        exchange = arrival.exchange
        exchange.duration = _now() - exchange.started
        try:
            self.observe(exchange)
        except Exception:  # whoever watches must not break what is watched
            log.exception("an observer failed")
        arrival.finish(keeps_alive=keeps_alive)


def _address(table: RuleTable, arrival: Arrival, exchange: Exchange) -> None:
    """Who asked, and by which URL: a trusted proxy in front knows it better than this one."""
    forwarding, client, received = table.forwarding, arrival.client, arrival.head.fields.forwarded
    exchange.client = forwarding.client(client.peer, received)
    exchange.scheme = forwarding.scheme(client.peer, client.tls, received)
    exchange.host = forwarding.host(client.peer, exchange.host, received)


def _plan(table: RuleTable, arrival: Arrival) -> Answer | Forward:
    refusal = arrival.refusal
    if refusal is None:
        planned = plan(table, arrival.head, arrival.client)
        return identified(planned, table, arrival) if table.request_id else planned
    if arrival.head is NO_HEAD:
        return Answer(refusal, NO_POLICY, closes=True)
    # Refused whatever the table says; but the rule's policy decides who may read that.
    planned = plan(table, arrival.head, arrival.client)
    return Answer(refusal, planned.decision, planned.rule, closes=True)


def _in_full(error: CorsproxyError, exchange: Exchange) -> str:
    """What went wrong, for the log: with the address and the system's own words, which the client is not told."""
    if not isinstance(error, UpstreamError):
        return str(error)
    upstream = exchange.upstream or "the upstream"
    return f"{upstream}: {error}" + (f" ({error.detail})" if error.detail else "")


def _failure(error: CorsproxyError, forward: Forward) -> Answer:
    """What the client is told of an error: whose fault it was, in words that give no address away."""
    if isinstance(error, MalformedRequest):
        own = OwnAnswer(error.status, str(error), limit=error.limit)
        return Answer(own, forward.decision, forward.rule, closes=True)
    status = error.status if isinstance(error, UpstreamError) else 502
    detail = f"the upstream of the rule {forward.rule.name} failed: {error}"
    headers = RETRY_AFTER if isinstance(error, Overloaded) else b""
    return Answer(OwnAnswer(status, detail, headers, error.limit), forward.decision, forward.rule)
