"""The decision as a value."""

from __future__ import annotations

import dataclasses

import pytest

from corsproxy.cors.decision import Decision, Outcome

DENIED = {
    Outcome.DENIED_ORIGIN,
    Outcome.PREFLIGHT_DENIED_ORIGIN,
    Outcome.PREFLIGHT_DENIED_METHOD,
    Outcome.PREFLIGHT_DENIED_HEADERS,
    Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK,
}


def test_outcomes_know_whether_they_are_denials():
    assert {outcome for outcome in Outcome if outcome.denied} == DENIED


def test_an_outcome_is_one_word_for_logs_metrics_and_tests():
    assert all(str(outcome) == outcome.value and outcome.value.replace("-", "").islower() for outcome in Outcome)


def test_a_decision_never_changes():
    decision = Decision(Outcome.ALLOWED)
    with pytest.raises(dataclasses.FrozenInstanceError):
        decision.lines = b"X: y\r\n"
    assert (decision.lines, decision.vary, decision.exposes_actual, decision.subject) == (b"", (), False, b"")
