from __future__ import annotations

import pytest

from benchmarks.bars import OF_NGINX, TIMES, judge
from benchmarks.cases import CASES
from benchmarks.peers import PEERS


def row(case, target, number=0, variation="", **figures):
    base = {"case": case, "target": target, "variation": variation, "round": number}
    return {**base, "rate": 100.0, "cpu": 10.0, "share": 1.0, **figures}


def bars(*samples, compiled=True):
    targets = {
        "nginx": {"title": "nginx", "ours": False, "compiled": False},
        "ours": {"title": "ours", "ours": True, "compiled": compiled},
    }
    return {bar.promise: bar for bar in judge({"samples": samples, "targets": targets, "subject": "ours"})}


def test_every_bar_is_about_a_case_and_a_proxy_that_exist():
    assert OF_NGINX.keys() <= {case.name for case in CASES}
    assert TIMES.keys() <= {peer.name for peer in PEERS}


@pytest.mark.parametrize(("rate", "holds"), [(75, True), (74, False), (120, True)])
def test_a_bar_holds_from_its_figure_on(rate, holds):
    bar = bars(row("small", "nginx"), row("small", "ours", rate=rate))["small GET, 64 connections: 0.75 of nginx"]
    assert bar.holds is holds
    assert f"{rate / 100:.2f}" in bar.measured


def test_what_was_not_measured_does_not_hold():
    found = bars()
    assert {bar.holds for bar in found.values()} == {None}
    assert {bar.measured for bar in found.values()} == {"not measured"}


def test_the_bars_without_compilation_are_held_against_the_plain_build_alone():
    samples = (row("small", "nginx"), row("small", "ours", rate=60))
    promise = "not compiled, small GET, 64 connections: 0.55 of nginx"
    assert bars(*samples)[promise].holds is None
    assert bars(*samples, compiled=False)[promise].holds is True


@pytest.mark.parametrize(("rate", "holds"), [(91, True), (89, False)])
def test_the_access_log_may_cost_a_tenth(rate, holds):
    found = bars(row("log", "ours", variation="log off"), row("log", "ours", variation="log on", rate=rate))
    assert found["access log: costs at most 10 %"].holds is holds


@pytest.mark.parametrize(
    ("two", "words"),
    [
        ({"rate": 190.0, "share": 1.9}, "1.90"),  # a core for each
        ({"rate": 100.0, "cpu": 10.0, "share": 1.0}, "2.00, projected"),  # one core for both
        ({"rate": 100.0, "cpu": 12.5, "share": 1.0}, "1.60, projected"),
    ],
)
def test_two_workers_are_measured_or_else_projected(two, words):
    found = bars(row("workers", "ours", variation="1 worker"), row("workers", "ours", variation="2 workers", **two))
    assert found["2 workers: 1.8 times one"].measured.startswith(words)


def test_an_idle_connection_is_what_nine_thousand_more_of_them_hold():
    sample = {"idle": 30e6, "held-1000": 1000, "idle-1000": 40e6, "held-10000": 10000, "idle-10000": 85e6}
    bar = bars(row("memory", "ours", **sample))["an idle connection: 8 KB"]
    assert (bar.measured, bar.holds) == ("5.0 KB, with 10000 connections", True)


def test_the_latency_is_held_against_nginx():
    found = bars(row("latency", "nginx", p99=1000.0), row("latency", "ours", p99=2100.0))
    assert found["p99 at half load: 2 times nginx's"].holds is False
