"""Traffic that was recorded: HAR files, and this proxy's access logs in JSON.

Rules: which of the two a text is, it says itself; a log is read line by line, however long it is; a line that is none
of ours is passed over and counted, since logs are cut, merged and mixed with other programs' lines.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any, Final
from urllib.parse import urlsplit

from corsproxy.cors.fetch import Headers, origin_of
from corsproxy.cors.serialized import is_loopback
from corsproxy.errors import CorsproxyError
from corsproxy.http.needs import CORS, SAME_ORIGIN, Needs, needs_of
from corsproxy.server.access_log import CUT_SHORT
from corsproxy.tools.har import Entry, UnreadableHar, read_har
from corsproxy.tools.learning.evidence import Seen


class UnreadableTraffic(CorsproxyError):
    """A source is neither a HAR file nor an access log in JSON, or does not say whose requests are meant."""


class Traffic:
    """Reads sources, one after the other.

    ``hosts`` are the names under which this proxy, or the API before there is one, was addressed: ``name``,
    ``name:port`` or ``*.name``; where a HAR file has none of them, it has to be plain which host is meant.  ``notes``
    say what was not used, and why.
    """

    def __init__(self, hosts: frozenset[str]) -> None:
        self.notes: list[str] = []
        self._hosts = hosts

    def read(self, lines: Iterable[str], name: str) -> Iterator[Seen]:
        """The requests of one source; raises UnreadableTraffic."""
        rest = iter(lines)
        first = next((line for line in rest if line.strip()), "")
        if _log_line(first) is not None:
            return self._log(chain([first], rest), name)
        text = "".join(chain([first], rest))
        try:
            entries = read_har(text)
        except UnreadableHar as unreadable:
            lines = text.splitlines()
            if any(_log_line(line) is not None for line in lines):
                return self._log(lines, name)
            message = f"{name} is neither an access log in JSON nor a HAR file ({unreadable}); write one with"
            raise UnreadableTraffic(f"{message} corsproxy serve --access-log json, or save it in a browser") from None
        return iter(self._har(entries, name))

    def _log(self, lines: Iterable[str], name: str) -> Iterator[Seen]:
        counts: Counter[str] = Counter()
        for line in lines:
            logged = _log_line(line)
            if logged is None:
                counts["strange"] += bool(line.strip())
            elif logged.get("event") == "request" and (seen := _seen(logged, name)):
                counts["cut"] += CUT_SHORT in str(logged.get("headers")) + str(logged.get("response_headers"))
                counts["old"] += "mode" not in logged
                yield seen
        for kind, words in _NOTES.items():
            if counts[kind]:
                self.notes.append(f"{name}: {counts[kind]} {words}")

    def _har(self, entries: list[Entry], name: str) -> list[Seen]:
        crossing = [entry for entry in entries if _crosses(entry)]
        hosts = Counter(_host(entry.asked.url) for entry in crossing)
        wanted = self._wanted(hosts, name)
        for host in sorted(hosts.keys() - wanted):
            self.notes.append(f"{name}: {hosts[host]} requests to {host} are not this proxy's")
        return [_seen_in(entry, name) for entry in entries if _host(entry.asked.url) in wanted]

    def _wanted(self, hosts: Counter[str], name: str) -> frozenset[str]:
        """The hosts that are meant; raises UnreadableTraffic where nothing says so."""
        known = frozenset(host for host in hosts if any(_is_named(host, name) for name in self._hosts))
        if known or len(hosts) <= 1:
            return known or frozenset(hosts)
        local = frozenset(host for host in hosts if is_loopback(_without_port(host)))
        if len(local) == 1:
            return local
        listed = ", ".join(sorted(hosts))
        raise UnreadableTraffic(f"{name} has requests to several hosts ({listed}); name this API's with --host")


_NOTES: Final = {
    "strange": "lines are no access log in JSON, and were passed over",
    "cut": "lines name more headers than the log has room for; what is missing, a HAR file or --learn would show",
    "old": "lines were written by a version that did not log headers and cookies, so that those cannot be learnt from "
    "them",
}


def _log_line(line: str) -> dict[str, Any] | None:
    """A line of the access log; None for anything else."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        logged = json.loads(line)
    except ValueError:
        return None
    return logged if isinstance(logged, dict) and "event" in logged else None


def _seen(logged: dict[str, Any], name: str) -> Seen | None:
    """A request of the log; None where a field is not what this proxy writes."""
    text = {key: value for key, value in logged.items() if isinstance(value, str)}
    if not {"host", "path", "method"} <= text.keys():
        return None
    status = logged.get("status")
    return Seen(
        text.get("origin", ""),
        text["host"],
        text["path"].partition("?")[0],
        _needs(text) if "origin" in text and logged.get("cors") != "same-origin" else None,
        status if isinstance(status, int) else 0,
        _timestamp(text.get("time", "")),
        text.get("client", ""),
        name,
    )


def _needs(text: dict[str, str]) -> Needs:
    """What a line tells of the page; of one that is older than its fields for it, at least who asked."""
    preflight = text.get("cors", "").startswith("preflight-")
    requested = text.get("requested_method") or ("GET" if preflight else text["method"])
    return Needs(
        text.get("mode", CORS.decode()).encode("latin-1", "replace"),
        requested.encode("latin-1", "replace"),
        preflight or "requested_method" in text,
        _names(text.get("headers", "")),
        text.get("credentials", ""),
        _names(text.get("response_headers", "")),
    )


def _names(joined: str) -> tuple[bytes, ...]:
    return tuple(name.encode("latin-1", "replace") for name in joined.split(",") if name not in {"", CUT_SHORT})


def _timestamp(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _crosses(entry: Entry) -> bool:
    try:
        asked = origin_of(entry.asked.url)
    except ValueError:
        return False
    # A WebSocket has the origin of the page that opened it, never its own URL's.
    asked = b"http" + asked[2:] if asked.startswith(b"ws") else asked
    return bool(entry.origin) and asked != entry.origin


def _host(url: str) -> str:
    """Its host, with the port where one is written; an IPv6 address in brackets."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _without_port(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _is_named(host: str, name: str) -> bool:
    bare = _without_port(host)
    return bare.endswith(name[1:]) if name.startswith("*.") else name in {host, bare}


def _seen_in(entry: Entry, name: str) -> Seen:
    return Seen(
        entry.origin.decode("latin-1"),
        _host(entry.asked.url),
        urlsplit(entry.asked.url).path or "/",
        _har_needs(entry) if entry.origin else None,
        max(entry.answered.status, 0),
        _timestamp(entry.began),
        "",
        name,
    )


def _har_needs(entry: Entry) -> Needs:
    asked, answered = entry.asked, entry.answered
    if not _crosses(entry):
        return Needs(SAME_ORIGIN, asked.method)
    websocket = asked.url.startswith(("ws:", "wss:"))
    return needs_of(asked.method, _lower(asked.headers), _lower(answered.headers), answered.status, websocket=websocket)


def _lower(headers: Headers) -> Headers:
    return tuple((name.lower(), value) for name, value in headers)
