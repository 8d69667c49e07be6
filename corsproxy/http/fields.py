"""Header fields: their grammar, lists of them, which of them end at this hop, and edits that the user asks for.

Rules that this file obeys:

- A name or value that comes from a peer is never decoded, only compared and passed on.
- Field names are compared in lower case; ``HOP_BY_HOP`` and ``FieldEdits.removed`` hold lower-case names.
- What is written into a head, ``FieldEdits.lines`` above all, has been checked byte by byte before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from corsproxy.errors import CorsproxyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 names the first six; the rest have these reasons:
# - Proxy-Authenticate, Proxy-Authentication-Info and Proxy-Authorization speak to a forward proxy next to the sender
#   (section 11.7), which this proxy is not: towards its clients it is the server.  Credentials meant for a proxy must
#   not reach an API.
# - HTTP2-Settings belongs to the h2c upgrade (RFC 7540, section 3.2.1), which is never forwarded.
# - Proxy is no field at all, but CGI programs see it as HTTP_PROXY (https://httpoxy.org).
# Trailer is not here, although RFC 2616 had it: it is end-to-end and keeps its use even where trailers are discarded
# (section 6.6.2).
HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
        b"proxy",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
    }
)

# Alt-Svc names other places where the server of this very connection is to be had
# (https://www.rfc-editor.org/rfc/rfc7838#section-2): true of the upstream, and it would lead browsers around the proxy.
# What the upstream says about the origin as such (Strict-Transport-Security, Clear-Site-Data, NEL, Report-To) passes:
# those are its application's words, and to take them away would weaken it.  A rule may remove them, or set its own.
SPEAKS_FOR_THE_UPSTREAM: Final = frozenset({b"alt-svc"})

# Fields that a Connection header cannot take away.  "A sender MUST NOT send a connection option corresponding to a
# field that is intended for all recipients of the content" (RFC 9110, section 7.6.1), and proxies that obeyed such
# options let a client delete what a hop before or after it relied on (CVE-2021-32813, CVE-2024-45410).
_END_TO_END: Final = frozenset(
    {
        b"age",
        b"authorization",
        b"cache-control",
        b"cookie",
        b"date",
        b"etag",
        b"expires",
        b"forwarded",
        b"host",
        b"last-modified",
        b"location",
        b"origin",
        b"range",
        b"referer",
        b"set-cookie",
        b"strict-transport-security",
        b"timing-allow-origin",
        b"user-agent",
        b"vary",
        b"via",
        b"www-authenticate",
        b"x-real-ip",
    }
)
_END_TO_END_PREFIXES = (b"accept", b"access-control-", b"content-", b"cross-origin-", b"if-", b"sec-", b"x-forwarded-")

_CONNECTION_SEEN_DAILY: Final = {
    value: frozenset(value.split(b", ")) for value in (b"keep-alive", b"close", b"upgrade", b"keep-alive, upgrade")
}

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


def is_token(name: bytes) -> bool:
    """Whether these bytes are a token, as methods and field names are (RFC 9110, section 5.6.2)."""
    return _TOKEN.fullmatch(name) is not None


def is_field_value(value: bytes) -> bool:
    """Whether these bytes can stand in a head: no control but the tab; obs-text passes (RFC 9110, section 5.5)."""
    return _FIELD_VALUE.fullmatch(value) is not None


def list_members(values: Iterable[bytes]) -> list[bytes]:
    """The members of a list field, over all its lines, in order; empty ones are skipped (RFC 9110, section 5.6.1).

    For lists whose members hold no quoted strings: a comma between quotes separates here too.
    """
    return [member for value in values for part in value.split(b",") if (member := part.strip(b" \t"))]


def by_name(lines: Iterable[tuple[bytes, bytes]]) -> dict[bytes, tuple[bytes, ...]]:
    """The values of every lower-case name, in the order of its lines."""
    values: dict[bytes, tuple[bytes, ...]] = {}
    for name, value in lines:
        values[name] = (*values.get(name, ()), value)
    return values


def connection_options(values: Sequence[bytes]) -> frozenset[bytes]:
    """The lower-case options of all Connection lines: ``close``, ``upgrade``, and names of fields that end here.

    Names of end-to-end fields are left out, so that the result can be used for removal as it is: a peer cannot nominate
    away Host, Origin, credentials, content and caching fields, ``Sec-*``, nor what an earlier hop says about the client
    (``X-Forwarded-*``, ``X-Real-IP``, ``Forwarded``, ``Via``).  Every other name is honoured, as RFC 9110 demands.
    """
    if len(values) == 1 and (daily := _CONNECTION_SEEN_DAILY.get(values[0].lower())):
        return daily
    options = frozenset(member.lower() for member in list_members(values))
    return frozenset(
        option for option in options if option not in _END_TO_END and not option.startswith(_END_TO_END_PREFIXES)
    )


def merge_vary(existing: Sequence[bytes], names: Sequence[bytes]) -> bytes:
    """One Vary value: the upstream's members in their order and case, then the ``names`` that are missing.

    ``*`` swallows all others, since it already says more than any list (RFC 9110, section 12.5.5).  b"" means that no
    Vary is to be sent.
    """
    return _merged(tuple(existing), tuple(names))


@lru_cache(maxsize=128)  # an upstream sends few different ones, and this is read on every response
def _merged(existing: tuple[bytes, ...], names: tuple[bytes, ...]) -> bytes:
    members: dict[bytes, bytes] = {}
    for member in list_members((*existing, *names)):
        members.setdefault(member.lower(), member)
    return b"*" if b"*" in members else b", ".join(members.values())


@dataclass(frozen=True, slots=True)
class FieldEdits:
    """What a rule changes in a head: drop the fields whose lower-case name is in ``removed``, then append ``lines``."""

    removed: frozenset[bytes] = frozenset()
    lines: bytes = b""


class EditProblem(NamedTuple):
    """One entry of an edit that cannot be compiled: the key it stands under ("set", "add" or "remove"), its name."""

    key: str
    name: str
    message: str


class InvalidEdits(CorsproxyError, ValueError):
    """Field edits that may not be compiled; ``problems`` holds every reason."""

    def __init__(self, problems: tuple[EditProblem, ...]) -> None:
        super().__init__("\n".join(f"{problem.key}: {problem.name}: {problem.message}" for problem in problems))
        self.problems = problems


# The proxy frames messages itself, and forward_host decides on Host: an edit of these would make two recipients read
# one message differently.
_MANAGED = HOP_BY_HOP | {b"content-length", b"expect", b"host", b"trailer"}


def compile_edits(
    set: Mapping[str, str],  # noqa: A002  the configuration's own word
    add: Mapping[str, str | Sequence[str]],
    remove: Sequence[str],
) -> FieldEdits:
    """Compile ``headers: {set, add, remove}``; ``set`` removes what is there and adds its own.

    Raises InvalidEdits, with every problem, for a name that is no token, a value that is not clean ASCII, a field that
    belongs to the connection or frames the message, and a name that is both set and removed or is set twice.
    """
    entries = [("set", name, value) for name, value in set.items()]
    entries += [("add", name, value) for name, values in add.items() for value in _as_list(values)]
    problems = tuple(_problems(entries, remove))
    if problems:
        raise InvalidEdits(problems)
    removed = frozenset(name.lower().encode() for name in (*set, *remove))
    return FieldEdits(removed, b"".join(f"{name}: {value}\r\n".encode() for _, name, value in entries))


def _as_list(values: str | Sequence[str]) -> Sequence[str]:
    return (values,) if isinstance(values, str) else values


def _problems(entries: Sequence[tuple[str, str, str]], remove: Sequence[str]) -> Iterator[EditProblem]:
    for key, name, value in entries:
        if message := _name_problem(name) or _value_problem(value):
            yield EditProblem(key, name, message)
    for name in remove:
        if message := _name_problem(name):
            yield EditProblem("remove", name, message)
    taken = {name.lower() for name in remove}
    for name in (name for key, name, _ in entries if key == "set"):
        if name.lower() in taken:
            yield EditProblem("set", name, "is set and removed, or set twice; keep one of the two")
        taken.add(name.lower())


def _name_problem(name: str) -> str:
    if not is_token(name.encode()):
        return "is no field name; use letters, digits and hyphens"
    if name.lower().encode() in _MANAGED:
        return "belongs to the connection and is written by the proxy; leave it out"
    return ""


def _value_problem(value: str) -> str:
    if not value.isascii() or not is_field_value(value.encode()):
        return "has a value with control or non-ASCII characters; use printable ASCII"
    if value != value.strip():
        return "has a value with white space around it, which recipients cut off; remove it"
    return ""


def lines_of(head: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The header lines of a head that this program has written itself, below its first line."""
    lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return tuple((name, value.strip()) for name, colon, value in (line.partition(b":") for line in lines) if colon)
