"""Sockets that the process was started with: systemd's socket activation.

A socket that another process holds outlives this one, so that clients that come between two runs wait in its queue and
are served by the next (https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from corsproxy.config.addresses import Listen

ANY: Final = "*"  # a listener that takes every socket which no other listener names

_FIRST = 3  # SD_LISTEN_FDS_START
_REMEDY = "start it by a socket unit, or write an address"


class PassedSockets:
    """The sockets by the names that their unit gave them, read from the environment that they came with."""

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        self._left: list[tuple[str, int]] = []
        if environment.get("LISTEN_PID") == str(pid) and environment.get("LISTEN_FDS", "").isdecimal():
            count = int(environment["LISTEN_FDS"])
            names = environment.get("LISTEN_FDNAMES", "").split(":") + [""] * count
            self._left = [(name, _FIRST + index) for index, name in enumerate(names[:count])]

    def take(self, listen: Listen) -> list[socket.socket]:
        """The sockets of a listener, which nobody else gets then.

        Raises OSError when there is none, or when one is no stream socket that listens.
        """
        wanted = [entry for entry in self._left if listen.passed in {ANY, entry[0]}]
        if not wanted:
            raise OSError(errno.ENOENT, f"{listen}: the process was started without such a socket; {_REMEDY}")
        self._left = [entry for entry in self._left if entry not in wanted]
        return [_socket(listen, number) for _, number in wanted]


def _socket(listen: Listen, number: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=number)
    except OSError as error:
        raise OSError(error.errno, f"{listen}: file descriptor {number}: {error.strerror}") from None
    sock.settimeout(0)
    sock.set_inheritable(False)  # no child of ours is meant to have it
    if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        raise OSError(errno.EINVAL, f"{listen}: file descriptor {number} is no stream socket that listens")
    return sock
