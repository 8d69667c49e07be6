"""What a chunked body may bring besides its content."""

from hypothesis import given
from hypothesis import strategies as st

from corsproxy.proxy.framing_budget import FramingBudget

PIECE = 4096


@given(st.lists(st.integers(1, 300), max_size=200))
def test_no_honest_chunking_is_refused(sizes):
    """Even chunks of one byte, five bytes of framing each, in any reads."""
    budget = FramingBudget()
    for size in sizes:
        assert budget.spend(len(b"%x\r\n" % size) + size + len(b"\r\n"), size)
    assert budget.spend(len(b"0\r\n\r\n"), 0)


def test_a_long_run_without_content_ends_however_much_content_came_before():
    budget = FramingBudget()
    assert budget.spend(10_000_000, 9_999_000)
    assert budget.spend(PIECE, 0)
    assert budget.spend(PIECE, 0)
    assert not budget.spend(1, 0)


def test_many_short_runs_end_too():
    """Each run is followed by one byte, which explains only a little of it."""
    budget = FramingBudget()
    assert sum(budget.spend(PIECE, 1) for _ in range(100)) < 20
