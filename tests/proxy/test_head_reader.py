"""The plain readers accept nothing that the strict parsers refuse, and read what they accept as those do.

The parsers are the oracle: aiohttp's for requests, llhttp for responses.  What the plain readers decline is not judged
here, except that the everyday heads must not be among it.
"""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from aiohttp.streams import EMPTY_PAYLOAD
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corsproxy.errors import MalformedResponse
from corsproxy.http.target import read_ordinary
from corsproxy.proxy import head_reader
from corsproxy.proxy.head_reader import read_plain_request, read_plain_response
from corsproxy.proxy.parsing import read_head
from corsproxy.proxy.reader import _MessageParser
from corsproxy.proxy.received import REWRITTEN

LIMIT = 64 * 1024
MOST_LINES = 100
GET = b"GET /x?y=1 HTTP/1.1\r\nHost: a.example\r\nOrigin: https://app.example\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"

PLAIN_OK = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2"

NAMES = [
    *(b"Host", b"host", b"Connection", b"Content-Length", b"Transfer-Encoding", b"Upgrade", b"Expect", b"TE", b"X-a"),
    *(b"Content-Type", b"User-Agent", b"ETag", b"Server", b"Origin", b"Cookie", b"X_Forwarded_For", b"Keep-Alive", b""),
    *(b"Content-Range", b"Content-Location", b"Max-Forwards", b"Proxy-Connection", b"Sec-WebSocket-Key1", b"X\xff"),
]
VALUES = [
    *(b"a.example", b"keep-alive", b"close", b"0", b"5", b"+5", b"0x5", b"18446744073709551616", b"chunked", b"a b"),
    *(b"", b" \t a \t ", b"\xff", b"a\x00b", b"a\nb", b"a\rb", b"a\x7fb", b"websocket", b"upgrade", b"100-continue"),
]
SEPARATORS = [b": ", b":", b":\t", b" : ", b" "]
ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n "]
REQUEST_LINES = [
    *(b"GET / HTTP/1.1", b"POST /a/../b?c HTTP/1.1", b"OPTIONS * HTTP/1.1", b"get / HTTP/1.1", b"GET / HTTP/1.0"),
    *(b"GET  / HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET /a#b HTTP/1.1", b"GET http://a/ HTTP/1.1", b"HEAD //x HTTP/1.1"),
    *(
        b"CONNECT a:1 HTTP/1.1",
        b'GET /"<>\\^`{|} HTTP/1.1',
        b"PUT / HTTP/1.1 ",
        b"\r\nGET / HTTP/1.1",
        b"PRI * HTTP/2.0",
    ),
]
STATUS_LINES = [
    *(b"HTTP/1.1 200 OK", b"HTTP/1.1 404 ", b"HTTP/1.1 404", b"HTTP/1.0 200 OK", b"HTTP/1.1 101 Switching Protocols"),
    *(
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 304 Not Modified",
        b"HTTP/1.1 099 x",
        b"HTTP/1.1 600 x",
        b"http/1.1 200 OK",
    ),
    *(b"HTTP/1.1  200 OK", b"HTTP/1.1 200 \xff", b"HTTP/1.1 200 a\tb", b"HTTP/2 200 OK", b"HTTP/1.1 2000 x"),
]

lines = st.tuples(st.sampled_from(NAMES), st.sampled_from(SEPARATORS), st.sampled_from(VALUES), st.sampled_from(ENDS))


@st.composite
def heads(draw, starts):
    """A head out of usual and unusual parts, and then perhaps one byte of it changed."""
    start = draw(st.sampled_from(starts)) + b"\r\n"
    usual = draw(st.sampled_from([b"", b"Host: a.example\r\n"]))
    data = start + usual + b"".join(b"".join(line) for line in draw(st.lists(lines, max_size=4))) + b"\r\n"
    if draw(st.booleans()):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.binary(max_size=2)) + data[place + draw(st.integers(0, 2)) :]
    return data + draw(st.sampled_from([b"", b"hello", b"hell", b"GET / HTTP/1.1\r\n\r\n"]))


def parse(data):
    """What aiohttp's strict parser makes of it."""
    loop = asyncio.get_running_loop()
    options = {"max_line_size": LIMIT, "max_field_size": LIMIT, "max_headers": LIMIT // 4, "auto_decompress": False}
    return HttpRequestParser(BaseProtocol(loop), loop, 2**16, **options).feed_data(data)


@settings(max_examples=400)
@given(heads(REQUEST_LINES))
@example(GET)
@example(POST + b"hel")
@example(GET.replace(b"Origin", b"Host"))
def test_a_request_that_is_read_is_read_as_aiohttp_reads_it(data):
    read = read_plain_request(data, LIMIT, MOST_LINES)
    if read is not None:
        asyncio.run(assert_read_alike(data, read))


async def assert_read_alike(data, read):
    [(message, payload)], upgraded, tail = parse(data)
    expected = read_head(message)
    for part in ("method", "target", "version"):
        assert getattr(read.head, part) == getattr(expected, part)
    fields = read.head.fields
    for part in ("_read", "forwarded", "unusual"):
        assert getattr(fields, part) == getattr(expected.fields, part)
    assert [(line.use, line.whole) for line in fields.passed] == [
        (line.use, line.whole) for line in expected.fields.passed
    ]
    ordinary = read_ordinary(expected.target)
    assert (read.head.ordinary is None) == (ordinary is None)
    assert (message.should_close, message.upgrade, bool(message.chunked), upgraded, tail) == (False,) * 4 + (b"",)
    if read.length:
        assert payload.total_bytes == len(read.rest)
        assert payload.is_eof() == (len(read.rest) == read.length)
    else:
        assert payload is EMPTY_PAYLOAD


@settings(max_examples=400)
@given(heads(STATUS_LINES))
@example(OK)
def test_a_response_that_is_read_is_read_as_llhttp_reads_it(data):
    head, _, _ = data.partition(b"\r\n\r\n")
    read = read_plain_response(head)
    if read is None:
        return
    try:
        expected = _MessageParser(head + b"\r\n\r\n").head
    except MalformedResponse as error:
        raise AssertionError(read.lines) from error
    for part in ("version", "status", "fields", "_values"):
        assert getattr(read, part) == getattr(expected, part)
    assert read.start.line == expected.start.line
    assert [(line.whole, line.plain) for line in read.lines] == [(line.whole, line.plain) for line in expected.lines]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GET, id="get"),
        pytest.param(POST + b"hello", id="post"),
        pytest.param(POST + b"he", id="a part of the body"),
        pytest.param(GET.replace(b"Origin", b"Connection: keep-alive\r\nCookie: a=1\r\nOrigin"), id="browser"),
        pytest.param(GET.replace(b"GET", b"OPTIONS"), id="preflight"),
    ],
)
def test_what_is_usual_is_read(data):
    read = read_plain_request(data, LIMIT, MOST_LINES)
    assert read is not None
    assert read.rest == data.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GET[:-1], id="in pieces"),
        pytest.param(GET + GET, id="pipelined"),
        pytest.param(POST + b"hello" + GET, id="pipelined behind a body"),
        pytest.param(GET.replace(b"1.1", b"1.0"), id="HTTP/1.0"),
        pytest.param(GET.replace(b"Origin", b"Connection: close\r\nOrigin"), id="close"),
        pytest.param(GET.replace(b"Host: a.example\r\n", b""), id="no host"),
        pytest.param(GET.replace(b"Origin:", b"X-" + b"a" * LIMIT + b":"), id="too large"),
    ],
)
def test_what_is_unusual_is_left_to_the_parser(data):
    assert read_plain_request(data, LIMIT, MOST_LINES) is None


def test_secrets_and_what_is_large_are_not_remembered():
    secret = GET.replace(b"Origin", b"Authorization: Bearer s3cret\r\nCookie: s3cret=1\r\nX-Api-Key: s3cret\r\nOrigin")
    large = GET.replace(b"Origin", b"User-Agent: " + b"x" * 300 + b"\r\nOrigin")
    for _ in range(3):
        assert read_plain_request(secret, LIMIT, MOST_LINES)
    assert read_plain_request(large, LIMIT, MOST_LINES)
    for _ in range(3):
        assert read_plain_response(OK[:-4].replace(b"a=1", b"s3cret"))
    kept = [*head_reader._sent, *head_reader._received, *head_reader._blocks, *head_reader._heads]
    assert not [line for line in kept if b"s3cret" in line or len(line) > 256]
    assert b"Origin: https://app.example" in kept


def test_lines_of_a_file_are_remembered():
    """RFC 9110 8.8: its validators are the same in every answer, until it changes."""
    lines = [b'ETag: "6a1f-10000"', b"Last-Modified: Sun, 22 Nov 2026 13:00:00 GMT", b"Accept-Ranges: bytes"]
    assert read_plain_response(b"\r\n".join([b"HTTP/1.1 200 OK", *lines]))
    assert set(lines) <= head_reader._received.keys()


@pytest.mark.parametrize(
    ("referer", "remembered"),
    [
        (b"https://app.example/", True),  # what browsers send to other sites
        (b"https://app.example/reset?token=s3cret", False),
        (b"https://app.example/a/", False),
        (b"about:blank", False),
    ],
)
def test_a_page_s_address_is_remembered_only_without_its_path(referer, remembered):
    assert read_plain_request(GET.replace(b"Origin", b"Referer: " + referer + b"\r\nOrigin"), LIMIT, MOST_LINES)
    assert (b"Referer: " + referer in head_reader._sent) is remembered


def test_a_request_whose_lines_came_before_is_read_like_the_first():
    first, _, second, other = (
        read_plain_request(data, LIMIT, MOST_LINES) for data in (GET, GET, GET, GET.replace(b"/x?y=1", b"/z"))
    )
    assert first is not None
    assert other is not None
    assert (second.head.target, second.head.fields.whole) == (first.head.target, first.head.fields.whole)
    assert (other.head.target, other.head.fields) == (b"/z", second.head.fields)


def test_the_lines_that_came_before_on_a_connection_are_not_read_again():
    """What no dictionary may keep, a connection may: its client's own credentials."""
    secret = GET.replace(b"Origin", b"Authorization: Bearer s3cret\r\nOrigin")
    first = read_plain_request(secret, LIMIT, MOST_LINES)
    assert first is not None
    again = read_plain_request(secret.replace(b"/x", b"/z"), LIMIT, MOST_LINES, first)
    assert again is not None
    assert (again.head.target, again.head.fields) == (b"/z?y=1", first.head.fields)
    other = read_plain_request(secret.replace(b"s3cret", b"0ther"), LIMIT, MOST_LINES, first)
    assert other is not None
    assert other.head.fields.first(b"authorization") == b"Bearer 0ther"
    assert read_plain_request(secret.replace(b"/x", b"/z"), LIMIT, 2, first) is None


@settings(max_examples=100)
@given(heads(REQUEST_LINES), heads(REQUEST_LINES))
def test_the_lines_that_came_before_change_nothing(before, data):
    last = read_plain_request(before, LIMIT, MOST_LINES)
    alone = read_plain_request(data, LIMIT, MOST_LINES)
    after = read_plain_request(data, LIMIT, MOST_LINES, last)
    assert (alone is None) == (after is None)
    if alone is not None and after is not None:
        assert (alone.head.target, alone.length, alone.rest) == (after.head.target, after.length, after.rest)
        assert alone.head.fields.whole == after.head.fields.whole


def test_the_same_bytes_on_a_connection_are_the_same_request():
    first = read_plain_request(GET, LIMIT, MOST_LINES)
    assert first is not None
    assert read_plain_request(GET, LIMIT, MOST_LINES, first) is first
    sized = read_plain_request(POST + b"hello", LIMIT, MOST_LINES)
    assert sized is not None
    assert read_plain_request(POST + b"hello", LIMIT, MOST_LINES, sized) is not sized  # its body is another one


def test_a_response_head_that_comes_again_is_read_once():
    heads = [read_plain_response(PLAIN_OK) for _ in range(4)]
    assert heads[2] is heads[3]
    assert heads[3].repeats
    assert heads[3].fields == [(b"Date", b"now"), (b"Content-Length", b"2")]


def test_no_line_that_is_rewritten_for_a_client_is_remembered():
    assert not head_reader._REPEATED_BY_SERVERS & REWRITTEN


def test_what_is_remembered_is_bounded():
    for number in range(3000):
        for _ in range(3):  # a block is remembered when its lines are, and it came since
            assert read_plain_request(GET.replace(b"app", b"app%d" % number), LIMIT, MOST_LINES)
        for _ in range(2):
            assert read_plain_response(PLAIN_OK.replace(b"now", b"%d" % number))
    assert len(head_reader._heads) <= 64
    assert len(head_reader._sent) <= 1024
    assert len(head_reader._received) <= 1024
    assert len(head_reader._blocks) <= 1024


def test_lines_that_do_not_come_again_together_put_out_none_that_do():
    for _ in range(3):
        assert read_plain_request(GET, LIMIT, MOST_LINES)
    for number in range(2000):
        other = GET.replace(b"a.example", b"a%d.example" % (number % 50)).replace(b"app", b"app%d" % (number // 50))
        assert read_plain_request(other, LIMIT, MOST_LINES)
    assert GET.partition(b"\r\n")[2][:-4] in head_reader._blocks


@pytest.mark.parametrize("length", [5, 20_000])
def test_a_body_that_came_with_its_head_is_behind_it(length):
    """Only what ends as a head does is left to the parser."""
    head = POST.replace(b": 5", b": %d" % length)
    body = b"x" * (length - 4) + b"\r\n\r\n"
    assert read_plain_request(head + body, LIMIT, MOST_LINES) is None
    body = b"\r\n\r\n" + b"x" * (length - 4)
    read = read_plain_request(head + body, LIMIT, MOST_LINES)
    assert (read.length, bytes(read.rest)) == (length, body)
    assert read_plain_request(head + body + b"x", LIMIT, MOST_LINES) is None


def test_a_head_that_is_not_whole_is_left_to_the_parser():
    data = b"POST /x HTTP/1.1\r\nHost: a.example\r\nX: " + b"x" * 20_000
    assert read_plain_request(data, LIMIT, MOST_LINES) is None


def test_more_lines_than_are_allowed_go_to_the_parser():
    data = GET[:-2] + b"".join(b"X-%d: a\r\n" % number for number in range(5)) + b"\r\n"
    lines = data.count(b"\r\n") - 2  # without the request line, and the empty one
    assert read_plain_request(data, LIMIT, lines)
    assert read_plain_request(data, LIMIT, lines - 1) is None
