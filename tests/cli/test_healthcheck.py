"""``corsproxy healthcheck``: yes or no, over whatever the proxy listens on."""

from __future__ import annotations

import asyncio
import signal
import socket

import pytest
import trustme
from click.testing import CliRunner

from corsproxy.cli.healthcheck import healthcheck
from corsproxy.cli.main import cli
from corsproxy.errors import InvalidConfig
from tests.cli.running import ran, running
from tests.e2e.messages import request
from tests.e2e.rig import RawUpstream, ServerWire, between, config, running_proxy, silent

NOBODY = "http://127.0.0.1:1"  # the upstream: its health is not asked for


@pytest.fixture
def ask(tmp_path):
    """Ask the proxy of a configuration; in a thread, since the proxy runs on this one."""

    async def ask(*arguments, **settings):
        file = tmp_path / "asked.yaml"
        file.write_text(config(NOBODY, **settings))
        return await asyncio.to_thread(CliRunner().invoke, healthcheck, ["-c", str(file), *arguments])

    return ask


def assert_ready(result):
    assert (result.exit_code, result.output) == (0, "ready\n")


# Whom it asks.


async def test_without_admin_the_proxy_itself_is_asked(ask):
    """``OPTIONS *`` concerns the server and no rule (RFC 9110 9.3.7)."""
    async with running_proxy(config(NOBODY, rule={"path": "/api", "host": "api.example.com"})) as proxy:
        assert_ready(await ask(listen=f"127.0.0.1:{proxy.port}"))
        (record,) = await proxy.recorded()
    assert (record.method, record.target, record.status) == (b"OPTIONS", b"*", 204)


async def test_with_admin_its_readiness_is_asked(ask):
    async with running_proxy(config(NOBODY, admin="127.0.0.1:0")) as proxy:
        (_, port), *_ = proxy.server.admin_addresses
        assert_ready(await ask(listen="127.0.0.1:2", admin=f"127.0.0.1:{port}"))
        assert proxy.exchanges == []


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "localhost"])
async def test_a_listener_on_every_address_is_asked_on_loopback(ask, host):
    try:
        async with running_proxy(config(NOBODY, listen=f"{host}:0")) as proxy:
            assert_ready(await ask(listen=f"{host}:{proxy.port}"))
    except OSError as error:
        pytest.skip(f"cannot listen on {host} here: {error}")


async def test_over_a_unix_socket(ask, tmp_path):
    listen, admin = f"unix:{tmp_path}/proxy.sock", f"unix:{tmp_path}/admin.sock"
    async with running_proxy(config(NOBODY, listen=[listen, "127.0.0.1:0"], admin=admin)):
        assert_ready(await ask(listen=listen))
        assert_ready(await ask(admin=admin))
    assert not list(tmp_path.glob("*.sock"))


async def test_over_tls_whatever_name_the_certificate_is_for(ask, tmp_path):
    certificate = trustme.CA().issue_cert("api.example.com")
    tls = {"cert": f"{tmp_path}/cert.pem", "key": f"{tmp_path}/cert.pem"}
    certificate.private_key_and_cert_chain_pem.write_to_path(tls["cert"])
    async with running_proxy(config(NOBODY, listen={"address": "127.0.0.1:0", "tls": tls})) as proxy:
        assert_ready(await ask(listen={"address": f"127.0.0.1:{proxy.port}", "tls": tls}))


# When the answer is no.


async def test_no_when_nobody_listens(ask, tmp_path):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        result = await ask(listen=f"127.0.0.1:{bound.getsockname()[1]}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "refused" in result.stderr
    assert (await ask(listen=f"unix:{tmp_path}/missing.sock")).exit_code == 1


async def test_no_when_it_does_not_answer_in_time(ask):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        result = await ask("--timeout", "0.1", listen=f"127.0.0.1:{mute.getsockname()[1]}")
    assert (result.exit_code, result.stderr) == (1, "the proxy does not answer (timed out)\n")


async def test_no_when_what_answers_is_no_http(ask):
    async def rubbish(wire: ServerWire) -> None:
        await wire.send(b"SSH-2.0\r\n")
        wire.close()

    async with RawUpstream(rubbish) as other:
        result = await ask(listen=f"127.0.0.1:{other.port}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("the proxy does not answer (SSH-2.0")


async def test_no_while_it_drains(ask, tmp_path):
    admin = f"unix:{tmp_path}/admin.sock"
    async with between(silent, admin=admin) as (upstream, proxy):
        await proxy.send(request(b"GET /slow"))
        await (await upstream.connection()).until(lambda: upstream.requests)
        stopping = asyncio.ensure_future(proxy.server.stop(3600))
        result = await ask(admin=admin)
        assert not stopping.done()
        stopping.cancel()
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "the proxy is not ready (503)\n")


# The process.


async def test_as_a_container_runs_it(tmp_path):
    file, environment = tmp_path / "config.yaml", {"CORSPROXY_CONFIG": f"{tmp_path}/config.yaml"}
    file.write_text(config(NOBODY, listen="127.0.0.1:0", admin=f"unix:{tmp_path}/admin.sock"))
    async with running("serve", environment=environment) as process:
        await process.line("admin on unix:")
        assert await ran("healthcheck", environment=environment) == (0, "ready\n", "")
        assert (await process.ended(signal.SIGTERM)).code == 0
    no = await ran("healthcheck", environment=environment)
    assert (no.code, no.out) == (1, "")
    assert no.err == "the proxy does not answer ([Errno 2] No such file or directory)\n"


# Wrong usage.


@pytest.mark.parametrize("seconds", ["0", "-1", "1e9", "soon"])
def test_a_timeout_must_be_a_time(seconds):
    result = CliRunner().invoke(healthcheck, ["-c", "config.yaml", "--timeout", seconds])
    assert result.exit_code == 2


def test_an_invalid_file_is_an_invalid_file(tmp_path):
    result = CliRunner().invoke(cli, ["healthcheck", "-c", str(tmp_path / "missing.yaml")])
    assert isinstance(result.exception, InvalidConfig)


@pytest.mark.parametrize("listen", ["systemd", {"address": "127.0.0.1:1", "proxy_protocol": True}], ids=str)
async def test_a_listener_that_cannot_be_asked_is_said(tmp_path, listen):
    (tmp_path / "config.yaml").write_text(config("http://a", listen=listen, trusted_proxies="10.0.0.0/8"))
    ended = await ran("healthcheck", "-c", tmp_path / "config.yaml")
    assert ended == (1, "", "no listener can be asked from here; set admin to an address of this machine\n")
