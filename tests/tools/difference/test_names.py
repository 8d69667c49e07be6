"""Sets of names: what a list means, and what is left of it without another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.tools.difference.names import Names

SETS = st.builds(Names, st.frozensets(st.sampled_from("abcd")), st.booleans())


@given(SETS, SETS, st.sampled_from("abcde"))
def test_a_name_is_left_when_only_the_first_has_it(first, second, name):
    assert (name in first - second) == (name in first and name not in second)


@given(SETS)
def test_an_example_is_a_member(names):
    assert not names or names.example(("b", "e"), "a") in names


@pytest.mark.parametrize(
    ("names", "example"),
    [
        (Names(frozenset({"PUT", "DELETE"})), "DELETE"),  # a usual one first
        (Names(frozenset({"B", "A"})), "A"),
        (Names(frozenset({"DELETE"}), all_but=True), "PUT"),
        (Names(frozenset({"DELETE", "PUT"}), all_but=True), "NEW"),
        (Names(frozenset({"DELETE", "PUT", "NEW", "NEW2"}), all_but=True), "NEW3"),
    ],
)
def test_examples(names, example):
    assert names.example(("DELETE", "PUT"), "NEW") == example
