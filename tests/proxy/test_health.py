"""The health of one endpoint: when it is left out, when it may be tried, and what brings it back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.proxy.health import EJECT_AFTER, FIRST_EJECTION, LONGEST_EJECTION, SICK_AFTER, Health


class Trial:
    """The connection of a request that tries an endpoint."""

    answered = False


def ejected(now=0.0):
    health = Health()
    for _ in range(EJECT_AFTER):
        health.failed(now)
    return health


def test_failures_in_a_row_eject():
    health = Health()
    for _ in range(EJECT_AFTER - 1):
        health.failed(0.0)
        assert health.well
    health.failed(0.0)
    assert not health.well


def test_an_answer_in_between_begins_the_count_anew():
    health = Health()
    for _ in range(10):
        health.failed(0.0)
        health.succeeded()
    assert health.well
    assert health.spotless


def test_one_request_tries_it_when_the_time_has_come():
    health = ejected(now=100.0)
    assert not health.due(100.0 + FIRST_EJECTION - 0.01)
    assert health.due(100.0 + FIRST_EJECTION)
    health.trial = Trial()
    assert not health.due(1000.0)  # no second one beside it


def test_a_trial_that_fails_doubles_the_time_up_to_a_bound():
    health, now, spans = ejected(), 0.0, []
    for _ in range(10):
        spans.append(health.returns_at - now)
        now = health.returns_at
        health.trial = trial = Trial()
        health.failed(now, trial)
    assert spans == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, *[LONGEST_EJECTION] * 4]


def test_a_trial_that_succeeds_forgives_everything():
    health = ejected()
    health.trial = Trial()
    health.succeeded()
    assert (health.well, health.spotless, health.trial) == (True, True, None)
    for _ in range(EJECT_AFTER):
        health.failed(50.0)
    assert health.returns_at == 50.0 + FIRST_EJECTION


def test_a_trial_whose_client_left_leaves_the_place_to_another():
    health = ejected()
    health.trial = trial = Trial()
    health.gave_up(Trial())  # somebody else
    assert not health.due(10.0)
    health.gave_up(trial)
    assert health.due(10.0)


def test_what_was_under_way_when_it_was_ejected_prolongs_nothing():
    health = ejected(now=0.0)
    for _ in range(50):
        health.failed(0.5, Trial())
    assert health.returns_at == FIRST_EJECTION


def test_checks_that_fail_in_a_row_leave_it_out_until_one_passes():
    health = Health()
    health.checked(well=False)
    assert health.well
    for _ in range(SICK_AFTER):
        health.checked(well=False)
    assert not health.well
    health.succeeded()  # a request is no check
    assert not health.well
    health.checked(well=True)
    assert health.well


def test_a_check_that_passes_ends_an_ejection():
    health = ejected()
    health.checked(well=True)
    assert health.well


@pytest.mark.parametrize("check", [True, False])
@given(events=st.lists(st.sampled_from(["fail", "answer", "trial", "leave"]), max_size=60))
def test_it_can_always_come_back(check, events):
    """Whatever happened, an answer or a passed check makes it well, and an ejection is bounded."""
    health, now = Health(), 0.0
    for event in events:
        now += 1.0
        if event == "fail":
            health.failed(now, health.trial)
        elif event == "answer":
            health.succeeded()
        elif event == "trial" and health.due(now):
            health.trial = Trial()
        elif event == "leave" and health.trial is not None:
            health.gave_up(health.trial)
        assert health.returns_at is None or health.returns_at <= now + LONGEST_EJECTION
    if check:
        health.checked(well=True)
    else:
        health.succeeded()
    assert health.well
