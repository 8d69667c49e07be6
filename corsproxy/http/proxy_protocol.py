"""The PROXY protocol, by which a balancer for TCP says who connected to it: versions 1 and 2.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt.  Rules that this file obeys:

- What is not exactly as the specification writes it is refused: whoever comes this way was trusted to say who a client
  is, and a guess would be believed.
- What a balancer does on its own behalf (LOCAL, UNKNOWN), or for a client without an IP address, has no source.
- Extensions (TLVs) are passed over.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

from corsproxy.errors import MalformedPreamble

MOST: Final = 4096  # bytes of a preamble; version 2 allows 64 KiB, and senders are told to stay below 536

_V1: Final = b"PROXY "
_V1_MOST: Final = 107  # with CRLF
_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_HEAD: Final = 16

_LINE = re.compile(rb"PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")

_LOCAL: Final = 0x20
_PROXY: Final = 0x21
# Family and protocol -> bytes of an address; without one: unspecified, and a unix stream.  Datagrams are no stream.
_SIZES: Final = {0x11: 4, 0x21: 16}
_WITHOUT_SOURCE: Final = frozenset({0x00, 0x31})


class Preamble(NamedTuple):
    """How long a preamble was, and whom it names."""

    length: int  # bytes
    source: str | None  # the client's address; None: the peer speaks for itself


def read_preamble(data: bytes) -> Preamble | None:
    """The preamble that a connection begins with; None while it is not whole, and then all of ``data`` belongs to it.

    Raises MalformedPreamble.
    """
    if data.startswith(_V2):
        return _version_2(data)
    if data.startswith(_V1):
        return _version_1(data)
    if _V2.startswith(data) or _V1.startswith(data):
        return None
    raise MalformedPreamble("the connection does not begin with the PROXY protocol")


def _version_1(data: bytes) -> Preamble | None:
    end = data.find(b"\n", 0, _V1_MOST) + 1
    if not end:
        if len(data) >= _V1_MOST:
            raise MalformedPreamble("the line of the PROXY protocol does not end")
        return None
    line = data[:end]
    if _UNKNOWN.fullmatch(line):
        return Preamble(end, None)
    match = _LINE.fullmatch(line)
    if match is None:
        raise MalformedPreamble("the line of the PROXY protocol is malformed")
    family, source, destination, *ports = match.groups()
    if any(int(port) > 65535 for port in ports):
        raise MalformedPreamble("a port of the PROXY protocol is larger than 65535")
    kind = ipaddress.IPv4Address if family == b"TCP4" else ipaddress.IPv6Address
    try:
        kind(destination.decode())
        return Preamble(end, str(kind(source.decode())))
    except ValueError:
        raise MalformedPreamble(f"an address of the PROXY protocol is no {family.decode()} address") from None


def _version_2(data: bytes) -> Preamble | None:
    if len(data) < _V2_HEAD:
        return None
    command, family, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in {_LOCAL, _PROXY}:
        raise MalformedPreamble("the PROXY protocol has another version or command than 2.0, LOCAL or PROXY")
    end = _V2_HEAD + length
    if end > MOST:
        raise MalformedPreamble(f"the PROXY protocol's preamble is longer than {MOST} bytes")
    size = 0 if command == _LOCAL else _SIZES.get(family, 0)
    if command == _PROXY and not size and family not in _WITHOUT_SOURCE:
        raise MalformedPreamble("the PROXY protocol names no family of a stream")
    if length < 2 * size + (4 if size else 0):
        raise MalformedPreamble("the PROXY protocol's addresses are cut short")
    if len(data) < end:
        return None
    source = str(ipaddress.ip_address(data[_V2_HEAD : _V2_HEAD + size])) if size else None
    return Preamble(end, source)
