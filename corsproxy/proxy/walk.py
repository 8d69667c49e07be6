"""The walk of a request, in order: plan, connect, send, relay, record.

This is the ordinary lane: one task per request, which aiohttp's RequestHandler makes.  Everything that the client or
the upstream does wrong ends here as an answer or as a broken connection, never as an exception.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter  # the loop's own clock stands still within an iteration
from typing import Final, NamedTuple

from corsproxy.config.table import RuleTable, Upstream
from corsproxy.cors.decision import NO_POLICY
from corsproxy.errors import CorsproxyError, MalformedRequest, StaleConnection, UnusableCertificate, UpstreamError
from corsproxy.http.answers import OwnAnswer
from corsproxy.proxy.answer import answer_bytes
from corsproxy.proxy.arrival import NO_HEAD, Arrival
from corsproxy.proxy.exchange import Exchange, Observer
from corsproxy.proxy.framing import Kind
from corsproxy.proxy.plan import Answer, Forward, plan
from corsproxy.proxy.pool import Pool
from corsproxy.proxy.relay import Relay
from corsproxy.proxy.upload import upload
from corsproxy.proxy.upstream import UpstreamConnection

log: Final = logging.getLogger("corsproxy")


class Ended(NamedTuple):
    """How an attempt ended: what went wrong, or None, and whether the client's connection lives on."""

    error: CorsproxyError | None
    keeps_alive: bool = False


class Walk:
    """Leads requests through the table; ``table`` may be replaced at any time, whole."""

    def __init__(self, table: RuleTable, observe: Observer, date: Callable[[], bytes]) -> None:
        self.table = table
        self._observe = observe
        self._date = date
        self._pools: dict[Upstream, Pool] = {}
        self._loop = asyncio.get_running_loop()

    def prepare(self) -> None:
        """Read the files that the table's upstreams need, so that what is wrong with them is known before a request.

        Raises UnusableCertificate.
        """
        for upstream in dict.fromkeys(rule.upstream for rule in self.table.rules):
            if upstream.tls.ca or upstream.tls.cert:
                try:
                    self._pool(upstream)
                except UnusableCertificate as unusable:
                    raise UnusableCertificate(
                        f"the upstream {upstream.name}: {unusable}; name PEM files, and a key without a passphrase"
                    ) from unusable

    async def handle(self, arrival: Arrival) -> bool:
        """Answer one request; the result says whether the client's connection may serve another."""
        exchange = arrival.exchange
        exchange.started = perf_counter()
        try:
            return await self._handle(arrival, exchange)
        except asyncio.CancelledError:
            if exchange.status != 101:  # the end of a tunnel is no failure
                exchange.failure = "the client went away"
            raise
        finally:
            exchange.duration = perf_counter() - exchange.started
            self._record(exchange)

    def _record(self, exchange: Exchange) -> None:
        try:
            self._observe(exchange)
        except Exception:  # whoever watches must not break what is watched
            log.exception("an observer failed")

    def close(self) -> None:
        """Close every upstream connection."""
        for pool in self._pools.values():
            pool.close()

    async def _handle(self, arrival: Arrival, exchange: Exchange) -> bool:
        planned: Answer | Forward | None = None
        try:
            table = self.table  # read once, so that a swap in between mixes nothing
            planned = _plan(table, arrival)
            exchange.rule, exchange.decision = planned.rule, planned.decision
            _address(table, arrival, exchange)
            if isinstance(planned, Answer):
                return self._answer(arrival, planned)
            return await self._forward(arrival, planned, exchange)
        except ConnectionResetError:  # there is nobody left to answer
            exchange.failure = "the client went away"
            raise
        except Exception:  # a bug of ours: the page reads a 500, and the log has the trace
            log.exception("a request failed inside the proxy")
            return self._bug(arrival, planned, exchange)

    async def _forward(self, arrival: Arrival, forward: Forward, exchange: Exchange) -> bool:
        ended = await self._attempt(arrival, forward, exchange, fresh=False)
        if isinstance(ended.error, StaleConnection) and forward.repeatable:
            ended = await self._attempt(arrival, forward, exchange, fresh=True)
        if ended.error is None:
            return ended.keeps_alive
        exchange.failure = _in_full(ended.error, exchange)
        if exchange.status:  # the answer had begun, and has been broken off
            return False
        return self._answer(arrival, _failure(ended.error, forward))

    async def _attempt(self, arrival: Arrival, forward: Forward, exchange: Exchange, *, fresh: bool) -> Ended:
        """Send the request once."""
        try:
            connection = await self._pool(forward.rule.upstream).acquire(fresh=fresh)
        except UpstreamError as refused:
            return Ended(refused)
        exchange.upstream = str(connection.endpoint)
        relay = Relay(
            forward,
            connection,
            arrival.transport,
            exchange,
            version=arrival.head.version,
            closes=arrival.closes,
            date=self._date,
        )
        arrival.downstream.follow(relay)
        try:
            error = await self._exchange(arrival, forward, connection, relay)
            if relay.tunnel is not None:
                arrival.downstream.switch(relay.tunnel)
                await relay.tunnel.ended
        except asyncio.CancelledError:  # the client went away: nobody waits for the answer
            connection.abandon(relay)
            raise
        finally:
            arrival.downstream.follow(None)
        return Ended(error, keeps_alive=relay.delivered is not None and not relay.delivered.closes)

    async def _exchange(
        self, arrival: Arrival, forward: Forward, connection: UpstreamConnection, relay: Relay
    ) -> CorsproxyError | None:
        """Head and body there, the answer back; what went wrong, or None."""
        whole = forward.framing.kind is Kind.NONE
        head = forward.head(connection.endpoint.authority)
        connection.begin(head, forward.method, relay, upgrade=forward.upgrade, whole=whole)
        if whole:
            return await relay.ended
        sending = self._loop.create_task(upload(forward, arrival.payload, connection, relay, arrival.exchange))
        try:
            return await relay.ended
        finally:
            sending.cancel()

    def _pool(self, upstream: Upstream) -> Pool:
        pool = self._pools.get(upstream)
        if pool is None:
            pool = self._pools[upstream] = Pool(upstream)
        return pool

    def _answer(self, arrival: Arrival, answer: Answer) -> bool:
        arrival.exchange.status = answer.status
        closes = answer.closes or arrival.closes()
        head = arrival.head
        arrival.transport.write(
            answer_bytes(
                answer, arrival.accept, method=head.method, version=head.version, closes=closes, date=self._date()
            )
        )
        return not closes

    def _bug(self, arrival: Arrival, planned: Answer | Forward | None, exchange: Exchange) -> bool:
        exchange.failure = "a bug in the proxy; the log has the trace"
        if exchange.status:
            arrival.transport.abort()
            return False
        own = OwnAnswer(500, "the proxy failed; its log says why")
        decision, rule = (planned.decision, planned.rule) if planned is not None else (NO_POLICY, None)
        return self._answer(arrival, Answer(own, decision, rule, closes=True))


def _address(table: RuleTable, arrival: Arrival, exchange: Exchange) -> None:
    """Who asked, and by which URL: a trusted proxy in front knows it better than this one."""
    forwarding, client, received = table.forwarding, arrival.client, arrival.head.fields.forwarded
    exchange.client = forwarding.client(client.peer, received)
    exchange.scheme = forwarding.scheme(client.peer, client.tls, received)
    exchange.host = forwarding.host(client.peer, exchange.host, received)


def _plan(table: RuleTable, arrival: Arrival) -> Answer | Forward:
    refusal = arrival.refusal
    if refusal is None:
        return plan(table, arrival.head, arrival.client)
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
        return Answer(OwnAnswer(error.status, str(error)), forward.decision, forward.rule, closes=True)
    status = error.status if isinstance(error, UpstreamError) else 502
    detail = f"the upstream of the rule {forward.rule.name} failed: {error}"
    return Answer(OwnAnswer(status, detail), forward.decision, forward.rule)
