"""Every way out of the process, as a table: how to provoke it, and what its answer is; and the policies, by hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.e2e.rig import (
    APP,
    EVIL,
    Response,
    ServerWire,
    answer,
    answering,
    between,
    config,
    refusing,
    request,
    running_proxy,
    silent,
)

Ask = Callable[..., Awaitable[Response]]  # ask(*lines) -> the answer
Line = tuple[bytes, bytes]

ORIGINS = {
    "absent": (),
    "allowed": (APP,),
    "denied": (EVIL,),
    "null": ("null",),
    "malformed": ("https://%s",),
    "not an origin": ("app.example.com",),
    "with a slash": (APP + "/",),
    "doubled": (APP, APP),
    "two": (EVIL, APP),
}


class Sample(NamedTuple):
    """A policy, and what it grants, written down by hand.  ``{}`` in a grant is the origin."""

    policy: object
    grant: tuple[Line, ...]  # to the allowed origin
    preflight: tuple[Line, ...] = ()  # besides the grant, to a preflight of PUT with x-custom
    always: tuple[Line, ...] = ()  # to everybody
    varies: bool = True
    everyone: bool = False  # any origin is allowed, and so is none
    credentials: bool = False

    def allows(self, origins: tuple[str, ...]) -> bool:
        return self.everyone or origins == (APP,)

    def actual(self, origins: tuple[str, ...]) -> list[Line]:
        """The lines on the answer to an actual request."""
        return sorted((*self.always, *(self.grant if self.allows(origins) else ())))


ACAO, ACAC = b"access-control-allow-origin", b"access-control-allow-credentials"
CORP = (b"cross-origin-resource-policy", b"cross-origin")
METHODS = {"allow_methods": ["GET", "PUT"], "allow_headers": ["X-Custom"]}
LISTS = ((b"access-control-allow-methods", b"GET, PUT"), (b"access-control-allow-headers", b"X-Custom"))
NAMED = (ACAO, APP.encode())

SAMPLES = {
    "listed": Sample({"allow_origins": [APP], **METHODS}, (NAMED,), LISTS),
    "credentials": Sample(
        {"allow_origins": [APP], **METHODS, "allow_credentials": True, "expose_headers": ["X-Total"], "max_age": 600},
        (NAMED, (ACAC, b"true"), (b"access-control-expose-headers", b"X-Total")),
        (*LISTS, (b"access-control-max-age", b"600")),
        credentials=True,
    ),
    "pattern": Sample({"allow_origins": ["https://*.example.com"], **METHODS}, (NAMED,), LISTS),
    "any origin": Sample({"allow_origins": ["*"], **METHODS}, ((ACAO, b"*"),), LISTS, varies=False, everyone=True),
    "resources": Sample(
        {
            "allow_origins": [APP],
            **METHODS,
            "timing_allow_origins": [APP],
            "cross_origin_resource_policy": "cross-origin",
        },
        (NAMED, (b"timing-allow-origin", APP.encode())),
        LISTS,
        always=(CORP,),
    ),
    "none": Sample("none", (), varies=False),
}

# What the upstream says by itself, on every answer; nothing of it may pass where there is a policy.
LEAK = (
    b"Access-Control-Allow-Origin: *",
    b"access-control-allow-origin: https://evil.example.net",
    b"Access-Control-Allow-Credentials: true",
    b"Access-Control-Expose-Headers: X-Leak",
    b"Access-Control-Allow-Methods: DELETE",
)
LEAKED = sorted((name.lower(), value) for name, _, value in (line.partition(b": ") for line in LEAK))


@dataclass(frozen=True)
class Way:
    """A way out: how to provoke it, and what its answer is."""

    status: int
    open: Callable[[Sample], contextlib.AbstractAsyncContextManager[Ask]]
    forwarded: bool = False  # the answer is the upstream's, with its Vary
    ruled: bool = True  # a rule matches, so its policy grants
    rejected: int = 0  # the status where the origin is denied, when it is another


def origin_lines(origins: tuple[str, ...]) -> list[bytes]:
    return [b"Origin: " + origin.encode() for origin in origins]


def forwarded(status: bytes, *lines: bytes, asked: bytes = b"GET /x", **settings: Any):
    """The upstream's own answer."""

    @contextlib.asynccontextmanager
    async def opened(sample: Sample) -> AsyncIterator[Ask]:
        script = answering(answer(status, *LEAK, b"Vary: Accept-Encoding", *lines))
        async with between(script, policy=sample.policy, **settings) as (_, proxy):
            yield lambda *more: proxy.ask(asked, *more)

    return opened


def failing(
    script: Any, *, asked: bytes = b"GET /x", lines: tuple[bytes, ...] = (), body: bytes | None = None, **settings: Any
):
    """The proxy's own answer, before an upstream that does as its script says."""

    @contextlib.asynccontextmanager
    async def opened(sample: Sample) -> AsyncIterator[Ask]:
        own = dict(settings)
        if "on_denied" in own and isinstance(sample.policy, Mapping):
            sample = sample._replace(policy={**sample.policy, "on_denied": own["on_denied"]})
        own.pop("on_denied", None)
        async with between(script, policy=sample.policy, **own) as (_, proxy):
            yield lambda *more: proxy.ask(asked, *lines, *more, body=body)

    return opened


def writing(data: bytes, then: str = "wait"):
    """An upstream that writes these bytes whatever it is asked, and then waits or goes away."""

    async def script(wire: ServerWire) -> None:
        await wire.request_head()
        await wire.send(data)
        if then == "wait":
            await wire.until_ended()
        elif then == "close":
            wire.close()
        else:
            wire.reset()

    return script


@contextlib.asynccontextmanager
async def refused(sample: Sample) -> AsyncIterator[Ask]:
    with refusing() as url:
        async with running_proxy(config(url, policy=sample.policy)) as proxy:
            yield lambda *lines: proxy.ask(b"GET /x", *lines)


@contextlib.asynccontextmanager
async def full(sample: Sample) -> AsyncIterator[Ask]:
    """As many connections as are allowed, and one more."""
    async with between(answering(answer(b"200 OK")), policy=sample.policy, limits={"max_connections": 1}) as (_, proxy):
        await (await proxy.connect()).ask(b"GET /first")
        yield lambda *lines: proxy.ask(b"GET /x", *lines)


@contextlib.asynccontextmanager
async def draining(sample: Sample) -> AsyncIterator[Ask]:
    """A request that is under way when the process is told to stop, answered by its upstream meanwhile."""

    async def ask(*lines: bytes) -> Response:
        go_on = asyncio.Event()

        async def script(wire: ServerWire) -> None:
            await wire.request()
            await go_on.wait()
            await wire.send(answer(b"200 OK", *LEAK, b"Vary: Accept-Encoding"))

        async with between(script, policy=sample.policy) as (upstream, proxy):
            client = await proxy.send(request(b"GET /x", *lines))
            wire = await upstream.connection()
            await wire.until(lambda: upstream.requests)
            stopping = asyncio.ensure_future(proxy.server.stop())
            await asyncio.sleep(0)
            go_on.set()
            response = await client.response()
            await stopping
            return response

    yield ask


@contextlib.asynccontextmanager
async def silent_upload(sample: Sample) -> AsyncIterator[Ask]:
    """A request body that stops in its middle."""
    async with between(silent, policy=sample.policy, limits={"request_body_timeout": 0.02}) as (_, proxy):

        async def ask(*lines: bytes) -> Response:
            client = await proxy.send(request(b"POST /x", b"Content-Length: 9", *lines) + b"half")
            response = await client.response()
            client.close()
            return response

        yield ask


@contextlib.asynccontextmanager
async def half_a_head(sample: Sample) -> AsyncIterator[Ask]:
    """The client's own head stops before its end, so nobody can say which rule it was meant for."""
    async with between(silent, policy=sample.policy, limits={"request_head_timeout": 0.02}) as (_, proxy):

        async def ask(*lines: bytes) -> Response:
            client = await proxy.send(request(b"GET /x", *lines)[:-2])
            response = await client.response()
            client.close()
            return response

        yield ask


HANDSHAKE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
NEVER_READ = answering(answer(b"200 OK"))

WAYS: dict[str, Way] = {
    "200": Way(200, forwarded(b"200 OK"), forwarded=True),
    "201 to a POST": Way(201, forwarded(b"201 Created", asked=b"POST /x"), forwarded=True),
    "204": Way(204, forwarded(b"204 No Content"), forwarded=True),
    "304": Way(304, forwarded(b"304 Not Modified", b"ETag: x"), forwarded=True),
    "302": Way(302, forwarded(b"302 Found", b"Location: /landed"), forwarded=True),
    "401": Way(401, forwarded(b"401 Unauthorized", b"WWW-Authenticate: Basic"), forwarded=True),
    "404 of the upstream": Way(404, forwarded(b"404 Not Found"), forwarded=True),
    "500 of the upstream": Way(500, forwarded(b"500 Oops"), forwarded=True),
    "HEAD": Way(200, forwarded(b"200 OK", b"Content-Length: 9", asked=b"HEAD /x"), forwarded=True),
    "OPTIONS that is no preflight": Way(200, forwarded(b"200 OK", asked=b"OPTIONS /x"), forwarded=True),
    "drain": Way(200, draining, forwarded=True),
    "refused connection": Way(502, refused),
    "malformed head": Way(502, failing(writing(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n"))),
    "end inside the head": Way(502, failing(writing(b"HTTP/1.1 200 OK\r\nVary: *\r\nAccess-Control-Al", "close"))),
    "reset inside the head": Way(502, failing(writing(b"HTTP/1.1 200 OK\r\n", "reset"))),
    "head too large": Way(502, failing(writing(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 2_000_000))),
    "reset inside an upload": Way(502, failing(writing(b"", "reset"), asked=b"POST /x", body=b"x" * 300_000)),
    "time-out": Way(504, failing(silent, timeouts={"response": 0.02})),
    "body too large": Way(413, failing(NEVER_READ, asked=b"POST /x", body=b"12345", limits={"max_request_body": 4})),
    "body that stops": Way(408, silent_upload),
    "unknown expectation": Way(417, failing(NEVER_READ, asked=b"POST /x", lines=(b"Expect: miracles",), body=b"")),
    "method that is not forwarded": Way(405, failing(NEVER_READ, asked=b"TRACE /x")),
    "too many connections": Way(503, full),
    "rejected where denied": Way(200, failing(answering(answer(b"200 OK", *LEAK)), on_denied="reject"), rejected=403),
    "WebSocket that the upstream refuses": Way(
        401, failing(answering(answer(b"401 Unauthorized", *LEAK)), lines=HANDSHAKE), rejected=403
    ),
    "WebSocket that fails": Way(502, failing(writing(b"", "close"), lines=HANDSHAKE), rejected=403),
    "no rule": Way(404, failing(NEVER_READ, rule={"path": "/elsewhere"}), ruled=False),
    "no host": Way(421, failing(NEVER_READ, rule={"host": "api.example.com"}), ruled=False),
    "target in doubt": Way(400, failing(NEVER_READ, asked=b"GET /a/%2e%2e/b"), ruled=False),
    "framing in doubt": Way(400, failing(NEVER_READ, lines=(b"Content-Length: 1, 2",)), ruled=False),
    "head that stops": Way(408, half_a_head, ruled=False),
    "head that is too large": Way(
        431, failing(NEVER_READ, lines=(b"X-A: " + b"a" * 5_000,), limits={"max_request_head": 4096}), ruled=False
    ),
}
