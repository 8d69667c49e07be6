"""One process after another behind a socket that a third holds, under load: systemd's socket activation."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys

import pytest

from tests.cli.running import CLEAN, Running
from tests.e2e.rig import RawUpstream, config
from tests.server.load import Load, telling_the_path

# What systemd does: the socket is file descriptor 3, and LISTEN_PID the number of the process that it is meant for.
_ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
os.execv(sys.executable, [sys.executable, "-m", "corsproxy", *sys.argv[2:]])
"""


@contextlib.asynccontextmanager
async def activated(sock: socket.socket, *arguments: object):
    """``corsproxy`` with this socket passed to it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _ACTIVATED, str(sock.fileno()), *map(str, arguments)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=CLEAN,
        pass_fds=[sock.fileno()],
    )
    command = Running(process)
    try:
        yield command
    finally:
        if process.returncode is None:
            process.kill()
            await command.ended()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_restart_under_load_loses_no_request(tmp_path, workers):
    """Each client keeps its connection as long as it may; every answer comes, and is the right one."""
    file = tmp_path / "config.yaml"
    flags = ("--workers", workers, "--drain-delay", "1s", "--access-log", "off")
    async with RawUpstream(telling_the_path) as upstream:
        file.write_text(config(upstream.url, listen="systemd:web"))
        with socket.create_server(("127.0.0.1", 0), backlog=128) as sock:
            address = sock.getsockname()
            async with Load(lambda: asyncio.open_connection(*address)) as load:
                for _ in range(2):
                    async with activated(sock, "serve", "-c", file, *flags) as process:
                        started = await process.line("listening on ")
                        assert started == f"listening on http://127.0.0.1:{address[1]}"
                        await load.reached(100)
                        ended = await process.ended(signal.SIGTERM)
                        assert ended.code == 0
                # The last has ended, and its clients wait in the queue of the socket for somebody to come.
                async with activated(sock, "serve", "-c", file, *flags):
                    await load.reached(20)
                    await load.end()
            assert load.failures == []
            assert load.answered > 200
    assert os.environ.get("LISTEN_FDS") is None
