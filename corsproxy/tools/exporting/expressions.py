r"""Regular expressions for other engines: origins, methods, header names and paths.

Rules: only what RE2 (Envoy), PCRE (nginx, HAProxy) and Go (Caddy, Traefik) read alike, so no look-around and no
back-reference; every expression has to match the whole of its text, and whoever uses it adds the anchors; time is
linear in a backtracking engine too, since a client writes the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from corsproxy.cors.pattern import Pattern

# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
ANY_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# What cors/serialized.py reads as an origin, but for the lengths: RE2 spells a counted repeat out.
SERIALIZED: Final = r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?"
FORBIDDEN_METHODS: Final = "[Cc][Oo][Nn][Nn][Ee][Cc][Tt]|[Tt][Rr][Aa][Cc][EeKk]"
_ANY_PORT: Final = "(?::[1-9][0-9]{0,4})?"
_SUBDOMAINS: Final = r"(?:[a-z0-9_-]+\.)+"
_SPECIAL: Final = re.compile(r"[\\.\[\](){}*+?^$|]")

# The separators and parameters that lenient servers see in a path, see http/target.py.
_SEPARATOR: Final = r"(?:[/\\]|%2[Ff]|%5[Cc])"
# Up to the next separator, so that there is one way to read a text.
_PARAMETER: Final = r"(?:(?:;|%3[Bb])(?:[^/\\%?]|%(?:[013467-9A-Fa-f][0-9A-Fa-f]|2[0-9A-Ea-e]|5[0-9ABD-Fabd-f]))*)?"
_SEGMENT_END: Final = r"(?:[/\\;?]|%2[Ff]|%5[Cc]|%3[Bb]|$)"
# Encoded characters that lenient servers decode before they compare.
_DELIMITERS: Final = frozenset("!$&'()*+,:=@")

# At the beginning of a target: dot segments in any spelling, NUL, and the escapes of IIS; refused everywhere.
AMBIGUOUS: Final = rf"[^?]*(?:{_SEPARATOR}(?:\.|%2[Ee]){{1,2}}{_SEGMENT_END}|%00|%[Uu]00)"
# An escape that is broken, or that a letter, digit or - . _ ~ does not need: one path in two spellings.  Refused where
# paths decide, since the expressions for these know one spelling.
ESCAPED: Final = (
    "[^?]*%(?:2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|5[0-9AaFf]|7[0-9AaEe]|[^0-9A-Fa-f]|[0-9A-Fa-f](?:[^0-9A-Fa-f]|$)|$)"
)


def literal(text: str) -> str:
    """The expression that matches exactly this text."""
    return _SPECIAL.sub(lambda special: f"\\{special[0]}", text)


def any_of(texts: Iterable[str]) -> str:
    """The expression that matches exactly one of these texts."""
    return "|".join(map(literal, texts))


def origin(pattern: Pattern) -> str:
    """The origins that a pattern covers; never called for ``*``."""
    if pattern.exact:
        return literal(str(pattern))
    port = _ANY_PORT if pattern.any_port else "" if pattern.port is None else f":{pattern.port}"
    return f"{literal(pattern.scheme)}://{_SUBDOMAINS if pattern.subdomains else ''}{literal(pattern.host)}{port}"


def names(allowed: Sequence[str] | None) -> str:
    """A list of header names, in any case, each one of the allowed; None: any token.

    White space and empty items are tolerated, as in cors/grants.py.  Each name ends where a separator begins, so that
    there is one way to read a text.
    """
    if allowed is not None and not allowed:
        return "[ \t,]*"
    name = ANY_NAME if allowed is None else f"(?:{any_of(allowed)})"
    return f"[ \t,]*(?:{name}(?:[ \t]*,[ \t,]*{name})*[ \t,]*)?"


def strict_path(path: str) -> str:
    """The beginning of a target whose path has this prefix, in whole segments and spelt plainly."""
    return "/" if path == "/" else f"{_escapes_in_any_case(literal(path))}(?:[/?]|$)"


def sloppy_path(path: str) -> str:
    """The beginning of every target whose path some server may read as being below this prefix."""
    segments = [_segment(segment) for segment in path.split("/")[1:]]
    between = f"{_SEPARATOR}(?:{_PARAMETER}{_SEPARATOR})*"
    return "".join(f"{between}{segment}{_PARAMETER}" for segment in segments) + f"(?:{_SEPARATOR}|[?]|$)"


def cut(path: str) -> str:
    """The beginning of a target that is to be cut off, for a rule that strips its prefix."""
    return _escapes_in_any_case(literal(path))


def _segment(segment: str) -> str:
    return "".join(_loosely(character) for character in re.findall("%..|.", segment))


def _loosely(character: str) -> str:
    """A character of a path in all spellings that servers take for the same."""
    if character in _DELIMITERS:
        return f"(?:{literal(character)}|{_escapes_in_any_case(f'%{ord(character):02X}')})"
    return _escapes_in_any_case(literal(character))


def _escapes_in_any_case(expression: str) -> str:
    return re.sub("%([0-9A-F])([0-9A-F])", lambda escape: "%" + "".join(map(_digit, escape.groups())), expression)


def _digit(digit: str) -> str:
    return digit if digit.isdigit() else f"[{digit}{digit.lower()}]"
