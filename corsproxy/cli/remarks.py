"""What ``dev`` says of an exchange besides its verdict: what was rewritten, and what the browser will make of the rest.

Rules: everything is read from the record of the exchange, after it; a cookie is called by its name, and its value is
never printed.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

from corsproxy.cors.decision import Outcome
from corsproxy.cors.origin import parse_origin
from corsproxy.errors import InvalidOrigin, MalformedRequest
from corsproxy.http.cookie_verdict import Asked, cookie_name, why_refused
from corsproxy.http.target import parse_host
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.response import REWRITTEN, rewritten

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
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


def answers(host: str, port: int) -> bool:
    """Whether somebody listens at a loopback address."""
    try:
        with socket.create_connection((host, port), _PROBE_SECONDS):
            return True
    except OSError:
        return False


def comment(exchange: Exchange, answers: Callable[[str, int], bool] = answers) -> Comment:
    """The comment on an exchange that has ended; ``answers`` tells whether a loopback address is listened on."""
    lines = list(_lines(exchange))
    remarks = [*_cookies(exchange, lines), *_redirects(exchange, lines), *_families(exchange, answers)]
    return Comment(tuple(_described(line) for line in lines if line.before != line.after), tuple(remarks))


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
    if exchange.status not in _REDIRECTS or exchange.decision.outcome is not Outcome.ALLOWED or not exchange.origin:
        return
    # https://fetch.spec.whatwg.org/#http-redirect-fetch: from one foreign server to another, the origin becomes null.
    for line in lines:
        match = _ELSEWHERE.match(line.after)
        if line.name == b"location" and match and match[1].lower() != exchange.host.lower():
            place = match[1].rpartition(b"@")[2].decode("latin-1")
            yield Remark("redirect", f"it leads to {place}, past this proxy; that server has to allow the origin null")


def _families(exchange: Exchange, answers: Callable[[str, int], bool]) -> Iterator[Remark]:
    """A server on localhost often listens on one loopback address only; the name finds it on either."""
    if exchange.rule is None or exchange.upstream or exchange.status != 502:
        return
    for endpoint in exchange.rule.upstream.endpoints:
        other = _OTHER_FAMILY.get(endpoint.host)
        if other is not None and answers(other, endpoint.port):
            scheme = "https" if endpoint.tls else "http"
            there = f"{scheme}://localhost:{endpoint.port}"
            yield Remark(
                "upstream", f"nobody answers at {endpoint.host}, but at {other}; name it {there}, which finds both"
            )
