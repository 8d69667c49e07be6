"""What is wrong with a text that is no serialized origin, and what was probably meant.

Rules: everything that is wrong is named at once; a correction is given only when it is itself a serialized origin, and
never when the text can be read in two ways (an address that may be octal, a user name before the host).
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from corsproxy.cors.serialized import (
    DEFAULT_PORTS,
    MAX_HOST,
    MAX_LABEL,
    MAX_PORT,
    OPAQUE_SCHEMES,
    WEBSOCKET_SCHEMES,
    ends_in_number,
    is_ipv4,
    is_loopback,
    split_origin,
)

_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]{0,63}")
_NAME = re.compile(r"[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*")
_SEPARATOR = re.compile(r"[\x00-\x20\x7f,;]")
_AUTHORITY_END = re.compile(r"[/?#\\]")


class Diagnosis(NamedTuple):
    """Why a text is no origin, to be put behind the text in a message, and what to write instead ("": unknown)."""

    reason: str
    correction: str = ""


class _Repair(NamedTuple):
    """What to write instead of a part ("": nothing can be suggested), and what was wrong with it ("": nothing)."""

    text: str
    fault: str = ""


def diagnose(text: str) -> Diagnosis:
    """What is wrong with a text that ``split_origin`` refuses."""
    draft = text.strip()
    if advice := _hopeless(draft):
        return Diagnosis(f"is no origin; {advice}")
    if text == "null":
        return Diagnosis("is the opaque origin, which has no scheme and no host; write an origin that has them")
    if draft.lower() == "null":
        return Diagnosis("is no origin; the opaque origin is written null", "null")
    corrected, faults = _repair(draft)
    if draft != text:
        faults.append("white space around it")
    if split_origin(corrected.encode("ascii", "replace")) is None:
        corrected = ""
    named = " and ".join(dict.fromkeys(faults))
    return Diagnosis(f"has {named}; write it byte for byte as browsers send it", corrected)


def _hopeless(draft: str) -> str:
    """What to do about a text from which no origin can be guessed; "" when one can."""
    if not draft:
        return "write one as browsers send it, like https://app.example.com"
    if _SEPARATOR.search(draft):
        return "list each origin as an entry of its own, without white space or commas"
    if draft.partition(":")[0].lower() in OPAQUE_SCHEMES and ":" in draft:
        return "such pages send the origin null, which needs dangerously_allow_null"
    return ""


def _repair(draft: str) -> tuple[str, list[str]]:
    """The origin that was probably meant, and every fault of the draft."""
    scheme, separator, rest = draft.partition("://")
    if not separator:
        scheme, rest = "", draft.removeprefix("//")
    authority, beyond_fault = _without_path(rest)
    userinfo, at, authority = authority.rpartition("@")
    host_text, port_text = _host_and_port(authority)
    host = _host(host_text)
    corrected_scheme = _scheme(scheme, host.text)
    port = _port(corrected_scheme.text, port_text)
    faults = [corrected_scheme.fault, "user information" if at else "", host.fault, port.fault, beyond_fault]
    corrected = "" if userinfo else f"{corrected_scheme.text}://{host.text}{port.text}"
    return corrected, [fault for fault in faults if fault]


def _host_and_port(authority: str) -> tuple[str, str | None]:
    """Both as written; None: not even a colon.  The colons of an IPv6 address stand before its closing bracket."""
    colon = authority.find(":", authority.find("]") + 1)
    return (authority, None) if colon < 0 else (authority[:colon], authority[colon + 1 :])


def _without_path(rest: str) -> _Repair:
    end = _AUTHORITY_END.search(rest)
    if end is None:
        return _Repair(rest)
    beyond = rest[end.start() :]
    return _Repair(rest[: end.start()], "a trailing slash" if beyond == "/" else "a path, query or fragment")


def _scheme(scheme: str, host: str) -> _Repair:
    lower = scheme.lower()
    if not scheme:
        return _Repair("http" if is_loopback(host) else "https", "no scheme")
    if lower in WEBSOCKET_SCHEMES:
        return _Repair(WEBSOCKET_SCHEMES[lower], "a WebSocket's scheme (a handshake carries the origin of its page)")
    if not _SCHEME.fullmatch(lower):
        return _Repair("", "a malformed scheme")
    return _Repair(lower, "" if lower == scheme else "upper-case letters")


def _host(host: str) -> _Repair:
    if host.startswith("["):
        return _ipv6(host[1:-1])
    if not host.isascii():
        return _Repair(_punycode(host), "letters beyond ASCII, which browsers send as Punycode")
    if host != host.lower():
        lower = _host(host.lower())
        return _Repair(lower.text, f"upper-case letters and {lower.fault}" if lower.fault else "upper-case letters")
    if host.endswith(".") and host.strip("."):
        return _Repair(host.rstrip("."), "a trailing dot")
    return _name(host)


def _name(host: str) -> _Repair:
    if not host:
        return _Repair("", "no host")
    if ends_in_number(host) and not is_ipv4(host):
        return _Repair("", "a malformed IPv4 address")
    if len(host) > MAX_HOST or max(map(len, host.split("."))) > MAX_LABEL:
        return _Repair("", f"a host of more than {MAX_HOST} characters or a label of more than {MAX_LABEL}")
    return _Repair(host, "" if _NAME.fullmatch(host) else "characters that no host has")


def _punycode(host: str) -> str:
    import idna  # noqa: PLC0415 - its tables are large, and nearly every list is ASCII

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        return ""


def _ipv6(text: str) -> _Repair:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return _Repair("", "a malformed IPv6 address")
    if address.ipv4_mapped is not None:
        return _Repair(str(address.ipv4_mapped), "an IPv4 address written as IPv6")
    if address.scope_id is not None:
        return _Repair(f"[{ipaddress.IPv6Address(int(address))}]", "an IPv6 zone")
    return _Repair(f"[{address}]", "" if str(address) == text else "an IPv6 address that is not in its compressed form")


def _port(scheme: str, port: str | None) -> _Repair:
    if port is None:
        return _Repair("")
    if not port:
        return _Repair("", "a colon without a port")
    digits = port.lstrip("0")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(MAX_PORT)) and int(digits) <= MAX_PORT):
        return _Repair(":?", "a port that is not between 1 and 65535")
    if digits == DEFAULT_PORTS.get(scheme):
        return _Repair("", "the default port of its scheme")
    return _Repair(f":{digits}", "" if digits == port else "a leading zero in its port")
