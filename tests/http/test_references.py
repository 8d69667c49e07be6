"""Refresh and Link: the browser's idea of where the reference stands, and every other byte as it came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.http.location import LocationRewrite
from corsproxy.http.references import rewrite_link, rewrite_refresh


def mark(reference: bytes) -> bytes:
    """Show what was taken for a reference."""
    return b"[" + reference + b"]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # https://html.spec.whatwg.org/#shared-declarative-refresh-steps, each way through it
        (b"5; url=/x", b"5; url=[/x]"),
        (b"0;URL=/x?a=b;c,d", b"0;URL=[/x?a=b;c,d]"),
        (b"5,/x", b"5,[/x]"),
        (b"5 /x", b"5 [/x]"),
        (b"5 ;\t/x", b"5 ;\t[/x]"),
        (b" 5; url = /x", b" 5; url = [/x]"),
        (b".5; url=/x", b".5; url=[/x]"),
        (b"1.5.; url=/x", b"1.5.; url=[/x]"),
        (b"5; url='/x'y", b"5; url='[/x]'y"),
        (b'5; url="/x\'"', b'5; url="[/x\']"'),
        (b"5; url='/x", b"5; url='[/x]"),
        (b"5; '/x'", b"5; '[/x]'"),
        (b"5; url=", b"5; url="),
        (b"5; url=''", b"5; url='[]'"),
        # "url" without "=" is where the URL begins
        (b"5; url/x", b"5; [url/x]"),
        (b"5; u", b"5; [u]"),
        # nothing to go to
        (b"5", b"5"),
        (b"5;", b"5;"),
        (b"", b""),
        (b"5/x", b"5/x"),
        (b"x; url=/x", b"x; url=/x"),
        (b"; url=/x", b"; url=/x"),
        (b"-1; url=/x", b"-1; url=/x"),
    ],
)
def test_where_the_url_of_a_refresh_stands(value, expected):
    assert rewrite_refresh(value, mark) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # after RFC 8288 3.5
        (b'<http://a.example/chapter2>; rel="previous"', b'<[http://a.example/chapter2]>; rel="previous"'),
        (b'</>; rel="http://example.net/foo"', b'<[/]>; rel="http://example.net/foo"'),
        (b'</terms>; rel="copyright"; anchor="#foo"', b'<[/terms]>; rel="copyright"; anchor="[#foo]"'),
        (b"</a>; rel=next, </b>;rel=prev", b"<[/a]>; rel=next, <[/b]>;rel=prev"),
        # a comma or semicolon in a target, angle brackets in a title
        (b"</a,b;c>;rel=x,<d>", b"<[/a,b;c]>;rel=x,<[d]>"),
        (b'</a>; title="</b>, \\"</c>"; x="y", </d>', b'<[/a]>; title="</b>, \\"</c>"; x="y", <[/d]>'),
        (b'</a>; title="; anchor=", </b>', b'<[/a]>; title="; anchor=", <[/b]>'),
        (b'</a>;ANCHOR = "/b"', b'<[/a]>;ANCHOR = "[/b]"'),
        # what is not whole
        (b"", b""),
        (b"<>", b"<[]>"),
        (b"</a", b"<[/a]"),
        (b'</a>; title="</b>', b'<[/a]>; title="</b>'),
        (b"rel=next", b"rel=next"),
    ],
)  # fmt: skip
def test_where_the_references_of_a_link_stand(value, expected):
    assert rewrite_link(value, mark) == expected


@pytest.mark.parametrize(
    ("rewrite", "value", "expected"),
    [
        (rewrite_refresh, b"0; url=http://up.internal/login?x", b"0; url=/shop/login?x"),
        (rewrite_refresh, b"0; url='http://up.internal/login'", b"0; url='/shop/login'"),
        (rewrite_refresh, b"0; url=https://elsewhere.example/", b"0; url=https://elsewhere.example/"),
        (rewrite_link, b'<http://up.internal/?page=2>; rel="next"', b'</shop/?page=2>; rel="next"'),
        (rewrite_link, b"</a.css>; rel=preload, <b.js>", b"</shop/a.css>; rel=preload, <b.js>"),
    ],
)
def test_references_to_the_upstream_come_back_through_the_proxy(rewrite, value, expected):
    assert rewrite(value, LocationRewrite.create(["http://up.internal"], "", "/shop").rewrite) == expected


PIECES = st.lists(st.sampled_from([b"5", b";", b",", b" ", b"url=", b"'", b'"', b"<", b">", b"\\", b"/x", b"anchor="]))


@pytest.mark.parametrize("rewrite", [rewrite_refresh, rewrite_link])
@given(PIECES.map(b"".join) | st.binary())
def test_what_is_no_reference_keeps_its_bytes(rewrite, value):
    assert rewrite(value, bytes) == value
    assert rewrite(value, mark).replace(b"[", b"").replace(b"]", b"") == value.replace(b"[", b"").replace(b"]", b"")
