"""The shadow: what it says of live traffic is the difference of the two tables, and nobody on the wire ever notices it.

The judge of the difference is the browser model, which knows no policy: it is shown what either table answers to the
same request over the same upstream.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corsproxy.config.load import load_config, with_shadow
from corsproxy.config.precedence import build_table
from corsproxy.cors.browser import run
from corsproxy.cors.check import Step, check_origin, check_preflight, check_timing, exposed
from corsproxy.cors.fetch import Credentials, Tainting, WireRequest, WireResponse, get
from corsproxy.cors.flip import Change
from corsproxy.cors.policy import compile_policy
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.plan import Forward, plan
from corsproxy.proxy.request import Client, Fields, RequestHead
from corsproxy.server.shadowing import Shadowing, compared
from corsproxy.tools.simulation import Simulation
from tests.cors.meaning import UPSTREAM_CORS, UPSTREAMS, cases, policies
from tests.e2e import rig
from tests.e2e.rig import (
    APP,
    EVIL,
    ORIGIN,
    STRANGER,
    RawUpstream,
    answer,
    answering,
    between,
    config,
    running_proxy,
)
from tests.e2e.ways_out import HANDSHAKE, ORIGINS, SAMPLES, WAYS, origin_lines
from tests.server.test_admin import admin_client

PEER = Client("127.0.0.1", tls=True)
BASE = load_config("rules: [{path: /, upstream: 'http://a', policy: none}]", "t", {}).table


def table_of(written, path):
    """A table of one rule; ``written`` is None for a policy of none."""
    policy = compile_policy(written.spec) if written else None
    rule = replace(BASE.rules[0], path=path, policy=policy)
    return build_table([rule], BASE.forwarding)


def ended(table, wire, upstream):
    """The exchange as the walk leaves it: the same request, led by a table."""
    cookie = ((b"Cookie", b"sid=1"),) if wire.credentials else ()
    fields = Fields([(b"Host", b"api.test"), *wire.headers, *cookie])
    head = RequestHead(wire.method, b"/orders", b"1.1", fields)
    planned = plan(table, head, PEER)
    exchange = Exchange("127.0.0.1", wire.method, b"/orders", b"api.test", fields.first(b"origin"))
    exchange.head, exchange.peer, exchange.rule, exchange.decision = head, PEER, planned.rule, planned.decision
    exchange.status = upstream.status
    if isinstance(planned, Forward):
        exchange.asked, exchange.heard, exchange.answered = 1.0, 2.0, upstream.headers
    else:
        exchange.status = planned.status
    return exchange


def reaches(request, wire, answer):
    """Whether the page gets this one answer, or goes on after this preflight."""
    if wire.method == b"OPTIONS" and get(wire.headers, b"access-control-request-method"):
        # With cookies or without, nobody can tell from a preflight: that is a difference, and no verdict.
        return check_preflight(replace(request, credentials=Credentials.SAME_ORIGIN), request.origin, answer).allowed
    return check_origin(request, request.origin, answer, Step.ACTUAL).allowed


def differences(request, wire, one, other):
    """What else the page can tell two answers by, both of which it gets."""
    found = set()
    if (get(one.headers, b"access-control-allow-credentials") == b"true") != (
        get(other.headers, b"access-control-allow-credentials") == b"true"
    ):
        found.add("credentials")
    if get(wire.headers, b"access-control-request-method"):
        return found
    names = [{name.lower() for name, _ in exposed(answer, request.credentials)} for answer in (one, other)]
    timed = [check_timing(request, request.origin, Tainting.CORS, answer) for answer in (one, other)]
    embedded = [get(answer.headers, b"cross-origin-resource-policy") for answer in (one, other)]
    words = {"exposed-headers": names, "timing": timed, "embedding": embedded}
    return found | {word for word, (before, after) in words.items() if before != after}


PATHS = st.sampled_from(["/", "/orders", "/other"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(cases(), st.none() | policies(), st.booleans(), PATHS, PATHS, UPSTREAMS, UPSTREAM_CORS, st.booleans())
def test_what_is_told_is_the_difference_of_the_two_tables(case, other, keeps, path, other_path, upstream, cors, near):
    """For whatever a browser sends under the table in force."""
    written, asked = case
    if near and other is not None:  # all but one key the same, so that small differences come often
        other = written._replace(spec=replace(written.spec, expose_headers=other.spec.expose_headers))
    request = replace(asked.request, method=asked.method.encode())  # as the browser sends it
    upstream = replace(upstream, headers=(*upstream.headers, *cors))
    now, then = table_of(None if keeps else written, path), table_of(other, other_path)
    simulations = Simulation(now, lambda _: upstream), Simulation(then, lambda _: upstream)
    run(request, simulations[0].send)
    for exchanged in tuple(simulations[0].exchanges):
        wire, one = exchanged.asked, exchanged.answered
        two = simulations[1].send(wire)
        exchange = ended(now, wire, upstream)
        found, planned = compared(exchange, then)
        verdicts = reaches(request, wire, one), reaches(request, wire, two)
        if not exchange.asked and isinstance(planned, Forward) and planned.rule.policy is None:
            assert found.change is Change.UNKNOWN
        elif verdicts[0] != verdicts[1]:
            assert found.change is (Change.NEWLY_DENIED if verdicts[0] else Change.NEWLY_ALLOWED)
            assert found.reason
        elif verdicts[0] and (words := differences(request, wire, one, two)):
            assert (found.change, set(found.reason.split(", "))) == (Change.CHANGED, words)
        else:
            assert found.change is Change.SAME


# What is looked at beside the policies: rows of (in force, tried, request, change, reason).

API = (b"Access-Control-Allow-Origin: " + APP.encode(), b"Access-Control-Expose-Headers: X-Total")
ALLOWS, STRICT, COOKIES = {"allow_origins": [APP]}, {"allow_origins": [EVIL]}, (b"Cookie: sid=1",)
NAVIGATION = (b"Sec-Fetch-Mode: navigate",)


@pytest.mark.parametrize(
    ("policy", "tried", "lines", "change", "reason"),
    [
        # https://fetch.spec.whatwg.org/#cors-check, step 5: cookies came along, and may not
        ({**ALLOWS, "allow_credentials": True}, ALLOWS, (ORIGIN, *COOKIES), "newly-denied", "allow-credentials"),
        ({**ALLOWS, "allow_credentials": True}, ALLOWS, (ORIGIN,), "changed", "credentials"),
        # a form that is posted here, or a link: no browser checks CORS, but a rejected one gets nothing
        (ALLOWS, STRICT, (ORIGIN, *NAVIGATION), None, ""),
        (ALLOWS, {**STRICT, "on_denied": "reject"}, (ORIGIN, *NAVIGATION), "newly-denied", "denied-origin"),
        # the page's own origin (https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header)
        (ALLOWS, STRICT, (ORIGIN, b"Sec-Fetch-Site: same-origin"), None, ""),
        ("none", STRICT, (STRANGER, b"Sec-Fetch-Site: same-origin"), None, ""),
        # what the API says itself, where the policy is none
        ("none", STRICT, (ORIGIN,), "newly-denied", "denied-origin"),
        ("none", STRICT, (STRANGER,), "newly-allowed", "other-allow-origin"),
        ("none", ALLOWS, (ORIGIN,), "changed", "exposed-headers"),
        (STRICT, "none", (ORIGIN,), "newly-allowed", "denied-origin"),
        # WebSockets, which no browser checks and this proxy does
        (ALLOWS, STRICT, (ORIGIN, *HANDSHAKE), "newly-denied", "denied-origin"),
        (ALLOWS, "none", (ORIGIN, *HANDSHAKE), None, ""),
        # no page at all
        (ALLOWS, STRICT, (), None, ""),
        (ALLOWS, {**ALLOWS, "timing_allow_origins": ["*"]}, (), "changed", "timing"),
        (ALLOWS, {**ALLOWS, "cross_origin_resource_policy": "same-site"}, (), "changed", "embedding"),
    ],
)
async def test_what_a_page_would_notice(policy, tried, lines, change, reason):
    api = answering(answer(b"200 OK", *API, b"X-Total: 3"))
    async with between(api, policy=policy, rule={"shadow": tried}) as (_, proxy):
        await proxy.ask(b"GET /x", *lines)
        (exchange,) = await proxy.recorded()
    flip = exchange.shadow
    assert (flip and flip.difference.change, flip.difference.reason if flip else "") == (change, reason)


async def test_of_rules_with_a_policy_to_try_only_their_own_requests_are_looked_at():
    rules = {"rule": {"path": "/tried", "shadow": STRICT}, "admin": "127.0.0.1:0"}
    async with between(answering(answer(b"200 OK")), **rules) as (_, proxy):
        await proxy.ask(b"GET /tried", ORIGIN)
        await proxy.ask(b"GET /elsewhere", ORIGIN)
        one, other = await proxy.recorded(2)
        admin = await admin_client(proxy)
        counted = (await admin.ask(b"GET /metrics")).body.decode().splitlines()
        shown = json.loads((await admin.ask(b"GET /config")).body)["shadow"]
    assert (bool(one.shadow), other.shadow) == (True, None)
    assert [line for line in counted if line.startswith("corsproxy_shadow_verdicts_total")] == [
        'corsproxy_shadow_verdicts_total{rule="/tried",verdict="newly-denied"} 1.0'
    ]
    assert (shown["file"], [rule["policy"]["allow_origins"] for rule in shown["rules"]]) == (None, [[EVIL]])


# On the wire.

OTHER = f"""
policies: {{other: {{allow_origins: ["{EVIL}"], allow_credentials: true, expose_headers: [X-Leak], on_denied: reject}}}}
rules: [{{path: /x, upstream: 'http://127.0.0.1:1', policy: other, limits: {{max_request_body: 1}}}}]
"""


def shadowed(text, file, environment, pseudonym):
    return with_shadow(load_config(text, file, environment, pseudonym), OTHER, "tried.yaml", {}, pseudonym)


@pytest.mark.parametrize("name", WAYS)
async def test_no_byte_of_any_answer_depends_on_a_shadow(monkeypatch, name):
    """Every way out of the process; that the shadow itself does not fail, the rig sees to."""
    told = []
    for load in (load_config, shadowed):
        monkeypatch.setattr(rig, "load_config", load)
        async with WAYS[name].open(SAMPLES["credentials"]) as ask:
            told.append([await ask(*origin_lines(ORIGINS[key])) for key in ("absent", "allowed", "denied", "doubled")])
    for answered in told[0] + told[1]:
        answered.fields[:] = [field for field in answered.fields if field[0] != b"Date"]
    assert told[0] == told[1]


async def test_a_shadow_that_fails_is_logged_once_and_known_to_nobody_else(monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("planted")

    monkeypatch.setattr("corsproxy.server.shadowing.compared", fail)
    script = answering(answer(b"200 OK", body=b"hello"))
    async with (
        RawUpstream(script) as upstream,
        running_proxy(config(upstream.url, rule={"shadow": STRICT}), may_log=["planted"]) as proxy,
    ):
        for _ in range(3):
            assert (await proxy.ask(b"GET /x", ORIGIN)).body == b"hello"
        assert len(await proxy.recorded(3)) == 3
        assert proxy.server._shadowing.snapshot()["corsproxy_shadow_verdicts_total"] == {("/", "failed"): [3]}
    assert [text.partition(";")[0] for text in caplog.messages] == ["the shadow failed on a request"]


async def test_no_answer_waits_for_the_shadow():
    """It is asked in a later turn of the loop: uvloop hands answers to the system at the end of the present one."""
    told = []
    shadowing = Shadowing(told.append)
    shadowing.use(load_config(config("http://a", rule={"shadow": STRICT}), "t", {}).shadow, BASE)
    exchanges = [ended(BASE, WireRequest(b"GET", "https://api.test/orders"), WireResponse(200)) for _ in range(2)]
    for exchange in exchanges:
        shadowing(exchange)
    assert told == []
    await asyncio.sleep(0)
    assert told == exchanges


async def test_what_has_ended_is_told_before_the_server_ends():
    async with between(answering(answer(b"200 OK")), rule={"shadow": STRICT}) as (_, proxy):
        await proxy.ask(b"GET /x", ORIGIN)
    assert proxy.exchanges[0].shadow


async def test_an_observer_that_fails_is_logged_as_it_is_without_a_shadow(caplog):
    def observe(exchange):
        raise RuntimeError("planted")

    shadowing = Shadowing(observe)
    shadow = load_config(config("http://a", rule={"shadow": STRICT}), "t", {}).shadow
    shadowing.use(shadow, BASE)
    shadowing(ended(BASE, WireRequest(b"GET", "https://api.test/orders"), WireResponse(200)))
    shadowing.flush()
    assert caplog.messages == ["an observer failed"]
