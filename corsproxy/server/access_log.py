"""The access log as JSON: one object a line, with the same fields every time.

Rules that this file obeys:

- Fields have the names and meanings of docs/operations.md, and are always there; null is what there is none of.
- Whatever a client sent is printable ASCII, bounded in length, and without secrets in its query.
- A line is made in a few microseconds: what comes again and again is kept as it was written the last time.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted  # what json.dumps uses, without its way there
from typing import Final, Protocol

from corsproxy.config.table import Rule
from corsproxy.cors.flip import Flip, remedy, said
from corsproxy.cors.words import advice
from corsproxy.http.answers import printable
from corsproxy.http.needs import needs_of
from corsproxy.http.redaction import shown_target
from corsproxy.http.trace_context import parse_traceparent
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.causes import Met
from corsproxy.server.denials import Denial, Denials, Flips, browser_sentence
from corsproxy.server.drift import Drift, Drifted

_REMEMBERED: Final = 4096  # texts that are kept as they were written
_SHORT: Final = 256  # bytes of those
_LONGEST_TARGET: Final = 800  # characters; with these bounds a line fits into what a pipe takes whole
_LONGEST_TEXT: Final = 256
_LONGEST_METHOD: Final = 64
_LONGEST_LIST: Final = 160
CUT_SHORT: Final = "..."  # the last entry of a list that is longer
_NO_PAGE: Final = '"mode":null,"requested_method":null,"headers":null,"credentials":null,"response_headers":null'


class Writer(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object:
        """Take lines, each with its end."""


class Sample:
    """Which exchanges are logged: errors and denials always, of the others this share, from 0 to 1."""

    def __init__(self, share: float, draw: Callable[[], float] = random.random) -> None:
        self._share = share
        self._draw = draw
        self.everything = share >= 1

    def __call__(self, exchange: Exchange) -> bool:
        """Whether this one is."""
        if self.everything or not 0 < exchange.status < 500 or exchange.failure or exchange.decision.outcome.denied:
            return True
        return self._draw() < self._share


EVERYTHING: Final = Sample(1)


class JsonLog:
    """Observes exchanges and writes them; ``sample`` None leaves only denials and flips, once per cause."""

    def __init__(self, writer: Writer, sample: Sample | None, now: Callable[[], float] = time.time) -> None:
        self._write = writer.write
        self._sample = sample
        self._everything = sample is not None and sample.everything
        self._now = now
        self._denials = Denials()
        self._drift = Drift()
        self._flips = Flips()
        self._second = self._millisecond = -1
        self._date = self._time = ""
        self._texts: dict[bytes | str, str] = {}
        self._targets: dict[bytes, str] = {}
        self._rules: dict[Rule | None, str] = {}

    def __call__(self, exchange: Exchange) -> None:
        """Write one exchange, and what is new of its denial, of its upstream, and of what the shadow says of it."""
        if self._everything or (self._sample is not None and self._sample(exchange)):
            self._write(self.line(exchange))
        denial = self._denials.meet(exchange)
        if denial is not None:
            self._write(self._denied(exchange, denial))
        drifted = self._drift.meet(exchange)
        if drifted is not None:
            self._write(self._drifted(drifted))
        if exchange.shadow is not None and (met := self._flips.meet(exchange)):
            self._write(self._flipped(exchange, exchange.shadow, met))

    def say(self, message: str) -> None:
        """Write a line of the program's own."""
        self._write(f"{self._head('message')},{json.dumps({'message': message})[1:]}\n")

    def dropped(self, count: int) -> str:
        """The line that says that others are missing."""
        return f'{self._head("dropped")},"count":{count}}}\n'

    def line(self, exchange: Exchange) -> str:
        """The line of an exchange."""
        known, text = self._texts.get, self._text
        asked, heard, duration = exchange.asked, exchange.heard, exchange.duration
        upstream, method, origin = exchange.upstream, exchange.method, exchange.origin
        client, host, subject = exchange.client, exchange.host, exchange.decision.subject
        trace_id = request_id = limit = failure = "null"
        if exchange.traceparent and (context := parse_traceparent(exchange.traceparent)):
            trace_id = quoted(context.trace_id)
        if exchange.request_id:
            request_id = quoted(_shown(exchange.request_id))
        if exchange.limit:
            limit = quoted(exchange.limit)
        if exchange.failure:
            failure = quoted(_shown(exchange.failure))
        return (
            f'{self._head("request")},"rule":{self._rules.get(exchange.rule) or self._rule(exchange.rule)},'
            f'"upstream":{known(upstream) or text(upstream)},"method":{known(method) or text(method)},'
            f'"path":{self._targets.get(exchange.target) or self._target(exchange.target)},'
            f'"status":{exchange.status or "null"},'
            f'"request_bytes":{exchange.request_bytes},"response_bytes":{exchange.response_bytes},'
            f'"duration_ms":{duration * 1000:.3f},'
            f'"proxy_ms":{(asked - exchange.started if asked else duration) * 1000:.3f},'
            f'"upstream_ms":{f"{(heard - asked) * 1000:.3f}" if heard else "null"},'
            f'"origin":{known(origin) or text(origin)},"cors":"{exchange.decision.outcome}",'
            f'"reason":{known(subject) or text(subject)},"client":{known(client) or text(client)},'
            f'"host":{known(host) or text(host)},{self._page(exchange) if origin else _NO_PAGE},'
            f'"request_id":{request_id},"trace_id":{trace_id},"limit":{limit},"failure":{failure}}}\n'
        )

    def _page(self, exchange: Exchange) -> str:
        """What the exchange shows of its page's needs, for ``corsproxy learn``."""
        known, text = self._texts.get, self._text
        asked = ((line.name, line.value) for line in exchange.passed)
        answered = ((name.lower(), value) for name, value in exchange.answered)
        needs = needs_of(exchange.method, asked, answered, exchange.status, websocket=exchange.websocket)
        method = needs.method[:_LONGEST_METHOD] if needs.preflight else b""
        headers, readable = _list(needs.headers), _list(needs.readable)
        return (
            f'"mode":{known(needs.mode) or text(needs.mode)},"requested_method":{known(method) or text(method)},'
            f'"headers":{known(headers) or text(headers)},'
            f'"credentials":{known(needs.credentials) or text(needs.credentials)},'
            f'"response_headers":{known(readable) or text(readable)}'
        )

    def _denied(self, exchange: Exchange, denial: Denial) -> str:
        """The browser's sentence, the rule and the fix, and how often this has happened."""
        decision = exchange.decision
        named = {
            "origin": _shown(exchange.origin),
            "reason": _shown(decision.subject),
            "message": browser_sentence(exchange),
            "fix": advice(decision, denial.policy.name),
        }
        fields = {
            "rule": denial.rule.name,
            "where": denial.rule.where,
            "policy": denial.policy.name,
            "cors": decision.outcome,
            "count": denial.count,
            **(named if denial.named else dict.fromkeys(named)),
        }
        return f"{self._head('denied')},{json.dumps(fields, separators=(',', ':'))[1:]}\n"

    def _drifted(self, drifted: Drifted) -> str:
        """What the upstream sends, what it means, and what to change."""
        fields = {
            "upstream": drifted.rule.upstream.name,
            "rule": drifted.rule.name,
            "where": drifted.rule.where,
            "policy": drifted.policy.name,
            "headers": drifted.names,
            "message": drifted.message,
            "fix": drifted.fix,
        }
        return f"{self._head('drift')},{json.dumps(fields, separators=(',', ':'))[1:]}\n"

    def _flipped(self, exchange: Exchange, flip: Flip, met: Met) -> str:
        """What the shadow would do instead, because of which line there, and how often this has happened."""
        rule, found = exchange.rule, flip.difference
        named = {
            "origin": _shown(exchange.origin) or None,
            "method": _shown(exchange.method),
            "path": shown_target(exchange.target)[:_LONGEST_TEXT],
            "message": printable(said(flip))[:_LONGEST_TARGET],
            "fix": remedy(flip) or None,
        }
        fields = {
            "rule": rule.name if rule is not None else None,
            "where": rule.where if rule is not None else None,
            "verdict": found.change,
            "reason": found.reason,
            "shadow_rule": flip.rule or None,
            "shadow_where": flip.where or None,
            "shadow_policy": flip.policy,
            "shadow_policy_where": flip.policy_where or None,
            "count": met.count,
            **(named if met.named else dict.fromkeys(named)),
        }
        return f"{self._head('shadow')},{json.dumps(fields, separators=(',', ':'))[1:]}\n"

    def _head(self, event: str) -> str:
        """The beginning of every line: when it was, in UTC (RFC 3339), and what it is about."""
        millisecond = int(self._now() * 1000)
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            second = millisecond // 1000
            if second != self._second:
                self._second = second
                self._date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._time = f'{{"time":"{self._date}.{millisecond % 1000:03d}Z","event":"'
        return f'{self._time}{event}"'

    def _text(self, value: bytes | str) -> str:
        written = quoted(_shown(value)) if value else "null"
        if len(value) <= _SHORT:
            if len(self._texts) >= _REMEMBERED:
                self._texts.clear()
            self._texts[value] = written
        return written

    def _target(self, target: bytes) -> str:
        shown = shown_target(target)
        written = quoted(shown if len(shown) <= _LONGEST_TARGET else shown[:_LONGEST_TARGET] + "...")
        if len(target) <= _SHORT:
            if len(self._targets) >= _REMEMBERED:
                self._targets.clear()
            self._targets[target] = written
        return written

    def _rule(self, rule: Rule | None) -> str:
        if len(self._rules) >= _REMEMBERED:  # also those of tables that have been replaced
            self._rules.clear()
        written = self._rules[rule] = quoted(rule.name) if rule else "null"
        return written


def _list(names: tuple[bytes, ...]) -> bytes:
    """Names with commas between them; whole ones, as many as there is room for."""
    joined = b",".join(names)
    if len(joined) <= _LONGEST_LIST:
        return joined
    return joined[: joined.rfind(b",", 0, _LONGEST_LIST) + 1] + CUT_SHORT.encode()


def _shown(value: bytes | str) -> str:
    """A text of a client: printable, and not too long."""
    text = value if isinstance(value, str) else value[:_LONGEST_TEXT].decode("latin-1")
    return printable(text)[:_LONGEST_TEXT]
