"""This proxy, probed: whatever policy it has, nobody is found to be let in whom the policy does not mean.

Hypothesis writes the policies and an upstream with CORS headers of its own; what a policy *means* is said in
``tests.cors.meaning`` without the engine, and what is answered is the data plane's own plan and head.
"""

from __future__ import annotations

from dataclasses import asdict

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from corsproxy.config.load import load_config
from corsproxy.cors.fetch import WireResponse
from corsproxy.cors.policy import PolicySpec
from corsproxy.tools.probing.kinds import Kind, Severity
from corsproxy.tools.probing.questions import Target
from corsproxy.tools.simulation import Simulation
from tests.cors.meaning import UPSTREAM_CORS, UPSTREAMS, Written, own_origins, policies
from tests.tools.probed import APP, answer, probed, severities

OURS = "https://api.example.com/orders"
NOT_WRITTEN = {"name", "where"}

# What is found of what a page gets; everything else of medium or high severity would be our own mistake.
ABOUT_PAGES = {
    *(Kind.ANY_ORIGIN, Kind.NULL_ORIGIN, Kind.PREFLIGHT_ANY_ORIGIN, Kind.LOCALHOST, Kind.SUFFIX, Kind.PREFIX),
    *(Kind.UNDERSCORE, Kind.DOT, Kind.HTTP, Kind.PORT),
}


def proxy_with(spec: PolicySpec, upstream: WireResponse) -> Simulation:
    """This proxy, with one rule."""
    policy = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(spec).items()
        if key not in NOT_WRITTEN and value is not None and value != ()
    }
    rule = {"upstream": "http://10.0.0.7:8000", "policy": policy}
    compiled = load_config(yaml.safe_dump({"rules": [rule]}), "config.yaml", {})
    return Simulation(compiled.table, lambda _: upstream)


@st.composite
def probes(draw):
    written = draw(policies())
    upstream = draw(UPSTREAMS)
    own = draw(UPSTREAM_CORS)
    origins = draw(st.lists(own_origins(written), max_size=2, unique=True))
    return written, WireResponse(upstream.status, (*own, *upstream.headers)), Target(OURS, tuple(origins))


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(probes())
@example(
    (
        Written(PolicySpec(name="web-app", allow_origins=("*",))),
        answer(200, "Access-Control-Allow-Origin: null", "Access-Control-Allow-Credentials: true"),
        Target(OURS),
    )
)
def test_nobody_is_let_in_whom_the_policy_does_not_mean(probe):
    written, upstream, target = probe
    report = probed(proxy_with(written.spec, upstream).send, target)
    for finding in report.findings:
        if finding.severity >= Severity.MEDIUM:
            (evidence,) = finding.evidence
            assert finding.kind in ABOUT_PAGES
            assert written.means_origin(evidence.origin), finding
            assert (
                finding.severity < Severity.HIGH or written.spec.allow_credentials or finding.kind is Kind.NULL_ORIGIN
            )
        assert finding.kind not in {Kind.MULTIPLE_VALUES, Kind.MALFORMED_VALUE, Kind.WILDCARD_CREDENTIALS}


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        (PolicySpec(name="exact", allow_origins=(APP,), allow_credentials=True, max_age=600), {"max-age": "note"}),
        (PolicySpec(name="several", allow_origins=(APP, "https://other.example")), {}),
        (
            PolicySpec(name="nobody that could be guessed", allow_origins=("https://other.example",)),
            {
                "no-cors": "note",
                "preflight-refused": "note",
            },
        ),
        (
            PolicySpec(name="subdomains", allow_origins=("https://*.example.com",), allow_credentials=True),
            {"sibling": "note"},
        ),
        (PolicySpec(name="everybody", allow_origins=("*",)), {"any-origin": "note"}),
    ],
)
@pytest.mark.parametrize(
    "upstream",
    [answer(200), answer(200, "Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true")],
    ids=["silent", "open"],
)
def test_ordinary_policies_are_clean(policy, found, upstream):
    report = probed(proxy_with(policy, upstream).send, Target(OURS))
    assert severities(report) == found
    assert not report.at_risk


NAMES = [
    *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods"),
    *("Access-Control-Allow-Headers", "Access-Control-Expose-Headers", "Access-Control-Max-Age", "Vary", "Location"),
]
VALUES = st.one_of(
    st.sampled_from(
        ["*", "true", "null", APP, "http://a.example", "https://a.example:1", "GET, PUT, put, TRACE", "86400"]
    ),
    st.sampled_from(["x-a, X-A, Authorization, *", "cookie", "9" * 30, "-1", "a b", "{", "yes, no, on, null, ~", ",,"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20),
)
LINES = st.lists(st.tuples(st.sampled_from(NAMES), VALUES).map(lambda line: f"{line[0]}: {line[1]}"), max_size=8)
URLS = st.sampled_from([OURS, "http://127.0.0.1:8080/", "http://localhost:3000/a?b=c", "http://[::1]/", "http://a_b/"])


@settings(deadline=None, max_examples=100)
@given(URLS, LINES, LINES, st.integers(200, 511), st.booleans())
def test_whatever_an_api_answers_the_rule_loads(url, actual, preflight, status, echoing):
    """And nobody is let in with credentials whom the API does not let in with them today."""

    def api(asked):
        lines = preflight if asked.method == b"OPTIONS" else actual
        origin = next((value.decode() for name, value in asked.headers if name == b"Origin"), "null")
        return answer(status, *lines, *([f"Access-Control-Allow-Origin: {origin}"] if echoing else []))

    report = probed(api, Target(url))
    compiled = load_config(report.rule, "config.yaml", {})
    spec = compiled.table.rules[0].policy.spec
    assert not spec.allow_credentials or "Access-Control-Allow-Credentials: true" in actual
