from __future__ import annotations

import pytest

from benchmarks.statistics import Samples, Spread, spread


def row(target, number, rate, cpu, share=1.0, variation="", case="small"):
    return {
        "case": case,
        "target": target,
        "variation": variation,
        "round": number,
        "rate": rate,
        "cpu": cpu,
        "share": share,
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([3.0], Spread(3.0, 3.0, 3.0)),
        ([1.0, 9.0, 2.0], Spread(2.0, 1.0, 9.0)),
        ([1.0, 3.0], Spread(2.0, 1.0, 3.0)),
    ],
)
def test_a_spread_is_the_median_and_the_extremes(values, expected):
    assert spread(values) == expected


def test_ratios_are_formed_within_a_round():
    """The machine was half as fast in the second round, and that must not show."""
    samples = Samples(
        [row("nginx", 0, 100, 10), row("ours", 0, 50, 20), row("nginx", 1, 50, 20), row("ours", 1, 25, 40)]
    )
    assert samples.ratio("small", "ours", "nginx", "rate") == Spread(0.5, 0.5, 0.5)


def test_a_round_that_only_one_of_them_has_does_not_count():
    samples = Samples([row("nginx", 0, 100, 10), row("ours", 0, 50, 20), row("ours", 1, 1, 1000)])
    assert samples.ratio("small", "ours", "nginx", "rate") == Spread(0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected", "by"),
    [
        (1.0, 1.0, 0.5, "rate"),
        (0.9, 0.9, 0.5, "rate"),
        (1.0, 0.5, 0.25, "CPU"),  # nginx could have done more: its rate was the load generator's
        (0.5, 1.0, 0.25, "CPU"),
    ],
)
def test_rates_count_only_where_both_proxies_were_the_limit(ours, theirs, expected, by):
    samples = Samples([row("nginx", 0, 100, 10, theirs), row("ours", 0, 50, 40, ours)])
    standing = samples.standing("small", "ours", "nginx")
    assert (standing.spread.median, standing.by) == (expected, by)


def test_who_was_never_measured_has_no_standing():
    samples = Samples([row("nginx", 0, 100, 10)])
    assert samples.standing("small", "ours", "nginx") is None
    assert samples.standing("small", "nginx", "ours") is None
    assert samples.spread("small", "ours", "rate") is None


def test_a_proxy_is_compared_with_itself_under_another_configuration():
    samples = Samples([row("ours", 0, 100, 10, variation="off"), row("ours", 0, 80, 12, variation="on")])
    assert samples.changed("small", "ours", "on", "off").spread.median == 0.8
    assert samples.variations("small", "ours") == ["off", "on"]
