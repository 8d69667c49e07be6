from __future__ import annotations

import pytest

from benchmarks import report
from benchmarks.pages import filled
from benchmarks.profile import shares
from tests.documents import ROOT


def results(samples=(), cannot=()):
    return {
        "when": "2026-01-01T00:00:00+00:00",
        "command": "scripts/bench",
        "minutes": 1.0,
        "rounds": 1,
        "few_rounds": 1,
        "seconds": 1,
        "machine": {"processor": "a", "cores": "2", "memory": "1 GiB", "kernel": "Linux", "python": "3.11"},
        "subject": "ours",
        "targets": {
            name: {"title": name, "ours": name == "ours", "compiled": False, "version": "1.0", "differs": ""}
            for name in ("nginx", "ours", "slow|one")
        },
        "cases": [{"name": name, "title": name, "unit": "requests", "kind": "wrk"} for name in ("small", "log")],
        "samples": list(samples),
        "cannot": list(cannot),
    }


def row(target, rate, share=1.0, case="small", variation=""):
    return {
        "case": case,
        "target": target,
        "variation": variation,
        "round": 0,
        "rate": rate,
        "cpu": 1e6 * share / rate,
        "share": share,
        "load": 0.5,
        "p50": 1.0,
        "p99": 2.0,
    }


def test_what_a_proxy_cannot_do_is_no_zero():
    text = report.sections(results([row("nginx", 100), row("ours", 50)]))["Against nginx"]
    assert "| ours | 0.50 |" in text
    assert "| slow\\|one | cannot |" in text


def test_a_ratio_of_cpu_time_is_marked():
    text = report.sections(results([row("nginx", 100, share=0.5), row("ours", 50)]))["Against nginx"]
    assert "| ours | *0.25* |" in text


def test_the_reason_is_given_for_what_is_missing():
    reason = {"case": "small", "target": "slow|one", "variation": "", "reason": "it fell over"}
    assert "| slow\\|one | small | it fell over |" in report.whole(results(cannot=[reason]))


def test_configurations_are_held_against_the_first():
    samples = [row("ours", 100, case="log", variation="off"), row("ours", 95, case="log", variation="on")]
    text = report.sections(results(samples))["Configurations"]
    assert "| ours: on | 95 (95 to 95) | 10526.3 (10526.3 to 10526.3) | 0.95 by rate |" in text


def test_a_run_that_measured_nothing_has_a_report_all_the_same():
    assert "0 of 27 hold" in report.whole(results())


def test_only_what_is_between_the_marks_is_replaced():
    page = "before\n<!-- generated: A -->\nold\n<!-- end of generated -->\nafter\n"
    expected = "before\n<!-- generated: A -->\n\nnew\n\n<!-- end of generated -->\nafter\n"
    assert filled(page, {"A": "new"}) == expected
    assert filled(expected, {"A": "new"}) == expected


def test_a_mark_that_no_run_fills_is_an_error():
    with pytest.raises(KeyError):
        filled("<!-- generated: B -->\n<!-- end of generated -->", {"A": "new"})


def test_the_page_has_only_marks_that_a_run_fills():
    page = (ROOT / "docs/performance.md").read_text("utf-8")
    assert page.count("<!-- generated: ") == page.count("<!-- end of generated -->") > 0
    filled(page, {**report.sections(results()), "Plots": ""})


def test_a_profile_tells_a_function_alone_from_what_it_calls():
    text = shares("a;b 3\na;c 1\na 1\na;epoll_pwait (libc.so.6) 9\n")
    assert "| `b` | 60.0% | 60.0% |" in text
    assert "| `a` | 20.0% | 100.0% |" in text
