"""A HAR file, as developer tools save it: the requests of a page and what was answered, for the browser model.

https://w3c.github.io/web-performance/specs/HAR/Overview.html.  Rules: what a file says is not trusted to have the right
types; a missing preflight is one that the browser had cached, so that it is taken as granted; an entry without an
answer (status 0) was blocked before its answer could be saved, or was never answered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from corsproxy.cors.fetch import Credentials, Headers, Request, WireRequest, WireResponse, get, origin_of
from corsproxy.errors import CorsproxyError
from corsproxy.tools.browsers_own import scripts_own


class UnreadableHar(CorsproxyError):
    """A text is no HAR file; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request of a HAR file and its answer."""

    asked: WireRequest
    answered: WireResponse  # status 0: none was saved
    initiator: str = "fetch"

    @property
    def preflight(self) -> bool:
        """Whether the browser asked by itself."""
        return self.asked.method == b"OPTIONS" and get(self.asked.headers, b"access-control-request-method") is not None

    @property
    def request(self) -> Request:
        """The request of the page."""
        origin = get(self.asked.headers, b"origin") or b""
        cookies = get(self.asked.headers, b"cookie") is not None
        return Request(
            url=self.asked.url,
            origin=origin,
            method=self.asked.method,
            headers=scripts_own(self.asked.headers),
            credentials=Credentials.INCLUDE if cookies else Credentials.SAME_ORIGIN,
        )


def read_har(text: str) -> list[Entry]:
    """Every entry of a HAR file, in its order; raises UnreadableHar."""
    try:
        entries = json.loads(text)["log"]["entries"]
        return [_entry(entry) for entry in entries]
    except json.JSONDecodeError as error:
        raise UnreadableHar(f"line {error.lineno} is no JSON ({error.msg}); save the file again") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableHar(f"this is no HAR file ({error!r}); save it from the network panel") from None


def cross_origin(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries of a page that CORS applies to, without their preflights."""
    for entry in entries:
        origin = get(entry.asked.headers, b"origin")
        if origin is not None and not entry.preflight and origin_of(entry.asked.url) != origin:
            yield entry


def recorded(entries: Sequence[Entry], entry: Entry) -> Callable[[WireRequest], WireResponse]:
    """A way to send that answers what was answered when this entry was saved."""

    def send(asked: WireRequest) -> WireResponse:
        if asked.method == b"OPTIONS" and entry.asked.method != b"OPTIONS":
            return _preflight(entries, entry)
        found = entry if asked.url == entry.asked.url else _next(entries, asked.url)
        return found.answered if found else WireResponse(0)

    return send


def _preflight(entries: Sequence[Entry], entry: Entry) -> WireResponse:
    for other in entries:
        if other.preflight and other.asked.url == entry.asked.url:
            return other.answered
    allowed = ((b"Access-Control-Allow-Origin", entry.request.origin), (b"Access-Control-Allow-Credentials", b"true"))
    names = b", ".join(name for name, _ in entry.request.headers)
    lists = ((b"Access-Control-Allow-Methods", entry.asked.method), (b"Access-Control-Allow-Headers", names))
    return WireResponse(204, (*allowed, *lists))


def _next(entries: Sequence[Entry], url: str) -> Entry | None:
    return next((other for other in entries if other.asked.url == url and not other.preflight), None)


def _entry(entry: Any) -> Entry:  # noqa: ANN401  # JSON
    request, response = entry["request"], entry["response"]
    kind = str(entry.get("_resourceType", "fetch"))
    return Entry(
        WireRequest(str(request["method"]).encode("latin-1", "replace"), str(request["url"]), _headers(request)),
        WireResponse(int(response["status"]), _headers(response)),
        "XMLHttpRequest" if kind == "xhr" else kind,
    )


def _headers(message: Any) -> Headers:  # noqa: ANN401  # JSON
    # HTTP/2's own (":method") are no headers of the page.
    return tuple(
        (str(header["name"]).encode("latin-1", "replace"), str(header["value"]).encode("latin-1", "replace"))
        for header in message["headers"]
        if not str(header["name"]).startswith(":")
    )
