"""The reader of expressions."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from corsproxy.cors.expression import escape_dots
from corsproxy.cors.samples import Piece, read_samples
from corsproxy.errors import InvalidOrigin

re2 = pytest.importorskip("re2")


def shown(sample):
    """A sample as a text, with what is free in brackets."""
    return "".join(f"<{piece.text}>" if piece.free else piece.text for piece in sample)


SAMPLES = [
    # expression, samples
    ("", [""]),
    ("https://a", ["https://a"]),
    (r"a\.b\-c\/d", ["a.b-c/d"]),
    ("a|b|", ["a", "b", ""]),
    ("x(a|b)y", ["xay", "xby"]),
    ("(?:a)(?P<n>b)(?<m>c)", ["abc"]),
    ("https?", ["http", "https"]),
    ("(ab)?c", ["c", "abc"]),
    ("a??", ["", "a"]),
    ("a+", ["<a>"]),
    ("a*b", ["b", "<a>b"]),
    ("a+?", ["<a>"]),
    ("a{3}", ["aaa"]),
    ("(a|b){2}", ["aa", "ab", "ba", "bb"]),
    ("a{2,}", ["<aa>"]),
    ("a{2,3}", ["<aa>"]),
    ("a{0,3}", ["", "<a>"]),
    ("a{0}", [""]),
    ("a{,3}", ["a{,3}"]),  # no count to RE2 either
    ("a{x}", ["a{x}"]),
    ("a}]", ["a}]"]),
    ("(a[0-9])+", ["<a1>"]),
    ("[12]", ["1", "2"]),  # enumerated: as good as an alternation
    (r"[.\-a]", ["-", ".", "a"]),
    ("[]a]", ["]", "a"]),
    ("[a-]", ["-", "a"]),
    ("[0-9]", ["<1>"]),
    ("[a-z]", ["<a>"]),
    ("[b-y]", ["<b>"]),
    ("[A-Z]", ["<A>"]),
    (r"[+--]", ["<->"]),
    (r"[\+-\-]", ["<->"]),
    ("[^a]", ["<1>"]),
    ("[^]a]", ["<1>"]),
    (r"[\d_]", ["<1>"]),
    (r"[\w-]", ["<a>"]),
    (r"\d\w\s", ["<1><a><\t>"]),
    (r"\D\W\S", ["<a><-><a>"]),
    (r"[^\x00-\x7f]".replace(r"\x00", "\x00").replace(r"\x7f", "\x7f"), ["<?>"]),
    ("^a$", ["a"]),
    (r"\Aa\z", ["a"]),
    ("a.b", ["a.b"]),
    ("a.*b", ["ab", "a<a>b"]),
    ("a.+b", ["a<a>b"]),
    ("a.?b", ["ab", "a<a>b"]),
    ("a.{3}b", ["a<a><a><a>b"]),
]


@pytest.mark.parametrize(("text", "samples"), SAMPLES)
def test_samples(text, samples):
    assert [shown(sample) for sample in read_samples(text).samples] == samples
    assert re2.compile(text)


def test_unescaped_dots_are_noted_and_can_be_escaped():
    text = r"https://.*.a\.b.com(.|x)"
    reading = read_samples(text)
    assert escape_dots(text, reading.dots) == r"https://.*\.a\.b\.com(\.|x)"
    assert shown(reading.samples[1]) == "https://.a.b.comx"


@pytest.mark.parametrize(
    ("text", "shown", "place"),
    [
        (r"(?i)a", "(?i)", 1),
        (r"a(?s:b)", "(?s:", 2),
        (r"a\b", "\\\\b", 2),
        (r"\x41", r"\\x41", 1),
        (r"\pL", r"\\pL", 1),
        (r"\Qa\E", r"\\Qa", 1),
        (r"a[[:alpha:]]", "[[:a", 2),
        (r"[\pL]", r"[\\pL", 1),
        (r"[a\n]", r"[a\\n", 1),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text, shown, place):
    assert re2.compile(text)
    with pytest.raises(InvalidOrigin) as caught:
        read_samples(text)
    assert f"'{shown}" in str(caught.value)
    assert f"at character {place} " in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["|".join(f"a{number}" for number in range(1001)), "(a|b){10}", "[abc]" * 7, "((a?){20}){20}"],
)
def test_too_many_branches_are_refused(text):
    with pytest.raises(InvalidOrigin, match="list them in allow_origins"):
        read_samples(text)


def test_too_deep_groups_are_refused():
    with pytest.raises(InvalidOrigin, match="nested"):
        read_samples("(" * 51 + ")" * 51)
    assert read_samples("(" * 50 + "a" + ")" * 50).samples == [(Piece("a", free=False),)]


EXPRESSIONS = st.recursive(
    st.sampled_from(
        [
            "a",
            "b",
            r"\.",
            ".",
            "[0-9]",
            "[^a]",
            "[ab]",
            r"\d",
            r"\w",
            r"\W",
            ".*",
            ".+",
            "-",
            ":",
            "/",
            "[]x]",
            r"[\S-]",
        ]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{1,2}", "{0,2}", "{2,}", "*?"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
        st.lists(inner, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_every_sample_is_a_match(text):
    """RE2 as the oracle of the reader."""
    try:
        reading = read_samples(text)
    except InvalidOrigin:
        assume(False)
    compiled = re2.compile(text)
    assert reading.samples
    for sample in reading.samples:
        assert compiled.fullmatch("".join(piece.text for piece in sample))
