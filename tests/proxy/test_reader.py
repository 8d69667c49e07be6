"""An upstream's response, read whole, byte by byte, and with bytes behind it: the events must be the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.errors import ConnectionLost, MalformedResponse
from corsproxy.proxy.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Kind
from corsproxy.proxy.reader import MAX_HEAD, ResponseReader


class Recorder:
    """A sink that remembers what it was told, bodies joined."""

    def __init__(self):
        self.interims, self.status, self.framing, self.content = [], None, None, b""
        self.trailers, self.rest, self.ended = None, None, 0

    def interim(self, head):
        self.interims.append((head.status, head.fields))

    def head(self, head, framing):
        self.status, self.framing, self.fields = head.status, framing, head.fields

    def body(self, piece):
        self.content += piece

    def end(self, trailers):
        self.trailers, self.ended = list(trailers), self.ended + 1

    def switched(self, head, rest):
        self.status, self.rest = head.status, rest


def read(data, *, pieces=None, method=b"GET", upgrade=b"", eof=False):
    """Feed a response in pieces of the given size, and say what was told."""
    recorder = Recorder()
    reader = ResponseReader(recorder, method, upgrade=upgrade)
    size = pieces or len(data) or 1
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    if eof:
        reader.eof()
    return recorder, reader


OK = b"HTTP/1.1 200 OK\r\n"

WHOLE = [
    pytest.param(OK + b"Content-Length: 5\r\n\r\nhello", b"hello", Framing(Kind.LENGTH, 5), [], True, id="length"),
    pytest.param(OK + b"Content-Length: 0\r\n\r\n", b"", Framing(Kind.LENGTH, 0), [], True, id="empty"),
    pytest.param(
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", b"hello!", CHUNKED, [], True,
        id="chunked",
    ),
    pytest.param(
        OK + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", b"hello", CHUNKED,
        [(b"X-Sum", b"1")], True, id="chunk extension and trailer",
    ),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", NO_BODY, [], True, id="204"),
    pytest.param(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", NO_BODY, [], True, id="304"),
    pytest.param(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi", b"hi", Framing(Kind.LENGTH, 2), [], False,
                 id="connection: close"),
    pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", Framing(Kind.LENGTH, 2), [], False,
                 id="HTTP/1.0 does not keep alive"),
    pytest.param(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", b"hi", Framing(Kind.LENGTH, 2), [], True,
                 id="no reason phrase and no space before it"),
]  # fmt: skip


@pytest.mark.parametrize("pieces", [None, 1, 7])
@pytest.mark.parametrize(("data", "content", "framing", "trailers", "reusable"), WHOLE)
def test_a_response_reads_the_same_in_any_pieces(data, content, framing, trailers, reusable, pieces):
    recorder, reader = read(data, pieces=pieces)
    assert (recorder.content, recorder.framing, recorder.trailers) == (content, framing, trailers)
    assert reader.done
    assert reader.reusable is reusable
    assert recorder.ended == 1


@pytest.mark.parametrize("behind", [b"\x00", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"])
@pytest.mark.parametrize(("data", "content", "framing", "trailers", "reusable"), WHOLE)
def test_bytes_behind_the_end_are_told_to_nobody_and_end_the_connection(
    data, content, framing, trailers, reusable, behind
):
    recorder, reader = read(data + behind)
    assert recorder.content == content
    assert recorder.ended == 1
    assert not reader.reusable


def test_bytes_that_come_later_end_the_connection_too():
    recorder, reader = read(OK + b"Content-Length: 2\r\n\r\nhi")
    reader.feed(b"x")
    assert recorder.content == b"hi"
    assert not reader.reusable


@pytest.mark.parametrize("pieces", [None, 1])
def test_a_body_without_length_ends_with_the_connection(pieces):
    recorder, reader = read(OK + b"\r\nhello", pieces=pieces, eof=True)
    assert (recorder.content, recorder.framing, recorder.ended) == (b"hello", UNTIL_CLOSE, 1)
    assert not reader.reusable


def test_head_has_no_body_whatever_its_length_says():
    recorder, reader = read(OK + b"Content-Length: 5\r\n\r\n", method=b"HEAD")
    assert (recorder.framing, recorder.content, reader.done) == (NO_BODY, b"", True)


def test_interim_responses_come_before_the_answer():
    data = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        + OK
        + b"Content-Length: 0\r\n\r\n"
    )
    for pieces in (None, 1):
        recorder, _ = read(data, pieces=pieces)
        assert recorder.interims == [(100, []), (103, [(b"Link", b"</x>")])]
        assert recorder.status == 200


LARGE = bytes(range(256)) * 200


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: %d\r\n\r\n%b" % (len(LARGE), LARGE),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(LARGE), LARGE),
        b"\r\n" + LARGE,
    ],
    ids=["length", "chunked", "until close"],
)
@pytest.mark.parametrize("interim", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_large_body_that_comes_with_its_head_is_told_whole(framing, interim):
    recorder, _ = read(interim + OK + framing, eof=b"Content-Length" not in framing)
    assert recorder.content == LARGE
    assert recorder.ended == 1


def test_what_is_behind_a_large_body_is_told_to_nobody():
    recorder, reader = read(OK + b"Content-Length: %d\r\n\r\n%b" % (len(LARGE) - 1, LARGE))
    assert recorder.content == LARGE[:-1]
    assert not reader.reusable


def test_an_upgrade_hands_over_bytes_however_many_they_are():
    data = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    recorder, _ = read(data + LARGE, upgrade=b"websocket")
    assert (type(recorder.rest), recorder.rest) == (bytes, LARGE)


def test_an_upgrade_that_was_asked_for_hands_over_the_rest():
    data = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n\x81\x02hi"
    recorder, reader = read(data, upgrade=b"websocket")
    assert (recorder.status, recorder.rest, reader.done) == (101, b"\x81\x02hi", True)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", id="a switch unasked for"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(b"\r\nHTTP/1.1 200 OK\r\n\r\n", id="an empty line first"),
        pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", id="another version"),
        pytest.param(b"HTTP/1.2 200 OK\r\n\r\n", id="a version that is none"),
        pytest.param(b"HTTP/1.1 000 OK\r\n\r\n", id="status 000"),
        pytest.param(b"HTTP/1.1 99 OK\r\n\r\n", id="status of two digits"),
        pytest.param(b"HTTP/1.1 1000 OK\r\n\r\n", id="status of four digits"),
        pytest.param(b"HTTP/1.1 200 a\x01b\r\n\r\n", id="a control byte in the reason"),
        pytest.param(OK + b"X: a\x01b\r\n\r\n", id="a control byte in a value"),
        pytest.param(OK + b"X: a\x00b\r\n\r\n", id="NUL in a value"),
        pytest.param(OK + b"X: a\r\n b\r\n\r\n", id="obs-fold"),
        pytest.param(OK + b"X : a\r\n\r\n", id="space before the colon"),
        pytest.param(OK + b": a\r\n\r\n", id="no name"),
        pytest.param(OK + b"X: a\nY: b\r\n\r\n", id="a bare LF"),
        pytest.param(OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", id="two lengths"),
        pytest.param(OK + b"Content-Length: 5, 5\r\n\r\n", id="a list of lengths"),
        pytest.param(OK + b"Content-Length: +5\r\n\r\n", id="a signed length"),
        pytest.param(OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", id="length and chunked"),
        pytest.param(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", id="another coding"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", id="a chunk size that is none"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n", id="bytes behind a chunk"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n", id="chunk size overflow"),
        pytest.param(OK + b"X: " + b"a" * MAX_HEAD, id="an endless head"),
        pytest.param(OK + b"X: " + b"a" * MAX_HEAD + b"\r\n\r\n", id="a head that is too large, in one piece"),
        pytest.param(b"HTTP/1.1 102 Processing\r\n\r\n" * 33, id="a flood of interim responses"),
    ],
)  # fmt: skip
def test_what_is_no_response_is_refused(data):
    with pytest.raises(MalformedResponse):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX:", id="half a head"),
        pytest.param(OK + b"Content-Length: 5\r\n\r\nhell", id="half a body"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", id="no last chunk"),
    ],
)
def test_what_ends_too_early_is_lost(data):
    with pytest.raises(ConnectionLost):
        read(data, eof=True)


def test_the_end_of_a_finished_connection_is_no_error():
    recorder, reader = read(OK + b"Content-Length: 2\r\n\r\nhi", eof=True)
    assert recorder.ended == 1
    assert not reader.reusable


@given(
    content=st.binary(max_size=200),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20),
    chunks=st.lists(st.integers(1, 50), min_size=1),
)
def test_any_body_in_any_pieces_comes_out_as_it_went_in(content, cuts, chunks):
    encoded, rest, sizes = b"", content, iter(chunks * 200)
    while rest:
        size = next(sizes)
        piece, rest = rest[:size], rest[size:]
        encoded += b"%x\r\n%b\r\n" % (len(piece), piece)
    data = OK + b"Transfer-Encoding: chunked\r\n\r\n" + encoded + b"0\r\n\r\n"
    recorder = Recorder()
    reader = ResponseReader(recorder, b"GET")
    position, steps = 0, iter(cuts * len(data))
    while position < len(data):
        step = next(steps)
        reader.feed(data[position : position + step])
        position += step
    assert recorder.content == content
    assert reader.done
    assert reader.reusable
