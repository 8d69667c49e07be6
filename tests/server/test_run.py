"""Running a server as a process: which loop, which signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import nullcontext

import pytest

from corsproxy.config.load import load_config
from corsproxy.server.listening import Listening
from corsproxy.server.run import Plan, run, run_loop, stop_signals
from tests.e2e.rig import config

LOOPS = pytest.mark.parametrize("name", ["uvloop", "asyncio"])


def compiled(**settings):
    return load_config(config("http://127.0.0.1:1", **settings), "config.yaml", {})


@pytest.fixture
def loop_of(monkeypatch):
    """Choose the loop: a machine without uvloop runs on the standard one."""

    def choose(name):
        if name == "uvloop":
            pytest.importorskip("uvloop")
        else:
            monkeypatch.setitem(sys.modules, "uvloop", None)

    return choose


@LOOPS
def test_uvloop_where_there_is_one(loop_of, name):
    async def main():
        loops.append(type(asyncio.get_running_loop()).__module__.split(".")[0])

    loops: list[str] = []
    loop_of(name)
    run_loop(main())
    assert loops == [name]


@LOOPS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_it_has_listened(loop_of, name, number):
    def started(listening: Listening) -> None:
        addresses.extend(listening.addresses)
        os.kill(os.getpid(), number)

    addresses: list[tuple[str, int]] = []
    loop_of(name)
    assert run(compiled(), nullcontext, started, Plan()) == 0
    with socket.socket() as client:
        assert client.connect_ex(addresses[0])


@LOOPS
def test_an_address_in_use_is_an_oserror(loop_of, name):
    loop_of(name)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        run(compiled(listen=f"127.0.0.1:{taken.getsockname()[1]}"), nullcontext, pytest.fail, Plan())


async def test_every_signal_is_counted():
    asked = stop_signals()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
        assert await asked.get() == number
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_where_loops_take_no_signals_there_are_none(monkeypatch):
    """Windows: KeyboardInterrupt ends the process there."""

    def refuse(*_):
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", refuse)
    assert stop_signals().empty()
