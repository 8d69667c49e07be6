"""Fields: grammar, lists, what ends at this hop, Vary, and edits from the configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.http.fields import (
    HOP_BY_HOP,
    EditProblem,
    FieldEdits,
    InvalidEdits,
    by_name,
    compile_edits,
    connection_options,
    is_field_value,
    is_token,
    list_members,
    merge_vary,
)

TOKENS = st.text(alphabet="!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=12).map(str.encode)
LISTS = st.lists(st.lists(TOKENS | st.just(b"*") | st.just(b""), max_size=4).map(b" , ".join), max_size=3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"X-Total-Count", True),
        (b"!#$%&'*+-.^_`|~", True),  # RFC 9110 5.6.2, every tchar that is no letter or digit
        (b"", False),  # proxies.md 3.1, empty header name
        (b"User Agent", False),  # proxies.md 3.16
        (b"X-A:", False),
        (b"X-A ", False),  # RFC 9112 5.1, white space before the colon
        (b"X-\xc3\xa9", False),
        (b"X-A\n", False),  # fullmatch, where $ would let it pass
        (b"a(b)", False),
        (b'"a"', False),
    ],
)
def test_token(name, expected):
    assert is_token(name) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", True),
        (b"a\tb c", True),  # RFC 9110 5.5
        (b"\xe4\xf6", True),  # obs-text
        (b"a\rb", False),  # proxies.md 3.18, CVE-2026-34519
        (b"a\nb", False),
        (b"a\x00b", False),
        (b"a\x01b", False),  # proxies.md 3.17
        (b"a\x7fb", False),
        (b"a\n", False),
    ],
)
def test_field_value(value, expected):
    assert is_field_value(value) is expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([b"a"], [b"a"]),
        ([b"a, b", b"c"], [b"a", b"b", b"c"]),  # RFC 9110 5.3, several lines are one list
        ([b",a,,\t b\t ,"], [b"a", b"b"]),  # RFC 9110 5.6.1.2, empty members
        ([b""], []),
        ([b"a b,c"], [b"a b", b"c"]),
    ],
)
def test_list_members(values, expected):
    assert list_members(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], set()),
        ([b"keep-alive"], {b"keep-alive"}),
        ([b"Keep-Alive"], {b"keep-alive"}),  # RFC 9110 7.6.1, case-insensitive
        ([b"keep-alive, Upgrade"], {b"keep-alive", b"upgrade"}),
        ([b"close", b"X-Hop"], {b"close", b"x-hop"}),
        ([b"X-Hop,, foo"], {b"x-hop", b"foo"}),  # RFC 9110 7.6.1, any other field is the sender's to nominate
        ([b"X-Forwarded-For, Origin"], set()),  # proxies.md 3.11, CVE-2024-45410
        ([b"close, x-forwarded-user, X-Real-IP"], {b"close"}),  # CVE-2021-32813
        ([b"Host, Cookie, Authorization"], set()),
        ([b"content-length, Content-Type, transfer-encoding"], {b"transfer-encoding"}),
        ([b"Access-Control-Request-Method, Access-Control-Allow-Origin, Vary"], set()),
        ([b"Sec-Fetch-Site, If-None-Match, Accept-Encoding, Via, Forwarded"], set()),
        ([b"Set-Cookie, Location, Cache-Control"], set()),
    ],
)
def test_connection_options(values, expected):
    assert connection_options(values) == expected


def test_every_line_of_a_name_counts_in_order():
    lines = [(b"vary", b"Accept"), (b"etag", b'"1"'), (b"vary", b"Origin, Accept")]
    assert by_name(lines) == {b"vary": (b"Accept", b"Origin, Accept"), b"etag": (b'"1"',)}
    assert list(by_name(lines)) == [b"vary", b"etag"]


def test_framing_is_hop_by_hop_whatever_connection_says():
    """RFC 9110 7.6.1; the h2c upgrade (proxies.md 3.9) goes with its settings."""
    assert {b"connection", b"keep-alive", b"te", b"transfer-encoding", b"upgrade", b"http2-settings"} <= HOP_BY_HOP


def test_trailer_is_end_to_end():
    """RFC 9110 6.6.2 keeps it even where the trailers themselves are discarded."""
    assert b"trailer" not in HOP_BY_HOP


@pytest.mark.parametrize(
    ("existing", "names", "expected"),
    [
        ([], [b"Origin"], b"Origin"),  # cors-engines.md 3.19
        ([], [], b""),
        ([b"Accept-Encoding"], [], b"Accept-Encoding"),
        ([b"Accept-Encoding"], [b"Origin"], b"Accept-Encoding, Origin"),  # cors-engines.md 3.20, Kong #4782
        ([b"origin"], [b"Origin"], b"origin"),
        ([b"Accept-Encoding,ORIGIN"], [b"Origin"], b"Accept-Encoding, ORIGIN"),
        ([b"Origin", b"Accept, Origin"], [b"Origin"], b"Origin, Accept"),
        ([b"*"], [b"Origin"], b"*"),  # RFC 9110 12.5.5
        ([b"Accept, *"], [b"Origin"], b"*"),
        ([b""], [b"Origin"], b"Origin"),
        (
            [],
            [b"Origin", b"Access-Control-Request-Method"],
            b"Origin, Access-Control-Request-Method",
        ),
    ],
)
def test_merge_vary(existing, names, expected):
    assert merge_vary(existing, names) == expected


@given(LISTS, st.lists(TOKENS, max_size=3))
def test_merging_vary_again_changes_nothing(existing, names):
    once = merge_vary(existing, names)
    assert merge_vary([once], names) == once


@given(LISTS, st.lists(TOKENS, max_size=3))
def test_merged_vary_names_each_field_once_and_loses_none(existing, names):
    merged = list_members([merge_vary(existing, names)])
    lower = [member.lower() for member in merged]
    assert len(lower) == len(set(lower))
    wanted = {member.lower() for member in list_members([*existing, *names])}
    assert set(lower) == ({b"*"} if b"*" in wanted else wanted)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({}, FieldEdits()),
        ({"set": {"X-Key": "7"}}, FieldEdits(frozenset({b"x-key"}), b"X-Key: 7\r\n")),
        ({"add": {"X-Key": "7"}}, FieldEdits(frozenset(), b"X-Key: 7\r\n")),
        ({"add": {"X-Key": ["7", "8"]}}, FieldEdits(frozenset(), b"X-Key: 7\r\nX-Key: 8\r\n")),
        ({"remove": ["Server"]}, FieldEdits(frozenset({b"server"}), b"")),
        ({"set": {"A": "1"}, "add": {"A": "2"}}, FieldEdits(frozenset({b"a"}), b"A: 1\r\nA: 2\r\n")),
        ({"remove": ["A"], "add": {"a": "2"}}, FieldEdits(frozenset({b"a"}), b"a: 2\r\n")),
        ({"set": {"X-Empty": ""}}, FieldEdits(frozenset({b"x-empty"}), b"X-Empty: \r\n")),
    ],
)
def test_compile_edits(edits, expected):
    assert compile_edits(**{"set": {}, "add": {}, "remove": [], **edits}) == expected


@pytest.mark.parametrize(
    ("edits", "key", "name", "words"),
    [
        ({"set": {"X Key": "7"}}, "set", "X Key", "is no field name"),
        ({"set": {"": "7"}}, "set", "", "is no field name"),
        ({"remove": ["X:"]}, "remove", "X:", "is no field name"),
        ({"remove": ["é"]}, "remove", "é", "is no field name"),
        ({"set": {"A": "x\r\nSet-Cookie: y"}}, "set", "A", "control or non-ASCII"),
        ({"add": {"A": ["ok", "é"]}}, "add", "A", "control or non-ASCII"),
        ({"add": {"A": " x"}}, "add", "A", "white space around it"),
        ({"set": {"Content-Length": "7"}}, "set", "Content-Length", "belongs to the connection"),
        ({"set": {"Host": "a"}}, "set", "Host", "belongs to the connection"),
        ({"remove": ["transfer-encoding"]}, "remove", "transfer-encoding", "belongs to the connection"),
        ({"add": {"Connection": "X-Forwarded-For"}}, "add", "Connection", "belongs to the connection"),
        ({"set": {"A": "1"}, "remove": ["a"]}, "set", "A", "set and removed"),
        ({"set": {"A": "1", "a": "2"}}, "set", "a", "set twice"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(edits, key, name, words):
    with pytest.raises(InvalidEdits) as refused:
        compile_edits(**{"set": {}, "add": {}, "remove": [], **edits})
    (problem,) = refused.value.problems
    assert (problem.key, problem.name) == (key, name)
    assert words in problem.message


def test_all_problems_of_edits_are_reported_at_once():
    with pytest.raises(InvalidEdits) as refused:
        compile_edits({"Host": "a", "B ": "b"}, {"C": "\n"}, ["Upgrade"])
    assert [(problem.key, problem.name) for problem in refused.value.problems] == [
        ("set", "Host"),
        ("set", "B "),
        ("add", "C"),
        ("remove", "Upgrade"),
    ]
    assert isinstance(refused.value, ValueError)
    assert str(refused.value).count("\n") == 3
    assert EditProblem("remove", "Upgrade", refused.value.problems[3].message) == refused.value.problems[3]


@given(st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=3), st.lists(st.text(max_size=6), max_size=3))
def test_compiled_lines_are_whole_field_lines(added, removed):
    """No configured text can begin a line of its own."""
    try:
        edits = compile_edits({}, added, removed)
    except InvalidEdits:
        return
    lines = edits.lines.split(b"\r\n")
    assert lines.pop() == b""
    assert len(lines) == len(added)
    for line in lines:
        name, _, value = line.partition(b": ")
        assert is_token(name)
        assert is_field_value(value)
