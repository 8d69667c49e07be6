"""Origin patterns: what the user lists, and the compiled set in which a request's origin is looked up.

Rules: a pattern is an exact origin, ``*.`` for one or more labels, ``:*`` for any port, both, ``*`` or ``null``;
nothing else in it is special, so that what it allows can be seen by reading it.  A look-up costs one set probe for an
exact origin and one dictionary probe per label of the host for the rest, however long the list is; a radix tree would
do the same with more code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from corsproxy.cors.correction import diagnose
from corsproxy.cors.origin import Origin, read_origin
from corsproxy.cors.serialized import ends_in_number, is_loopback, split_origin
from corsproxy.errors import InvalidOrigin


class Pattern(NamedTuple):
    """One entry of a list of origins."""

    scheme: str  # "" for * and null
    host: str  # without the leading "*."
    port: int | None = None  # None: the scheme's default
    subdomains: bool = False  # one or more labels before the host; never the host itself
    any_port: bool = False  # the scheme's default included

    def __str__(self) -> str:
        if not self.scheme:
            return self.host
        host = f"*.{self.host}" if self.subdomains else self.host
        return f"{Origin(self.scheme, host, self.port)}{':*' if self.any_port else ''}"

    @property
    def exact(self) -> bool:
        """Whether the pattern is one origin and nothing more."""
        return not (self.subdomains or self.any_port) and self != ANY

    def covers(self, origin: Origin) -> bool:
        """What the pattern means, said as plainly as possible; ``OriginSet`` says the same quickly."""
        return (
            self.scheme == origin.scheme
            and (origin.host.endswith(f".{self.host}") if self.subdomains else origin.host == self.host)
            and (self.any_port or origin.port == self.port)
        )


_ADDRESS = re.compile(r"[0-9.*]+|\[.*")

ANY = Pattern("", "*")
NULL = Pattern("", "null")


def parse_pattern(text: str) -> Pattern:
    """The pattern that ``text`` writes.

    Raises ``InvalidOrigin`` when it is none, with the text to write instead if there is one.
    """
    if text in ("*", "null"):
        return ANY if text == "*" else NULL
    plain, leading, trailing = _without_wildcards(text)
    origin = read_origin(plain)
    if origin is None:
        raise _misplaced(text) if "*" in plain else _malformed(text, plain, leading, trailing)
    if trailing and origin.port is not None:
        raise InvalidOrigin(f"{text!r} has two ports; write one of them")
    if leading and (origin.host.startswith("[") or ends_in_number(origin.host)):
        raise InvalidOrigin(
            f"{text!r} has a wildcard before an address, which has no subdomains", f"{origin}{trailing}"
        )
    return Pattern(*origin, subdomains=bool(leading), any_port=bool(trailing))


def _without_wildcards(text: str) -> tuple[str, str, str]:
    """The text without the wildcards that stand where they may, and these."""
    scheme, separator, rest = text.partition("://")
    leading, trailing = "*." if rest.startswith("*.") else "", ":*" if rest.endswith(":*") else ""
    return f"{scheme}{separator}{rest.removeprefix('*.').removesuffix(':*')}", leading, trailing


def _malformed(text: str, plain: str, leading: str, trailing: str) -> InvalidOrigin:
    """The error for a text whose wildcards are right and whose origin is wrong."""
    reason, correction = diagnose(plain)
    scheme, separator, rest = correction.partition("://")
    if separator:
        correction = f"{scheme}://{leading}{rest}{trailing}"
    return InvalidOrigin(f"{text!r} {reason}", correction)


def _misplaced(text: str) -> InvalidOrigin:
    """The error for a wildcard where none may stand; corrected only to something that allows no more."""
    scheme, separator, rest = text.strip().partition("://")
    reason, correction = _advice(scheme if separator else "", rest if separator else scheme)
    return InvalidOrigin(f"{text!r} has {reason}", _if_pattern(correction))


def _advice(scheme: str, rest: str) -> tuple[str, str]:
    """What is wrong, and a text that may be what was meant."""
    authority = rest.rstrip("/")
    host = authority.partition(":")[0]
    bare = host.strip("*.")
    guessed = "http" if is_loopback(bare) else "https"
    faults = (
        (
            "*" in scheme,
            "a wildcard in its scheme; list the http and the https origin, each in full",
            f"https://{rest}",
        ),
        (authority != rest, "a trailing slash; write it byte for byte as browsers send it", f"{scheme}://{authority}"),
        (not bare, "a wildcard for every host; write '*' for any origin, or name a domain", ""),
        (not scheme, "no scheme; write it in full", f"{guessed}://{authority}"),
        (_ADDRESS.fullmatch(host), "a wildcard in an address; list the addresses", ""),
        (
            host.endswith("*"),
            f"a wildcard at its end, which covers {bare}.evil.example too; end it with the domain",
            f"{scheme}://{bare}" if host == f"{bare}*" else "",
        ),
        (host.startswith("*"), "a misplaced wildcard; '*.' stands for one or more labels", f"{scheme}://*.{bare}"),
    )
    inside = "a wildcard inside, where none may stand; write '*.' before a domain, or use allow_origin_regex"
    return next(((reason, correction) for applies, reason, correction in faults if applies), (inside, ""))


def _if_pattern(text: str) -> str:
    """The text, if it is a pattern; "" otherwise."""
    if "*" in _without_wildcards(text)[0]:  # still misplaced: no correction, and no end to correcting it
        return ""
    try:
        return str(parse_pattern(text))
    except InvalidOrigin:
        return ""


NO_PORTS: AbstractSet[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class OriginSet:
    """Patterns, compiled.

    ``hosts`` has, by scheme, the ports (None: any) of each host that is not exact: ``localhost``, or ``.example.com``
    for every name below it.
    """

    any: bool
    exact: AbstractSet[bytes]
    hosts: Mapping[bytes, Mapping[bytes, AbstractSet[bytes] | None]]

    def match(self, origin: bytes) -> bool:
        """Whether the set allows this value of an Origin header, whatever bytes it is made of."""
        if self.any or origin in self.exact:
            return True
        return bool(self.hosts) and self._match_host(origin)

    def _match_host(self, origin: bytes) -> bool:
        parts = split_origin(origin)
        if parts is None:
            return False
        scheme, host, port = parts
        hosts = self.hosts.get(scheme, {})
        dot = 0  # the host as a whole first, then its suffixes from the longest on, each with its leading dot
        while dot >= 0:
            ports = hosts.get(host[dot:], NO_PORTS)
            if ports is None or port in ports:
                return True
            dot = host.find(b".", dot + 1)
        return False


def compile_patterns(patterns: Iterable[Pattern]) -> OriginSet:
    """The set of the origins that any of the patterns allows."""
    listed = set(patterns)
    hosts: dict[bytes, dict[bytes, set[bytes] | None]] = {}
    for pattern in listed:
        if pattern.subdomains or pattern.any_port:
            _add(hosts.setdefault(pattern.scheme.encode("ascii"), {}), pattern)
    exact = frozenset(str(pattern).encode("ascii") for pattern in listed if pattern.exact)
    return OriginSet(ANY in listed, exact, hosts)


def _add(hosts: dict[bytes, set[bytes] | None], pattern: Pattern) -> None:
    key = f"{'.' if pattern.subdomains else ''}{pattern.host}".encode("ascii")
    ports = hosts.setdefault(key, set())
    if pattern.any_port or ports is None:
        hosts[key] = None
    else:
        ports.add(b"" if pattern.port is None else b"%d" % pattern.port)
