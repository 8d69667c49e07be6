"""Durations and sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.quantities import parse_duration, parse_size, show_duration
from corsproxy.config.written import NOTHING, Unusable


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("1.5h", 5400),
        ("90 s", 90),
        ("90", 90),  # a quoted number, or one from the environment
        (90, 90),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_a_duration_is_seconds(written, seconds):
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("64KiB", 65536),
        ("10MiB", 10 * 1024 * 1024),
        ("1GiB", 1024**3),
        ("1KB", 1000),
        ("2MB", 2_000_000),
        ("1GB", 10**9),
        ("1.5KiB", 1536),
        ("512B", 512),
        ("512", 512),
        (512, 512),
        (512.0, 512),
        (2**53 + 1, 2**53 + 1),  # a float could not hold it
        (f"{2**53 + 1}", 2**53 + 1),
    ],
)
def test_a_size_is_bytes(written, size):
    parsed = parse_size(written)
    assert parsed == size
    assert type(parsed) is int


@pytest.mark.parametrize(
    ("parse", "written", "message", "correction"),
    [
        (parse_duration, "soon", "'soon' is no duration; write 90s, 10m, 2h or a number of seconds", ""),
        (parse_duration, "", "'' is no duration", ""),
        (parse_duration, "-5s", "'-5s' is no duration", ""),
        (parse_duration, -5, "-5 is no duration", ""),
        (parse_duration, True, "True is no duration", ""),
        (parse_duration, [], "[] is no duration", ""),
        (parse_duration, NOTHING, "nothing is no duration", ""),
        (parse_duration, "1h30m", "'1h30m' is no duration", ""),
        (parse_duration, "10x", "10x is no duration; the units are ms, s, m, h and d", ""),
        (parse_duration, "10min", "10min is no duration; the units are ms, s, m, h and d", "10m"),
        (parse_duration, "90seconds", "90seconds is no duration", "90s"),
        (parse_duration, "10M", "10M is no duration", "10m"),
        (parse_duration, "2hrs", "2hrs is no duration", "2h"),
        (parse_duration, "10KiB", "10KiB is no duration", ""),
        (parse_duration, "400d", "'400d' is longer than a year; write less, or none where no limit is allowed", ""),
        (parse_size, "big", "'big' is no size; write 64KiB, 10MiB or a number of bytes", ""),
        (parse_size, "64kib", "64kib is no size; the units are B, KB, MB, GB, KiB, MiB and GiB", "64KiB"),
        (parse_size, "64K", "64K is no size", "64KiB"),
        (parse_size, "10m", "10m is no size", "10MiB"),
        (parse_size, "1Gi", "1Gi is no size", "1GiB"),
        (parse_size, "10h", "10h is no size", ""),
        (parse_size, 0.5, "0.5 is no number of bytes", ""),
        (parse_size, "1.0001KiB", "'1.0001KiB' is no number of bytes", ""),
        (parse_size, 2**61, f"{2**61} is no number of bytes", ""),
    ],
)
def test_what_is_no_quantity_is_refused_with_a_correction(parse, written, message, correction):
    with pytest.raises(Unusable) as caught:
        parse(written)
    assert str(caught.value).startswith(message)
    assert caught.value.correction == correction
    if correction:
        parse(correction)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (0.5, "500ms"), (90, "90s"), (600, "10m"), (7200, "2h"), (86400, "1d"), (1.5, "1500ms")],
)
def test_a_duration_is_shown_as_people_write_it(seconds, shown):
    assert show_duration(seconds) == shown


@given(st.integers(0, 10**7))
def test_a_shown_duration_is_the_same_duration(seconds):
    assert parse_duration(show_duration(seconds)) == seconds
