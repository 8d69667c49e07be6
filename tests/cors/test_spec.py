"""What may be written in a policy, apart from its origins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from corsproxy.cors.spec import PolicySpec, spec_problems
from corsproxy.errors import PolicyProblem

SPEC = PolicySpec(name="web-app")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"max_age": 0},  # is sent: preflights are not cached
        {"max_age": 86400},  # Firefox's cap
        {"preflight_status": 200},
        {"preflight_status": 299},
        {"on_denied": "reject"},
        {"cross_origin_resource_policy": "same-origin"},
        {"cross_origin_resource_policy": "same-site"},
        {"cross_origin_resource_policy": "cross-origin"},
    ],
)
def test_right_values(keys):
    assert list(spec_problems(replace(SPEC, **keys))) == []


WRONG = [
    # field, value, what the message says, correction; source
    ("max_age", -1, "negative", "max_age: 0"),  # -1 is rs/cors' and jub0bs' way to say 0
    ("max_age", 86401, "longer than any browser", "max_age: 24h"),
    ("preflight_status", 199, "makes every preflight fail", "preflight_status: 204"),  # Fetch, ok status
    ("preflight_status", 300, "makes every preflight fail", "preflight_status: 204"),
    ("on_denied", "drop", "one of forward, reject", ""),
    ("cross_origin_resource_policy", "none", "one of same-origin, same-site, cross-origin", ""),
]


@pytest.mark.parametrize(("field", "value", "reason", "correction"), WRONG)
def test_wrong_values(field, value, reason, correction):
    (problem,) = spec_problems(replace(SPEC, **{field: value}))
    assert problem == PolicyProblem(field, None, problem.message, correction)
    assert reason in problem.message


def test_the_lists_of_names_are_judged_too():
    spec = replace(SPEC, allow_methods=("patch",), allow_headers=("Host",), expose_headers=("X-A", "Set-Cookie"))
    assert [(problem.field, problem.index) for problem in spec_problems(spec)] == [
        ("allow_methods", 0),
        ("allow_headers", 0),
        ("expose_headers", 1),
    ]


def test_the_wildcard_exposes_actual_names_with_credentials_only():
    assert replace(SPEC, expose_headers=("*",), allow_credentials=True).exposes_actual
    assert not replace(SPEC, expose_headers=("*",)).exposes_actual
    assert not replace(SPEC, expose_headers=("X-A",), allow_credentials=True).exposes_actual
