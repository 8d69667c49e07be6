"""Spans of exchanges: their names, their family, and that they reach a collector."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from corsproxy.cli.observing import wants_spans
from corsproxy.config.load import load_config
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.tracing import Spans

TEXT = "rules: [{path: /api, upstream: 'http://127.0.0.1:8000', policy: none}]"
RULE = load_config(TEXT, "config.yaml", {}).table.rules[0]
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def exchange(**fields):
    record = {
        "client": "10.0.0.1",
        "method": b"GET",
        "target": b"/api/7?token=s3cret&page=2",
        "host": b"api.test:8080",
        "origin": b"https://a.test",
        "rule": RULE,
        "decision": Decision(Outcome.ALLOWED),
        "upstream": "http://127.0.0.1:8000",
        "status": 200,
        "started": 10.0,
        "asked": 10.25,
        "heard": 10.75,
        "duration": 1.0,
        "traceparent": f"00-{TRACE}-{PARENT}-01".encode(),
    }
    return Exchange(**{**record, **fields})


def spans(record):
    exporter = InMemorySpanExporter()
    observer = Spans(lambda: SimpleSpanProcessor(exporter))
    observer(record)
    observer.close()
    return {span.kind: span for span in exporter.get_finished_spans()}


def test_an_exchange_has_a_span_with_the_standard_names():
    span = spans(exchange())[SpanKind.SERVER]
    assert span.name == "GET /api"
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/api",
        "url.scheme": "http",
        "url.path": "/api/7",
        "url.query": "token=***&page=2",
        "client.address": "10.0.0.1",
        "server.address": "api.test",
        "corsproxy.cors.outcome": "allowed",
    }
    assert span.status.status_code is StatusCode.UNSET
    assert span.resource.attributes["service.name"] == "corsproxy"


def test_asking_the_upstream_is_a_span_below_it():
    found = spans(exchange(retries=1))
    server, client = found[SpanKind.SERVER], found[SpanKind.CLIENT]
    assert client.parent.span_id == server.context.span_id
    assert client.name == "GET"
    assert dict(client.attributes) == {
        "http.request.method": "GET",
        "http.request.resend_count": 1,
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": 8000,
    }
    assert server.end_time - server.start_time == 10**9
    assert (client.start_time - server.start_time, client.end_time - client.start_time) == (25 * 10**7, 5 * 10**8)


def test_the_parent_is_who_asked():
    span = spans(exchange())[SpanKind.SERVER]
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)


@pytest.mark.parametrize("traceparent", [b"", b"nonsense"])
def test_without_one_a_trace_begins_here(traceparent):
    assert spans(exchange(traceparent=traceparent))[SpanKind.SERVER].parent is None


def test_what_the_asker_does_not_sample_is_not_exported():
    assert spans(exchange(traceparent=f"00-{TRACE}-{PARENT}-00".encode())) == {}


def test_what_the_proxy_answers_itself_asks_nobody():
    found = spans(exchange(status=403, asked=0.0, heard=0.0, upstream=""))
    assert found.keys() == {SpanKind.SERVER}
    assert found[SpanKind.SERVER].status.status_code is StatusCode.UNSET  # of a server's span, 4xx is no error


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"status": 502, "heard": 0.0, "failure": "http://127.0.0.1:8000: it cannot be reached"}, "502"),
        ({"status": 500}, "500"),
        ({"status": 0, "heard": 0.0, "failure": "the client went away"}, "aborted"),
    ],
)
def test_a_failure_is_an_error(fields, error):
    found = spans(exchange(**fields))
    for span in found.values():
        assert span.status.status_code is StatusCode.ERROR
    assert found[SpanKind.SERVER].attributes["error.type"] == error
    assert found[SpanKind.SERVER].status.description == fields.get("failure")


def test_a_made_up_method_makes_no_name():
    span = spans(exchange(method=b"BREW\xff", rule=None, host=b"@", client=""))[SpanKind.SERVER]
    assert (span.name, span.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert "server.address" not in span.attributes


def test_a_unix_socket_is_an_address():
    span = spans(exchange(upstream="unix:/run/api.sock"))[SpanKind.CLIENT]
    assert span.attributes["server.address"] == "/run/api.sock"
    assert "server.port" not in span.attributes


def test_spans_reach_a_collector(monkeypatch):
    """Over HTTP, with the standard variables; the collector is a stand-in on loopback."""
    received = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        thread = threading.Thread(target=collector.handle_request)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "orders-proxy")
        observer = Spans()
        observer(exchange())
        observer.close()
        thread.join()
    ((path, request),) = received
    (resource,) = request.resource_spans
    assert path == "/v1/traces"
    assert {"orders-proxy"} == {
        item.value.string_value for item in resource.resource.attributes if item.key == "service.name"
    }
    assert {span.name for span in resource.scope_spans[0].spans} == {"GET /api", "GET"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "a"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console,otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_only_the_variables_of_opentelemetry_turn_it_on(environment, wanted):
    assert wants_spans(environment) is wanted
