"""Snapshots: what several workers' numbers are together, and what outlives a worker."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from corsproxy.server.metric_families import (
    FAMILIES,
    Kind,
    from_json,
    lasting,
    merge,
    remember,
    to_json,
)

TEXTS = st.sampled_from(["/", "/orders", "none", "2xx", "allowed", 'a"b\n'])


def samples(family):
    labels = st.tuples(*([TEXTS] * len(family.labels)))
    size = len(family.bounds) + 2 if family.kind is Kind.HISTOGRAM else 1
    number = st.just(1) if family.kind is Kind.INFO else st.integers(0, 10**6)
    return st.dictionaries(labels, st.lists(number, min_size=size, max_size=size), max_size=3)


SNAPSHOTS = st.sets(st.sampled_from(sorted(FAMILIES)), max_size=6).flatmap(
    lambda names: st.fixed_dictionaries({name: samples(FAMILIES[name]) for name in names})
)


@given(st.lists(SNAPSHOTS, max_size=4), st.randoms(use_true_random=False))
def test_together_is_the_sum_in_any_order_and_grouping(snapshots, random):
    whole = merge(snapshots)
    random.shuffle(snapshots)
    assert merge(snapshots) == whole
    assert reduce(lambda one, other: merge([one, other]), snapshots, {}) == whole
    for name, found in whole.items():
        for labels, values in found.items():
            parts = [snapshot[name][labels] for snapshot in snapshots if labels in snapshot.get(name, {})]
            expected = [1] if FAMILIES[name].kind is Kind.INFO else [sum(column) for column in zip(*parts, strict=True)]
            assert values == expected


@given(SNAPSHOTS)
def test_a_snapshot_survives_the_way_to_another_process(snapshot):
    assert from_json(to_json(snapshot)) == snapshot


@given(st.lists(SNAPSHOTS, min_size=1, max_size=4))
def test_no_count_goes_back_when_a_worker_is_replaced(snapshots):
    """Whatever grows keeps what the dead had counted; what stood with them is gone."""
    before = lasting(merge(snapshots))
    kept = reduce(remember, map(to_json, snapshots), b"")
    assert from_json(kept) == before
    assert {FAMILIES[name].kind for name in before} <= {Kind.COUNTER, Kind.HISTOGRAM}
    assert remember(kept, b"") == kept


def test_every_label_has_few_values():
    """None of what a client sends may become one."""
    labels = {label for family in FAMILIES.values() for label in family.labels}
    assert labels == {
        *("rule", "status", "outcome", "upstream", "state", "result", "hash", "limit", "verdict"),
        *("version", "python", "compiled", "lane"),
    }
