"""Referer: another origin, the same page."""

from __future__ import annotations

import pytest

from corsproxy.http.referer import with_origin

OWN = b"https://own.example:8443"


@pytest.mark.parametrize(
    ("referer", "expected"),
    [
        (b"https://app.example/", OWN + b"/"),
        (b"http://localhost:5173/cart?x=https://a/b", OWN + b"/cart?x=https://a/b"),
        (b"https://app.example", OWN),
        (b"https://app.example?x", OWN + b"?x"),
        (b"https://[::1]:5173/x", OWN + b"/x"),
        (b"https://user@app.example/x", OWN + b"/x"),  # against RFC 9110 10.1.3, and gone with the authority
        (b"android-app://com.example/x", OWN + b"/x"),
        # no origin in it
        (b"about:blank", b"about:blank"),
        (b"/cart", b"/cart"),
        (b"cart://", OWN),
        (b"", b""),
    ],
)
def test_a_referer_of_another_origin(referer, expected):
    assert with_origin(referer, OWN) == expected
