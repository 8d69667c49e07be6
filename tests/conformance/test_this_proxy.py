"""This proxy holds every vector, on every lane.  scripts/test --compiled runs this on compiled modules too."""

from __future__ import annotations

import pytest

from corsproxy.conformance.report import Outcome
from corsproxy.conformance.runner import differences_of, values_for
from corsproxy.conformance.target import Place
from corsproxy.conformance.targets.corsproxy import host_of
from tests.conformance.wrong import WRONG


@pytest.mark.parametrize("lane", ["corsproxy", "corsproxy-ordinary"])
def test_every_vector_holds(report, lane):
    found = report(lane)
    assert [f"{result.vector.id}: {result.why}" for result in found.failed] == []
    assert found.of(Outcome.CANNOT) == ()
    assert len(found.results) >= 300


def test_every_vector_can_fail(report, suite):
    """For each there is a way to be wrong, as a change of what this proxy answered, that its expectation notices."""
    deaf = []
    for result in report("corsproxy").results:
        vector, setting = result.vector, suite.settings[result.vector.setting]
        values = values_for(vector, setting, Place("127.0.0.1", 1, host_of(vector.setting)), ("127.0.0.1", 1))
        credentials = setting.policy.allow_credentials
        wrong = ([change(seen) for seen in result.seen] for change in WRONG)
        if result.seen and not any(any(differences_of(vector, w, values, credentials=credentials)) for w in wrong):
            deaf.append(vector.id)
    assert deaf == []


def test_every_way_to_be_wrong_is_noticed_somewhere(report, suite):
    unnoticed = []
    for change in WRONG:
        for result in report("corsproxy").results:
            vector, setting = result.vector, suite.settings[result.vector.setting]
            values = values_for(vector, setting, Place("127.0.0.1", 1, host_of(vector.setting)), ("127.0.0.1", 1))
            wrong = [change(seen) for seen in result.seen]
            if any(differences_of(vector, wrong, values, credentials=setting.policy.allow_credentials)):
                break
        else:
            unnoticed.append(change.__name__)
    assert unnoticed == []


def test_what_is_refused_is_refused_for_its_policy(report, suite):
    """Only settings that may be refused are, each with the words of the configuration's own problems."""
    refused = [result for result in report("corsproxy").results if not result.seen]
    assert {result.vector.topic for result in refused} == {"unsafe"}
    assert all(suite.settings[result.vector.setting].refusable for result in refused)
    assert all(result.why[0].startswith("it does not start with this: ") for result in refused)
