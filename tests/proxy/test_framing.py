"""How long a body is: RFC 9112 section 6.3, row by row."""

import pytest

from corsproxy.errors import MalformedRequest, MalformedResponse
from corsproxy.proxy.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Kind, request_framing, response_framing

LENGTH_5 = Framing(Kind.LENGTH, 5)


@pytest.mark.parametrize(
    ("version", "codings", "lengths", "expected"),
    [
        pytest.param(b"1.1", [], [], NO_BODY, id="RFC 9112 6.3-2.7: a request without either has no body"),
        pytest.param(b"1.1", [], [b"5"], LENGTH_5, id="RFC 9112 6.3-2.6: content-length"),
        pytest.param(b"1.1", [], [b"0"], NO_BODY, id="an empty body is no body"),
        pytest.param(b"1.1", [], [b" 5\t"], LENGTH_5, id="RFC 9110 5.5: white space around a value is no part of it"),
        pytest.param(b"1.0", [], [b"5"], LENGTH_5, id="HTTP/1.0 knows content-length"),
        pytest.param(b"1.1", [b"chunked"], [], CHUNKED, id="RFC 9112 7.1: chunked"),
        pytest.param(b"1.1", [b"Chunked "], [], CHUNKED, id="RFC 9110 10.1.4: codings are case-insensitive"),
    ],
)
def test_a_clear_request_has_its_framing(version, codings, lengths, expected):
    assert request_framing(version, codings, lengths) == expected


@pytest.mark.parametrize(
    ("version", "codings", "lengths", "status"),
    [
        pytest.param(b"1.1", [b"chunked"], [b"5"], 400, id="RFC 9112 6.3-2.3: both at once is smuggling"),
        pytest.param(b"1.0", [b"chunked"], [], 400, id="RFC 9112 6.1: transfer-encoding in HTTP/1.0 is faulty"),
        pytest.param(b"1.1", [b"gzip, chunked"], [], 501, id="RFC 9112 6.1: a coding that is not understood"),
        pytest.param(b"1.1", [b"xchunked"], [], 501, id="a coding that looks like chunked"),
        pytest.param(b"1.1", [b"chunked", b"identity"], [], 501, id="chunked is not the last coding"),
        pytest.param(b"1.1", [b"chunked", b"chunked"], [], 501, id="chunked twice"),
        pytest.param(b"1.1", [], [b"5", b"5"], 400, id="two equal lengths: legal to accept, safer to refuse"),
        pytest.param(b"1.1", [], [b"5", b"6"], 400, id="RFC 9112 6.3-2.5: two different lengths"),
        pytest.param(b"1.1", [], [b"5, 5"], 400, id="a list of lengths"),
        pytest.param(b"1.1", [], [b"+5"], 400, id="a sign"),
        pytest.param(b"1.1", [], [b"-1"], 400, id="a negative length"),
        pytest.param(b"1.1", [], [b"0x5"], 400, id="hexadecimal"),
        pytest.param(b"1.1", [], [b""], 400, id="no digits"),
        pytest.param(b"1.1", [], [b"9" * 19], 400, id="2^64 and its neighbours overflow somewhere"),
        pytest.param(b"1.1", [], ["\u0665".encode()], 400, id="digits that are not ASCII"),
    ],
)
def test_an_ambiguous_request_is_refused(version, codings, lengths, status):
    with pytest.raises(MalformedRequest) as caught:
        request_framing(version, codings, lengths)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("method", "status", "codings", "lengths", "expected"),
    [
        pytest.param(b"GET", 200, [], [b"5"], LENGTH_5, id="RFC 9112 6.3-2.6"),
        pytest.param(b"GET", 200, [], [b"0"], Framing(Kind.LENGTH, 0), id="an empty body of known length"),
        pytest.param(b"GET", 200, [b"chunked"], [], CHUNKED, id="RFC 9112 6.3-2.4"),
        pytest.param(b"GET", 200, [], [], UNTIL_CLOSE, id="RFC 9112 6.3-2.8: until the connection ends"),
        pytest.param(b"HEAD", 200, [], [b"5"], NO_BODY, id="RFC 9112 6.3-2.1: HEAD"),
        pytest.param(b"HEAD", 200, [b"chunked"], [], NO_BODY, id="HEAD, chunked"),
        pytest.param(b"GET", 204, [], [], NO_BODY, id="RFC 9112 6.3-2.1: 204"),
        pytest.param(b"GET", 304, [], [b"5"], NO_BODY, id="RFC 9112 6.3-2.1: 304 describes a body it lacks"),
    ],
)
def test_a_clear_response_has_its_framing(method, status, codings, lengths, expected):
    assert response_framing(method, b"1.1", status, codings, lengths) == expected


@pytest.mark.parametrize(
    ("codings", "lengths"),
    [
        pytest.param([b"chunked"], [b"5"], id="RFC 9112 6.3-2.3: both"),
        pytest.param([b"gzip, chunked"], [], id="another coding"),
        pytest.param([], [b"5", b"6"], id="two lengths"),
        pytest.param([], [b"5x"], id="no number"),
    ],
)
def test_an_ambiguous_response_is_refused(codings, lengths):
    with pytest.raises(MalformedResponse):
        response_framing(b"GET", b"1.1", 200, codings, lengths)


def test_chunks_in_http_1_0_are_refused():
    """RFC 9112 6.1: such a message must be treated as if its framing is faulty."""
    with pytest.raises(MalformedResponse):
        response_framing(b"GET", b"1.0", 200, [b"chunked"], [])
