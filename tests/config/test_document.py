"""YAML text to nodes: what is read, what is refused, and where it stands."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config import document
from corsproxy.config.document import read_document
from corsproxy.config.written import NOTHING


def read(text):
    """The plain data of a text, and its problems as people see them."""
    root, problems = read_document(text, "c", {})
    return root.plain() if root else None, [str(problem) for problem in problems]


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def reader(request, monkeypatch):
    """Either of PyYAML's readers: the one in C may be missing where it was built without libyaml."""
    if not hasattr(yaml, request.param):
        pytest.skip("PyYAML was built without libyaml here")
    monkeypatch.setattr(document, "_LOADER", getattr(yaml, request.param))


SMALLEST = "    rules: [{path: /, upstream: http://127.0.0.1:8000, policy: none}]"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: 1\nb: [x, {c: true}]\n", {"a": 1, "b": ["x", {"c": True}]}),
        ("\ufeffa: 1", {"a": 1}),  # with a byte order mark
        ("# only\n---\na: 1\n...\n# comments\n", {"a": 1}),
        ("%YAML 1.2\n---\na: 1\n", {"a": 1}),
        ("a: \"1\"\nb: 'true'\nc: !!str 5\nd: ! 6\n", {"a": "1", "b": "true", "c": "5", "d": "6"}),
        ("a: |\n  two\n  lines\nb: >-\n  one\n  line\n", {"a": "two\nlines\n", "b": "one line"}),
        ("a: on\non: b\n", {"a": "on", "on": "b"}),
        ("1: a\nnull: b\n", {"1": "a", "null": "b"}),  # keys are texts
        ("a: &x [1, 2]\nb: *x\n", {"a": [1, 2], "b": [1, 2]}),
        ("a: &x 5\nb: *x\n", {"a": 5, "b": 5}),
        ("a:\nb: ~\n", {"a": NOTHING, "b": NOTHING}),
        ("? a\n: b\n", {"a": "b"}),
    ],
)
@pytest.mark.usefixtures("reader")
def test_yaml_is_read(text, data):
    assert read(text) == (data, [])


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["c: there is no configuration in this file\n" + SMALLEST]),
        ("# nothing\n", ["c: there is no configuration in this file\n" + SMALLEST]),
        ("---\n", ["c: there is no configuration in this file\n" + SMALLEST]),
        ("~\n", ["c: there is no configuration in this file\n" + SMALLEST]),
        ("- a\n", ["c:1:1: a configuration is a mapping; begin with a key like rules:\n" + SMALLEST]),
        ("\nhello\n", ["c:2:1: a configuration is a mapping; begin with a key like rules:\n" + SMALLEST]),
        ("a: 1\n---\nb: 2\n", ["c:2:1: a second document begins here; a configuration is one document"]),
        ("!x\na: 1\n", ["c:1:1: the tag !x is not supported; remove it"]),
        ("${X}\n", ["c:1:1: the environment variable X is not set; set it, or give a default: ${X:-...}"]),
    ],
)
@pytest.mark.usefixtures("reader")
def test_what_is_no_configuration_at_all(text, problems):
    assert read(text) == (None, problems)


@pytest.mark.parametrize(
    ("text", "data", "problems"),
    [
        (
            "a: 1\nb: 2\na: 3\n",
            {"a": 1, "b": 2},
            ["c:3:1: the key 'a' stands here twice, first in line 1; remove one of them"],
        ),
        (
            "x: &x {a: 1}\ny:\n  <<: *x\n  b: 2\n",
            {"x": {"a": 1}, "y": {"b": 2}},
            ["c:3:3: merge keys are not supported; name a policy or an upstream, and refer to it"],
        ),
        ('"<<": 1\n', {"<<": 1}, []),
        (
            "[a]: 1\n? {b: c}\n: 2\nd: 3\n",
            {"d": 3},
            [
                "c:1:1: a key is plain text here, neither a list nor a mapping nor an alias",
                "c:2:3: a key is plain text here, neither a list nor a mapping nor an alias",
            ],
        ),
        (
            "a: *b\nc: [*d, 1]\n",
            {"c": [1]},
            [
                'c:1:4: *b is an alias of nothing; put it in quotes if it is meant as text\n    "*b"',
                'c:2:5: *d is an alias of nothing; put it in quotes if it is meant as text\n    "*d"',
            ],
        ),
        (
            "a: &a [*a]\n",
            {"a": []},
            ['c:1:8: *a is an alias of nothing; put it in quotes if it is meant as text\n    "*a"'],
        ),
        (
            "a: !!python/object/apply:os.system [ls]\nb: !!binary aGk=\nc: !Ref d\n",
            {},
            [
                "c:1:4: the tag !!python/object/apply:os.system is not supported; remove it",
                "c:2:4: the tag !!binary is not supported; remove it",
                "c:3:4: the tag !Ref is not supported; remove it",
            ],
        ),
        ("a: &a !x 1\nb: *a\n", {}, ["c:1:4: the tag !x is not supported; remove it"]),
        (
            'a: ${X}\nb: ["${Y}", z]\n',
            {"b": ["z"]},
            [
                "c:1:4: the environment variable X is not set; set it, or give a default: ${X:-...}",
                "c:2:5: the environment variable Y is not set; set it, or give a default: ${Y:-...}",
            ],
        ),
    ],
)
@pytest.mark.usefixtures("reader")
def test_what_cannot_be_used_is_reported_and_the_rest_is_read(text, data, problems):
    """In the order in which they were met; the problem of an aliased value is one problem."""
    found, messages = read(text)
    assert (found, sorted(messages)) == (data, sorted(problems))


def test_positions_are_those_of_the_text():
    root, _ = read_document('a: 1\nb:\n  - c: [x, "${V:-y}"]\n', "c", {})
    assert root is not None
    found = root.find(("b", 0, "c", 1))
    assert found.node.value == "y"
    assert (found.place, found.key_place) == ((3, 12), (3, 12))
    assert root.find(("b", 0, "c")).place == (3, 5)
    assert root.find(("b", 0)).place == (3, 5)
    assert root.find(("a",)).key_place == (1, 1)


def test_an_aliased_value_is_a_copy():
    """What is taken out of one of the two stays in the other."""
    root, _ = read_document("a: &x {b: [1, 2]}\nc: *x\n", "c", {})
    assert root is not None
    taken = root.find(("c", "b")).node.value
    assert isinstance(taken, list)
    taken.clear()
    assert root.plain() == {"a": {"b": [1, 2]}, "c": {"b": []}}


@pytest.mark.usefixtures("reader")
def test_aliases_cannot_explode():
    """A billion laughs (https://en.wikipedia.org/wiki/Billion_laughs_attack) ends at the bound, in no time."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 10)]
    _, problems = read("\n".join(lines))
    assert problems == ["c:6:10: the file becomes more than 200,000 values here; remove the aliases that multiply them"]


@pytest.mark.usefixtures("reader")
def test_nesting_is_bounded():
    assert read("a: " + "[" * 5000)[1] == ["c:1:36: more than 32 levels inside each other; no configuration needs them"]


SYNTAX = [
    ("a: *\n", '1:4: a text cannot begin with * in YAML, where it means an alias; put it in quotes\n    "*"'),
    (
        "h: *.a.com\n",
        '1:4: a text cannot begin with * in YAML, where it means an alias; put it in quotes\n    "*.a.com"',
    ),
    ("a: [*, b]\n", '1:5: a text cannot begin with * in YAML, where it means an alias; put it in quotes\n    "*"'),
    ("a: [${X}, b]\n", '1:5: ${...} needs quotes inside [ ] and { }\n    "${X}"'),
    ("a: {b: ${X}/v1, c: 1}\n", '1:8: ${...} needs quotes inside [ ] and { }\n    "${X}/v1"'),
    ("a: [${X:-y z}]\n", '1:5: ${...} needs quotes inside [ ] and { }\n    "${X:-y"'),
    ("a:\n\tb: 1\n", "2:1: a tab cannot indent in YAML; use spaces"),
    ("a: |\n\tx\n", "2:1: a tab cannot indent in YAML; use spaces"),
    ("a: @x y\n", '1:4: a text cannot begin with @ in YAML; put it in quotes\n    "@x"'),
    ("a: `x`\n", '1:4: a text cannot begin with ` in YAML; put it in quotes\n    "`x`"'),
    ("a: %x\n", '1:4: a text cannot begin with % in YAML; put it in quotes\n    "%x"'),
    (
        "a: 1\n b: 2\n",
        "2:3: a second key begins in this line, or the line is indented too far; begin a new line, or use quotes",
    ),
    ("a: 'x\nb: 1\n", "1:4: a quote is opened here and never closed"),
    ("a: [1, 2\nb: c\n", "1:4: [ ] begins here and is not closed where it should be; a comma or ] is missing"),
    ("a: {b: 1\n", "1:4: { } begins here and is not closed where it should be; a comma or } is missing"),
    ("a: 1\nbcd\n", "2:1: a key needs a colon after it; write key: value"),
    (
        "a:\n  - b\n c: 1\n",
        "3:2: this does not belong to what stands before it; indent both the same, or put the text in quotes",
    ),
    (
        'a: "b" c\n',
        "1:8: this does not belong to what stands before it; indent both the same, or put the text in quotes",
    ),
    ("%YAML 3.0\n---\na: 1\n", "1:1: this is no YAML: found incompatible YAML document"),
    ("a: 1\na: 2\nb: \x00\n", "3:4: the character U+0000 may not stand in YAML; remove it"),
    ("a: \x1b[31m\n", "1:4: the character U+001B may not stand in YAML; remove it"),
    ("a: b\ufeffc\n", "1:5: the character U+FEFF may not stand in YAML; remove it"),
    ("a: \ud800\n", "1:4: the character U+D800 may not stand in YAML; remove it"),
]


@pytest.mark.parametrize(("text", "problem"), SYNTAX)
@pytest.mark.usefixtures("reader")
def test_a_yaml_error_is_told_in_words(text, problem):
    assert read(text) == (None, [f"c:{problem}"])


def test_a_yaml_error_hides_no_earlier_problem():
    assert read("a: 1\na: 2\nb: *\n")[1] == [
        "c:2:1: the key 'a' stands here twice, first in line 1; remove one of them",
        'c:3:4: a text cannot begin with * in YAML, where it means an alias; put it in quotes\n    "*"',
    ]


@given(st.text(alphabet="ab:-[]{}*&!|>'\"#%@,?$ \n\t\r~<.0", max_size=40))
def test_every_text_is_read_or_has_a_problem(text):
    """No text makes the reader raise, and a position is always inside the text."""
    root, problems = read_document(text, "c", {})
    assert root is not None or problems
    for problem in problems:
        assert problem.line <= len(text.splitlines())
