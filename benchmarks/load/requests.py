"""The requests of the cases as bytes; pure."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks import rule

VARIETY = 1000  # different requests where "all different" is measured


def head(method: str, path: str, fields: Mapping[str, str], body: int = 0) -> bytes:
    """One request; a body is so many bytes of ``u``."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in fields.items())]
    if body:
        lines += ["Content-Type: application/octet-stream", f"Content-Length: {body}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + b"u" * body


def small(prefix: str) -> list[bytes]:
    """A simple GET of the allowed page."""
    return [head("GET", f"{prefix}/books/7", {"Origin": rule.ORIGIN, "Accept": "application/json"})]


def browser(prefix: str) -> list[bytes]:
    """The same with everything that Chromium sends."""
    return [head("GET", f"{prefix}/books/7?expand=author", rule.BROWSER)]


def various(prefix: str) -> list[bytes]:
    """GETs of different paths, every second one of a page that is not allowed, each of another origin."""
    return [
        head("GET", f"{prefix}/shelves/{number % 37}/books/{number}?page={number}", {**rule.BROWSER, "Origin": origin})
        for number in range(VARIETY)
        for origin in [rule.ORIGIN if number % 2 else f"https://page-{number}.example.net"]
    ]


def closing(prefix: str) -> list[bytes]:
    """A simple GET that ends its connection."""
    return [head("GET", f"{prefix}/books/7", {"Origin": rule.ORIGIN, "Connection": "close"})]


def preflight(prefix: str) -> list[bytes]:
    """A preflight that is granted."""
    return [head("OPTIONS", f"{prefix}/books/7", rule.PREFLIGHT)]


def denied_preflight(prefix: str) -> list[bytes]:
    """A preflight of a page that is not allowed."""
    return [head("OPTIONS", f"{prefix}/books/7", rule.DENIED_PREFLIGHT)]


def different_preflights(prefix: str) -> list[bytes]:
    """Granted preflights of which no two are alike, so that remembering answers does not help."""
    asked = ("authorization", "authorization,content-type", "content-type", "content-type,x-requested-with")
    methods = ("PUT", "DELETE", "POST")
    return [
        head(
            "OPTIONS",
            f"{prefix}/shelves/{number % 37}/books/{number}",
            {
                "Origin": rule.ORIGIN,
                "Access-Control-Request-Method": methods[number % 3],
                "Access-Control-Request-Headers": asked[number % 4],
                "User-Agent": f"{rule.BROWSER['User-Agent']} {number}",
            },
        )
        for number in range(VARIETY)
    ]


def different_denied_preflights(prefix: str) -> list[bytes]:
    """Preflights of which each comes from another page that is not allowed."""
    return [
        head(
            "OPTIONS",
            f"{prefix}/shelves/{number % 37}/books/{number}",
            {**rule.PREFLIGHT, "Origin": f"https://page-{number}.example.net"},
        )
        for number in range(VARIETY)
    ]


def download(name: str, prefix: str) -> list[bytes]:
    """A GET of a large body."""
    return [head("GET", f"{prefix}/bodies/{name}", {"Origin": rule.ORIGIN})]


def upload(name: str, prefix: str) -> list[bytes]:
    """A POST of a large body."""
    return [head("POST", f"{prefix}/uploads", {"Origin": rule.ORIGIN}, rule.BODIES[name])]


def among_rules(paths: list[str], prefix: str) -> list[bytes]:
    """GETs spread over all rules; as many different ones whatever their number, so that only the table differs."""
    return [
        head("GET", f"{prefix}{path}/books/{number}", {"Origin": rule.ORIGIN})
        for number, path in enumerate(_spread(paths or [""]))
    ]


def among_origins(origins: list[str], prefix: str) -> list[bytes]:
    """GETs spread over all allowed origins, as many different ones whatever their number."""
    return [
        head("GET", f"{prefix}/books/{number}", {"Origin": origin}) for number, origin in enumerate(_spread(origins))
    ]


def _spread(values: list[str]) -> list[str]:
    """So many as ``VARIETY``, from all over the list."""
    step = max(1, len(values) // VARIETY)
    return [values[number * step % len(values)] for number in range(VARIETY)]
