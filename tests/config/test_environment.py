"""References to the environment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.document import read_document
from corsproxy.config.environment import interpolate
from corsproxy.config.written import Unusable

ENVIRONMENT = {"HOST": "api.example.com", "EMPTY": "", "_1": "underscore", "NESTED": "${HOST}"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${HOST}", "api.example.com"),
        ("https://${HOST}:8443/${_1}", "https://api.example.com:8443/underscore"),
        ("${HOST:-other}", "api.example.com"),
        ("${MISSING:-other}", "other"),
        ("${MISSING:-http://a:1/b?c}", "http://a:1/b?c"),
        ("${MISSING:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),  # as in a shell
        ("${NESTED}", "${HOST}"),  # a value is not looked at again
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$${HOST}"),
        ("$HOST and $ and $$", "$HOST and $ and $$"),
        (r"https://pr-[0-9]+\.example\.com$", r"https://pr-[0-9]+\.example\.com$"),
    ],
)
def test_references_are_replaced(text, value):
    assert interpolate(text, ENVIRONMENT) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${MISSING}", "the environment variable MISSING is not set; set it, or give a default: ${MISSING:-...}"),
        ("a${HOST}b${MISSING}", "the environment variable MISSING is not set"),
        ("${", "a ${ that is no ${NAME} or ${NAME:-default}; write $${ for these two characters"),
        ("${HOST", "a ${ that is no ${NAME}"),
        ("${}", "a ${ that is no ${NAME}"),
        ("${1}", "a ${ that is no ${NAME}"),
        ("${HOST:=x}", "a ${ that is no ${NAME}"),
        ("${HOST-x}", "a ${ that is no ${NAME}"),
    ],
)
def test_what_cannot_be_replaced_is_refused(text, message):
    with pytest.raises(Unusable) as caught:
        interpolate(text, ENVIRONMENT)
    assert str(caught.value).startswith(message)


@given(st.text())
def test_a_value_never_becomes_structure(value):
    """Whatever a variable holds, quoted it is that text, and plain it is one scalar."""
    root, problems = read_document('quoted: "${V}"\nplain: ${V}\nlast: 1\n', "file", {"V": value})
    assert problems == []
    assert root is not None
    assert root.plain()["quoted"] == value
    assert not isinstance(root.plain()["plain"], list | dict)
    assert set(root.plain()) == {"quoted", "plain", "last"}


@pytest.mark.parametrize(
    ("value", "plain"),
    [("8080", 8080), ("true", True), ("off", "off"), ("", ""), ("[a, b]", "[a, b]"), ("a: b", "a: b")],
)
def test_a_plain_reference_has_the_kind_of_its_value(value, plain):
    root, _ = read_document("key: ${V}", "file", {"V": value})
    assert root is not None
    assert root.plain() == {"key": plain}
