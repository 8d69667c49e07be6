"""Hosts and ports as people write them.

Rules: a host is a name, an IPv4 address, or an IPv6 address in brackets; nothing is looked up; a text that could mean
two things is refused.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

import idna

from corsproxy.config.written import Unusable
from corsproxy.cors.serialized import ends_in_number, is_ipv4

_MAX_PORT = 65535
_MAX_NAME = 253  # https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4, without the root's dot
_HOST_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?", re.DOTALL)
# Underscores are no part of host names (RFC 1123), but container networks are full of them.
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


class HostPort(NamedTuple):
    """A host and a port, taken apart and not looked at yet."""

    host: str  # an IPv6 address in brackets
    port: str | None


def split_host(text: str) -> HostPort:
    """Host and port of ``host[:port]``.

    Raises Unusable for an IPv6 address without brackets, which may end in a port or not.
    """
    if text.count(":") > 1 and not text.startswith("["):
        raise Unusable(f"{text!r} has an IPv6 address without brackets; write it like [::1]:8080")
    match = _HOST_PORT.fullmatch(text)
    return HostPort(match[1], match[2]) if match else HostPort(text, None)


def read_host(host: str, text: str) -> str:
    """The host without brackets; ``text`` is what it is a part of.

    Raises Unusable for what no server is called.
    """
    if host.startswith("["):
        return _ipv6(host[1:-1], text)
    if not host:
        raise Unusable(f"{text!r} has no host")
    if not host.isascii():
        raise _not_ascii(host, text)
    name = host.removesuffix(".")
    # https://url.spec.whatwg.org/#ends-in-a-number-checker: such a host is an IPv4 address or nothing.
    valid = is_ipv4(host) if ends_in_number(host) else all(map(_LABEL.fullmatch, name.split(".")))
    if not valid or len(name) > _MAX_NAME:
        raise Unusable(f"{text!r} has no valid host; write a host name or an IP address")
    return host


def read_port(port: str, least: int) -> int:
    """A port from ``least`` to 65535.

    Raises Unusable for anything else.
    """
    if not (port.isascii() and port.isdecimal()) or not least <= int(port[:6]) <= _MAX_PORT:
        raise Unusable(f"{port!r} is no port; write a number from {least} to {_MAX_PORT}")
    return int(port)


def parse_rule_host(text: str) -> str:
    """The host of a rule as requests are looked up by it: lower case, no port, no brackets.

    Raises Unusable for anything but a host name, an address, or ``*.`` and a host name.
    """
    if text == "*":
        raise Unusable("any host is meant where host is left out; remove this key")
    if "/" in text:
        raise Unusable(f"{text!r} is more than a host", text.partition("://")[2].partition("/")[0].partition(":")[0])
    stars, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    host, port = split_host(name)
    if "*" in host:
        raise Unusable(f"{text!r} has a * where none can stand; a wildcard is *. and a host name")
    if port is not None:
        raise Unusable(f"{text!r} has a port; a rule takes a host's requests at every port", stars + host)
    found = read_host(host, text).removesuffix(".")
    if stars and (ends_in_number(found) or ":" in found):
        raise Unusable(f"{text!r} is a wildcard of an address; only names have subdomains")
    if found != found.lower():
        raise Unusable(f"{text!r} has upper-case letters; hosts are compared in lower case", stars + found.lower())
    return stars + found


def parse_literal_host(text: str) -> bytes:
    """A Host to send: ``host[:port]``.

    Raises Unusable for anything else.
    """
    if "/" in text:
        raise Unusable(f"{text!r} is more than a host", text.partition("://")[2].partition("/")[0])
    host, port = split_host(text)
    read_host(host, text)
    if port is not None:
        read_port(port, 1)
    return text.encode()


def parse_domain(text: str) -> str:
    """A cookie's domain.

    Raises Unusable for anything but a host name.
    """
    if text.startswith("."):
        raise Unusable(f"{text!r} begins with a dot, which has meant nothing since RFC 6265", text.lstrip("."))
    host, port = split_host(text)
    if port is not None:
        raise Unusable(f"{text!r} has a port; cookies belong to hosts", host)
    return read_host(host, text)


def parse_server_name(text: str) -> str:
    """The name that a server's certificate must have.

    Raises Unusable for anything but a host.
    """
    host, port = split_host(text)
    if port is not None:
        raise Unusable(f"{text!r} has a port; certificates name hosts", host)
    return read_host(host, text)


def _ipv6(address: str, text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(address))
    except ValueError:
        raise Unusable(f"{text!r} has no IPv6 address inside its brackets") from None


def _not_ascii(host: str, text: str) -> Unusable:
    try:
        punycode = idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        return Unusable(f"{text!r} has no valid host; write a host name or an IP address")
    return Unusable(f"{text!r} has a host that is not ASCII; write it in Punycode", text.replace(host, punycode))
