"""What a log shows of a target: secrets masked, terminals unmoved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.http.redaction import is_secret, shown_target


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/", "/"),
        (b"/orders/7?page=2&sort=name", "/orders/7?page=2&sort=name"),
        (b"/x?access_token=abc.def", "/x?access_token=***"),  # RFC 6750 2.3
        (b"/x?a=1&token=abc&b=2", "/x?a=1&token=***&b=2"),
        (b"/x?TOKEN=abc", "/x?TOKEN=***"),
        (b"/x?id_token=a;refresh_token=b", "/x?id_token=***;refresh_token=***"),
        (b"/x?api_key=a&apikey=b&api-key=c&apiKey=d&key=e", "/x?api_key=***&apikey=***&api-key=***&apiKey=***&key=***"),
        (b"/x?X-Amz-Signature=a&X-Amz-Credential=b&sig=c", "/x?X-Amz-Signature=***&X-Amz-Credential=***&sig=***"),
        (b"/callback?code=abc&state=s", "/callback?code=***&state=s"),  # RFC 6749 4.1.2
        (b"/x?password=a&passwd=b&pwd=c&client_secret=d", "/x?password=***&passwd=***&pwd=***&client_secret=***"),
        (b"/x?user[password]=abc", "/x?user[password]=***"),
        (b"/x?%74oken=abc", "/x?%74oken=***"),  # servers decode names
        (b"/x?acc%65ss%5Ftoken=abc", "/x?acc%65ss%5Ftoken=***"),
        (b"/x?token=a=b", "/x?token=***"),
        (b"/x?token=", "/x?token="),
        (b"/x?token", "/x?token"),
        (b"/x?next=/y?token=abc", "/x?next=/y?token=***"),
        (b"/x?country_code=DE&sort_key=a&monkey=b", "/x?country_code=DE&sort_key=a&monkey=b"),
        (b"/x?token=a?b=c&d=e", "/x?token=***&d=e"),
        (b"/x?" + b"a=?" * 5000 + b"token=b", "/x?" + "a=?" * 5000 + "token=***"),
        (b"/x?" + b"a" * 100 + b"token=b", "/x?" + "a" * 100 + "token=***"),
        (b"/token=abc", "/token=abc"),  # a path is shown as it is
        (b"http://user:secret@api.test/x?a=1", "http://***@api.test/x?a=1"),
        (b"//user:secret@api.test/x", "//***@api.test/x"),
        (b"http://a:b@c@api.test/x", "http://***@api.test/x"),
        (b"/x@y", "/x@y"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_secrets_are_masked(target, shown):
    assert shown_target(target) == shown


# Whatever could forge a line, move a cursor, set a title, or reorder what people read.
NASTY = {
    "CR LF": b"\r\nGET /forged",
    "NUL": b"\x00",
    "escape": b"\x1b[2J",
    "title": b"\x1b]0;pwned\x07",
    "backspace": b"\x08\x08",
    "delete": b"\x7f",
    "C1 CSI": b"\x9b2J",
    "C1 CSI in UTF-8": "\u009b2J".encode(),
    "next line": "\u0085".encode(),
    "line separator": "\u2028".encode(),
    "right-to-left override": "\u202e".encode(),
    "isolate": "\u2066".encode(),
    "zero width": "\u200b".encode(),
    "byte order mark": "\ufeff".encode(),
    "tag": "\U000e0041".encode(),
    "no UTF-8": b"\xff\xfe",
    "HTML": b"<script>",
}


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY.keys())
@pytest.mark.parametrize("place", [b"/%b", b"/x?a=%b", b"/x?token%b=1", b"http://%b@a/", b"/x?token=%b"])
def test_nothing_moves_a_terminal(nasty, place):
    shown = shown_target(place % nasty)
    assert shown.isascii()
    assert shown.isprintable()
    assert "<" not in shown


@given(st.binary(max_size=80))
def test_every_target_is_one_printable_line(target):
    shown = shown_target(target)
    assert shown.isascii()
    assert shown.isprintable()


@given(st.text("abcdefgh0123456789", min_size=8), st.sampled_from(["token", "api_key", "Signature", "client-secret"]))
def test_no_secret_is_left(value, name):
    assert value not in shown_target(f"/?a=1&{name}={value}&b=2".encode())


def test_names_are_judged_once():
    assert is_secret("access_token")
    assert not is_secret("page")
