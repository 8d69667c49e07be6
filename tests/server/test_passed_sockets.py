"""Sockets that systemd passes: https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html."""

from __future__ import annotations

import fcntl
import os
import socket

import pytest

from corsproxy.config.addresses import Listen
from corsproxy.config.load import load_config
from corsproxy.server import passed_sockets
from corsproxy.server.listening import Listening
from corsproxy.server.passed_sockets import PassedSockets
from tests.e2e.rig import config

PID = 4711


@pytest.fixture
def passed(monkeypatch):
    """Pass sockets, by their names: as if they were the file descriptors from 3 on."""

    def pass_on(names: str, *sockets: socket.socket, pid: int = PID) -> PassedSockets:
        first = min(sock.fileno() for sock in sockets)
        assert [sock.fileno() for sock in sockets] == list(range(first, first + len(sockets)))
        monkeypatch.setattr(passed_sockets, "_FIRST", first)
        environment = {"LISTEN_PID": str(pid), "LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": names}
        return PassedSockets(environment, PID)

    return pass_on


# Far above what is open: a thread that is left from another test takes the lowest free file descriptor, and dup2() to
# one that is being opened fails.
HIGH = 400


def listening_at(count: int) -> list[socket.socket]:
    """As many sockets, at file descriptors one after the other; they belong to who takes them."""
    moved = []
    for index in range(count):
        with socket.create_server(("127.0.0.1", 0)) as made:
            moved.append(socket.socket(fileno=fcntl.fcntl(made, fcntl.F_DUPFD, HIGH + index)))
    return moved


def test_each_listener_takes_the_sockets_of_its_name(passed):
    sockets = listening_at(3)
    ports = [sock.getsockname()[1] for sock in sockets]
    given = passed("web:admin:web", *sockets)
    text = config("http://a", listen="systemd:web", admin="systemd:admin")
    for sock in sockets:
        sock.detach()
    listening = Listening(load_config(text, "config.yaml", {}), given)
    assert [port for _, port in listening.addresses] == [ports[0], ports[2]]
    assert listening.admin_names == [f"http://127.0.0.1:{ports[1]}"]
    assert not any(os.get_inheritable(opened.sock.fileno()) for opened in listening.clients)
    listening.close()


def test_without_a_name_a_listener_takes_all(passed):
    sockets = listening_at(2)
    given = passed("", *sockets)
    for sock in sockets:
        sock.detach()
    taken = given.take(Listen(passed="*"))
    assert len(taken) == 2
    for sock in taken:
        sock.close()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},  # meant for another process
        {"LISTEN_PID": str(PID), "LISTEN_FDS": "x"},
        {"LISTEN_PID": str(PID), "LISTEN_FDS": "0"},
    ],
)
def test_without_sockets_the_listener_is_named(environment):
    message = "systemd:web: the process was started without such a socket; start it by a socket unit"
    with pytest.raises(OSError, match=message):
        PassedSockets(environment, PID).take(Listen(passed="web"))


def test_what_does_not_listen_is_refused(passed):
    with socket.socket() as sock, pytest.raises(OSError, match=r"systemd: file descriptor \d+ is no stream socket"):
        passed("", sock).take(Listen(passed="*"))


def test_what_is_no_socket_is_refused(passed, monkeypatch, tmp_path):
    with (tmp_path / "file").open("w") as file:
        monkeypatch.setattr(passed_sockets, "_FIRST", file.fileno())
        given = PassedSockets({"LISTEN_PID": str(PID), "LISTEN_FDS": "1"}, PID)
        with pytest.raises(OSError, match=r"systemd: file descriptor \d+: Socket operation on non-socket"):
            given.take(Listen(passed="*"))
