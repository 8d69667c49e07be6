"""What is behind a head: a copy of few bytes, a view of many."""

from __future__ import annotations

import pytest

from corsproxy.proxy.pieces import behind


@pytest.mark.parametrize(("length", "kind"), [(10, bytes), (8192, bytes), (8193, memoryview)])
def test_only_what_is_large_is_a_view(length, kind):
    data = bytes(length - 3) + b"end"
    piece = behind(data, 4)
    assert type(piece) is kind
    assert bytes(piece) == data[4:]


@pytest.mark.parametrize("length", [10, 9000])
def test_nothing_is_behind_the_end(length):
    assert not behind(bytes(length), length)
