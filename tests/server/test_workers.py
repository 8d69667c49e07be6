"""Several workers under one parent, as an operator meets them: real processes, real signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.cli.running import Running, running
from tests.e2e.rig import (
    EVIL,
    GRANT,
    ORIGIN,
    PATIENCE,
    RawUpstream,
    TransferError,
    answer,
    answering,
    config,
    request,
    silent,
)
from tests.server.load import Load, telling_the_path

OK = answer(b"200 OK", body=b"hello")


@contextlib.asynccontextmanager
async def workers(tmp_path, script=None, *flags, **settings):
    """Two workers in front of a scripted upstream: (process, port, upstream, the configuration's file)."""
    file = tmp_path / "config.yaml"
    async with RawUpstream(script or answering(OK)) as upstream:
        file.write_text(config(upstream.url, **settings))
        async with running("serve", "-c", file, "--workers", "2", "--access-log", "off", *flags) as process:
            port = int((await process.line("listening on ")).rpartition(":")[2])
            try:
                yield process, port, upstream, file
            finally:
                for pid in children(process):  # those of a parent that a failing test kills would end by themselves
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)


def children(process: Running) -> list[int]:
    path = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def threads(process: Running) -> int:
    return len(list(Path(f"/proc/{process.process.pid}/task").iterdir()))


async def two_children(process: Running) -> list[int]:
    """The workers, once both have been started."""
    async with asyncio.timeout(PATIENCE):
        while len(children(process)) < 2:  # noqa: ASYNC110  # nobody tells of them
            await asyncio.sleep(0)
    return children(process)


async def said(process: Running, part: str) -> str:
    """The next line of standard error that holds this."""
    assert process.process.stderr
    async with asyncio.timeout(PATIENCE):
        while line := (await process.process.stderr.readline()).decode():
            if part in line:
                return line
    raise AssertionError(part)


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc here")


@needs_proc
async def test_a_worker_that_dies_or_hangs_is_replaced_and_nobody_else_notices(tmp_path):
    """Those connected to it lose their connection; for all others the sockets are still there."""
    async with workers(tmp_path, None, "--worker-timeout", "2s") as (process, port, _, _):
        first = await two_children(process)
        os.kill(first[0], signal.SIGKILL)
        line = await said(process, "ended by signal SIGKILL; another one is started in 0s")
        assert f"worker {first[0]} " in line
        os.kill(first[1], signal.SIGSTOP)
        assert f"worker {first[1]} has hung for 2s" in await said(process, "has hung")
        await said(process, f"worker {first[1]} ended by signal SIG")
        assert set(await two_children(process)).isdisjoint(first)
        for _ in range(5):
            assert (await (await process.connect(port)).ask(b"GET /x", ORIGIN)).cors == GRANT
        assert (await process.ended(signal.SIGTERM)).code == 0


async def test_reload_is_for_all_workers_or_for_none(tmp_path):
    """Under load: every request is answered, and after the reload every worker judges by the new policy."""
    async with workers(tmp_path, telling_the_path) as (process, port, upstream, file):
        async with Load(lambda: asyncio.open_connection("127.0.0.1", port)) as load:
            await load.reached(50)
            file.write_text("rules: 5\npolices: {}\n")
            process.process.send_signal(signal.SIGHUP)
            assert "config.yaml:1:8: this must be a list, not 5" in await said(process, "config.yaml")
            assert "unknown key 'polices'" in await said(process, "config.yaml")
            assert "(2 problems); the one before stays in force" in await said(process, "configuration refused")
            await load.reached(50)
            file.write_text(config(upstream.url, policy={"allow_origins": [EVIL]}, listen="127.0.0.1:1"))
            process.process.send_signal(signal.SIGHUP)
            assert "listen has changed, which takes effect when the proxy is started again" in await said(process, "li")
            await said(process, "configuration reloaded")
            await load.reached(50)
        assert load.failures == []
        for _ in range(8):
            assert (await (await process.connect(port)).ask(b"GET /x", ORIGIN)).cors == []
        assert (await process.ended(signal.SIGTERM)).code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
async def test_the_end_waits_for_requests_in_flight_and_a_second_signal_for_none(tmp_path, number):
    async with workers(tmp_path, silent) as (process, port, upstream, _):
        client = await (await process.connect(port)).send(request(b"GET /slow"))
        await (await upstream.connection()).until(lambda: upstream.requests)
        # To the whole group, as a terminal and systemd do: for the workers it counts once, too.
        for pid in (process.process.pid, *children(process)):
            os.kill(pid, number)
        await said(process, "waiting up to 10s for 1 exchange in flight")
        process.process.send_signal(signal.SIGTERM)
        with pytest.raises(TransferError):
            await client.response()
        assert (await process.ended()).code == 0


@needs_proc
async def test_whichever_worker_is_asked_tells_the_metrics_of_all_and_of_the_dead(tmp_path):
    """The parent has no thread, so that it may fork again: whatever writes or exports has its own in each worker."""
    async with workers(tmp_path, admin="127.0.0.1:0") as (process, port, upstream, file):
        admin = int((await process.line("admin on ")).rpartition(":")[2])
        first = await two_children(process)
        for _ in range(20):
            await (await process.connect(port)).ask(b"GET /x")
        assert (await metrics(process, admin))[ASKED] == 20
        assert threads(process) == 1
        for pid in first:
            os.kill(pid, signal.SIGKILL)
            await said(process, f"worker {pid} ended by signal SIGKILL")
        file.write_text("rules: 5\n")
        process.process.send_signal(signal.SIGHUP)
        await said(process, "configuration refused")
        file.write_text(config(upstream.url, admin="127.0.0.1:0", policy={"allow_origins": [EVIL]}))
        process.process.send_signal(signal.SIGHUP)
        reloaded = await said(process, "configuration reloaded")
        await (await process.connect(port)).ask(b"GET /x")
        found = await metrics(process, admin)
        assert found[ASKED] == 21
        assert found["corsproxy_workers_replaced_total"] == 2
        assert [found[f'corsproxy_reloads_total{{result="{result}"}}'] for result in ("loaded", "refused")] == [1, 1]
        digest = reloaded.partition("(")[2].partition(")")[0]
        assert [name for name in found if "config_info" in name] == [f'corsproxy_config_info{{hash="{digest}"}}']


ASKED = 'corsproxy_requests_total{outcome="not-cors",rule="/",status="2xx"}'


async def metrics(process: Running, admin: int) -> dict[str, float]:
    """The samples that one of the workers tells, by name and labels."""
    text = (await (await process.connect(admin)).ask(b"GET /metrics")).body.decode()
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in samples}


@needs_proc
async def test_workers_do_not_outlive_their_parent(tmp_path):
    async with workers(tmp_path) as (process, port, _, _):
        client = await process.connect(port)
        await client.ask(b"GET /x")
        orphans = await two_children(process)
        process.process.kill()
        assert await client.until_ended()
        async with asyncio.timeout(PATIENCE):
            while any(alive(pid) for pid in orphans):  # noqa: ASYNC110  # nobody tells of a process that is no child
                await asyncio.sleep(0)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_workers_that_never_serve_are_given_up(tmp_path):
    """What keeps each of them from it will not go away; the exit code says so."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, corsproxy.server.worker as worker\nworker.ignore_signals = lambda: os._exit(3)\n"
    )
    file = tmp_path / "config.yaml"
    file.write_text(config("http://127.0.0.1:1"))
    environment = {"PYTHONPATH": str(tmp_path)}
    async with running("serve", "-c", file, "--workers", "2", environment=environment) as process:
        ended = await process.ended()
    assert ended.code == 1
    assert "ended by exit status 3, and none has ever served; giving up" in ended.err
    assert "listening" not in ended.out


async def test_every_worker_asks_the_shadow_and_a_file_is_tried_in_all_of_them(tmp_path):
    """First the shadow that the configuration names, then another configuration, which SIGHUP puts in force."""
    verdicts = 'corsproxy_shadow_verdicts_total{rule="/",verdict="newly-denied"}'
    tried = tmp_path / "tried.yaml"
    tried.write_text("rules: [{path: /, upstream: 'http://127.0.0.1:1', policy: {allow_origins: https://b.example}}]")
    top = {"admin": "127.0.0.1:0", "shadow": "tried.yaml"}
    async with workers(tmp_path, None, "--shadow-reload", "--no-watch", **top) as (process, port, upstream, file):
        admin = int((await process.line("admin on ")).rpartition(":")[2])
        assert await process.line("in the shadow: ") == f"in the shadow: {tried}"

        async def asked(count: int) -> list[bool]:
            """Whether the page is let in, on connections of their own."""
            answers = [await (await process.connect(port)).ask(b"GET /x", ORIGIN) for _ in range(count)]
            return sorted({answered.cors == GRANT for answered in answers})

        assert await asked(8) == [True]
        assert (await metrics(process, admin))[verdicts] == 8
        file.write_text(config(upstream.url, policy={"allow_origins": [EVIL]}, admin="127.0.0.1:0"))
        process.process.send_signal(signal.SIGHUP)
        await said(process, "SIGHUP puts it in force")
        assert await asked(8) == [True]
        assert (await metrics(process, admin))[verdicts] == 16
        process.process.send_signal(signal.SIGHUP)
        await said(process, "configuration reloaded")
        assert await asked(8) == [False]
        assert (await process.ended(signal.SIGTERM)).code == 0
