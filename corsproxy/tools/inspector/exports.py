"""A recorded exchange for other tools: as curl, as fetch, and as HAR.

Rules: built from what has been masked, so that a command needs its credentials filled in again; what a shell or a
script reads is quoted for it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from corsproxy import __version__
from corsproxy.cors.browsers_own import scripts_own
from corsproxy.cors.fetch import Headers, get

_CURLS_OWN: Final = frozenset({b"content-length", b"host"})


class Message(NamedTuple):
    """A masked exchange, as exports need it."""

    method: bytes
    url: str
    asked: Headers
    status: int
    answered: Headers
    began: float  # seconds since the epoch
    waited: float  # seconds until the answer's head
    duration: float  # seconds
    request_bytes: int
    response_bytes: int


def as_curl(message: Message) -> str:
    """A command line for a POSIX shell; -i shows the headers that it is about."""
    parts = ["curl", "-i"]
    if message.method == b"HEAD":
        parts.append("--head")
    elif message.method != b"GET":
        parts += ["-X", message.method.decode("latin-1")]
    parts.append(message.url)
    for name, value in message.asked:
        if name.lower() not in _CURLS_OWN:
            parts += ["-H", f"{name.decode('latin-1')}: {value.decode('latin-1')}"]
    return shlex.join(parts)


def as_fetch(message: Message) -> str:
    """A call for the console of a page; the headers that only the browser may set are left to it."""
    options: dict[str, Any] = {"method": message.method.decode("latin-1")}
    if headers := scripts_own(message.asked):
        options["headers"] = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    if get(message.asked, b"cookie") is not None:
        options["credentials"] = "include"
    return f"fetch({json.dumps(message.url)}, {json.dumps(options, indent=2)})"


def as_har(messages: Iterable[Message]) -> dict[str, Any]:
    """A HAR 1.2 log (https://w3c.github.io/web-performance/specs/HAR/Overview.html), without bodies."""
    creator = {"name": "corsproxy", "version": __version__}
    return {"log": {"version": "1.2", "creator": creator, "entries": [_entry(message) for message in messages]}}


def _entry(message: Message) -> dict[str, Any]:
    query = parse_qsl(urlsplit(message.url).query, keep_blank_values=True)
    media_type = get(message.answered, b"content-type") or b""
    milliseconds, waited = message.duration * 1000, message.waited * 1000
    return {
        "startedDateTime": datetime.fromtimestamp(message.began, UTC).isoformat(),
        "time": milliseconds,
        "request": {
            "method": message.method.decode("latin-1"),
            "url": message.url,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _headers(message.asked),
            "queryString": [{"name": name, "value": value} for name, value in query],
            "headersSize": -1,
            "bodySize": message.request_bytes,
        },
        "response": {
            "status": message.status,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _headers(message.answered),
            "content": {"size": message.response_bytes, "mimeType": media_type.decode("latin-1")},
            "redirectURL": (get(message.answered, b"location") or b"").decode("latin-1"),
            "headersSize": -1,
            "bodySize": message.response_bytes,
        },
        "cache": {},
        "timings": {"send": 0, "wait": waited, "receive": max(0.0, milliseconds - waited)},
    }


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name.decode("latin-1"), "value": value.decode("latin-1")} for name, value in headers]
