"""What ``dev`` says of an exchange besides its verdict: what was rewritten, and what the browser will make of the rest.

Rules: everything is read from the record of the exchange, after it; a cookie is called by its name, and its value is
never printed.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from corsproxy.config.table import Endpoint, Rule
from corsproxy.cors.check import REDIRECT_STATUSES
from corsproxy.cors.decision import Outcome
from corsproxy.cors.origin import parse_origin
from corsproxy.errors import InvalidOrigin, MalformedRequest
from corsproxy.http.cookie_verdict import Asked, cookie_name, why_refused
from corsproxy.http.target import parse_host
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.received import REWRITTEN
from corsproxy.proxy.request_lines import TELLING_THE_PAGE, origin_in_place, retold
from corsproxy.proxy.response import is_grant, rewritten

_ELSEWHERE = re.compile(rb"(?:https?:)?//([^/?#]+)", re.IGNORECASE)
_OTHER_FAMILY = {"127.0.0.1": "::1", "::1": "127.0.0.1"}
_PROBE_SECONDS = 0.2  # a loopback address answers at once, or not at all


class Remark(NamedTuple):
    """Something that a developer has to know, once; ``label`` is what it is about."""

    label: str
    text: str


class Comment(NamedTuple):
    """What is said of one exchange."""

    rewrites: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()


class Line(NamedTuple):
    """A header line that may be rewritten: its lower-case name, and its value before and after."""

    name: bytes
    before: bytes
    after: bytes


def answers(host: str, port: int) -> bool | None:
    """Whether somebody listens at a loopback address; None where there is no such address."""
    try:
        with socket.create_connection((host, port), _PROBE_SECONDS):
            return True
    except (ConnectionRefusedError, TimeoutError):
        return False
    except OSError:
        return None


def localhost() -> list[str]:
    """What the name means on this machine, in the order in which it is tried."""
    with suppress(OSError):
        found = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
        return [str(address[0]) for *_, address in found]
    return []


class Commentator:
    """Comments on exchanges that have ended.

    ``answers`` tells whether a loopback address is listened on, and ``localhost`` which ones the name means.
    """

    def __init__(
        self,
        answers: Callable[[str, int], bool | None] = answers,
        localhost: Callable[[], list[str]] = localhost,
    ) -> None:
        self._answers = answers
        self._localhost = localhost
        self._looked_at: set[Endpoint] = set()

    def __call__(self, exchange: Exchange) -> Comment:
        """The comment on an exchange."""
        lines = list(_lines(exchange))
        rewrites = [
            *_told(exchange),
            *(_described(line) for line in lines if line.before != line.after),
            *_replaced(exchange),
        ]
        remarks = [
            *_hosts(exchange),
            *_cookies(exchange, lines),
            *_redirects(exchange, lines),
            *self._families(exchange),
        ]
        return Comment(tuple(rewrites), tuple(remarks))

    def _families(self, exchange: Exchange) -> Iterator[Remark]:
        """A server on this machine often listens on one loopback address only, and not on the one that is tried."""
        endpoints = exchange.rule.upstream.endpoints if exchange.rule is not None else ()
        for endpoint in endpoints:
            if exchange.upstream == str(endpoint) and endpoint not in self._looked_at:
                self._looked_at.add(endpoint)  # a server that is there need not be knocked at for each request
                yield from self._reached(endpoint)
            elif not exchange.upstream and exchange.status == 502:
                yield from self._not_reached(endpoint)

    def _reached(self, endpoint: Endpoint) -> Iterator[Remark]:
        first = next(iter(self._localhost()), "") if endpoint.host == "localhost" else ""
        if other := self._only_other(first, endpoint.port):
            text = f"nobody answers at {first}, which localhost means first, but at {other}; have it listen on both"
            yield Remark("upstream", text)

    def _not_reached(self, endpoint: Endpoint) -> Iterator[Remark]:
        named = self._localhost()
        for tried in named if endpoint.host == "localhost" else [endpoint.host]:
            if other := self._only_other(tried, endpoint.port):
                host = "localhost" if other in named else f"[{other}]" if ":" in other else other
                there = f"{'https' if endpoint.tls else 'http'}://{host}:{endpoint.port}"
                yield Remark("upstream", f"nobody answers at {tried}, but at {other}; name it {there}")

    def _only_other(self, host: str, port: int) -> str:
        """The loopback address of the other family, when somebody listens there and nobody here; else ""."""
        other = _OTHER_FAMILY.get(host, "")
        found = other and self._answers(host, port) is False and self._answers(other, port)
        return other if found else ""


def _told(exchange: Exchange) -> Iterator[str]:
    """What the upstream heard otherwise than the client said it: ``Host, Origin -> https://api.example.com``."""
    rule = exchange.rule
    if rule is None or not exchange.upstream:
        return
    origin = origin_in_place(rule, exchange.decision)
    telling = [(line.name, line.value) for line in exchange.passed if line.name in TELLING_THE_PAGE]
    told = [(name, value, retold(origin, name, value)) for name, value in telling] if origin is not None else []
    changed = [name for name, before, after in told if after is not None and after != before]
    host = _host_there(rule, exchange)
    if host != exchange.host:
        if changed and origin is not None and origin.partition(b"://")[2] == host:
            changed.insert(0, b"host")
        else:
            yield f"Host -> {host.decode()}"
    if changed and origin is not None:
        yield f"{', '.join(name.decode().title() for name in changed)} -> {origin.decode()}"
    if gone := [f"-{name.decode().title()}" for name, _, after in told if after is None]:
        yield " ".join(gone)


def _host_there(rule: Rule, exchange: Exchange) -> bytes:
    if rule.forward_host is not None:
        return rule.forward_host or exchange.host
    return next(endpoint.authority for endpoint in rule.upstream.endpoints if str(endpoint) == exchange.upstream)


def _replaced(exchange: Exchange) -> Iterator[str]:
    """What the policy's own headers take the place of."""
    if exchange.rule is not None and exchange.rule.policy is not None:
        names = dict.fromkeys(written.decode().title() for written, _ in exchange.answered if is_grant(written.lower()))
        if names:
            yield f"the API's {', '.join(names)} replaced"


def _lines(exchange: Exchange) -> Iterator[Line]:
    if exchange.rule is None:
        return
    for written, before in exchange.answered:
        name = written.lower()
        if name in REWRITTEN:
            yield Line(name, before, rewritten(exchange.rule, exchange.host, name, before))


def _described(line: Line) -> str:
    """What was rewritten, in a few words: ``Location -> /login``, ``cookie sid -Domain=a.example -Secure``."""
    if line.name != b"set-cookie":
        return f"{line.name.decode().title()} -> {line.after.decode('latin-1')}"
    before, after = ([part.strip(b" \t") for part in value.split(b";")[1:]] for value in (line.before, line.after))
    changes = [b"-" + part for part in before if part not in after] + [
        b"+" + part for part in after if part not in before
    ]
    return " ".join(part.decode("latin-1") for part in (b"cookie", cookie_name(line.before), *changes))


def _hosts(exchange: Exchange) -> Iterator[Remark]:
    """A name that is not served: another one of this machine, or of a page that has turned its own name here."""
    if exchange.status != 421:
        return
    try:
        host, _ = parse_host(exchange.host)
    except MalformedRequest:
        return
    yield Remark(
        "host",
        f"{host} is not served, in case a page of the internet claims it; if it is yours, give --allow-host {host}",
    )


def _cookies(exchange: Exchange, lines: list[Line]) -> Iterator[Remark]:
    asked = _asked(exchange)
    if asked is None:
        return
    for line in lines:
        if line.name == b"set-cookie" and (why := why_refused(line.after, asked)):
            yield Remark("cookie", f"the browser will refuse {cookie_name(line.after).decode('latin-1')}: {why}")


def _asked(exchange: Exchange) -> Asked | None:
    try:
        host, _ = parse_host(exchange.host)
    except MalformedRequest:
        return None
    asked = Asked(exchange.scheme, f"[{host}]" if ":" in host else host)
    if exchange.decision.outcome is not Outcome.ALLOWED:
        return asked
    try:
        page = parse_origin(exchange.origin.decode("latin-1"))
    except InvalidOrigin:  # null, or none at all
        return asked
    return asked._replace(page_scheme=page.scheme, page_host=page.host)


def _redirects(exchange: Exchange, lines: list[Line]) -> Iterator[Remark]:
    """A fetch follows a redirect; where it leads away, another server has to allow the page."""
    if (
        exchange.status not in REDIRECT_STATUSES
        or exchange.decision.outcome is not Outcome.ALLOWED
        or not exchange.origin
    ):
        return
    # https://fetch.spec.whatwg.org/#http-redirect-fetch: from one foreign server to another, the origin becomes null.
    for line in lines:
        match = _ELSEWHERE.match(line.after)
        if line.name == b"location" and match and match[1].lower() != exchange.host.lower():
            place = match[1].rpartition(b"@")[2].decode("latin-1")
            yield Remark("redirect", f"it leads to {place}, past this proxy; that server has to allow the origin null")
