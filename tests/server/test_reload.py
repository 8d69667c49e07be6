"""A configuration that is replaced while requests go on: whole or not at all, without a trace of the one before."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
import trustme

from corsproxy.config.load import load_config
from corsproxy.server import reload
from corsproxy.server.colleagues import Alone
from corsproxy.server.config_file import ConfigFile
from corsproxy.server.reload import Reloader, Reloads, accepted
from corsproxy.server.watch import Watch
from tests.e2e.rig import (
    EVIL,
    GRANT,
    ORIGIN,
    RawUpstream,
    RunningProxy,
    ServerWire,
    answer,
    answering,
    between,
    config,
    no_surprises,
    request,
)
from tests.server.load import Load, telling_the_path
from tests.server.test_admin import admin_client

OK = answer(b"200 OK", body=b"ok")
RELOADS = int(os.environ.get("CORSPROXY_TEST_RELOADS", "100"))  # scripts/reload-under-load asks for more


class Reloaded(RunningProxy):
    """A proxy whose file can be written anew."""

    def __init__(self, file: Path, text: str, *, shadow_first: bool = False) -> None:
        file.write_text(text)
        self.file = file
        source = ConfigFile(str(file), {}, "corsproxy-test")
        self.running = source.compile(text.encode())
        super().__init__(self.running)
        self.alone = Alone()
        self.watch = Watch(source, text.encode(), self.running)
        self.reloader = Reloader(self.server, Reloads(self.watch, self.running, shadow_first=shadow_first), self.alone)

    async def reload(self, text: str | None = None, *, asked: bool = True) -> None:
        if text is not None:
            self.file.write_text(text)
        await self.reloader.reload(self.watch.now(), asked=asked)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()
        await self.server.stop()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


async def test_many_reloads_under_load_lose_no_request_and_leak_nothing(tmp_path):
    """Every second one changes the policy, every third adds an upstream, which the next takes away again."""
    async with RawUpstream(telling_the_path) as upstream:
        texts = [
            config(upstream.url),
            config(upstream.url, policy={"allow_origins": [EVIL]}),
            config(upstream.url, rule={"path": "/", "upstream": upstream.named("localhost")}),
        ]
        with no_surprises():
            async with Reloaded(tmp_path / "config.yaml", texts[0]) as proxy:

                def connect():
                    return asyncio.open_connection(proxy.host, proxy.port)

                async with Load(connect) as load:
                    await load.reached(20)
                    before = descriptors()
                    for number in range(RELOADS):
                        await proxy.reload(texts[number % 3])
                        await load.reached(3)
                    await proxy.reload(texts[0])
                    await load.reached(20)
                    after = descriptors()
                assert load.failures == []
                assert load.connections == 6  # nobody was disconnected
                assert proxy.alone.state.reloads == RELOADS + 1
                assert after - before < 12  # at most one more connection to each upstream for each client
                assert len(proxy.server._walk.pools._pools) == 1


async def test_new_limits_are_those_of_new_connections_and_what_is_shown_is_in_force(tmp_path):
    """The sockets stay what they are, whatever the file says."""
    async with (
        RawUpstream(answering(OK)) as upstream,
        Reloaded(tmp_path / "config.yaml", config(upstream.url, admin="127.0.0.1:0")) as proxy,
    ):
        first = await proxy.connect()
        assert (await first.ask(b"GET /x")).status == 200
        await proxy.reload(config(upstream.url, listen="127.0.0.1:1", limits={"max_connections": 1}))
        assert (await (await proxy.connect()).ask(b"GET /x")).status == 503
        assert (await first.ask(b"GET /x")).status == 200
        client = await admin_client(proxy)
        shown = json.loads((await client.ask(b"GET /config")).body)
        assert (shown["listen"], shown["admin"]) == (["127.0.0.1:0"], "127.0.0.1:0")
        assert shown["limits"]["max_connections"] == 1


async def test_connections_of_an_unchanged_upstream_stay_and_of_one_that_is_gone_end(tmp_path):
    async with (
        RawUpstream(answering(OK)) as upstream,
        RawUpstream(answering(OK)) as other,
        Reloaded(tmp_path / "config.yaml", config(upstream.url)) as proxy,
    ):
        await proxy.ask(b"GET /x")
        await proxy.reload(config(upstream.url, policy={"allow_origins": [EVIL]}))
        assert (await proxy.ask(b"GET /x", ORIGIN)).cors == []
        assert len(upstream.connections) == 1
        await proxy.reload(config(other.url))
        assert await upstream.connections[0].until_ended()
        assert (await proxy.ask(b"GET /x", ORIGIN)).cors == GRANT
    assert len(other.requests) == 1


async def test_what_is_under_way_ends_as_it_began_and_its_connection_is_not_kept(tmp_path):
    go_on = asyncio.Event()

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await go_on.wait()
        await wire.send(OK)
        await wire.until_ended()

    async with (
        RawUpstream(script) as upstream,
        RawUpstream(answering(OK)) as other,
        Reloaded(tmp_path / "config.yaml", config(upstream.url)) as proxy,
    ):
        slow = await proxy.send(request(b"GET /slow", ORIGIN))
        await (await upstream.connection()).until(lambda: upstream.requests)
        await proxy.reload(config(other.url, policy={"allow_origins": [EVIL]}))
        assert (await proxy.ask(b"GET /x")).body == b"ok"
        go_on.set()
        assert (await slow.response()).cors == GRANT
        assert await upstream.connections[0].until_ended()


async def test_tunnels_and_event_streams_live_on(tmp_path):
    async def script(wire: ServerWire) -> None:
        asked = await wire.request()
        if asked.target == b"/ws":
            await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        else:
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while True:
            await reloaded.wait()
            await wire.send(b"data: after\n\n")
            await wire.until_ended()

    reloaded = asyncio.Event()
    async with (
        RawUpstream(script) as upstream,
        RawUpstream(answering(OK)) as other,
        Reloaded(tmp_path / "config.yaml", config(upstream.url)) as proxy,
    ):
        tunnel, events = await proxy.connect(), await proxy.send(request(b"GET /events"))
        assert (await tunnel.ask(b"GET /ws", b"Connection: Upgrade", b"Upgrade: websocket")).status == 101
        await events.until(lambda: b"event-stream" in events.pending)
        for text in (config(upstream.url, policy={"allow_origins": [EVIL]}), config(other.url)):
            await proxy.reload(text)
        reloaded.set()
        for client in (tunnel, events):
            await client.until(lambda client=client: b"data: after" in client.pending)


@pytest.mark.parametrize("text", ["rules: [", "listen: 8080\nrules: []\n", "\xff", None], ids=repr)
async def test_an_invalid_file_changes_nothing_and_says_everything(tmp_path, caplog, text):
    async with (
        RawUpstream(answering(OK)) as upstream,
        Reloaded(tmp_path / "config.yaml", config(upstream.url)) as proxy,
    ):
        table = proxy.server.table
        if text is None:
            proxy.file.unlink()
        else:
            proxy.file.write_bytes(text.encode("latin-1"))
        await proxy.reload()
        assert proxy.server.table is table
        assert (await proxy.ask(b"GET /x", ORIGIN)).cors == GRANT
        state = proxy.alone.state
    assert (state.reloads, state.refused_reloads) == (0, 1)
    assert all(problem in caplog.text for problem in state.refused)
    assert f"configuration refused ({len(state.refused)} problem" in caplog.text


async def test_a_file_of_tls_that_cannot_be_loaded_refuses_the_whole(tmp_path, caplog):
    async with (
        RawUpstream(answering(OK)) as upstream,
        Reloaded(tmp_path / "config.yaml", config(upstream.url)) as proxy,
    ):
        bad = {"url": "https://a", "tls": {"ca": f"{tmp_path}/missing.pem"}}
        rules = [{"upstream": "api", "policy": "none"}]
        await proxy.reload(config(upstream.url, upstreams={"api": bad}, rules=rules))
        assert (await proxy.ask(b"GET /x", ORIGIN)).cors == GRANT
    assert "the upstream api: the authorities in" in caplog.text


async def test_what_takes_a_restart_is_said(tmp_path, caplog):
    running = load_config(config("http://a", listen="127.0.0.1:1"), "config.yaml", {})
    other = load_config(config("http://a", listen="127.0.0.1:2", admin="127.0.0.1:3"), "config.yaml", {})
    (tmp_path / "config.yaml").write_text("")
    watch = Watch(ConfigFile(str(tmp_path / "config.yaml"), {}, "a"), b"", running)
    state = accepted(replace(Alone().state, refused=("x",)), watch, other, running)
    assert [f"{key} has changed, which takes effect" in caplog.text for key in ("listen", "admin")] == [True, True]
    assert (state.refused, state.reloads, state.config_hash) == ((), 1, watch.config_hash)


async def test_a_certificate_is_renewed_for_new_connections(tmp_path):
    """Also for clients that name no server; a connection that stands goes on."""

    def issue(name):
        authority = trustme.CA()
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(f"{tmp_path}/cert.pem")
        context = ssl.create_default_context()
        context.check_hostname = False
        authority.configure_trust(context)
        return context

    async def asked(context, name):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=context, server_hostname=name)
        writer.write(request(b"OPTIONS *"))
        assert (await reader.readline()).startswith(b"HTTP/1.1 204 ")
        return reader, writer

    old = issue("old.example")
    tls = {"cert": f"{tmp_path}/cert.pem", "key": f"{tmp_path}/cert.pem"}
    text = config("http://127.0.0.1:1", listen={"address": "127.0.0.1:0", "tls": tls})
    async with Reloaded(tmp_path / "config.yaml", text) as proxy:
        _, kept = await asked(old, "a.example")
        new = issue("new.example")
        assert proxy.watch.look() is None  # seen once
        change = proxy.watch.look()
        assert change is not None
        assert change.renewed == {tls["cert"]}
        await proxy.reloader.reload(change, asked=False)
        assert proxy.watch.look() is None
        for name in ("a.example", ""):
            _, writer = await asked(new, name)
            writer.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asked(old, "a.example")
        kept.write(request(b"OPTIONS *"))
        kept.close()


async def test_only_clients_with_a_certificate_get_in(tmp_path):
    authority, clients = trustme.CA(), trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(f"{tmp_path}/cert.pem")
    clients.cert_pem.write_to_path(f"{tmp_path}/clients.pem")
    tls = {"cert": f"{tmp_path}/cert.pem", "key": f"{tmp_path}/cert.pem", "client_ca": f"{tmp_path}/clients.pem"}
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with between(answering(OK), listen={"address": "127.0.0.1:0", "tls": tls}) as (_, proxy):

        async def status():
            reader, writer = await asyncio.open_connection(
                proxy.host, proxy.port, ssl=context, server_hostname="localhost"
            )
            writer.write(request(b"OPTIONS *"))
            line = await reader.readline()
            writer.close()
            return line

        # With TLS 1.3 the client hears of it only when it reads, and may have been reset by then.
        with contextlib.suppress(OSError):
            assert await status() == b""
        clients.issue_cert("client@example.com").configure_cert(context)
        assert (await status()).startswith(b"HTTP/1.1 204 ")


async def test_it_is_asked_for_by_a_signal_or_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(reload, "INTERVAL", 0.01)
    async with (
        RawUpstream(answering(OK)) as upstream,
        Reloaded(tmp_path / "config.yaml", config(upstream.url)) as proxy,
    ):
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, asked.set)
        running = asyncio.ensure_future(proxy.reloader.run(asked, watching=False))
        os.kill(os.getpid(), signal.SIGHUP)  # nothing has changed, and it is reloaded all the same
        async with asyncio.timeout(10):
            while not proxy.alone.state.reloads:  # noqa: ASYNC110  # nobody is told
                await asyncio.sleep(0)
        running.cancel()
        running = asyncio.ensure_future(proxy.reloader.run(asked, watching=True))
        proxy.file.write_text(config(upstream.url, policy={"allow_origins": [EVIL]}))
        async with asyncio.timeout(10):
            while proxy.alone.state.reloads < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
        running.cancel()
        loop.remove_signal_handler(signal.SIGHUP)
        assert (await proxy.ask(b"GET /x", ORIGIN)).cors == []


# The shadow


TRIED = {"allow_origins": [EVIL]}


def shadows(proxy):
    """What is tried, and what is in force."""
    return proxy.server.compiled.shadow, proxy.server.table


async def test_a_shadow_is_read_again_with_the_configuration_and_whole_or_not_at_all(tmp_path):
    """A path in it begins at the configuration's folder, and the file is watched."""
    (tmp_path / "conf").mkdir()
    tried = tmp_path / "conf" / "tried.yaml"
    async with RawUpstream(answering(OK)) as upstream:
        tried.write_text(config(upstream.url, policy=TRIED))
        text = config(upstream.url, shadow="tried.yaml")
        async with Reloaded(tmp_path / "conf" / "config.yaml", text) as proxy:
            before = shadows(proxy)
            for content, problem in [
                (b"rules: [", "tried.yaml:1:9"),
                (b"\xff", "tried.yaml: byte 0 of the file is not UTF-8"),
                (text.encode(), "tried.yaml:11:1: this configuration is itself tried as a shadow"),
                (None, "config.yaml:11:9: the shadow"),
            ]:
                tried.write_bytes(content) if content is not None else tried.unlink()
                await proxy.reload()
                assert any(problem in found for found in proxy.alone.state.refused), problem
                assert shadows(proxy) == before
            await proxy.ask(b"GET /x", ORIGIN)
            assert (await proxy.recorded())[0].shadow
            tried.write_text(config(upstream.url))
            assert proxy.watch.look() is None  # seen once
            change = proxy.watch.look()
            assert change is not None
            await proxy.reloader.reload(change, asked=False)
            assert proxy.alone.state.refused == ()
            assert (await proxy.ask(b"GET /x", ORIGIN)).cors == GRANT
            assert (await proxy.recorded(2))[1].shadow is None
            await proxy.reload(config(upstream.url))
            assert shadows(proxy)[0] is None


async def test_a_file_is_tried_first_and_in_force_when_that_is_asked_for(tmp_path, caplog):
    caplog.set_level("INFO")
    async with RawUpstream(answering(OK)) as upstream:
        now, then = config(upstream.url), config(upstream.url, policy=TRIED)
        async with Reloaded(tmp_path / "config.yaml", now, shadow_first=True) as proxy:
            hashes = proxy.watch.config_hash

            async def asked() -> tuple[bool, bool]:
                """Whether the page is let in, and whether the shadow would see that otherwise."""
                answered = await proxy.ask(b"GET /x", ORIGIN)
                return answered.cors == GRANT, bool((await proxy.recorded(len(proxy.exchanges) or 1))[-1].shadow)

            await proxy.reload(then, asked=False)
            assert await asked() == (True, True)
            assert proxy.alone.state.reloads == 0
            assert proxy.alone.state.shadow_config not in {"", hashes}
            assert "SIGHUP puts it in force" in caplog.messages[-1]
            await proxy.reload(config(upstream.url, policy="nobody"))  # what is refused ends nothing
            assert proxy.alone.state.refused
            assert await asked() == (True, True)
            await proxy.reload(now)  # it is in force already, which drops what was tried
            assert (await asked(), proxy.alone.state.shadow_config) == ((True, False), "")
            await proxy.reload(then)
            assert await asked() == (True, True)  # asked for, and not tried yet
            await proxy.reload()
            assert await asked() == (False, False)
            assert (proxy.alone.state.config_hash, proxy.alone.state.shadow_config) == (proxy.watch.config_hash, "")
            assert proxy.watch.config_hash != hashes


async def test_a_certificate_is_renewed_while_another_file_is_tried(tmp_path):
    """Of what is only tried nothing else is in force; and what could not come in force is not tried."""

    def issue():
        trustme.CA().issue_cert("a.example").private_key_and_cert_chain_pem.write_to_path(f"{tmp_path}/cert.pem")

    issue()
    tls = {"address": "127.0.0.1:0", "tls": {"cert": f"{tmp_path}/cert.pem", "key": f"{tmp_path}/cert.pem"}}
    text = config("http://127.0.0.1:1", listen=tls)
    async with Reloaded(tmp_path / "config.yaml", text, shadow_first=True) as proxy:
        await proxy.reload(config("http://127.0.0.1:1", listen=tls, policy=TRIED))
        issue()
        change = proxy.watch.now()
        assert change.renewed == {f"{tmp_path}/cert.pem"}
        await proxy.reloader.reload(change, asked=False)
        assert proxy.watch.now().renewed == set()
        assert proxy.alone.state.shadow_config
        tls["tls"]["cert"] = f"{tmp_path}/none.pem"
        await proxy.reload(config("http://127.0.0.1:1", listen=tls))
        assert "none.pem" in proxy.alone.state.refused[0]
