"""Listening sockets: one per address, and for ``localhost`` one per loopback family on the same port.

A browser asks ``localhost`` at ::1 or at 127.0.0.1, whichever answers first; a listener on one family alone works on
one machine and not on the next (https://www.rfc-editor.org/rfc/rfc6761#section-6.3).
"""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from corsproxy.config.addresses import Listen

BACKLOG: Final = 1024
_ATTEMPTS = 16  # to find a port that is free in both families

# What a machine without IPv6 says.
_NO_IPV6 = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def open_sockets(listen: Listen, files: ExitStack) -> list[socket.socket]:
    """The sockets of an address, listening; ``files`` removes the file of a unix socket when it is closed.

    Raises OSError that names the address.
    """
    if listen.unix_path:
        return [_unix_socket(Path(listen.unix_path), listen.mode, files)]
    return loopback_sockets(listen.port) if listen.host == "localhost" else [bound(listen.host, listen.port)]


def bound(host: str, port: int) -> socket.socket:
    """A TCP socket that listens on one address; raises OSError that names it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _named(error, Listen(host, port)) from None
    try:
        # A restart must not wait for the connections of the last run to leave TIME_WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        sock.bind(address)
        sock.listen(BACKLOG)  # now, and not by the loop: two sockets may be bound to one port, and only one may listen
    except OSError as error:
        sock.close()
        raise _named(error, Listen(host, port)) from None
    return sock


def loopback_sockets(port: int) -> list[socket.socket]:
    """Sockets for 127.0.0.1 and, where the machine has it, ::1; with port 0 both get the same free port."""
    for _ in range(_ATTEMPTS):
        with ExitStack() as undo:
            first = undo.enter_context(bound("127.0.0.1", port))
            try:
                second = bound("::1", first.getsockname()[1])
            except OSError as error:
                if error.errno in _NO_IPV6:
                    undo.pop_all()
                    return [first]
                if port:
                    raise
                continue  # a free port of the one family was taken in the other
            undo.pop_all()
            return [first, second]
    raise OSError(errno.EADDRINUSE, "no port is free in both loopback families")


def _unix_socket(path: Path, mode: int | None, files: ExitStack) -> socket.socket:
    """A unix socket, in place of the file that a process which has died may have left; a living one keeps its file."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket() and _is_dead(path):
            path.unlink()
        # Nobody connects before listen(), so that a mode which is set between the two is never too late.
        sock.bind(str(path))
        if mode is not None:
            path.chmod(mode)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _named(error, Listen(unix_path=str(path))) from None
    files.callback(_remove, path, path.stat().st_ino)
    return sock


def _is_dead(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)  # whose backlog is full is alive
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED


def _remove(path: Path, inode: int) -> None:
    """Remove the file of a unix socket, unless somebody has put another one in its place."""
    with suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()


def _named(error: OSError, listen: Listen) -> OSError:
    return OSError(error.errno, f"{listen}: {error.strerror or error}")
