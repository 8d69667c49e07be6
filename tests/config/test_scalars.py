"""Plain scalars by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#1032-tag-resolution)."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.document import read_document
from corsproxy.config.scalars import resolve, written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("on", "on"),  # a boolean in YAML 1.1
        ("no", "no"),
        ("Y", "Y"),
        ("0", 0),
        ("-7", -7),
        ("012", 12),  # ten in YAML 1.1
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),  # 45045 in YAML 1.1
        ("8080:80", "8080:80"),
        ("0x10", "0x10"),  # no key has a use for it
        ("9" * 18, int("9" * 18)),
        ("9" * 5000, "9" * 5000),  # int() refuses this length
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", ".5"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("2020-01-01", "2020-01-01"),  # a date in YAML 1.1
        ("https://app.example.com", "https://app.example.com"),
    ],
)
def test_a_plain_scalar_is_what_it_looks_like(text, value):
    resolved = resolve(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize(
    ("text", "yaml_text"),
    [
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("http://localhost:*", "http://localhost:*"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10m", "10m"),
        ("X-Total-Count", "X-Total-Count"),
        ("none", "none"),
        ("", '""'),
        ("*", '"*"'),
        ("*.example.com", '"*.example.com"'),
        ("null", '"null"'),
        ("true", '"true"'),
        ("8080", '"8080"'),
        ("a: b", '"a: b"'),
        ("a:", '"a:"'),
        ("a #b", '"a #b"'),
        ("[::1]:8080", '"[::1]:8080"'),
        ('"', '"\\""'),
        ("größe", "größe"),
    ],
)
def test_a_text_is_written_bare_where_that_is_safe(text, yaml_text):
    assert written(text) == yaml_text


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffe\uffff")))
def test_what_is_written_reads_as_the_same_text(text):
    """In a block and in a flow list, here and by a reader of YAML 1.1 wherever that has the same booleans."""
    text = text.replace("${", "")
    for form in (f"key: {written(text)}", f"key: [{written(text)}, next]"):
        root, problems = read_document(form, "file", {})
        assert problems == []
        assert root is not None
        value = root.plain()["key"]
        assert (value[0] if isinstance(value, list) else value) == text
        yaml.compose(form)
