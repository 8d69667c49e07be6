"""Why a recorded exchange ended as it did, and how it would have ended under another policy.

Rules: the browser model judges the answers that were really sent; a request whose preflight is missing has been sent
because the browser had kept its answer.  Only masked heads come in, so that an explanation can be shown as it is.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import fields
from itertools import chain
from typing import Any, Final, NamedTuple

import yaml

from corsproxy.config.load import load_config
from corsproxy.config.table import Rule, RuleTable
from corsproxy.cors.browsers_own import scripts_own
from corsproxy.cors.fetch import Credentials, Headers, Mode, Request, WireRequest, WireResponse, get
from corsproxy.cors.spec import PolicySpec
from corsproxy.cors.words import websocket_refused
from corsproxy.errors import InvalidConfig, Problem
from corsproxy.http.redaction import MASK
from corsproxy.proxy.exchange import Exchange
from corsproxy.tools.explaining.as_json import as_json
from corsproxy.tools.explaining.explanation import explain_answers
from corsproxy.tools.har import Entry, recorded
from corsproxy.tools.inspector.masking import masked, masked_url
from corsproxy.tools.inspector.reenactment import asked, delivered, granted
from corsproxy.tools.inspector.rows import requested_method, sent
from corsproxy.tools.simulation import Simulation, imagined
from corsproxy.tools.written_config import WrittenConfig

Send = Callable[[WireRequest], WireResponse]

_MODES: Final = {b"no-cors": Mode.NO_CORS, b"same-origin": Mode.SAME_ORIGIN, b"navigate": Mode.NAVIGATE}
_TRIED: Final = "rules: [{{path: /, upstream: 'http://127.0.0.1', policy: tried}}]\npolicies:\n  tried:\n{policy}\n"
_ABOVE, _BEFORE = 3, 4  # lines and columns that stand before the policy in it
_SHORTEST_KEY: Final = 4  # characters; what is shorter keeps nobody out
_MOST: Final = 64 * 1024  # characters of a policy


class Case(NamedTuple):
    """A preflight, the request that it asked for, or both; ``upstream`` is what the upstream has answered."""

    preflight: Exchange | None
    actual: Exchange | None

    @property
    def main(self) -> Exchange:
        """The exchange that the page has made, as far as it came."""
        found = self.actual or self.preflight
        if found is None:  # pragma: no cover  # nobody makes such a case
            raise AssertionError
        return found


def explained(case: Case, table: RuleTable, config: WrittenConfig | None) -> dict[str, Any] | None:
    """The explanation as plain data; None where CORS does not come into it."""
    exchange = case.main
    if not exchange.origin or request_of(case).mode is Mode.NAVIGATE:
        return None
    if exchange.websocket:
        return _of_websocket(exchange)
    found = as_json(explain_answers(request_of(case), _recorded(case, table), config))
    if config is not None and found["fix"] and found["fix"]["diff"]:
        found["fix"]["diff"] = _without_keys(found["fix"]["diff"], config)
    return found


def tried(case: Case, policy: str) -> dict[str, Any]:
    """The same request under a policy that is given as YAML: its explanation, or what is wrong with the policy."""
    if len(policy) > _MOST:
        return {"problems": [{"line": 0, "column": 0, "message": "the policy is too long", "correction": ""}]}
    text = _TRIED.format(policy=textwrap.indent(policy, " " * _BEFORE, lambda _: True))
    try:
        table = load_config(text, "policy", {}).table
    except InvalidConfig as invalid:
        return {"problems": [_shifted(problem) for problem in invalid.problems]}
    simulation = Simulation(table, lambda wire: _of_upstream(case) if wire.method != b"OPTIONS" else imagined(wire))
    return {"explanation": as_json(explain_answers(request_of(case), simulation.send))}


def policy_text(rule: Rule | None, origin: bytes) -> str:
    """A rule's policy as YAML, to begin a try with; where there is none, one that names the page's origin."""
    policy = rule.policy if rule is not None else None
    if policy is None:
        spec: dict[str, Any] = {"allow_origins": [origin.decode("latin-1")]}
    else:
        spec = {
            field.name: list(value) if isinstance(value, tuple) else value
            for field in fields(PolicySpec)
            if field.name != "name" and (value := getattr(policy.spec, field.name)) != field.default
        }
    text: str = yaml.safe_dump(spec, sort_keys=False, default_flow_style=None, width=80)
    return text


def request_of(case: Case) -> Request:
    """What the page's script asked for, as far as the wire tells it."""
    actual, preflight = case.actual, case.preflight
    if actual is not None:
        lines = masked(asked(actual)[1:])
        return Request(
            url=masked_url(actual.url),
            origin=actual.origin,
            method=actual.method,
            headers=scripts_own(lines),
            credentials=Credentials.SAME_ORIGIN if get(lines, b"cookie") is None else Credentials.INCLUDE,
            mode=_MODES.get(sent(actual, b"sec-fetch-mode"), Mode.CORS),
        )
    if preflight is None:  # pragma: no cover  # nobody makes such a case
        raise AssertionError
    names = sent(preflight, b"access-control-request-headers").split(b",")
    headers = tuple((name.strip(), b"?") for name in names if name.strip())  # a value that no safelist knows
    return Request(
        url=masked_url(preflight.url), origin=preflight.origin, method=requested_method(preflight), headers=headers
    )


def _without_keys(diff: str, config: WrittenConfig) -> str:
    """A diff without the values that rules set in headers, which stand in its context: keys for upstreams are there."""
    edits = [edit for rule in config.compiled.config.rules for edit in (rule.headers.request, rule.headers.response)]
    for edit in edits:
        for value in (*edit.set.values(), *chain.from_iterable(edit.add.values())):
            if len(value) >= _SHORTEST_KEY:
                diff = diff.replace(value, MASK)
    return diff


def _recorded(case: Case, table: RuleTable) -> Send:
    """Answers what was answered."""
    entries = [_entry(one, table) for one in (case.preflight, case.actual) if one is not None]
    if case.actual is not None:
        return recorded(entries, entries[-1])
    simulation = Simulation(table)

    def send(wire: WireRequest) -> WireResponse:
        return entries[0].answered if wire.method == b"OPTIONS" else simulation.send(wire)

    return send


def _entry(exchange: Exchange, table: RuleTable) -> Entry:
    """An exchange as a HAR file would have it."""
    wire = WireRequest(exchange.method, masked_url(exchange.url), masked(asked(exchange)))
    lines = delivered(exchange, table)
    return Entry(wire, WireResponse(exchange.status, masked(granted(exchange) if lines is None else lines)))


def _of_upstream(case: Case) -> WireResponse:
    """What the upstream has answered, or would have, if it has never been asked."""
    actual = case.actual
    if actual is None or not actual.heard:
        return imagined(WireRequest(b"GET", ""))
    answered: Headers = tuple(actual.answered)
    return WireResponse(actual.status, masked(answered))


def _of_websocket(exchange: Exchange) -> dict[str, Any]:
    blocked = exchange.decision.outcome.denied
    said = websocket_refused(exchange.status, url=masked_url(exchange.url)) if blocked else ""
    return {
        "blocked": blocked,
        "browsers": {"Chromium": said} if said else {},
        "steps": [],
        "fix": None,
        "looks_like_cors": ["a WebSocket is no fetch: no browser checks CORS for it, so that this proxy does it"],
    }


def _shifted(problem: Problem) -> dict[str, Any]:
    """A problem, where it stands in the policy alone."""
    return {
        "line": max(0, problem.line - _ABOVE),
        "column": max(0, problem.column - _BEFORE),
        "message": problem.message,
        "correction": problem.correction,
    }
