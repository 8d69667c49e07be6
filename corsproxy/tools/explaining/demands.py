"""What a server has to answer so that a page reads it: the lines, for any server, with or without this proxy."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from corsproxy.cors.check import REDIRECT_REASONS, Blocked
from corsproxy.cors.fetch import Credentials, Mode, Request, origin_of
from corsproxy.cors.origin import read_origin
from corsproxy.cors.safelist import (
    SAFELISTED_METHODS,
    is_preflighted,
    normalize_method,
    settable,
    unsafe_names,
)
from corsproxy.cors.serialized import is_loopback
from corsproxy.cors.words import escaped

_NO_HEADER_HELPS: Final = REDIRECT_REASONS | {Blocked.REQUEST_MODE, Blocked.SCHEME}


class Needed(NamedTuple):
    """What one answer has to be."""

    of: str  # "OPTIONS", which is the preflight, or the page's method
    status: str
    headers: tuple[str, ...]


def needed(request: Request, blocked: Blocked | None) -> tuple[Needed, ...]:
    """The answers that let this request pass; none where no header does, or where it passes already."""
    if blocked is None or blocked in _NO_HEADER_HELPS or request.mode is not Mode.CORS:
        return ()
    method = normalize_method(request.method)
    base = _base(request)
    answer = Needed(escaped(method), "any", base)
    names = unsafe_names(settable(request))
    if not is_preflighted(request):
        return (answer,)
    methods = () if method in SAFELISTED_METHODS else (f"Access-Control-Allow-Methods: {escaped(method)}",)
    headers = (f"Access-Control-Allow-Headers: {escaped(b', '.join(names))}",) if names else ()
    return (Needed("OPTIONS", "200 to 299, without asking for a log-in", (*base, *methods, *headers)), answer)


def _base(request: Request) -> tuple[str, ...]:
    origin = f"Access-Control-Allow-Origin: {escaped(request.origin)}"
    if request.credentials is Credentials.INCLUDE:
        return (origin, "Access-Control-Allow-Credentials: true")
    return (origin,)


def remedy(request: Request, blocked: Blocked) -> str:
    """What to do about a server of which no configuration is known."""
    if blocked in _NO_HEADER_HELPS:
        return "the page has to ask otherwise; no header of the server changes this"
    api, page = origin_of(request.url).decode("latin-1"), read_origin(request.origin.decode("latin-1"))
    flag = "" if page is None or is_loopback(page.host) else f" --allow-origin {page}"
    host = urlsplit(request.url).hostname or ""
    local = is_loopback(f"[{host}]" if ":" in host else host)
    if local and flag:
        return (
            f"if `corsproxy dev` answers there, start it again with `{flag.strip()}`: every page of {page} then reads "
            "the API's answers, with cookies; any other server has to answer as below"
        )
    if local:
        return "the server has to answer as below; with its configuration (-c) the change would be worked out"
    return (
        f"the server has to answer as below; where you cannot change it, `corsproxy dev {api}{flag}` answers so in its "
        "place, and the page asks http://localhost:8080"
    )
