"""The hot path takes no more instructions than the baseline has room for; see benchmarks/gate.py."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks.gate import BASELINE, ROOM, build_of, count, judge, unavailable

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}


def test_the_hot_path_has_not_become_more_expensive():
    if reason := unavailable():
        _leave(reason)
    python = Path(sys.executable)
    build = build_of(python, ENVIRONMENT)
    baselines = json.loads(BASELINE.read_text("utf-8"))
    if build not in baselines:
        _leave(f"no baseline for {build}; scripts/bench --gate --renew writes one")
    assert judge(count(python, ENVIRONMENT), baselines[build]) == []


def _leave(reason: str) -> None:
    """Skip, but not where a change is judged."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.mark.parametrize(
    ("counted", "problems"), [(100.0, 0), (50.0, 0), (100 * (1 + ROOM), 0), (100 * (1 + ROOM) + 1, 1)]
)
def test_only_what_exceeds_the_room_is_a_problem(counted, problems):
    assert len(judge({"GET": counted}, {"GET": 100.0})) == problems
