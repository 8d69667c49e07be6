"""What a chunked body may bring besides its content."""

from hypothesis import given
from hypothesis import strategies as st

from corsproxy.proxy.framing_budget import FramingBudget


@given(st.lists(st.integers(1, 300), max_size=200))
def test_no_honest_chunking_is_refused(sizes):
    """Even chunks of one byte, five bytes of framing each, in any reads, need nothing of the allowance but the end."""
    budget = FramingBudget(5)
    for size in sizes:
        assert budget.spend(len(b"%x\r\n" % size) + size + len(b"\r\n"), size)
    assert budget.spend(len(b"0\r\n\r\n"), 0)


def test_framing_without_content_ends():
    budget = FramingBudget(10)
    assert budget.spend(10, 0)
    assert not budget.spend(1, 0)
