"""Who wins, compared with a plain reading of the rules; and the order in which they are shown."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.load import load_config

LABELS = ["a", "b", "com"]
HOSTS = ["", "com", "b.com", "a.b.com", "a.a.b.com", "*.com", "*.b.com", "*.a.b.com", "127.0.0.1", "::1"]
SEGMENTS = ["x", "y", "x-y", "xy"]

paths = st.lists(st.sampled_from(SEGMENTS), max_size=3).map(lambda segments: "/" + "/".join(segments))
rows = st.lists(st.tuples(st.sampled_from(HOSTS), paths), min_size=1, max_size=12, unique=True)


def table_of(rows):
    """The table of rules with these hosts and paths."""
    written = "".join(
        f'  - {{host: "{_bracketed(host)}", path: {path}, upstream: http://u, policy: none}}\n' for host, path in rows
    )
    return load_config(f"rules:\n{written}", "c", {}).table


def _bracketed(host):
    return f"[{host}]" if ":" in host else host


def matches(row, host, path):
    """Whether a rule means a request, by the words of the documentation."""
    rule_host, rule_path = row
    by_host = rule_host in ("", host) or (rule_host.startswith("*.") and host.endswith(rule_host[1:]))
    return by_host and (rule_path in {"/", path} or path.startswith(rule_path + "/"))


def specificity(row):
    """The most specific: an exact host, then the longest wildcard, then any; then the longest path."""
    host, path = row
    return (bool(host), not host.startswith("*."), len(host), len(path))


@given(
    rows,
    st.one_of(
        st.sampled_from(["127.0.0.1", "::1", ""]),
        st.lists(st.sampled_from(LABELS), min_size=1, max_size=5).map(".".join),
    ),
    st.lists(st.sampled_from([*SEGMENTS, ""]), max_size=5).map(lambda segments: "/" + "/".join(segments)),
)
def test_the_most_specific_rule_wins(rows, host, path):
    table = table_of(rows)
    found = table.find(host, path)
    candidates = [row for row in rows if matches(row, host, path)]
    expected = max(candidates, key=specificity, default=None)
    assert (found and (found.host, found.path)) == expected


@given(rows, st.integers())
def test_the_order_of_the_file_changes_nothing(rows, seed):
    shuffled = random.Random(seed).sample(rows, len(rows))  # an order, not a secret
    assert [rule.name for rule in table_of(rows).rules] == [rule.name for rule in table_of(shuffled).rules]


@given(rows, st.lists(st.sampled_from(LABELS), min_size=1, max_size=5).map(".".join))
def test_a_host_is_served_when_a_rule_means_it(rows, host):
    table = table_of(rows)
    assert table.serves(host) == any(matches((rule_host, "/"), host, "/") for rule_host, _ in rows)


def test_rules_are_shown_in_the_order_in_which_they_win():
    rows = [("", "/"), ("", "/x/y"), ("", "/x"), ("*.com", "/"), ("*.b.com", "/"), ("b.com", "/"), ("b.com", "/x")]
    assert [rule.name for rule in table_of(rows).rules] == [
        "b.com/x",
        "b.com/",
        "*.b.com/",
        "*.com/",
        "/x/y",
        "/x",
        "/",
    ]


def test_five_thousand_rules_are_a_table_like_any_other():
    table = table_of([("", f"/p{number}") for number in range(5000)])
    found = table.find("any.example.com", "/p4999/x")
    assert found is not None
    assert found.path == "/p4999"
