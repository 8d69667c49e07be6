"""``corsproxy dev`` as its user meets it: one API, one command, and a page on localhost that works."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket

import pytest
from click.testing import CliRunner
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import InvalidStatus

from corsproxy.cli.dev import dev, dev_config
from corsproxy.cli.remarks import localhost
from tests.cli.running import running
from tests.e2e.rig import ACAO, ClientWire, RawUpstream, answer, answering, refusing

OK = answer(b"200 OK", body=b"hello")
PAGE = b"Origin: http://localhost:5173"
STRANGER = b"Origin: https://app.test"
ACAC = b"access-control-allow-credentials"


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def names_ipv6() -> bool:
    with contextlib.suppress(OSError):
        return bool(socket.getaddrinfo("localhost", 80, socket.AF_INET6))
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
needs_ipv6_name = pytest.mark.skipif(not has_ipv6() or not names_ipv6(), reason="localhost is not ::1 on this machine")


class Upstream(RawUpstream):
    """An API on the loopback address of one family only; on the one that its name means first, unless it is said."""

    def __init__(self, script, host=""):
        super().__init__(script)
        self._host = host or localhost()[0]

    async def __aenter__(self):
        self._server = await asyncio.get_running_loop().create_server(self._accept, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    @property
    def url(self):
        return f"http://localhost:{self.port}"


@contextlib.asynccontextmanager
async def developing(url, *flags, listen="localhost:0", environment=None):
    """The process in front of the API at ``url``, and its port."""
    async with running("dev", url, "--listen", listen, *flags, environment=environment) as process:
        yield process, await process.port()


def host(port, name=b"localhost"):
    return b"Host: %b:%d" % (name, port)


# Whom it serves.


async def test_says_where_it_is_and_for_whom_and_ends_with_ctrl_c():
    async with Upstream(answering(OK)) as upstream, developing(upstream.url) as (process, port):
        assert process.lines == [f"http://localhost:{port}  ->  {upstream.url}"]
        assert await process.line("may use it") == "pages of any loopback origin may use it; Ctrl-C ends it"
        client = await process.connect(port)
        assert (await client.ask(b"GET /data", host(port), PAGE)).body == b"hello"
        assert "allowed" in await process.line("/data")
        assert await process.ended(signal.SIGINT) == (0, "", "")


@needs_ipv6
async def test_both_loopback_families_have_the_same_port():
    """A browser takes ::1 or 127.0.0.1 for localhost, whichever it likes."""
    async with Upstream(answering(OK)) as upstream, developing(upstream.url) as (process, port):
        for address, name in [("127.0.0.1", b"127.0.0.1"), ("::1", b"[::1]"), ("::1", b"localhost")]:
            response = await (await process.connect(port, address)).ask(b"GET /", host(port, name), PAGE)
            assert (response.body, response.one(ACAO)) == (b"hello", PAGE[8:])


@needs_ipv6_name
async def test_an_api_at_the_second_address_of_localhost_is_found_and_that_is_said():
    first, second = localhost()[:2]
    async with Upstream(answering(OK), second) as upstream, developing(upstream.url) as (process, port):
        assert (await (await process.connect(port)).ask(b"GET /", host(port))).body == b"hello"
        assert f"nobody answers at {first}, which localhost means first, but at {second};" in await process.line(
            "upstream:"
        )


@needs_ipv6
async def test_an_api_that_is_not_where_it_was_named_is_looked_for():
    async with (
        Upstream(answering(OK), "::1") as upstream,
        developing(upstream.url.replace("localhost", "127.0.0.1")) as (process, port),
    ):
        assert (await (await process.connect(port)).ask(b"GET /", host(port))).status == 502
        assert "nobody answers at 127.0.0.1, but at ::1; name it http://" in await process.line("    upstream:")


@pytest.mark.parametrize("address", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6_name)])
async def test_an_api_on_one_family_only_is_found_by_the_name_localhost(address):
    async with Upstream(answering(OK), address) as upstream, developing(upstream.url) as (process, port):
        assert (await (await process.connect(port)).ask(b"GET /", host(port))).body == b"hello"
    assert upstream.requests[0].one(b"host") == b"localhost:%d" % upstream.port


async def test_any_loopback_origin_is_allowed_with_credentials_and_no_other():
    loopback = [b"http://localhost:5173", b"https://localhost", b"http://127.0.0.1:3000", b"http://[::1]:8000"]
    strange = [b"https://app.test", b"http://localhost.evil.test:5173", b"http://192.168.0.2:5173", b"null"]
    async with Upstream(answering(OK)) as upstream, developing(upstream.url) as (process, port):
        client = await process.connect(port)
        for origin in loopback:
            response = await client.ask(b"GET /", host(port), b"Origin: " + origin)
            assert (response.one(ACAO), response.one(ACAC)) == (origin, b"true")
        for origin in strange:
            response = await client.ask(b"GET /", host(port), b"Origin: " + origin)
            assert (response.body, response.cors) == (b"hello", [])


async def test_a_preflight_grants_whatever_a_page_on_localhost_asks_for():
    async with Upstream(answering(OK)) as upstream, developing(upstream.url) as (process, port):
        granted = await (await process.connect(port)).ask(
            b"OPTIONS /",
            host(port),
            PAGE,
            b"Access-Control-Request-Method: PURGE",
            b"Access-Control-Request-Headers: authorization,x-anything",
            b"Access-Control-Request-Private-Network: true",
        )
    assert granted.status == 204
    assert granted.one(b"access-control-allow-methods") == b"PURGE"
    assert granted.members(b"access-control-allow-headers") == [b"authorization", b"x-anything"]
    assert granted.one(b"access-control-allow-private-network") == b"true"
    assert upstream.connections == []


async def test_a_denied_page_is_explained_with_the_flag_that_would_allow_it():
    """There is no file to change, so the advice of ``serve`` would lead nowhere."""
    async with Upstream(answering(OK)) as upstream, developing(upstream.url) as (process, port):
        client = await process.connect(port)
        await client.ask(b"GET /data", host(port), STRANGER)
        assert (await process.line("browser:")).split(maxsplit=1)[1] == (
            f"Access to fetch at 'http://localhost:{port}/data' from origin 'https://app.test' has been blocked by "
            "CORS policy: No 'Access-Control-Allow-Origin' header is present on the requested resource."
        )
        assert "start it again with `--allow-origin https://app.test`" in await process.line("fix:")
        await client.ask(b"GET /data", host(port), b"Origin: null")
        assert "give the page an origin of its own" in await process.line("fix:")
        assert (await process.ended(signal.SIGTERM)).code == 0


async def test_a_foreign_host_is_misdirected():
    """DNS rebinding: a page of evil.example makes its own name lead to 127.0.0.1."""
    async with Upstream(answering(OK)) as upstream, developing(upstream.url) as (process, port):
        client = await process.connect(port)
        response = await client.ask(b"GET /", host(port, b"evil.example"), b"Origin: http://evil.example:%d" % port)
        assert (response.status, response.cors) == (421, [])
        assert upstream.connections == []
        assert (await client.ask(b"GET /", host(port, b"app.localhost"))).status == 200
        assert "give --allow-host evil.example" in await process.line("host:")


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        (("--allow-host", "shop.test", "--allow-host", "*.dev.test"), {}),
        ((), {"CORSPROXY_ALLOW_HOST": "shop.test *.dev.test"}),
    ],
)
async def test_names_of_this_machine_may_be_served_besides(flags, environment):
    async with (
        Upstream(answering(OK)) as upstream,
        developing(upstream.url, *flags, environment=environment) as (process, port),
    ):
        client = await process.connect(port)
        for name in (b"shop.test", b"a.dev.test", b"localhost"):
            assert (await client.ask(b"GET /", host(port, name))).status == 200
        assert (await client.ask(b"GET /", host(port, b"evil.example"))).status == 421


@pytest.mark.parametrize(
    ("listen", "named"),
    [
        ("localhost:0", {"localhost", "*.localhost", "127.0.0.1", "[::1]"}),
        ("LOCALHOST:0", {"localhost", "*.localhost", "127.0.0.1", "[::1]"}),
        ("127.0.0.1:0", {"localhost", "*.localhost", "127.0.0.1", "[::1]"}),
        ("127.0.0.2:0", {"localhost", "*.localhost", "127.0.0.1", "[::1]", "127.0.0.2"}),
        ("[0:0:0:0:0:0:0:1]:0", {"localhost", "*.localhost", "127.0.0.1", "[::1]"}),
        ("0.0.0.0:0", {""}),
        ("10.0.0.1:0", {""}),
        ("[::]:0", {""}),
        ("my-machine:0", {""}),
        ("unix:/run/proxy.sock", {""}),
    ],
)
def test_the_hosts_that_are_served(listen, named):
    """On loopback only its own names; whoever listens for others knows how they call this machine."""
    rules = dev_config("http://localhost:9", (), listen).rules
    assert {rule.host for rule in rules} == named
    assert len(rules) == len(named)


def test_named_hosts_are_all_where_nobody_else_knows_the_names():
    rules = dev_config("http://localhost:9", (), "0.0.0.0:0", names=("shop.test",)).rules
    assert {rule.host for rule in rules} == {"localhost", "*.localhost", "127.0.0.1", "[::1]", "shop.test"}


# What the flags change.


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        (("--allow-origin", "https://app.test", "--allow-origin", "http://*.dev.test:*"), {}),
        ((), {"CORSPROXY_ALLOW_ORIGINS": "https://app.test http://*.dev.test:*"}),
    ],
)
async def test_named_origins_take_the_place_of_loopback(flags, environment):
    async with (
        Upstream(answering(OK)) as upstream,
        developing(upstream.url, *flags, environment=environment) as (process, port),
    ):
        assert await process.line("may use it") == (
            "pages of https://app.test, http://*.dev.test:* may use it; Ctrl-C ends it"
        )
        client = await process.connect(port)
        for origin in (b"https://app.test", b"http://a.b.dev.test:3000"):
            response = await client.ask(b"GET /", host(port), b"Origin: " + origin)
            assert (response.one(ACAO), response.one(ACAC)) == (origin, b"true")
        assert (await client.ask(b"GET /", host(port), PAGE)).cors == []


async def test_any_origin_works_without_credentials():
    """Credentials for everybody would hand the session of the developer to every page."""
    async with (
        Upstream(answering(OK)) as upstream,
        developing(upstream.url, "--allow-origin", "*") as (process, port),
    ):
        response = await (await process.connect(port)).ask(b"GET /", host(port), STRANGER)
        assert response.cors == [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"*")]


async def test_the_address_may_come_from_the_environment_and_be_a_unix_socket(tmp_path):
    path = tmp_path / "dev.sock"
    async with (
        Upstream(answering(OK)) as upstream,
        running("dev", upstream.url, environment={"CORSPROXY_LISTEN": f"unix:{path}"}) as process,
    ):
        assert await process.line("->") == f"unix:{path}  ->  {upstream.url}"
        _, client = await asyncio.get_running_loop().create_unix_connection(ClientWire, str(path))
        assert (await client.ask(b"GET /", PAGE)).one(ACAO) == PAGE[8:]
        client.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["localhost:5000"], "URL: "),
        (["ftp://localhost"], "URL: 'ftp://localhost' has the scheme ftp; an upstream speaks http or https"),
        (["http://localhost:5000/?a=b"], "URL: 'http://localhost:5000/?a=b' has a query or fragment"),
        (["http://localhost", "--allow-origin", "https://app.test/"], "--allow-origin: 'https://app.test/' has a "),
        (["http://localhost", "--allow-origin", "app.test"], "--allow-origin: 'app.test' "),
        (["http://localhost", "--allow-origin", "null"], "--allow-origin: "),
        (["http://localhost", "--allow-host", "a.test:80"], "--allow-host: 'a.test:80' has a port"),
        (
            ["http://localhost:80", "--listen", "localhost:80"],
            "URL: http://localhost is where this proxy itself listens",
        ),
        (["http://localhost", "--listen", "8080"], "--listen: "),
        (["http://localhost", "--listen", ":8080"], "--listen: ':8080' is every interface of this machine"),
        ([], "Usage: "),
    ],
)
def test_wrong_usage_is_said_once_and_exits_with_2(arguments, said):
    result = CliRunner().invoke(dev, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(said)
    lines = result.stderr.splitlines()
    assert len(lines) == len(set(lines))  # there are several rules, and one URL


def test_an_address_in_use_exits_with_1():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(dev, ["http://localhost", "--listen", f"localhost:{taken.getsockname()[1]}"])
    assert result.exit_code == 1
    assert result.stderr.startswith("cannot listen: 127.0.0.1:")


# What a page on localhost needs besides CORS.


async def test_cookies_of_the_api_become_cookies_of_localhost():
    """There is no HTTPS, so Secure would lose them, and None needs Secure; Domain names somebody else."""
    cookies = (
        b"Set-Cookie: sid=1; Domain=api.test; Path=/; Secure; HttpOnly; SameSite=None",
        b"Set-Cookie: theme=dark; Max-Age=60",
    )
    async with (
        Upstream(answering(answer(b"200 OK", *cookies))) as upstream,
        developing(upstream.url) as (process, port),
    ):
        response = await (await process.connect(port)).ask(b"GET /", host(port), PAGE)
    first, second = response.all(b"set-cookie")
    assert {part.strip().lower() for part in first.split(b";")} == {b"sid=1", b"path=/", b"httponly", b"samesite=lax"}
    assert {part.strip().lower() for part in second.split(b";")} == {b"theme=dark", b"max-age=60", b"samesite=lax"}


async def test_redirects_to_the_api_come_back_through_the_proxy():
    targets = [b"http://localhost:%d/next?a=b", b"//localhost:%d/next?a=b", b"/next?a=b"]

    async def script(wire):
        while True:
            index = int((await wire.request()).target[1:])
            target = targets[index].replace(b"%d", b"%d" % upstream.port)
            await wire.send(answer(b"302 Found", b"Location: " + target))

    async with Upstream(script) as upstream, developing(upstream.url) as (process, port):
        client = await process.connect(port)
        for index in range(len(targets)):
            response = await client.ask(b"GET /%d" % index, host(port), PAGE)
            assert (response.status, response.one(b"location")) == (302, b"/next?a=b")
            assert response.one(ACAO) == PAGE[8:]


async def test_websockets_pass_for_a_page_on_localhost_and_for_no_other():
    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0) as server:
        upstream = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with developing(upstream) as (process, port):
            url = f"ws://localhost:{port}/chat"
            async with connect(url, origin="http://localhost:5173", proxy=None) as page:
                await page.send("hello")
                assert await page.recv() == "hello"
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, origin="https://app.test", proxy=None)
            assert refused.value.response.status_code == 403
            assert (await process.line("browser:")).split(maxsplit=1)[1] == (
                f"WebSocket connection to '{url}' failed: "
                "Error during WebSocket handshake: Unexpected response code: 403"
            )
            assert "--allow-origin https://app.test" in await process.line("fix:")


async def test_an_api_that_is_down_is_an_answer_that_the_page_can_read():
    with refusing() as url:
        async with developing(url) as (process, port):
            response = await (await process.connect(port)).ask(b"GET /data", host(port), PAGE)
            assert (response.status, response.one(ACAO)) == (502, PAGE[8:])
            assert url in await process.line("/data")
