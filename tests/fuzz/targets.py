"""What is fuzzed: each target takes any bytes, and raises only where a promise is broken.

``scripts/fuzz`` runs them under atheris, which looks for new paths; tests/fuzz/test_corpus.py replays the corpus.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser

from corsproxy.config.load import load_config
from corsproxy.cors.origin import parse_origin
from corsproxy.errors import InvalidConfig, InvalidOrigin, MalformedRequest, UpstreamError
from corsproxy.http.answers import body_for
from corsproxy.http.cookies import CookieRewrite
from corsproxy.http.fields import connection_options, list_members, merge_vary
from corsproxy.http.forwarded import Forwarding
from corsproxy.http.location import LocationRewrite
from corsproxy.http.references import rewrite_link, rewrite_refresh
from corsproxy.http.target import forward_path, parse_host, parse_target
from corsproxy.proxy.answer import answer_bytes
from corsproxy.proxy.framing import Framing
from corsproxy.proxy.head_reader import read_plain_request, read_plain_response
from corsproxy.proxy.parsing import read_head
from corsproxy.proxy.pieces import Piece
from corsproxy.proxy.plan import Answer, Forward, plan
from corsproxy.proxy.reader import ResponseReader, _MessageParser
from corsproxy.proxy.received import Field, ResponseHead
from corsproxy.proxy.request import Client, RequestHead
from corsproxy.proxy.response import delivery, interim_head, response_head

TABLE: Final = load_config(
    """
policies:
  app: {allow_origins: ["https://app.example.com", "https://*.example.org"], allow_credentials: true,
        expose_headers: "*"}
rules:
  - {path: /, upstream: "http://127.0.0.1:1", policy: app}
  - {path: /api, upstream: "http://127.0.0.1:2/base", policy: app, strip_prefix: true, forward_origin: remove}
  - {path: /admin, upstream: "http://127.0.0.1:3", policy: none}
""",
    "fuzz.yaml",
    {},
).table
CLIENT: Final = Client("127.0.0.1", tls=False)
DATE: Final = b"Sun, 06 Nov 1994 08:49:37 GMT"
HEAD: Final = re.compile(
    rb"[^\r\n\x00]+\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n", re.DOTALL
)


def config(data: bytes) -> None:
    """Any text is a configuration or has a list of problems, each at a place of the file."""
    text = data.decode("utf-8", "replace")
    try:
        load_config(text, "fuzz.yaml", {"HOME": "/"})
    except InvalidConfig as invalid:
        problems = invalid.problems
    else:
        return
    assert problems
    assert all(0 <= problem.line <= len(re.findall("[\n\r\x85\u2028\u2029]", text)) + 2 for problem in problems)


def origin(data: bytes) -> None:
    """Whatever the Origin header is, the policy grants it only what it lists, and the answer is a well-formed head."""
    with contextlib.suppress(InvalidOrigin):
        parse_origin(data.decode("latin-1"))
    rule = TABLE.find("", "/")
    assert rule is not None
    policy = rule.policy
    assert policy is not None
    decision = policy.judge_actual((data,))
    if b"Access-Control-Allow-Origin" in decision.lines:
        assert data == b"https://app.example.com" or re.fullmatch(rb"https://[0-9a-z.-]+\.example\.org", data)
    assert HEAD.fullmatch(b"HTTP/1.1 200 OK\r\n" + decision.lines + b"\r\n")


def fields(data: bytes) -> None:
    """The grammars of header values: nothing raises but the one error, and nothing grows a line of its own."""
    value = re.sub(rb"[\x00-\x08\x0a-\x1f\x7f]", b"", data)  # as the parsers let it through
    members = list_members((value,))
    assert b"," not in b"".join(members)
    connection_options((value,))
    merged = merge_vary((value,), (b"Origin",))
    assert merged == b"*" or b"origin" in merged.lower()
    rewrite = LocationRewrite.create(["http://127.0.0.1:2"], "/base", "/api")
    cookies = CookieRewrite(same_site="none", domain="remove", base=b"/base", prefix=b"/api")
    forwarding = Forwarding.create(["127.0.0.0/8"], "fuzz")
    lines = forwarding.lines(
        "127.0.0.1", False, b"a", ((b"x-forwarded-for", value), (b"x-forwarded-host", value)), b"1.1"
    )
    written = [
        rewrite.rewrite(value, b"a"),
        rewrite_link(value, lambda reference: rewrite.rewrite(reference, b"a")),
        rewrite_refresh(value, lambda reference: rewrite.rewrite(reference, b"a")),
        cookies.rewrite(value),
    ]
    assert not re.search(rb"[\r\n\x00]", b"".join(written))
    assert HEAD.fullmatch(b"GET / HTTP/1.1\r\n" + lines + b"\r\n")
    with contextlib.suppress(MalformedRequest):
        parse_host(value)


def target(data: bytes) -> None:
    """A target is refused, or is forwarded as the bytes that came, to the rule that its own reading names."""
    try:
        parsed = parse_target(data)
    except MalformedRequest:
        return
    path = forward_path(parsed, 0, b"")
    assert path == parsed.path + parsed.query
    assert data.endswith(path) or path == b"/" + parsed.query
    assert re.fullmatch(rb"/[!-\"$-~]*", path)
    plain = re.sub(rb"%2e", b".", re.sub(rb"%2f|%5c|\\", b"/", parsed.path, flags=re.IGNORECASE), flags=re.IGNORECASE)
    assert not {b".", b".."} & {segment.partition(b";")[0] for segment in plain.split(b"/")}


def request(data: bytes) -> None:
    """A request head, by the listener's own parser, through the plan: an answer, or one canonical head."""
    plain = read_plain_request(data, 2**16, 2**14)
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_line_size=2**16, max_field_size=2**16)
        messages, _, _ = parser.feed_data(data)
    except HttpProcessingError:
        assert plain is None
        return
    finally:
        loop.close()
    if plain is not None:
        [(message, _)] = messages
        _assert_read_alike(plain.head, read_head(message))
    for message, _ in messages:
        head = read_head(message)
        planned = plan(TABLE, head, CLIENT)
        if isinstance(planned, Answer):
            written = answer_bytes(planned, (), method=head.method, version=head.version, closes=True, date=DATE)
            assert HEAD.match(written)
            body_for(planned.own, head.fields.all(b"accept"))
            continue
        written = planned.head(b"127.0.0.1:1")
        assert HEAD.fullmatch(written), written
        lower = written.lower()
        assert lower.count(b"\r\nhost: ") == 1
        assert lower.count(b"\r\ncontent-length:") + lower.count(b"\r\ntransfer-encoding:") <= 1
        assert b"access-control-allow-" not in planned.decision.lines.lower() or head.fields.all(b"origin")


def _assert_read_alike(fast: RequestHead, ordinary: RequestHead) -> None:
    """Both lanes see the same request."""
    assert (fast.method, fast.target, fast.version) == (ordinary.method, ordinary.target, ordinary.version)
    assert [line.whole for line in fast.fields.passed] == [line.whole for line in ordinary.fields.passed]
    assert fast.fields.forwarded == ordinary.fields.forwarded
    assert fast.fields.unusual == ordinary.fields.unusual
    assert fast.fields.nominated() == ordinary.fields.nominated()


class _Wire:
    """A sink that writes what the relay would, and checks each head."""

    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self.heads = self.ends = 0
        self.content = b""
        self.framing: Framing | None = None

    def interim(self, head: ResponseHead) -> None:
        assert not self.heads
        assert HEAD.fullmatch(interim_head(self.forward, head))

    def head(self, head: ResponseHead, framing: Framing) -> None:
        self.heads += 1
        self.framing = framing
        written = response_head(self.forward, head, delivery(framing, version=b"1.1", closes=False), lambda: DATE)
        assert HEAD.fullmatch(written), written
        grants = re.findall(rb"(?mi)^access-control-allow-origin: (.*)\r$", written)
        assert grants == [b"https://app.example.com"], grants
        lower = written.lower()
        assert lower.count(b"\r\ncontent-length:") + lower.count(b"\r\ntransfer-encoding:") <= 1
        assert lower.count(b"\r\nvary:") == 1

    def body(self, piece: Piece) -> None:
        assert self.heads == 1
        assert not self.ends
        self.content += piece

    def end(self, trailers: Sequence[Field]) -> None:
        self.ends += 1
        assert self.framing is None or not self.framing.length or len(self.content) == self.framing.length

    def switched(self, head: ResponseHead, rest: bytes) -> None:
        raise AssertionError("nobody asked for an upgrade")


def _forward() -> Forward:
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)
        messages, _, _ = parser.feed_data(b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example.com\r\n\r\n")
        planned = plan(TABLE, read_head(messages[0][0]), CLIENT)
    finally:
        loop.close()
    assert isinstance(planned, Forward)
    return planned


FORWARD: Final = _forward()


def _read(data: bytes, size: int) -> tuple[str, bytes, int]:
    wire = _Wire(FORWARD)
    reader = ResponseReader(wire, b"GET")
    try:
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])
        reader.eof()
    except UpstreamError as error:
        return type(error).__name__, wire.content, wire.ends
    assert wire.ends == 1
    return "whole", wire.content, wire.ends


def response(data: bytes) -> None:
    """An upstream's bytes are one whole answer or an error, the same in whatever pieces they come."""
    head, _, _ = data.partition(b"\r\n\r\n")
    if (plain := read_plain_response(head)) is not None:
        parsed = _MessageParser(head + b"\r\n\r\n").head
        assert (plain.start.line, plain.fields) == (parsed.start.line, parsed.fields)
    at_once = _read(data, max(1, len(data)))
    bytewise = _read(data, 1)
    assert at_once[2] == bytewise[2]
    if at_once[0] == "whole":
        assert bytewise == at_once


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "config": config,
    "origin": origin,
    "fields": fields,
    "target": target,
    "request": request,
    "response": response,
}
