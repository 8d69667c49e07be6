"""Every spelling of Transfer-Encoding, Content-Length, line ends and chunks that two servers might read in two ways.

The oracle, for each row: one message in is at most one message out.  Either it is refused with 400 or 501, the
connection is closed, and nothing reaches the upstream; or what the upstream gets is one message in canonical form, the
same whatever the spelling was.  The upstream keeps the exact bytes.
"""

from __future__ import annotations

import itertools

import pytest

from tests.e2e.rig import RawUpstream, Request, RunningProxy, answer, answering, between, chunked

OK = answer(b"200 OK", body=b"ok")
HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKS = chunked(b"hello")

# https://portswigger.net/research/http-desync-attacks-request-smuggling-reborn and what came after it; LEGAL says which
# spellings are none.
TRANSFER_ENCODINGS = [
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked",
    b"Transfer-Encoding\x0b: chunked",
    b" Transfer-Encoding: chunked",
    b"\tTransfer-Encoding: chunked",
    b"X: x\nTransfer-Encoding: chunked",
    b"X: x\rTransfer-Encoding: chunked",
    b"X: x\r\n Transfer-Encoding: chunked",
    b"Transfer-Encoding\r\n: chunked",
    b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding:\n chunked",
    b"Transfer-Encoding: \x00chunked",
    b"Transfer-Encoding: chunked\x00",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding: \x0cchunked",
    b"Transfer-Encoding: chunked\x0b",
    b"Transfer-Encoding: \xa0chunked",
    b"Transfer-Encoding: \x85chunked",
    b"Transfer-Encoding: chunked\xff",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: 'chunked'",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx",
    b"Transfer-Encoding: chunk",
    b"Transfer-Encoding: chunked-false",
    b"Transfer-Encoding: chunked;q=1",
    b"Transfer-Encoding: chunked; ext=1",
    b"Transfer-Encoding: chunked,",
    b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding: ,,chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, gzip",
    b"Transfer-Encoding: deflate",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: cow",
    b"Transfer-Encoding:",
    b"Transfer-Encoding: ",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding:\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding chunked",
    b"Transfer Encoding: chunked",
    "Transfer-Encoding: chun\u212aed".encode(),  # lower() of the Kelvin sign is "k" in Unicode
    "Transfer\u2010Encoding: chunked".encode(),
    b"Transfer-Encoding: chunked",
    b"transfer-encoding: CHUNKED",
    b"Transfer-Encoding:chunked",
    b"Transfer-Encoding:\t chunked \t",
]

LENGTHS = [
    b"Content-Length: +5",
    b"Content-Length: -5",
    b"Content-Length: -0",
    b"Content-Length: 5.0",
    b"Content-Length: 5e0",
    b"Content-Length: 0x5",
    b"Content-Length: 0o5",
    b"Content-Length: 0b101",
    b"Content-Length: 1_0",
    b"Content-Length: 5 ;",
    b"Content-Length: 5;x",
    b"Content-Length: 5,5",
    b"Content-Length: 5, 5",
    b"Content-Length: 5,",
    b"Content-Length: ,5",
    b"Content-Length: 5 5",
    b"Content-Length: 5\t5",
    b"Content-Length: 5\x00",
    b"Content-Length: \x0b5",
    b"Content-Length: 5\x0c",
    b"Content-Length: \xa05",
    b"Content-Length: '5'",
    b'Content-Length: "5"',
    b"Content-Length: (5)",
    b"Content-Length: five",
    b"Content-Length: NaN",
    b"Content-Length: ",
    b"Content-Length:",
    "Content-Length: \u0665".encode(),
    "Content-Length: \uff15".encode(),
    "Content-Length: \u00b2".encode(),
    b"Content-Length: 4294967301",  # 2^32 + 5
    b"Content-Length: 18446744073709551621",  # 2^64 + 5
    b"Content-Length: 9223372036854775808",
    b"Content-Length: " + b"9" * 400,
    b"Content-Length: " + b"0" * 400 + b"5",
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: 0\r\nContent-Length: 5",
    b"Content-Length: 5\r\ncontent-length: 5",
    b"Content-Length : 5",
    b" Content-Length: 5",
    b"Content-Length:\r\n 5",
    b"Content-Length\x00: 5",
    b"Content Length: 5",
    b"X: x\nContent-Length: 5",
    b"X: x\rContent-Length: 5",
    b"Content-Length: 5",
    b"content-length:5",
    b"CONTENT-LENGTH: \t5\t ",
    b"Content-Length: 0005",
]

LEGAL = {
    b"Transfer-Encoding: chunked", b"transfer-encoding: CHUNKED", b"Transfer-Encoding:chunked",
    b"Content-Length: 5", b"content-length:5", b"CONTENT-LENGTH: \t5\t ",
    b"Content-Length: 0005",
}  # fmt: skip
ENDLESS = {b"Content-Length: 4294967301"}  # a number like any other: the body is waited for, and is never whole


async def judged(sent: bytes, upstream: RawUpstream, proxy: RunningProxy, *, legal: bool) -> list[Request]:
    """Send the message with another behind it; what reached the upstream is returned, after the oracle has judged."""
    client = await proxy.send(sent + SMUGGLED)
    response = await client.response()
    if legal:
        assert response.status == 200
        assert (await client.response()).body == b"ok"  # the message behind it is one of its own
        assert [received.target for received in upstream.requests] == [b"/x", b"/smuggled"]
        return upstream.requests[:1]
    assert response.status in {400, 501}
    assert b"close" in response.members(b"connection")
    await client.until_ended()
    assert client.pending == b"", "something else was answered too"
    assert upstream.connections == []
    return []


@pytest.mark.parametrize("line", TRANSFER_ENCODINGS, ids=repr)
async def test_transfer_encoding_is_chunked_or_refused(line):
    async with between(answering(OK)) as (upstream, proxy):
        for received in await judged(HEAD + line + b"\r\n\r\n" + CHUNKS, upstream, proxy, legal=line in LEGAL):
            assert received.all(b"transfer-encoding") == [b"chunked"]
            assert received.all(b"content-length") == []
            assert received.body == b"hello"


@pytest.mark.parametrize("line", TRANSFER_ENCODINGS, ids=repr)
@pytest.mark.parametrize("length_first", [True, False])
async def test_transfer_encoding_of_any_spelling_beside_a_length_is_refused(line, length_first):
    """CL.TE and TE.CL, the two classic desynchronisations: what the length covers ends before the chunks do."""
    lines = [b"Content-Length: 4", line] if length_first else [line, b"Content-Length: 4"]
    async with between(answering(OK)) as (upstream, proxy):
        await judged(HEAD + b"\r\n".join(lines) + b"\r\n\r\n" + CHUNKS, upstream, proxy, legal=False)


@pytest.mark.parametrize("line", [line for line in LENGTHS if line not in ENDLESS], ids=repr)
async def test_content_length_is_a_number_or_refused(line):
    async with between(answering(OK)) as (upstream, proxy):
        for received in await judged(HEAD + line + b"\r\n\r\nhello", upstream, proxy, legal=line in LEGAL):
            assert received.body == b"hello"
            assert int(received.one(b"content-length")) == 5
            assert received.all(b"transfer-encoding") == []


@pytest.mark.parametrize("line", sorted(ENDLESS), ids=repr)
async def test_length_that_is_never_reached_completes_no_request(line):
    """2^32 + 5: who counts in 32 bits would see five bytes and another request."""

    async def script(wire):
        await wire.request()

    async with between(script, limits={"request_body_timeout": 0.1}) as (upstream, proxy):
        client = await proxy.send(HEAD + line + b"\r\n\r\nhello" + SMUGGLED)
        assert (await client.response()).status == 408
        await client.until_ended()
        await (await upstream.connection()).until_ended()
    assert len(upstream.requests) == 1
    assert all(wire.ended for wire in upstream.connections)


# Lines.

BYTES_IN_A_NAME = [bytes([byte]) for byte in (*range(0x21), *b'"(),/;<=>?@[\\]{}', 0x7F, 0x80, 0xFF)]
BYTES_IN_A_VALUE = [bytes([byte]) for byte in (*(byte for byte in range(0x20) if byte != 0x09), 0x7F)]


@pytest.mark.parametrize("byte", BYTES_IN_A_NAME, ids=repr)
@pytest.mark.parametrize("where", ["X%bA: b", "%bXA: b", "XA%b: b"])
async def test_name_of_other_bytes_than_a_tokens_is_refused(byte, where):
    """https://www.rfc-editor.org/rfc/rfc9110#section-5.1; some servers stop reading at such a byte, some skip it."""
    line = where.encode() % byte
    async with between(answering(OK)) as (upstream, proxy):
        await judged(b"GET /x HTTP/1.1\r\nHost: localhost\r\n" + line + b"\r\n\r\n", upstream, proxy, legal=False)


@pytest.mark.parametrize("byte", BYTES_IN_A_VALUE, ids=repr)
@pytest.mark.parametrize("where", [b"X-A: a%bb", b"X-A: %bb", b"X-A: a%b"])
async def test_value_with_a_control_byte_is_refused(byte, where):
    """https://www.rfc-editor.org/rfc/rfc9110#section-5.5-5."""
    line = where % byte
    if line.endswith(b"\r"):
        pytest.skip("that is the line's own end, doubled; see the bare CR before it")
    async with between(answering(OK)) as (upstream, proxy):
        await judged(b"GET /x HTTP/1.1\r\nHost: localhost\r\n" + line + b"\r\n\r\n", upstream, proxy, legal=False)


@pytest.mark.parametrize("byte", [b"\x80", b"\xe9", b"\xff", b"\t"], ids=repr)
async def test_value_with_obs_text_passes_byte_for_byte(byte):
    """https://www.rfc-editor.org/rfc/rfc9110#section-5.5: opaque, but legal."""
    async with between(answering(OK)) as (upstream, proxy):
        sent = b"GET /x HTTP/1.1\r\nHost: localhost\r\nX-A: a" + byte + b"b\r\n\r\n"
        (received,) = await judged(sent, upstream, proxy, legal=True)
    assert received.one(b"x-a") == b"a" + byte + b"b"


START_LINES = [
    b"GET /x HTTP/1.1\n",
    b"GET /x HTTP/1.1\r",
    b"GET /x HTTP/1.1\r\r\n",
    b"GET /x HTTP/1.1 \r\n",
    b" GET /x HTTP/1.1\r\n",
    b"GET\t/x\tHTTP/1.1\r\n",
    b"GET\x0b/x\x0bHTTP/1.1\r\n",
    b"GET\xa0/x HTTP/1.1\r\n",
    b"GET /x HTTP/1.1\x00\r\n",
    b"GET /x\x00y HTTP/1.1\r\n",
    b"GET /x\ty HTTP/1.1\r\n",
    b"GET /x\x7f HTTP/1.1\r\n",
    b"GET /x http/1.1\r\n",
    b"GET /x HTTP/1\r\n",
    b"GET /x HTTP/1.\r\n",
    b"GET /x HTTP/1.10\r\n",
    b"GET /x HTTP/01.1\r\n",
    b"GET /x HTTP/+1.1\r\n",
    b"GET /x HTTP/1.1.1\r\n",
    b"GET /x HTTP/1,1\r\n",
    b"GET /x HTTPS/1.1\r\n",
    b"GET /x ICE/1.0\r\n",
    b"GET /x RTSP/1.0\r\n",
    b"GET /x HTTP/1.1 HTTP/1.1\r\n",
    b"GET / x HTTP/1.1\r\n",
    b"GET HTTP/1.1\r\n",
    b"GET\r\n",
    b"G\xc9T /x HTTP/1.1\r\n",
    b"G/T /x HTTP/1.1\r\n",
    b"\xef\xbb\xbfGET /x HTTP/1.1\r\n",
    b"GET localhost:80 HTTP/1.1\r\n",  # authority-form belongs to CONNECT
    b"GET localhost HTTP/1.1\r\n",
    b"GET * HTTP/1.1\r\n",
    b"POST * HTTP/1.1\r\n",
    b"OPTIONS ** HTTP/1.1\r\n",
    b"GET mailto:a@localhost HTTP/1.1\r\n",
    b"GET file:///etc/passwd HTTP/1.1\r\n",
    b"GET http:/x HTTP/1.1\r\n",
    b"GET http:x HTTP/1.1\r\n",
    b"GET http://localhost:x/ HTTP/1.1\r\n",
    b"GET http://localhost:99999/ HTTP/1.1\r\n",
    b"GET http://local host/ HTTP/1.1\r\n",
    b"GET http://[::1/ HTTP/1.1\r\n",
    b"GET http://localhost\\@evil/x HTTP/1.1\r\n",
    b"GET ?x HTTP/1.1\r\n",
    b"GET #x HTTP/1.1\r\n",
]


@pytest.mark.parametrize("line", START_LINES, ids=repr)
async def test_start_line_in_doubt_is_refused(line):
    """https://www.rfc-editor.org/rfc/rfc9112#section-3: the lenient parsing that the standard allows is not used."""
    async with between(answering(OK)) as (upstream, proxy):
        await judged(line + b"Host: localhost\r\n\r\n", upstream, proxy, legal=False)


@pytest.mark.parametrize("line", [b"GET  /x HTTP/1.1", b"GET /x  HTTP/1.1", b"GET /x HTTP/1.1"])
async def test_more_spaces_than_one_are_forwarded_as_one(line):
    """https://www.rfc-editor.org/rfc/rfc9112#section-3-3 allows it, and no server sees more than three words in it."""
    async with between(answering(OK)) as (upstream, proxy):
        (received,) = await judged(line + b"\r\nHost: localhost\r\n\r\n", upstream, proxy, legal=True)
    assert received.start == b"GET /x HTTP/1.1"


# Chunks: the head is legal, so that it may have left when the chunk comes.

SIZES = [
    b"5 ", b" 5", b"\t5", b"5\t", b"5\x0b", b"5\x00", b"+5", b"-5", b"0x5", b"5h", b"5.", b"5_0", b"", b"g", b"five",
    b"5,5", b"\xb5", "\u0665".encode(), b"10000000000000005", b"fffffffffffffffff", b"ffffffffffffffff",
    b"8000000000000005", b"-fffffffffffffffb", b"5\r", b"5\n", b"5\r\r", b"\r\n5", b"5\\", b"5=a",
]  # fmt: skip
EXTENSIONS = [
    b";a\x00b", b";a\rb", b";a\nb", b";a\x0bb", b";a\x7fb", b";\r\n ", b";a=b\r", b";a=b\n",
    b";a=\"b\nc\"", b";a=\"\r\n\"",
]  # fmt: skip
AFTER_DATA = [b"", b"\n", b"\r", b"X", b" \r\n", b"\r\r\n", b"\n\r\n", b"X\r\n", b"\r\n\r\n"]
TRAILERS = [
    b"X-A\r\n", b"X-A : b\r\n", b" X-A: b\r\n", b"X-A: b\n", b"X-A: b\r", b": b\r\n", b"X-A: \x00\r\n",
    b"X-A: b\r\n c\r\n",
]  # fmt: skip

BROKEN = {
    **{f"size {size!r}": size + b"\r\nhello\r\n0\r\n\r\n" for size in SIZES},
    **{f"extension {text!r}": b"5" + text + b"\r\nhello\r\n0\r\n\r\n" for text in EXTENSIONS},
    **{f"behind the data {text!r}": b"5\r\nhello" + text + b"0\r\n\r\n" for text in AFTER_DATA},
    **{f"trailer {text!r}": b"5\r\nhello\r\n0\r\n" + text + b"\r\n" for text in TRAILERS},
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
async def test_chunk_in_doubt_completes_no_request(body):
    """The upstream sees no end of that request, and no other request; the client is told, and let go."""

    async def script(wire):
        await wire.request()
        await wire.send(OK)

    limits = {"request_body_timeout": 0.1}
    async with between(script, limits=limits) as (upstream, proxy):
        client = await proxy.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body + SMUGGLED)
        assert (await client.response()).status in {400, 408}
        await client.until_ended()
        assert client.pending == b""
        for wire in upstream.connections:
            await wire.until_ended()
            assert not wire.received.endswith(b"0\r\n\r\n")
            assert b"smuggled" not in wire.received.partition(b"\r\n\r\n")[0]
    assert len(upstream.requests) <= 1


PADDED = {
    "one extension": b"5;" + b"a" * 20_000 + b"\r\nhello\r\n",
    "one extension with a value": b'5;a="' + b"b" * 20_000 + b'"\r\nhello\r\n',
    "zeros before a size": b"0" * 20_000 + b"5\r\nhello\r\n",
    "an extension behind much content": b"10000\r\n" + b"c" * 65_536 + b"\r\n5;" + b"a" * 20_000 + b"\r\nhello\r\n",
    "an extension of the last chunk": b"5\r\nhello\r\n0;" + b"a" * 20_000 + b"\r\n",
    "trailers": b"5\r\nhello\r\n0\r\n" + b"X-A: b\r\n" * 2_500,
    "one trailer": b"5\r\nhello\r\n0\r\nX-A: " + b"b" * 20_000 + b"\r\n",
}


@pytest.mark.parametrize("body", PADDED.values(), ids=PADDED.keys())
@pytest.mark.parametrize("at_once", [True, False], ids=["in the head's segment", "later"])
async def test_padding_of_20_kb_is_refused_wherever_it_stands(body, at_once):
    """https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1: to be limited (the class of CVE-2023-39326)."""

    async def script(wire):
        await wire.request()
        await wire.send(OK)

    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    async with between(script) as (upstream, proxy):
        client = await proxy.send(head + body if at_once else head)
        if not at_once:
            await (await upstream.connection()).until(lambda: True)
            await client.send(body)
        assert (await client.response()).status == 400
        await client.until_ended()
        for wire in upstream.connections:
            await wire.until_ended()
            assert not wire.received.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("body", PADDED.values(), ids=PADDED.keys())
async def test_padding_is_refused_behind_plain_requests_too(body):
    """Those may have taken another way than the parser's, which must not forget its bounds."""

    async def script(wire):
        while True:
            await wire.request()
            await wire.send(OK)

    async with between(script) as (upstream, proxy):
        client = await proxy.connect()
        for _ in range(2):
            assert (await client.ask(b"GET /x")).status == 200
        await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body)
        assert (await client.response()).status == 400
        await client.until_ended()
        for wire in upstream.connections:
            await wire.until_ended()
            assert not wire.received.endswith(b"0\r\n\r\n")


async def test_honest_chunks_of_every_size_pass():
    """The other side of that limit: neither tiny chunks nor short extensions are padding."""
    tiny = chunked(*(b"%c" % (byte % 256) for byte in range(10_000)))
    tagged = b"".join(b"400;sig=%064x\r\n%b\r\n" % (index, b"d" * 1024) for index in range(64)) + b"0\r\n\r\n"
    for body, size in ((tiny, 10_000), (tagged, 65_536), (chunked(b"e" * 1_000_000), 1_000_000)):
        async with between(answering(OK)) as (upstream, proxy):
            client = await proxy.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body)
            assert (await client.response()).status == 200
        assert [len(received.body) for received in upstream.requests] == [size]


# Who is asked.

HOSTS = [
    b"", b" ", b",", b"localhost,localhost", b"localhost localhost", b"localhost:80:80", b"localhost:-1",
    b"localhost:+80", b"localhost:99999", b"localhost: 80", b"localhost:8o", b"local\x00host", b"local\x7fhost",
    b"user@localhost", b"localhost/x", b"localhost?x", b"localhost#x", b"localhost\\x", b"http://localhost", b"[::1",
    b"::1", b"[::1]x", b"[fe80::1%25eth0]", b"*", b"%6cocalhost", b"local..host", b".localhost", b"localhost..",
    "lo\u0441alhost".encode(), b"a" * 300, b"\"localhost\"",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS, ids=repr)
async def test_host_in_doubt_is_refused(host):
    """https://www.rfc-editor.org/rfc/rfc9112#section-3.2-6."""
    async with between(answering(OK)) as (upstream, proxy):
        await judged(b"GET /x HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", upstream, proxy, legal=False)


SECOND_HOSTS = [b"Host: localhost", b"host: evil.example.net", b"HOST:", b"Host : localhost", b" Host: evil"]


@pytest.mark.parametrize("second", SECOND_HOSTS, ids=repr)
@pytest.mark.parametrize("target", [b"/x", b"http://localhost/x"])
@pytest.mark.parametrize("first", [True, False])
async def test_second_host_is_refused(second, target, first):
    lines = [second, b"Host: localhost"] if first else [b"Host: localhost", second]
    async with between(answering(OK)) as (upstream, proxy):
        sent = b"GET " + target + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"
        await judged(sent, upstream, proxy, legal=False)


def test_rows_are_different():
    for table in (TRANSFER_ENCODINGS, LENGTHS, START_LINES, SIZES, HOSTS):
        assert len(set(table)) == len(table)
    assert set(itertools.chain(TRANSFER_ENCODINGS, LENGTHS)) >= LEGAL | ENDLESS
