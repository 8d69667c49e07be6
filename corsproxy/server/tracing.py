"""Spans of exchanges, for OpenTelemetry: the [otel] extra, imported only where its environment variables ask for it.

Rules that this file obeys:

- Names and attributes are those of the stable conventions
  (https://opentelemetry.io/docs/specs/semconv/http/http-spans/); values that a client chose have no secrets in them.
- Spans are made of the record of an exchange that has ended, so that no request waits for any of this; a thread of the
  SDK exports them in batches.
- The parent is who asked, as traceparent says.  That header passes untouched, so the upstream's own spans have the same
  parent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from corsproxy import __version__
from corsproxy.config.table import Rule
from corsproxy.errors import MalformedRequest
from corsproxy.http.redaction import shown_target
from corsproxy.http.target import parse_host
from corsproxy.http.trace_context import parse_traceparent
from corsproxy.proxy.exchange import Exchange

# Those that the conventions know; another one is _OTHER, so that names of spans have few values.
_METHODS: Final = frozenset(
    {b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"QUERY", b"TRACE"}
)

_RESOURCE: Final = OTELResourceDetector()

Attributes = dict[str, str | int]


def otlp_processor() -> SpanProcessor:
    """Export by OTLP over HTTP, as the OTEL_EXPORTER_OTLP_* variables say."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  # not in tests

    return BatchSpanProcessor(OTLPSpanExporter())


class Spans:
    """Observes exchanges and makes spans of them; ``close`` exports what is left."""

    def __init__(self, processor: Callable[[], SpanProcessor] = otlp_processor) -> None:
        self._processor = processor
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None

    def __call__(self, exchange: Exchange) -> None:
        """Make the spans of one exchange: the proxy's own, and the one of asking its upstream."""
        tracer = self._tracer or self._start()
        end = time.time_ns()
        start = end - _nanoseconds(exchange.duration)
        method = exchange.method.decode("latin-1") if exchange.method in _METHODS else "_OTHER"
        span = tracer.start_span(
            _name(method, exchange.rule),
            _parent(exchange),
            SpanKind.SERVER,
            _attributes(exchange, method),
            start_time=start,
        )
        if exchange.asked and exchange.upstream:
            _asked(tracer, span, exchange, method, start)
        if exchange.failure or not 0 < exchange.status < 500:
            span.set_attribute("error.type", str(exchange.status or "aborted"))
            span.set_status(Status(StatusCode.ERROR, exchange.failure or None))
        span.end(end)

    def close(self) -> None:
        """Export what is left."""
        if self._provider is not None:
            self._provider.shutdown()

    def _start(self) -> Tracer:
        """Begin with the first exchange, in the process that serves it: threads do not survive a fork."""
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes after this program's own.
        own = Resource({SERVICE_NAME: "corsproxy", SERVICE_VERSION: __version__})
        self._provider = TracerProvider(resource=Resource.create().merge(own).merge(_RESOURCE.detect()))
        self._provider.add_span_processor(self._processor())
        self._tracer = self._provider.get_tracer("corsproxy", __version__)
        return self._tracer


def _asked(tracer: Tracer, server: Span, exchange: Exchange, method: str, start: int) -> None:
    """The span of the upstream leg: until the head of the answer, or until the end of the attempt."""
    url = urlsplit(exchange.upstream)
    attributes: Attributes = {"http.request.method": method, "server.address": url.hostname or url.path}
    if url.port:
        attributes["server.port"] = url.port
    if exchange.retries:
        attributes["http.request.resend_count"] = exchange.retries
    if exchange.heard:
        attributes["http.response.status_code"] = exchange.status
    asked = start + _nanoseconds(exchange.asked - exchange.started)
    heard = exchange.heard or exchange.started + exchange.duration
    context = set_span_in_context(server)
    name = "HTTP" if method == "_OTHER" else method
    span = tracer.start_span(name, context, SpanKind.CLIENT, attributes, start_time=asked)
    if not exchange.heard or exchange.status >= 400:  # of a client's span, 4xx is an error too
        span.set_attribute("error.type", str(exchange.status) if exchange.heard else "no answer")
        span.set_status(StatusCode.ERROR)
    span.end(start + _nanoseconds(heard - exchange.started))


def _parent(exchange: Exchange) -> Context | None:
    found = parse_traceparent(exchange.traceparent)
    if found is None:
        return None
    flags = TraceFlags(found.flags)
    context = SpanContext(int(found.trace_id, 16), int(found.parent_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(context))


def _name(method: str, rule: Rule | None) -> str:
    name = "HTTP" if method == "_OTHER" else method
    return f"{name} {rule.path}" if rule else name


def _attributes(exchange: Exchange, method: str) -> Attributes:
    path, _, query = shown_target(exchange.target).partition("?")
    attributes: Attributes = {
        "http.request.method": method,
        "url.scheme": exchange.scheme,
        "url.path": path,
        "corsproxy.cors.outcome": str(exchange.decision.outcome),
    }
    if query:
        attributes["url.query"] = query
    if exchange.status:
        attributes["http.response.status_code"] = exchange.status
    if exchange.rule is not None:
        attributes["http.route"] = exchange.rule.path
    if exchange.client:
        attributes["client.address"] = exchange.client
    with suppress(MalformedRequest):
        attributes["server.address"] = parse_host(exchange.host)[0]
    return attributes


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
