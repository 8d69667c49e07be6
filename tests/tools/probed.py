"""APIs that do one thing about CORS each, as functions, and what a probe asks them without a socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from corsproxy.cors.fetch import WireRequest, WireResponse, get
from corsproxy.tools.probing.asking import conduct
from corsproxy.tools.probing.questions import Target
from corsproxy.tools.probing.report import Report

URL = "https://api.example.com/orders"
APP = "https://app.example.com"

Api = Callable[[WireRequest], WireResponse]


def probed(api: Api, target: Target | None = None) -> Report:
    """The report on an API."""
    return asyncio.run(conducted(api, target or Target(URL)))


async def conducted(api: Api, target: Target) -> Report:
    """The same for who has an event loop."""

    async def ask(asked: WireRequest) -> WireResponse:
        return api(asked)

    return await conduct(target, ask)


def severities(report: Report) -> dict[str, str]:
    """The findings, by name."""
    return {finding.kind.value: str(finding.severity) for finding in report.findings}


def answer(status: int, *lines: str) -> WireResponse:
    pairs = (line.partition(": ") for line in lines)
    return WireResponse(status, tuple((name.encode(), value.encode("latin-1")) for name, _, value in pairs))


def silent(asked: WireRequest) -> WireResponse:
    """An API that has never heard of CORS."""
    return answer(405 if asked.method == b"OPTIONS" else 200, "Content-Type: application/json")


def letting_in(
    accepts: Callable[[str], bool], *more: str, credentials: bool = True, vary: bool = True, preflight: int = 204
) -> Api:
    """An API that repeats the origins that it accepts; ``preflight`` is its status for OPTIONS."""

    def api(asked: WireRequest) -> WireResponse:
        origin = (get(asked.headers, b"origin") or b"").decode("latin-1")
        lines = ["Vary: Origin"] if vary else []
        if origin and accepts(origin):
            lines.append(f"Access-Control-Allow-Origin: {origin}")
            if credentials:
                lines.append("Access-Control-Allow-Credentials: true")
            if asked.method == b"OPTIONS":
                lines.append("Access-Control-Allow-Methods: GET, PUT")
                lines.append("Access-Control-Allow-Headers: content-type")
            lines += more
        return answer(preflight if asked.method == b"OPTIONS" else 200, *lines)

    return api


def always(*lines: str, preflight: int = 204, actual: int = 200) -> Api:
    """An API that sends the same lines whatever it is asked."""
    return lambda asked: answer(preflight if asked.method == b"OPTIONS" else actual, *lines)


def matching(expression: str) -> Callable[[str], bool]:
    """An expression as people write it in other servers: searched for, anchored only where it says so."""
    found = re.compile(expression).search
    return lambda origin: found(origin) is not None
