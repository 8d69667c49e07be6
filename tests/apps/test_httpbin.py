"""httpbin behind the proxy: every endpoint that answers the same twice, fetched directly and through the proxy.

Status, reason, end-to-end headers in their order, and the body, byte for byte.
"""

from __future__ import annotations

from typing import NamedTuple

import httpbin as package
import pytest

from tests.apps.serving import APP, ORIGIN, Place, wsgi
from tests.e2e.rig import Response, config, running_proxy

# Of one connection (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1), or of the second in which it was sent.
NOT_COMPARED = {b"connection", b"keep-alive", b"transfer-encoding", b"date"}

GET = [
    "/anything/a%20b?x=1&x=2&y=%C3%A9",
    *(
        f"/{name}"
        for name in ("gzip", "brotli", "deflate", "html", "xml", "json", "robots.txt", "deny", "encoding/utf8")
    ),
    *(f"/image/{kind}" for kind in ("png", "jpeg", "webp", "svg")),
    *(f"/status/{code}" for code in (200, 201, 204, 205, 301, 304, 400, 401, 404, 406, 418, 429, 500, 502, 503)),
    "/bytes/10240?seed=1",
    "/bytes/0",
    "/stream-bytes/102400?seed=1&chunk_size=1000",
    "/stream/20",
    "/drip?duration=0&numbytes=2000&delay=0",
    "/delay/0",
    "/range/26624",
    "/redirect/3",
    "/absolute-redirect/2",
    "/relative-redirect/2",
    "/redirect-to?url=https://elsewhere.example/x%3Fa%3D1&status_code=307",
    "/cookies/set?one=1&two=caf%C3%A9",
    "/cookies/delete?one",
    "/response-headers?X-Twice=a&X-Twice=b&Link=%3C/next%3E;rel=next&ETag=%22x%22",
    "/cache/60",
    "/etag/abc",
    "/links/5/0",
    "/base64/aGVsbG8=",
    "/basic-auth/ada/lovelace",
    "/hidden-basic-auth/ada/lovelace",
    "/bearer",
    "/forms/post",
    "/user-agent",
    "/headers",
    "/get?a=1",
    "/nowhere",
]
BODY = bytes(range(256)) * 40
JSON = b'{"caf\xc3\xa9": [1, 2.50, null]}'
FORM = b"a=1&b=%C3%A9&a=2"
WITH_LINES: list[tuple[str, tuple[bytes, ...], bytes | None]] = [
    ("GET /range/26624", (b"Range: bytes=100-199",), None),
    ("GET /range/26624", (b"Range: bytes=-5",), None),
    ("GET /range/26624", (b"Range: bytes=99999-",), None),
    ("GET /etag/abc", (b'If-None-Match: "abc"',), None),
    ("GET /etag/abc", (b'If-Match: "other"',), None),
    ("GET /cache", (b"If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT",), None),
    ("GET /basic-auth/ada/lovelace", (b"Authorization: Basic YWRhOmxvdmVsYWNl",), None),
    ("GET /bearer", (b"Authorization: Bearer abc",), None),
    ("GET /cookies", (b"Cookie: one=1; two=2", b"Accept: application/json"), None),
    ("GET /image", (b"Accept: image/webp",), None),
    ("GET /anything/x", (b"X-Custom: a,  b", b"Accept: */*;q=0.1"), None),
    *(
        (f"{method} /anything/x", (b"Content-Type: application/octet-stream",), BODY)
        for method in ("POST", "PUT", "PATCH")
    ),
    ("POST /post", (b"Content-Type: application/json",), JSON),
    ("POST /post", (b"Content-Type: application/x-www-form-urlencoded",), FORM),
    ("PUT /put", (b"Content-Type: application/json",), JSON),
    ("PATCH /patch", (b"Content-Type: text/plain",), b"text"),
    ("DELETE /delete", (), None),
    ("DELETE /anything/x", (), b"body of a DELETE"),
    ("POST /status/201", (), b""),
    ("HEAD /gzip", (), None),
    ("HEAD /bytes/10240?seed=1", (), None),
    ("OPTIONS /anything/x", (), None),
]


class Asked(NamedTuple):
    """A request, without its Host."""

    line: str
    lines: tuple[bytes, ...] = ()
    body: bytes | None = None


REQUESTS = [*(Asked(f"GET {target}") for target in GET), *(Asked(*case) for case in WITH_LINES)]


class Forgetful:
    """A WSGI application that does not see the lines which a proxy adds; httpbin would repeat them in its answers."""

    def __init__(self, app) -> None:
        self.app = app

    def __call__(self, environment, start_response):
        for name in ("VIA", "X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO"):
            environment.pop(f"HTTP_{name}", None)
        return self.app(environment, start_response)


@pytest.fixture(scope="module")
def httpbin():
    with wsgi(Forgetful(package.app)) as url:
        yield url


async def compare(url: str, asked: Asked, policy: object, *, origin: bool) -> Response:
    """Ask directly and through the proxy; the answer through the proxy, when nothing else differs than should."""
    lines = (b"Host: " + url.removeprefix("http://").encode(), *asked.lines, *((ORIGIN,) if origin else ()))
    direct = await Place(url).ask(asked.line.encode(), *lines, body=asked.body)
    async with running_proxy(config(url, policy=policy)) as proxy:
        through = await proxy.ask(asked.line.encode(), *lines, body=asked.body)
    assert (through.status, through.reason) == (direct.status, direct.reason)
    assert through.body == direct.body
    granted = policy != "none"
    assert end_to_end(through, granted=granted) == end_to_end(direct, url.encode(), granted=granted)
    return through


def end_to_end(response: Response, own: bytes = b"", *, granted: bool) -> list[tuple[bytes, bytes]]:
    """The header lines that must be the same; a Location that names the upstream comes back without its authority."""
    names = NOT_COMPARED | ({b"vary"} if granted else set())
    lines = [(name, value) for name, value in response.fields if name.lower() not in names]
    if granted:
        lines = [(name, value) for name, value in lines if not name.lower().startswith(b"access-control-")]
    return [(name, value.removeprefix(own) if name == b"Location" else value) for name, value in lines]


@pytest.mark.parametrize("asked", [pytest.param(asked, id=asked.line) for asked in REQUESTS])
async def test_httpbin_is_the_same_through_the_proxy(httpbin, asked):
    await compare(httpbin, asked, "none", origin=False)


POLICY = {"allow_origins": [APP]}
GRANT = [(b"access-control-allow-origin", APP.encode())]


@pytest.mark.parametrize("asked", [pytest.param(asked, id=asked.line) for asked in REQUESTS])
async def test_httpbin_with_a_policy_differs_in_cors_lines_only(httpbin, asked):
    """httpbin allows every origin, with credentials; the policy's one line takes the place of its two."""
    through = await compare(httpbin, asked, POLICY, origin=True)
    assert through.cors == GRANT
    assert b"origin" in through.vary
