"""A HAR file, as developer tools save it: the requests of a page and what was answered, for the browser model.

https://w3c.github.io/web-performance/specs/HAR/Overview.html.  Rules: what a file says is not trusted to have the right
types; a missing preflight is one that the browser had cached or did not save, so that it is taken as granted; an entry
without an answer (status 0, Playwright's -1) was blocked before its answer could be saved, or was never answered, and
has the headers only that the page knew of: then the Referer, or the page's URL, says which page asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from corsproxy.cors.browser import run
from corsproxy.cors.browsers_own import scripts_own
from corsproxy.cors.check import Step
from corsproxy.cors.fetch import Credentials, Headers, Request, WireRequest, WireResponse, get, origin_of
from corsproxy.errors import CorsproxyError


class UnreadableHar(CorsproxyError):
    """A text is no HAR file; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request of a HAR file and its answer."""

    asked: WireRequest
    answered: WireResponse  # status 0 or less: none was saved
    initiator: str = "fetch"
    origin: bytes = b""  # of the page
    failure: str = ""  # the network's error, as the browser calls it
    began: str = ""  # when, as the file says it (ISO 8601)

    @property
    def preflight(self) -> bool:
        """Whether the browser asked by itself."""
        return self.asked.method == b"OPTIONS" and get(self.asked.headers, b"access-control-request-method") is not None

    @property
    def request(self) -> Request:
        """The request of the page."""
        cookies = get(self.asked.headers, b"cookie") is not None
        return Request(
            url=self.asked.url,
            origin=self.origin,
            method=self.asked.method,
            headers=scripts_own(self.asked.headers),
            credentials=Credentials.INCLUDE if cookies else Credentials.SAME_ORIGIN,
        )


def read_har(text: str) -> list[Entry]:
    """Every entry of a HAR file, in its order; raises UnreadableHar."""
    try:
        log = json.loads(text)["log"]
        pages = {page.get("id"): str(page.get("title")) for page in log.get("pages") or ()}
        return [_entry(entry, pages.get(entry.get("pageref"), "")) for entry in log["entries"]]
    except json.JSONDecodeError as error:
        raise UnreadableHar(f"line {error.lineno} is no JSON ({error.msg}); save the file again") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableHar(f"this is no HAR file ({error!r}); save it from the network panel") from None


def cross_origin(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries of a page that CORS applies to, without their preflights."""
    for entry in entries:
        mode = get(entry.asked.headers, b"sec-fetch-mode") or b"cors"
        if entry.origin and mode == b"cors" and not entry.preflight and origin_of(entry.asked.url) != entry.origin:
            yield entry


def judged(entries: Sequence[Entry], entry: Entry) -> Callable[[WireRequest], WireResponse] | None:
    """``recorded``, where the file has enough answers to judge this entry by; else None."""
    send = recorded(entries, entry)
    if entry.answered.status > 0 or run(entry.request, send).verdict.step is Step.PREFLIGHT:
        return send
    return None


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
        if other.preflight and other.asked.url == entry.asked.url and other.answered.status > 0:
            return other.answered
    allowed = ((b"Access-Control-Allow-Origin", entry.request.origin), (b"Access-Control-Allow-Credentials", b"true"))
    names = b", ".join(name for name, _ in entry.request.headers)
    lists = ((b"Access-Control-Allow-Methods", entry.asked.method), (b"Access-Control-Allow-Headers", names))
    return WireResponse(204, (*allowed, *lists))


def _next(entries: Sequence[Entry], url: str) -> Entry | None:
    return next((other for other in entries if other.asked.url == url and not other.preflight), None)


_SCRIPTED: Final = {"fetch": "fetch", "xhr": "XMLHttpRequest", "eventsource": "resource"}  # and Chromium's words


def _entry(entry: Any, page: str) -> Entry:  # noqa: ANN401  # JSON
    request, response = entry["request"], entry["response"]
    kind, headers = str(entry.get("_resourceType", "fetch")), _headers(request)
    return Entry(
        WireRequest(str(request["method"]).encode("latin-1", "replace"), str(request["url"]), headers),
        WireResponse(int(response["status"]), _headers(response)),
        _SCRIPTED.get(kind, kind),
        get(headers, b"origin") or (_origin(get(headers, b"referer"), page) if kind in _SCRIPTED else b""),
        str(response.get("_error") or response.get("_failureText") or ""),
        str(entry.get("startedDateTime") or ""),
    )


def _origin(referer: bytes | None, page: str) -> bytes:
    """The origin of the page that asked, by its URL; b"" where none is known."""
    url = referer.decode("latin-1") if referer else page
    return origin_of(url) if url.startswith(("http://", "https://")) else b""


def _headers(message: Any) -> Headers:  # noqa: ANN401  # JSON
    # HTTP/2's own (":method") are no headers of the page.
    return tuple(
        (str(header["name"]).encode("latin-1", "replace"), str(header["value"]).encode("latin-1", "replace"))
        for header in message["headers"]
        if not str(header["name"]).startswith(":")
    )
