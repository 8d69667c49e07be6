"""Addresses as people write them: where to listen, where upstreams are, whose networks are trusted.

Rules: what could mean two things is refused with the text that means one (``:8080`` is every interface, so that is what
has to be written); nothing is looked up.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from corsproxy.config.hosts import read_host, read_port, split_host
from corsproxy.config.paths import parse_base, parse_socket
from corsproxy.config.table import Endpoint
from corsproxy.config.written import Unusable

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_WEBSOCKET: Final = {"ws": "http", "wss": "https"}
_MODE = re.compile(r"0?[0-7]{3}")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where clients connect."""

    host: str = ""  # "" for a unix socket
    port: int = 0  # 0: any free one
    unix_path: str = ""  # "" for TCP
    tls_cert: str = ""  # PEM file; "": plain HTTP
    tls_key: str = ""
    tls_client_ca: str = ""  # PEM file with the authorities of clients' certificates; "": clients need none
    passed: str = ""  # sockets that systemd passes: their name, or "*" for all of them
    mode: int | None = None  # permissions of a unix socket; None: what the process's umask leaves
    proxy_protocol: bool = False  # whether trusted proxies say first who connected to them

    def __str__(self) -> str:
        if self.passed:
            return "systemd" if self.passed == "*" else f"systemd:{self.passed}"
        if self.unix_path:
            return f"unix:{self.unix_path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> Listen:
    """A listener's address: ``host:port``, ``unix:/path``, ``systemd`` or ``systemd:NAME``.

    Raises Unusable for anything else.
    """
    if text == "systemd":
        return Listen(passed="*")
    if text.startswith("systemd:"):
        return Listen(passed=_socket_name(text.removeprefix("systemd:")))
    if text.startswith("unix:"):
        return Listen(unix_path=parse_socket(text))
    if text.isdecimal():
        raise Unusable(f"{text} is only a port; say on which address", f"127.0.0.1:{text}")
    if "://" in text:
        raise Unusable(f"{text!r} is a URL; a listener has only an address", text.partition("://")[2].partition("/")[0])
    host, port = split_host(text)
    if port is None:
        raise Unusable(f"{text!r} has no port; write host:port")
    if host in {"", "*"}:
        raise Unusable(f"{text!r} is every interface of this machine; say so, or name one", f"0.0.0.0:{port}")
    return Listen(read_host(host, text), read_port(port, 0))


def parse_mode(text: str) -> int:
    """Permissions of a unix socket, in octal digits as chmod takes them.

    Raises Unusable for anything else.
    """
    if not _MODE.fullmatch(text):
        raise Unusable(f"{text!r} is no mode of a socket; write it in octal digits, in quotes", "0660")
    return int(text, 8)


def _socket_name(name: str) -> str:
    # What FileDescriptorName= of a unit takes (systemd.socket(5)), without what would look like a separator.
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,255}", name):
        raise Unusable(f"{name!r} is no name of a socket; write the FileDescriptorName of its unit, as in systemd:web")
    return name


def is_upstream_url(text: str) -> bool:
    """Whether this is meant as a URL, and not as the name of an upstream."""
    return "://" in text or text.startswith("unix:")


def parse_endpoint(text: str) -> tuple[Endpoint, bytes]:
    """An upstream's URL: where to connect, and the base path without a trailing slash.

    Raises Unusable for anything but ``http://host[:port][/base]``, https likewise, or ``unix:/path``.
    """
    if text.startswith("unix:"):
        # A server behind a socket has no name; this is what other clients of such servers send.
        return Endpoint(tls=False, host="", port=0, unix_path=parse_socket(text), authority=b"localhost"), b""
    scheme, authority, path = _split_url(text)
    host, port = split_host(authority)
    name, default = read_host(host, text), _DEFAULT_PORTS[scheme]
    number = read_port(port, 1) if port else default
    # Without the default port (https://www.rfc-editor.org/rfc/rfc9110#section-4.2.3), and without an IPv6 zone, which
    # means nothing to the other side.
    shown = f"[{name.partition('%')[0]}]" if ":" in name else name
    sent = shown if number == default else f"{shown}:{number}"
    endpoint = Endpoint(tls=scheme == "https", host=name, port=number, unix_path="", authority=sent.encode())
    return endpoint, parse_base(path)


def parse_network(text: str) -> str:
    """A network in CIDR notation, or a single address.

    Raises Unusable for anything else.
    """
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Unusable(f"{text!r} is no network; write it like 10.0.0.0/8 or 10.1.2.3") from None
    if network.network_address != ipaddress.ip_address(text.partition("/")[0]):
        raise Unusable(
            f"{text!r} is an address inside a network; write the network, or the address alone", str(network)
        )
    return str(network)


def _split_url(text: str) -> tuple[str, str, str]:
    """Scheme, authority and path of a URL that an upstream can have."""
    match = _URL.fullmatch(text)
    if match is None:
        raise Unusable(f"{text!r} is no URL; write it like http://host:port")
    scheme, authority, path, rest = match.groups()
    if "@" in authority:
        # The text is not repeated: it holds a password.
        raise Unusable("a URL must hold no user name or password; set Authorization under headers.request of the rule")
    known = _WEBSOCKET.get(scheme.lower(), scheme.lower())
    if known not in _DEFAULT_PORTS:
        raise Unusable(f"{text!r} has the scheme {scheme}; an upstream speaks http or https")
    if known != scheme:
        raise Unusable(
            f"{text!r} has the scheme {scheme}; write {known}, WebSockets included", f"{known}://{authority}{path}"
        )
    if rest:
        raise Unusable(f"{text!r} has a query or fragment; requests bring their own", f"{scheme}://{authority}{path}")
    return scheme, authority, path
