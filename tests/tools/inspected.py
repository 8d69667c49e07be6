"""What tests of the inspector need: records of exchanges, as the data plane leaves them, without a socket."""

from __future__ import annotations

from time import perf_counter

from corsproxy.config.load import load_config
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.plan import plan
from corsproxy.proxy.request import Client, Fields, RequestHead
from corsproxy.tools.written_config import WrittenConfig

APP, EVIL = b"https://app.example.com", b"https://evil.example.net"
HOST = b"api.example.com"

CONFIG = """\
rules:
  - path: /
    upstream: http://127.0.0.1:8000
    headers: {request: {set: {X-Upstream-Key: hunter2}}, response: {remove: [Server]}}
    policy:
      allow_origins: [https://app.example.com]
      allow_methods: [GET, PUT]
"""


def table_of(text=CONFIG):
    return load_config(text, "config.yaml", {}).table


def written(text=CONFIG):
    return WrittenConfig.read(text, "config.yaml", {})


def exchange(table, *lines, method=b"GET", target=b"/x", origin=APP, status=200, answered=(), websocket=False):
    """What is recorded of a request with these header lines, and of its upstream's answer."""
    every = [(b"Host", HOST), *([(b"Origin", origin)] if origin else []), *lines]
    upgrade = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")] if websocket else []
    fields = Fields([*every, *upgrade])
    planned = plan(table, RequestHead(method, target, b"1.1", fields), Client("127.0.0.1", tls=False))
    own = getattr(planned, "own", None)
    started = perf_counter()
    return Exchange(
        "127.0.0.1",
        method,
        target,
        HOST,
        origin,
        websocket=websocket,
        rule=planned.rule,
        decision=planned.decision,
        upstream="" if own else "http://127.0.0.1:8000",
        status=own.status if own else status,
        passed=fields.passed,
        started=started,
        asked=0.0 if own else started + 0.001,
        heard=0.0 if own else started + 0.002,
        duration=0.003,
        answered=() if own else answered,
    )


def preflight(table, requested=b"PUT", **options):
    """What is recorded of a preflight."""
    return exchange(table, (b"Access-Control-Request-Method", requested), method=b"OPTIONS", **options)
