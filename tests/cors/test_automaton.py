"""Expressions as automata: held against RE2, and the search against every short text."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from corsproxy.cors.automaton import ALPHABET, automaton, shortest
from tests.cors.test_expression import EXPRESSIONS

re2 = pytest.importorskip("re2")

ANCHORED = st.lists(
    st.one_of(EXPRESSIONS, st.sampled_from(["^", "$", "(^|a)", "(b|$)", "()", "(a|)*", "[A-Z]", r"\Aa", r"b\z"])),
    max_size=3,
).map("".join)
SHORT = ["".join(characters) for length in (1, 2, 3) for characters in product("ab.-1", repeat=length)]
TEXTS = st.lists(st.text(ALPHABET, min_size=1, max_size=8), max_size=5)


def reference(expression):
    """RE2's own matcher."""
    try:
        return re2.compile(expression).fullmatch
    except re2.error:
        assume(False)


@given(ANCHORED, TEXTS)
def test_an_automaton_takes_what_re2_matches(expression, texts):
    matches, ours = reference(expression), automaton(expression)
    for text in [*SHORT, *texts]:
        assert ours.takes(text) == (matches(text) is not None), text


@given(ANCHORED, ANCHORED, st.sampled_from(["difference", "intersection", "not both"]))
def test_the_search_finds_a_shortest_text_or_there_is_none(first, second, kind):
    one, other = reference(first), reference(second)
    a, b = automaton(first), automaton(second)
    arguments, fits = {
        "difference": (([a], [[b]]), lambda text: one(text) and not other(text)),
        "intersection": (([a, b], []), lambda text: one(text) and other(text)),
        "not both": (([], [[a, b]]), lambda text: not (one(text) and other(text))),
    }[kind]
    found = shortest(*arguments)
    assert found is None or not found or fits(found)
    least = min((len(text) for text in SHORT if fits(text)), default=99)
    assert least == 99 or (found is not None and len(found) <= least)


@pytest.mark.parametrize(
    ("inside", "outside", "found"),
    [
        (["[a-z]+"], [], "a"),  # letters first
        (["[0-9a-z]{3}"], ["a.*"], "baa"),
        (["[0-9]+", ".*7"], [], "7"),
        (["(a|b)c"], ["ac", "bc"], None),
        (["a{1000}"], ["a{0,999}"], "a" * 1000),
        (["[A-Z]"], [], None),  # no origin has it
        ([], [""], "a"),
    ],
)
def test_searches(inside, outside, found):
    assert shortest(list(map(automaton, inside)), [[automaton(text)] for text in outside]) == found


def test_a_group_that_is_empty_takes_everything():
    assert shortest([automaton("a")], [[]]) is None
