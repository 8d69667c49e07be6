"""``corsproxy dev`` over HTTPS, and what an API behind it hears of the page."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import pytest
import trustme
from aiohttp import ClientSession, web
from click.testing import CliRunner

from corsproxy.cli.dev import dev, dev_config
from tests.cli.running import running
from tests.e2e.rig import ACAO, ClientWire, RawUpstream, answer, answering

PAGE = b"Origin: https://localhost:5173"
COOKIE = b"sid=1; Domain=api.test; Path=/; Secure; HttpOnly; SameSite=None"
CHANGES = "-Domain=api.test -Secure -SameSite=None +SameSite=Lax"
OK = answer(b"200 OK", b"Set-Cookie: " + COOKIE, body=b"hello")


@contextlib.asynccontextmanager
async def secured(port, authority, name="localhost"):
    """A connection of a browser that trusts this authority."""
    context = ssl.create_default_context(cafile=authority)
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(ClientWire, "127.0.0.1", port, ssl=context, server_hostname=name)
    try:
        yield client
    finally:
        client.close()


async def ask(client, port):
    return await client.ask(b"GET /", b"Host: localhost:%d" % port, PAGE)


async def test_a_certificate_of_the_local_authority(tmp_path):
    """Cookies keep what they need to be sent between sites: Secure and SameSite=None."""
    authority = tmp_path / "corsproxy" / "authority.pem"
    async with (
        RawUpstream(answering(OK)) as upstream,
        running(
            "dev", upstream.url, "--tls", "--listen", "localhost:0", environment={"XDG_DATA_HOME": str(tmp_path)}
        ) as process,
    ):
        port = await process.port()
        assert process.lines == [f"https://localhost:{port}  ->  {upstream.url}"]
        assert str(authority) in await process.line("trust")
        for name in ("localhost", "127.0.0.1", "::1"):
            async with secured(port, authority, name) as client:
                response = await ask(client, port)
        assert (response.body, response.one(ACAO)) == (b"hello", PAGE[8:])
        assert response.all(b"set-cookie") == [b"sid=1; Path=/; Secure; HttpOnly; SameSite=None"]


async def test_a_certificate_of_ones_own(tmp_path):
    own = trustme.CA()
    own.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = own.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    pair = ("--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem"))
    async with (
        RawUpstream(answering(OK)) as upstream,
        running("dev", upstream.url, "--listen", "localhost:0", *pair) as process,
    ):
        port = await process.port()
        async with secured(port, tmp_path / "ca.pem") as client:
            assert (await ask(client, port)).body == b"hello"


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--cert", "c.pem"], 2, "a certificate and its key belong together; give --cert and --key"),
        (["--key", "k.pem"], 2, "a certificate and its key belong together; give --cert and --key"),
        (["--cert", "", "--key", "k.pem"], 2, "--cert, --key: the path of a file is missing"),
        (["--cert", "c.pem", "--key", "k.pem"], 1, "the certificate c.pem or its key cannot be loaded"),
    ],
)
def test_a_pair_that_cannot_be_used_is_said(flags, code, said):
    result = CliRunner().invoke(dev, ["http://localhost", "--listen", "localhost:0", *flags])
    assert result.exit_code == code
    assert said in result.stderr + str(result.exception)  # which the command line prints


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com/v1", "https://api.example.com"),
        ("https://API.example.com:443", "https://api.example.com"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("unix:/run/api.sock", "keep"),
        ("http://my_api:5000", "http://my_api:5000"),
        ("http://api.123:5000", "keep"),  # an origin that no page can have
        ("nonsense", "keep"),
    ],
)
def test_the_api_hears_its_own_origin(url, expected):
    """Django and others refuse to be posted to by foreign origins; whom the policy denies is not disguised."""
    assert {rule.forward_origin for rule in dev_config(url, (), "localhost:0").rules} == {expected}


async def test_a_page_that_is_allowed_comes_as_the_apis_own_and_another_as_itself():
    async with (
        RawUpstream(answering(OK)) as upstream,
        running("dev", upstream.url, "--listen", "localhost:0") as process,
    ):
        port = await process.port()
        client = await process.connect(port)
        host = b"Host: localhost:%d" % port
        await client.ask(
            b"POST /", host, b"Origin: http://localhost:5173", b"Referer: http://localhost:5173/x", body=b""
        )
        assert f"[Host, Origin, Referer -> {upstream.url}]" in await process.line("POST")
        await client.ask(b"POST /", host, b"Origin: https://evil.test", b"Referer: https://evil.test/x", body=b"")
        assert (await process.line("POST")).endswith(f"[Host -> 127.0.0.1:{upstream.port}]  [cookie sid {CHANGES}]")
    own = upstream.url.encode()
    heard = [(asked.one(b"origin"), asked.one(b"referer")) for asked in upstream.requests]
    assert heard == [(own, own + b"/x"), (b"https://evil.test", b"https://evil.test/x")]


async def test_the_line_says_everything_that_was_rewritten():
    fields = (
        b"Access-Control-Allow-Origin: *",
        b"Location: http://127.0.0.1:%d/next",
        b"Link: <http://127.0.0.1:%d/b>; rel=next, <https://else.example/>; rel=prev",
        b"Refresh: 1; url=http://127.0.0.1:%d/c",
        b"Content-Location: //127.0.0.1:%d/d",
        b"Set-Cookie: " + COOKIE,
    )

    async def api(wire):
        await wire.request()
        await wire.send(answer(b"302 Found", *(field.replace(b"%d", b"%d" % upstream.port) for field in fields)))

    async with RawUpstream(api) as upstream, running("dev", upstream.url, "--listen", "localhost:0") as process:
        port = await process.port()
        client = await process.connect(port)
        asked = (b"Host: localhost:%d" % port, PAGE, b"Sec-Fetch-Site: same-site")
        response = await client.ask(b"GET /old", *asked)
        line = await process.line("/old")
    assert response.cors == [
        (b"access-control-allow-credentials", b"true"),
        (ACAO, PAGE[8:]),
        (b"access-control-expose-headers", b"content-location, link, location, refresh"),
    ]
    assert line.split("allowed  ")[1].split("  ") == [
        f"[Host, Origin -> {upstream.url}]",
        "[-Sec-Fetch-Site]",
        "[Location -> /next]",
        r"[Link -> \x3c/b>; rel=next, \x3chttps://else.example/>; rel=prev]",
        "[Refresh -> 1; url=/c]",
        "[Content-Location -> /d]",
        f"[cookie sid {CHANGES}]",
        "[the API's Access-Control-Allow-Origin replaced]",
    ]


async def test_a_log_in_at_an_https_api_works_for_a_page_on_http_localhost(tmp_path):
    """The page's cookie jar is Python's: it keeps and sends what a browser on http://localhost would."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    async def api(request):
        if request.path == "/login":
            answered = web.HTTPFound(f"https://{request.host}/account")
            answered.set_cookie("sid", "1", domain="localhost", secure=True, httponly=True, samesite="None")
            raise answered
        return web.Response(status=200 if request.cookies.get("sid") == "1" else 403)

    runner = web.ServerRunner(web.Server(api))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    url = f"https://localhost:{runner.addresses[0][1]}"
    trust = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    try:
        async with running("dev", url, "--listen", "localhost:0", environment=trust) as process:
            proxy = f"http://localhost:{await process.port()}"
            async with ClientSession(headers={"Origin": "http://localhost:5173"}) as page:
                assert (await page.get(f"{proxy}/account")).status == 403
                done = await page.post(f"{proxy}/login")
                assert (done.status, str(done.url)) == (200, f"{proxy}/account")
                assert done.headers["Access-Control-Allow-Credentials"] == "true"
            assert "[Location -> /account]  [cookie sid -Domain=localhost" in await process.line("/login")
    finally:
        await runner.cleanup()
