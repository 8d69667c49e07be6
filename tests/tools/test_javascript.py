"""Arguments of pasted calls: literals are read, any other expression is unknown, and nothing runs away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.tools.javascript import UNKNOWN, Unknown, arguments

LITERALS = [
    ("1, -2.5, true, null, undefined", [1, -2.5, True, None, None]),
    ("'a', \"b\", `c`", ["a", "b", "c"]),
    (r"'\u00e9\x41\n\'', '\u{1F600}', '\u{FFFFFFF}'", ["\u00e9A\n'", "\U0001f600", "\ufffd"]),
    ("`/orders/${id}`", ["/orders/${id}"]),
    ("{a: 1, 'b': 2, \"c\": [3, {}], 4: 5}", [{"a": 1, "b": 2, "c": [3, {}], "4": 5}]),
    ("{a: 1,}, [1,],", [{"a": 1}, [1]]),
    ("{ // a comment, with ) and }\n a: 1 /* , */ }", [{"a": 1}]),
    ("url, {body: JSON.stringify({a: [1, ')']}), ok: true}", [UNKNOWN, {"body": UNKNOWN, "ok": True}]),
    ("'a' + b, 2 * (3 + 4), -x, !y", [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]),
    (
        "{a, ...rest, get() { return 1 }, b: async () => { x(); }, c: 3}",
        [{"a": UNKNOWN, "get": UNKNOWN, "b": UNKNOWN, "c": 3}],
    ),
    ("'never ends", [UNKNOWN]),
]


@pytest.mark.parametrize(("script", "expected"), LITERALS)
def test_arguments(script, expected):
    assert arguments(f"f({script})", 2) == expected


def test_a_call_that_is_cut_off_is_read_as_far_as_it_goes():
    assert arguments('f("a", {"b": 1, "c": ', 2) == ["a", {"b": 1, "c": UNKNOWN}]


def test_deep_nesting_ends_as_unknown():
    found = arguments("f(" + "[" * 5000 + "]" * 5000 + ")", 2)
    assert len(found) == 1


def test_unknown_says_so():
    assert repr(UNKNOWN) == "unknown"
    assert isinstance(UNKNOWN, Unknown)


@given(st.text("()[]{}'\"`,:;\\/*a1.$ \n", max_size=60))
def test_any_text_comes_to_an_end(script):
    arguments(script, 0)
