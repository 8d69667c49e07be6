"""What a traceparent says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.http.trace_context import TraceContext, parse_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("value", "context"),
    [  # https://www.w3.org/TR/trace-context/#examples-of-http-traceparent-headers and #versioning-of-traceparent
        (f"00-{TRACE}-{SPAN}-01", TraceContext(TRACE, SPAN, 1)),
        (f"00-{TRACE}-{SPAN}-00", TraceContext(TRACE, SPAN, 0)),
        (f"cc-{TRACE}-{SPAN}-01-what-comes", TraceContext(TRACE, SPAN, 1)),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        (f"00-{TRACE}-{SPAN}-01\x1b[31m", None),
        ("", None),
    ],
)
def test_traceparents(value, context):
    assert parse_traceparent(value.encode()) == context


@given(st.binary(max_size=80))
def test_nothing_but_hexadecimal_digits_comes_out(value):
    context = parse_traceparent(value)
    assert context is None or (int(context.trace_id, 16) and int(context.parent_id, 16))
