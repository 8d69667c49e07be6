"""Edits of a YAML text: each row is a text, an edit and the text after it; nothing else may change."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.tools.yaml_edit import NotEditable, add_entry, replace, scalar, set_key

ENTRIES = [
    ("a block list", "a:\n  - x\n  - y\nb: 1\n", "a:\n  - x\n  - y\n  - new\nb: 1\n"),
    ("a comment behind the last entry", "a:\n  - x  # why\n# b\nb: 1\n", "a:\n  - x  # why\n  - new\n# b\nb: 1\n"),
    ("entries as deep as their key", "a:\n- x\nb: 1\n", "a:\n- x\n- new\nb: 1\n"),
    ("no newline at the end", "a:\n  - x", "a:\n  - x\n  - new\n"),
    ("a flow list", "a: [x, y]  # why\n", "a: [x, y, new]  # why\n"),
    ("a flow list over lines", "a: [\n  x,\n  y\n]\n", "a: [\n  x,\n  y, new\n]\n"),
    ("an empty list", "a: []\nb: 1\n", "a: [new]\nb: 1\n"),
    ("one value in place of a list", "a: x  # why\nb: 1\n", "a: [x, new]  # why\nb: 1\n"),
    ("one quoted value", 'a: "*"\n', 'a: ["*", new]\n'),
    ("windows line ends", "a:\r\n  - x\r\nb: 1\r\n", "a:\r\n  - x\r\n  - new\r\nb: 1\r\n"),
]


@pytest.mark.parametrize(("text", "after"), [row[1:] for row in ENTRIES], ids=[row[0] for row in ENTRIES])
def test_add_entry(text, after):
    assert add_entry(text, ("a",), "new") == after


KEYS = [
    ("a block mapping", "p:\n  a: 1\n  b: 2\nq: 3\n", "p:\n  a: 1\n  b: 2\n  k: true\nq: 3\n"),
    (
        "a list at its end",
        "p:\n  a:\n    - x\n    - y\n\n# q\nq: 3\n",
        "p:\n  a:\n    - x\n    - y\n  k: true\n\n# q\nq: 3\n",
    ),
    ("a flow mapping", "p: {a: 1}\n", "p: {a: 1, k: true}\n"),
    ("an empty mapping", "p: {}\n", "p: {k: true}\n"),
    ("the key is there", "p:\n  k: false  # why\n  b: 2\n", "p:\n  k: true  # why\n  b: 2\n"),
    ("the key is there, a block", "p:\n  k:\n    - x\n\n  b: 2\n", "p:\n  k:\n    true\n\n  b: 2\n"),
]


@pytest.mark.parametrize(("text", "after"), [row[1:] for row in KEYS], ids=[row[0] for row in KEYS])
def test_set_key(text, after):
    assert set_key(text, ("p",), "k", value=True) == after
    assert yaml.safe_load(after)["p"]["k"] is True


def test_values_are_written_in_one_line():
    assert set_key("p: {}\n", ("p",), "k", ("GET", "yes", "*")) == 'p: {k: [GET, "yes", "*"]}\n'
    assert set_key("p: {}\n", ("p",), "k", "https://a.example") == "p: {k: https://a.example}\n"


def test_a_path_leads_through_lists():
    text = "rules:\n  - path: /a\n    policy: none\n  - path: /b\n    policy: none\n"
    assert replace(text, ("rules", 1, "policy"), "web") == text[: text.rindex("none")] + "web\n"


UNEDITABLE = [
    (lambda: add_entry("a: {}\n", ("a",), "x"), "a is no list"),
    (lambda: add_entry("a: 1\n", ("b",), "x"), "there is no b"),
    (lambda: set_key("a: []\n", ("a",), "k", value=True), "a is no mapping"),
    (lambda: set_key("a: [1]\n", ("a", 3), "k", value=True), "there is no a.3"),
    (lambda: add_entry("", (), "x"), "there is nothing in this text"),
]


@pytest.mark.parametrize(("edit", "message"), UNEDITABLE)
def test_what_cannot_be_edited_is_said(edit, message):
    with pytest.raises(NotEditable, match=message):
        edit()


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=20))
def test_a_scalar_is_read_back_as_the_same_text(text):
    assert yaml.safe_load(f"[{scalar(text)}]") == [text]


@given(
    st.lists(st.sampled_from(["https://a.example", "*", "null", "yes", "http://[::1]:80", "x y"]), max_size=4),
    st.sampled_from(["https://new.example", "null", "off"]),
    st.booleans(),
)
def test_an_entry_is_added_and_nothing_else_changes(entries, entry, flow):
    document = {"before": 1, "a": entries, "after": {"k": [1]}}
    text = yaml.safe_dump(document, default_flow_style=flow, sort_keys=False)
    assert yaml.safe_load(add_entry(text, ("a",), entry)) == {**document, "a": [*entries, entry]}
