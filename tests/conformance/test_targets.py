"""The other targets: each runs here with what it was given, and does what it is known for.

How they score is no test but a measurement, which scripts/conformance writes into docs/conformance.md.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from corsproxy.conformance.choice import chosen
from corsproxy.conformance.load import bundled
from corsproxy.conformance.model import Setting
from corsproxy.conformance.report import Outcome
from corsproxy.conformance.runner import run
from corsproxy.conformance.targets import TARGETS, target_named

SUITE = bundled()
NODE_MODULES = Path(__file__).parent.parent / "apps/node/node_modules"
OTHERS = [name for name in TARGETS if not name.startswith("corsproxy")]
# Their packages come with the benchmarks alone; express-cors stands for Node.js here.
ONLY_MEASURED = {"http-proxy-middleware", "cors-anywhere", "local-cors-proxy"}

# What every server has to get right to be worth measuring: (vector, what became of it)
HELD = ["origin-listed-first", "origin-lookalike-suffix", "origin-listed-credentials"]
# What each is known to get wrong, or cannot say: the vectors notice it on the real thing.
KNOWN = {
    "flask-cors": [("path-outside-case", Outcome.HELD), ("timing-listed", Outcome.CANNOT)],
    "nginx": [("star-literal-exposes", Outcome.FAILED)],
    "haproxy": [("error-large-body-length", Outcome.FAILED)],
    "envoy": [("error-large-body-length", Outcome.FAILED)],
    "caddy": [("star-literal-exposes", Outcome.FAILED)],
}


@pytest.fixture(autouse=True)
def node_path(monkeypatch):
    monkeypatch.setenv("NODE_PATH", str(NODE_MODULES))


def available(name: str):
    target = target_named(name)
    if missing := target.missing():
        if os.environ.get("CI") == "true" and name not in ONLY_MEASURED:
            pytest.fail(missing)
        pytest.skip(missing)
    return target


@pytest.mark.parametrize("name", OTHERS)
async def test_it_runs_and_is_judged(name):
    target = available(name)
    ids = [*HELD, *(vector for vector, _ in KNOWN.get(name, []))]
    report = await run(target, SUITE, chosen(SUITE, (), ids))
    found = {result.vector.id: result.outcome for result in report.results}
    assert report.version
    assert [found[vector] for vector in HELD if found[vector] is not Outcome.CANNOT] == [
        Outcome.HELD for vector in HELD if found[vector] is not Outcome.CANNOT
    ]
    assert [(vector, found[vector]) for vector, _ in KNOWN.get(name, [])] == KNOWN.get(name, [])


@pytest.mark.parametrize("name", OTHERS)
def test_what_it_cannot_say_is_known_before_it_is_started(name):
    target = target_named(name)
    asked = Setting.model_validate({"policy": {"allow_origins": ["https://a.example"], "timing_allow_origins": ["*"]}})
    says = target.cannot(asked)
    assert bool(says) is (name not in {"nginx", "haproxy", "caddy", "envoy"})


def test_a_policy_that_this_proxy_refuses_is_not_exported():
    star = Setting.model_validate({"policy": {"allow_origins": "*", "allow_credentials": True}})
    assert target_named("nginx").cannot(star).startswith("corsproxy does not export it: ")
    assert not target_named("flask-cors").cannot(star)  # that one starts with it


@pytest.mark.parametrize("name", [name for name in OTHERS if target_named(name).kind == "library"])
def test_a_library_is_not_asked_about_forwarding(name):
    target = target_named(name)
    assert target.cannot_ask("hygiene")
    assert not target.cannot_ask("origins")
