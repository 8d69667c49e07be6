"""Upstreams that send CORS headers of their own: when it is said, what, and what it costs."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.cli.drift_comment import DriftComment
from corsproxy.cli.exchange_lines import ExchangePrinter
from corsproxy.config.load import load_config
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.access_log import JsonLog
from corsproxy.server.drift import INTERVAL, REMEMBERED, Drift
from corsproxy.server.metrics import Metrics
from tests.cli.running import running
from tests.documents import ROOT, Document
from tests.e2e.rig import ORIGIN, STRANGER, RawUpstream, answer, answering, between, config, preflight

TEXT = """\
policies:
  # as in docs/operations.md
  web-app: {allow_origins: https://app.example.com}
upstreams:
  orders: {url: "http://10.0.0.7:8000"}
  users: {url: "http://10.0.0.8:8000"}

rules:
  - {path: /users, upstream: users, policy: web-app}
  - {path: /orders, upstream: orders, policy: web-app}
  - {path: /kept, upstream: orders, policy: web-app, upstream_cors: keep}
"""
RULES = {rule.path: rule for rule in load_config(TEXT, "config.yaml", {}).table.rules}
ORDERS = "http://10.0.0.7:8000"
OPEN = ((b"Content-Type", b"a/b"), (b"Access-Control-Allow-Origin", b"*"))
BOTH = (*OPEN, (b"access-control-allow-credentials", b"true"))
CLOSED = ((b"Content-Type", b"a/b"), (b"Vary", b"Origin"), (b"Cross-Origin-Resource-Policy", b"same-origin"))


def exchange(answered=OPEN, at=0.0, path="/orders", upstream=ORDERS):
    rule = RULES.get(path)
    return Exchange("", b"GET", b"/", b"h", b"", rule=rule, upstream=upstream, heard=100 + at, answered=answered)


def said(*exchanges):
    drift = Drift()
    return [found.names if (found := drift.meet(one)) else () for one in exchanges]


ONE, TWO = ("Access-Control-Allow-Origin",), ("Access-Control-Allow-Credentials", "Access-Control-Allow-Origin")


@pytest.mark.parametrize(
    ("exchanges", "expected"),
    [
        ([exchange()], [ONE]),
        ([exchange(CLOSED), exchange(at=INTERVAL)], [(), ONE]),  # it starts to
        ([exchange(), exchange(at=INTERVAL), exchange(at=1000)], [ONE, (), ()]),  # said once
        ([exchange(), exchange(BOTH, at=INTERVAL), exchange(at=2 * INTERVAL)], [ONE, TWO, ()]),  # another set
        ([exchange(), exchange(CLOSED, at=INTERVAL), exchange(at=2 * INTERVAL)], [ONE, (), ()]),  # it comes and goes
        ([exchange(CLOSED), exchange(at=INTERVAL / 2), exchange(at=INTERVAL)], [(), (), ONE]),  # not looked at
        ([exchange(), exchange(path="/users", upstream="http://10.0.0.8:8000")], [ONE, ONE]),  # another upstream
        ([exchange(), exchange(upstream="http://10.0.0.9:8000")], [ONE, ()]),  # another endpoint of the same
        ([exchange(path="/kept"), exchange(path="")], [(), ()]),  # the upstream decides; there is no rule
        ([exchange(path="/kept"), exchange()], [(), ONE]),  # and what was not looked at holds up nothing
        ([exchange(((b"TIMING-allow-origin", b"*"),))], [("Timing-Allow-Origin",)]),
    ],
)
def test_what_is_said_and_when(exchanges, expected):
    assert said(*exchanges) == expected


def test_an_answer_of_the_proxys_own_is_none_of_the_upstreams():
    assert said(Exchange("", b"GET", b"/", b"h", b"", rule=RULES["/orders"])) == [()]


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), min_size=1, max_size=50))
def test_memory_is_bounded(pairs):
    """Even where an upstream makes up names, and reloads make up endpoints."""
    drift = Drift()
    drift._due.update({f"old-{number}": 0.0 for number in range(REMEMBERED)})
    drift._known.update({("old", (str(number),)): None for number in range(REMEMBERED)})
    for name, endpoint in pairs:
        drift.meet(exchange(((b"access-control-%d" % name, b""),), upstream=f"http://10.0.0.7:{endpoint}"))
    assert len(drift._due) == len(drift._known) == REMEMBERED


def test_what_an_upstream_makes_up_is_escaped_and_short():
    ((name,),) = said(exchange(((b"Access-Control-\x1b" + b"a" * 10_000, b""),)))
    assert "\x1b" not in name
    assert len(name) < 120


def test_programs_read_it_as_an_event():
    out = io.StringIO()
    log = JsonLog(out, None, lambda: 0)
    log(exchange(BOTH))
    log(exchange(BOTH, at=INTERVAL))
    (line,) = map(json.loads, out.getvalue().splitlines())
    assert {key: line[key] for key in ("event", "upstream", "rule", "where", "policy", "headers")} == {
        "event": "drift",
        "upstream": "orders",
        "rule": "/orders",
        "where": "config.yaml:10:5",
        "policy": "web-app",
        "headers": list(TWO),
    }
    assert line["message"].startswith("the upstream orders sends Access-Control-Allow-Credentials, Access-Control-All")
    assert line["fix"].startswith("have the upstream send none, or set `upstream_cors: keep` in the rule /orders (")


def test_people_read_it_as_the_documentation_shows_it():
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    ExchangePrinter(out, sample=None, comment=DriftComment())(exchange())
    printed = out.buffer.getvalue().decode().splitlines()
    shown = next(block for block in Document(ROOT / "docs/operations.md").of("text") if "drift:" in block.text)
    assert printed[1:] == shown.text.splitlines()


def test_what_was_found_is_counted():
    before = Metrics().snapshot()["corsproxy_upstream_cors_headers_total"].get(("orders",), [0])
    said(exchange(), exchange(BOTH, at=INTERVAL), exchange(BOTH, at=2 * INTERVAL))
    after = Metrics().snapshot()["corsproxy_upstream_cors_headers_total"]["orders",]
    assert after == [before[0] + 2]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [b"Access-Control-Allow-Origin: *", b"Timing-Allow-Origin: *"],
            ("Access-Control-Allow-Origin", "Timing-Allow-Origin"),
        ),
        ([b"Vary: Origin"], None),
    ],
)
async def test_the_record_of_a_real_exchange_tells(lines, expected):
    """Whoever asked: a page that is allowed, one that is not, or nobody's."""
    for asked in ((b"GET /x", ORIGIN), (b"GET /x", STRANGER), (b"GET /x",)):
        async with between(answering(answer(b"200 OK", *lines))) as (_, proxy):
            await proxy.ask(*preflight(b"GET"))
            await proxy.ask(*asked)
            drift = Drift()
            found = [drift.meet(one) for one in await proxy.recorded(2)]
        assert [one and one.names for one in found] == [None, expected]


async def test_serve_says_it(tmp_path):
    async with RawUpstream(answering(answer(b"200 OK", b"Access-Control-Allow-Origin: *"))) as upstream:
        file = tmp_path / "config.yaml"
        file.write_text(config(upstream.url))
        async with running("serve", "-c", file, "--access-log", "off") as process:
            client = await process.connect(await process.port())
            await client.ask(b"GET /x")
            line = await process.line("drift:")
    assert (
        "the upstream api sends Access-Control-Allow-Origin of its own; no page sees that, since policy / (in" in line
    )
