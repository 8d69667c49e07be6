"""What was on the wire, kept for the page: the API's side of each request, and what the proxy added.

JavaScript may not read most headers of an answer from another origin, and none of a preflight.  The demonstration owns
both servers, so it writes down what they saw.  Every request of the page carries ``?run=...``, by which it is found
again.  Bounded: old runs make room for new ones.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from corsproxy.cors.words import advice
from corsproxy.demo.api import COOKIE
from corsproxy.proxy.exchange import Exchange

Record = dict[str, Any]  # as JSON

_MOST_RUNS: Final = 500
_MOST_RECORDS: Final = 20  # of one run


class Wire:
    """The records of the latest runs, in the order in which they were made."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, list[Record]] = OrderedDict()

    def of(self, run: str) -> list[Record]:
        """Everything that is known of a run; empty when it is unknown or too old."""
        return self._runs.get(run, [])

    def api_answered(self, request: web.Request, response: web.StreamResponse) -> None:
        """The API has the head of its answer ready."""
        record = {
            "by": "api",
            "request": f"{request.method} {request.path_qs} HTTP/{request.version.major}.{request.version.minor}",
            "request_headers": _discreet(_decoded(request.raw_headers)),
            "answer": f"{response.status} {response.reason}",
            "answer_headers": list(response.headers.items()) + [
                ("Set-Cookie", morsel.OutputString()) for morsel in response.cookies.values()
            ],
        }  # fmt: skip
        self._keep(request.path_qs, record)

    def proxy_answered(self, exchange: Exchange) -> None:
        """An exchange through the proxy is over."""
        decision, target = exchange.decision, exchange.target.decode("latin-1")
        record = {
            "by": "proxy",
            "request": f"{exchange.method.decode('latin-1')} {target}",
            "origin": exchange.origin.decode("latin-1"),
            "answer": exchange.status,
            "outcome": str(decision.outcome),
            "lines": decision.lines.decode("latin-1").splitlines(),
            "vary": b", ".join(decision.vary).decode("latin-1"),
            "advice": advice(decision, _policy_name(exchange)),
        }
        self._keep(target, record)

    def _keep(self, target: str, record: Record) -> None:
        run = parse_qs(urlsplit(target).query).get("run", [""])[0]
        if not run:
            return
        records = self._runs.setdefault(run, [])
        if len(records) < _MOST_RECORDS:
            records.append(record)
        while len(self._runs) > _MOST_RUNS:
            self._runs.popitem(last=False)


def _policy_name(exchange: Exchange) -> str:
    rule = exchange.rule
    return rule.policy.name if rule is not None and rule.policy is not None else ""


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _discreet(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers without other people's cookies.

    Cookies know no ports (https://www.rfc-editor.org/rfc/rfc6265#section-8.5), so whatever else was ever logged in to
    on localhost is sent here too.  It is nobody's business, not even on one's own screen.
    """
    return [(name, _own_cookies(value) if name.lower() == "cookie" else value) for name, value in headers]


def _own_cookies(value: str) -> str:
    cookies = [cookie.strip() for cookie in value.split(";")]
    own = [cookie for cookie in cookies if cookie.startswith(f"{COOKIE}=")]
    others = len(cookies) - len(own)
    return "; ".join([*own, f"({others} more of localhost)"] if others else own)
