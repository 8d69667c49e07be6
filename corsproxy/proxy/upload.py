"""The way there: the request's body, from the client to the upstream, with backpressure and within the rule's limits.

A body of known length that the fast lane received flows straight on (``inflow``).  Any other comes from aiohttp's
stream, piece by piece; a chunked one is framed anew.  The stream stops reading the client while it is full, and the
pump waits while the upstream takes no more, so that nothing piles up between the two.
"""

from __future__ import annotations

import asyncio

from aiohttp import StreamReader
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from corsproxy.config.table import Rule
from corsproxy.errors import MalformedRequest
from corsproxy.proxy.arrival import Arrival, Cancellable
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.framing import CHUNKED
from corsproxy.proxy.inflow import Inflow
from corsproxy.proxy.plan import Forward
from corsproxy.proxy.relay import Relay
from corsproxy.proxy.upstream import UpstreamConnection

# Seconds after which the client is asked for its body in the upstream's place: many upstreams never send a 100, and
# some clients wait for one for ever (RFC 9110 10.1.1 forbids neither).
CONTINUE_AFTER = 1.0


def begin_upload(
    arrival: Arrival, forward: Forward, connection: UpstreamConnection, relay: Relay, loop: asyncio.AbstractEventLoop
) -> Cancellable:
    """Start to send the body; the result gives it up."""
    payload, exchange = arrival.payload, arrival.exchange
    if isinstance(payload, Inflow):
        payload.flow_into(connection, relay, exchange, loop, forward.rule.request_body_timeout)
        return payload
    return loop.create_task(_upload(forward, payload, connection, relay, exchange))


async def _upload(
    forward: Forward, payload: StreamReader, connection: UpstreamConnection, relay: Relay, exchange: Exchange
) -> None:
    """Send the body; what goes wrong with it ends the exchange."""
    patience = None
    if forward.expects_continue:
        patience = asyncio.get_running_loop().call_later(CONTINUE_AFTER, relay.say_continue)
    try:
        await _pump(forward, payload, connection, exchange)
    except Exception as error:  # noqa: BLE001  # a bug of ours too must reach whoever waits for the answer
        relay.give_up(error)
    finally:
        if patience is not None:
            patience.cancel()


async def _pump(forward: Forward, payload: StreamReader, connection: UpstreamConnection, exchange: Exchange) -> None:
    chunked = forward.framing is CHUNKED
    limit = forward.rule.max_request_body
    while piece := await _read(payload, forward.rule):
        exchange.request_bytes += len(piece)
        if limit is not None and exchange.request_bytes > limit:
            too_large = f"the body is larger than the {limit} bytes that the rule allows"
            raise MalformedRequest(413, too_large, "max_request_body")
        connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        await connection.writable()
    if chunked:
        connection.send(b"0\r\n\r\n")
        await connection.writable()
    connection.finish_request()


async def _read(payload: StreamReader, rule: Rule) -> bytes:
    """The next piece of the body, b"" at its end; aiohttp's errors end here."""
    try:
        async with asyncio.timeout(rule.request_body_timeout):
            return await payload.readany()
    except TimeoutError:
        raise MalformedRequest(408, "the body stopped coming", "request_body_timeout") from None
    except (HttpProcessingError, RequestPayloadError):
        raise MalformedRequest(400, "the body's framing is broken") from None
