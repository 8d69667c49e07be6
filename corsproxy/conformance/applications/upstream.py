"""The handler behind a library: it answers what the upstream answers, by Python's own HTTP client."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1, and what the server in front writes by itself
_OF_ONE_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "host",
        "keep-alive",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_PATIENCE = 10.0  # seconds


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def ask(place: tuple[str, int], method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
    """Ask the upstream; 502 where it does not answer."""
    connection = http.client.HTTPConnection(*place, timeout=_PATIENCE)
    try:
        connection.request(method, target, body or None, _forwarded(headers))
        response = connection.getresponse()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _OF_ONE_CONNECTION]
        return Answer(response.status, kept, response.read())
    except (OSError, http.client.HTTPException):
        return Answer(502, [], b"")
    finally:
        connection.close()


def _forwarded(headers: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    return {name: value for name, value in headers if name.lower() not in _OF_ONE_CONNECTION}
