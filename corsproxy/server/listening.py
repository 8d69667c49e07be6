"""What a process listens on: the sockets of every listener and of the admin listener, open at once or not at all.

They are opened before there is an event loop, so that workers can inherit them, and they outlive the servers on them.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from corsproxy.server.passed_sockets import PassedSockets
from corsproxy.server.sockets import open_sockets

if TYPE_CHECKING:
    from corsproxy.config.addresses import Listen
    from corsproxy.config.load import Compiled


class Opened(NamedTuple):
    """One socket that listens, and the listener that it belongs to."""

    listen: Listen
    sock: socket.socket

    @property
    def name(self) -> str:
        """The address as people write it, with the port that it really has."""
        address = self.sock.getsockname()
        if not isinstance(address, tuple):
            return f"unix:{address}" if address else str(self.listen)
        scheme = "https" if self.listen.tls_cert else "http"
        return f"{scheme}://{replace(self.listen, passed='', host=address[0], port=address[1])}"


class Listening:
    """The sockets of a configuration; ``close`` closes them and removes the files of unix sockets.

    Raises OSError when an address cannot be listened on, and names it; nothing is left open then.
    """

    def __init__(self, compiled: Compiled, passed: PassedSockets | None = None) -> None:
        self.clients: list[Opened] = []
        self.admin: list[Opened] = []
        self._files = ExitStack()  # of unix sockets
        self._passed = passed or PassedSockets({}, 0)
        try:
            for listen in compiled.listen:
                self.clients += self._open(listen)
            if compiled.admin is not None:
                self.admin += self._open(compiled.admin)
        except OSError:
            self.close()
            raise

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every TCP socket for clients, in the order of the configuration."""
        return _tcp(self.clients)

    @property
    def names(self) -> list[str]:
        """Every address for clients, as people write it."""
        return [opened.name for opened in self.clients]

    @property
    def admin_addresses(self) -> list[tuple[str, int]]:
        """Host and port of the admin listener; [] when it is off."""
        return _tcp(self.admin)

    @property
    def admin_names(self) -> list[str]:
        """Every address of the admin listener, as people write it; [] when it is off."""
        return [opened.name for opened in self.admin]

    def close(self) -> None:
        """Close what is open; without effect the second time."""
        for opened in (*self.clients, *self.admin):
            opened.sock.close()
        self.clients.clear()
        self.admin.clear()
        self._files.close()

    def _open(self, listen: Listen) -> list[Opened]:
        found = self._passed.take(listen) if listen.passed else open_sockets(listen, self._files)
        return [Opened(listen, sock) for sock in found]


def _tcp(opened: list[Opened]) -> list[tuple[str, int]]:
    names = [sock.getsockname() for _, sock in opened]
    return [(name[0], name[1]) for name in names if isinstance(name, tuple)]
