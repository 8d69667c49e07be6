"""Listening sockets: which addresses they have, and what a failure leaves behind."""

from __future__ import annotations

import errno
import os
import re
import socket
from contextlib import ExitStack, closing

import pytest

from corsproxy.config.addresses import Listen, parse_listen
from corsproxy.server import sockets
from corsproxy.server.sockets import bound, loopback_sockets, open_sockets


@pytest.fixture
def files():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def opened(files):
    """Opens an address for the time of a test."""

    def open_(text: str) -> list[socket.socket]:
        return [files.enter_context(closing(sock)) for sock in open_sockets(parse_listen(text), files)]

    return open_


def connects(sock: socket.socket) -> bool:
    with socket.socket(sock.family) as client:
        return client.connect_ex(sock.getsockname()) == 0


def has_ipv6() -> bool:
    try:
        bound("::1", 0).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback here")


# TCP.


def test_a_socket_listens_as_soon_as_it_is_bound(opened):
    (sock,) = opened("127.0.0.1:0")
    host, port = sock.getsockname()
    assert (host, port > 0, connects(sock)) == ("127.0.0.1", True, True)


def test_an_address_in_use_is_named(opened):
    (sock,) = opened("127.0.0.1:0")
    port = sock.getsockname()[1]
    with pytest.raises(OSError, match=f"127.0.0.1:{port}: Address already in use") as refused:
        bound("127.0.0.1", port)
    assert refused.value.errno == errno.EADDRINUSE


def test_a_port_that_somebody_has_bound_first_and_listens_on_later_is_not_shared():
    """With SO_REUSEADDR the kernel lets two be bound to one port; whoever listens first has it."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        with closing(bound("127.0.0.1", other.getsockname()[1])), pytest.raises(OSError, match="in use"):
            other.listen()


@pytest.mark.parametrize(("host", "shown"), [("192.0.2.1", "192.0.2.1:80: "), ("2001:db8::1", "[2001:db8::1]:80: ")])
def test_an_address_of_another_machine_is_named(host, shown):
    with pytest.raises(OSError, match=re.escape(shown)):
        bound(host, 80)


def test_a_name_that_nobody_knows_is_named(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OSError, match=r"api\.internal:80: Name or service not known"):
        bound("api.internal", 80)


def test_a_port_is_free_again_as_soon_as_its_listener_is_closed():
    """A restart must not wait for the connections of the last run to leave TIME_WAIT, which is on the closer's side."""
    first = bound("127.0.0.1", 0)
    address = first.getsockname()
    with socket.create_connection(address) as client:
        accepted, _ = first.accept()
        accepted.close()
        assert client.recv(1) == b""
    first.close()
    bound(*address).close()


@needs_ipv6
def test_every_ipv6_address_is_every_ipv4_address_too(opened):
    (sock,) = opened("[::]:0")
    for family, host in [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]:
        with socket.socket(family) as client:
            client.connect((host, sock.getsockname()[1]))


@needs_ipv6
def test_one_ipv6_address_is_no_ipv4_address(opened):
    (sock,) = opened("[::1]:0")
    with closing(bound("127.0.0.1", sock.getsockname()[1])):
        assert connects(sock)


# localhost.


@needs_ipv6
def test_localhost_is_both_families_on_one_port(opened):
    first, second = opened("localhost:0")
    assert first.getsockname()[0] == "127.0.0.1"
    assert second.getsockname()[0] == "::1"
    assert first.getsockname()[1] == second.getsockname()[1]
    assert connects(first)
    assert connects(second)


@pytest.fixture
def second_family(monkeypatch):
    """What becomes of each attempt to have a port at ::1: an error number, or 0 where there is nothing wrong."""
    errors: list[int] = []
    made: list[socket.socket] = []

    def bound_or_not(host, port):
        if host != "::1":
            made.append(bound(host, port))
            return made[-1]
        if error := errors.pop(0):
            raise OSError(error, "no")
        return bound("127.0.0.1", 0)  # a machine without IPv6 can run these tests

    monkeypatch.setattr(sockets, "bound", bound_or_not)
    return errors, made


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
@pytest.mark.parametrize("port", [0, 1])
def test_without_ipv6_localhost_is_one_address(monkeypatch, second_family, number, port):
    monkeypatch.setattr(sockets, "_ATTEMPTS", 1)
    second_family[0].append(number)
    if port:
        with closing(bound("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    (sock,) = loopback_sockets(port)
    with closing(sock):
        assert connects(sock)


def test_a_port_that_is_free_in_one_family_only_is_left_for_another(second_family):
    errors, made = second_family
    errors += [errno.EADDRINUSE, errno.EADDRINUSE, 0]
    first, second = loopback_sockets(0)
    with closing(first), closing(second):
        assert [sock.fileno() == -1 for sock in made] == [True, True, False]


def test_when_every_port_is_taken_there_is_an_end(second_family):
    errors, made = second_family
    errors += [errno.EADDRINUSE] * 16
    with pytest.raises(OSError, match="no port is free in both loopback families"):
        loopback_sockets(0)
    assert all(sock.fileno() == -1 for sock in made)


def test_a_port_that_was_asked_for_and_is_taken_in_one_family_is_an_error(second_family):
    errors, made = second_family
    errors.append(errno.EADDRINUSE)
    with closing(bound("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(OSError, match="no"):
        loopback_sockets(port)
    assert [sock.fileno() for sock in made] == [-1]


# Unix sockets.


def test_a_unix_socket_is_a_file_while_it_lasts(opened, files, tmp_path):
    (sock,) = opened(f"unix:{tmp_path}/proxy.sock")
    assert connects(sock)
    files.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_process_that_has_died_left_there_is_replaced(opened, tmp_path):
    path = f"{tmp_path}/proxy.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    (sock,) = opened(f"unix:{path}")
    assert connects(sock)


def test_what_belongs_to_a_living_process_is_not(opened, tmp_path):
    """asyncio would take the path away from it, and the two would not even notice."""
    path = f"{tmp_path}/proxy.sock"
    (sock,) = opened(f"unix:{path}")
    with ExitStack() as other, pytest.raises(OSError, match=f"unix:{path}: Address already in use"):
        open_sockets(Listen(unix_path=path), other)
    assert connects(sock)


def test_nor_a_file_that_is_no_socket(opened, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("precious")
    with pytest.raises(OSError, match=f"unix:{path}: Address already in use"):
        opened(f"unix:{path}")
    assert path.read_text() == "precious"


def test_a_file_that_somebody_else_has_put_there_stays(opened, files, tmp_path):
    path = tmp_path / "proxy.sock"
    opened(f"unix:{path}")
    os.link(path, tmp_path / "ours")  # so that the number of its inode is not given away again
    path.unlink()
    path.write_text("theirs")
    files.close()
    assert path.read_text() == "theirs"


def test_a_file_that_is_gone_already_is_no_problem(opened, files, tmp_path):
    opened(f"unix:{tmp_path}/proxy.sock")
    (tmp_path / "proxy.sock").unlink()
    files.close()


@pytest.mark.parametrize("name", ["missing/proxy.sock", "x" * 200])
def test_a_path_that_cannot_be_had_is_named(files, tmp_path, name):
    with pytest.raises(OSError, match=f"unix:{tmp_path}/{name}: (No such file or directory|AF_UNIX path too long)"):
        open_sockets(Listen(unix_path=f"{tmp_path}/{name}"), files)


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o777])
def test_a_unix_socket_has_the_permissions_that_were_asked_for(files, tmp_path, mode):
    path = tmp_path / "proxy.sock"
    (sock,) = open_sockets(Listen(unix_path=str(path), mode=mode), files)
    with closing(sock):
        assert path.stat().st_mode & 0o777 == mode
