"""What the loop's transports do not offer: a reset, and whether a peer is still there that nobody reads from."""

from __future__ import annotations

import asyncio
import socket
import struct

_LINGER_NOT = struct.pack("ii", 1, 0)
_ENDED_BY_PEER = frozenset({7, 8})  # TCP_CLOSE after a reset, TCP_CLOSE_WAIT after a FIN (Linux, tcp_states.h)


def reset(transport: asyncio.Transport) -> None:
    """End a connection by RST: what ends in an orderly way looks complete to a peer that reads to the end."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()


def peer_has_gone(transport: asyncio.Transport) -> bool:
    """Whether the peer has ended the connection: no loop tells while reading from it is paused.

    Where the system does not say (no Linux, a unix socket), the peer counts as there.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX or not hasattr(socket, "TCP_INFO"):
        return False
    state: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state in _ENDED_BY_PEER
