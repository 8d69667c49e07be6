"""Shadows in a configuration: what they compile to, and which are refused."""

from __future__ import annotations

import pytest

from corsproxy.config.load import load_config, with_shadow
from corsproxy.errors import InvalidConfig

TOP = "policies: {web: {allow_origins: https://a.test}, new: {allow_origins: https://b.test}}\n"
RULES = "rules:\n  - {path: /a, upstream: http://u, policy: web, shadow: new}\n  - {upstream: http://u, policy: web}\n"
ANY = "upstream: http://u, policy: none, shadow: {allow_origins: '*'}"
REMEDY = "list the origins in its policy, or set dangerously_share_credentials"


def problems_of(text):
    with pytest.raises(InvalidConfig) as caught:
        load_config(text, "c", {})
    return [str(problem) for problem in caught.value.problems]


def test_a_rule_with_a_shadow_is_another_one_in_a_table_that_is_the_same_otherwise():
    compiled = load_config(TOP + RULES, "c", {})
    own, other = compiled.table.rules
    tried, same = compiled.shadow.table.rules
    assert same is other
    assert (tried.policy.name, tried.upstream, tried.where) == ("new", own.upstream, own.where)
    assert compiled.shadow.rules == {own: tried}
    assert compiled.shadow.tried == (tried,)
    assert str(compiled.shadow) == "the policy of a rule"
    assert compiled.warnings == ()  # the policy is used


@pytest.mark.parametrize("shadow", ["none", "{allow_origins: https://b.test}"])
def test_what_is_tried_may_be_no_policy_or_one_that_is_written_there(shadow):
    text = f"rules: [{{path: /a, upstream: http://u, policy: {{allow_origins: https://a.test}}, shadow: {shadow}}}]"
    (tried,) = load_config(text, "c", {}).shadow.tried
    assert (tried.policy.name if tried.policy else "none") == ("none" if shadow == "none" else "/a (shadow)")


def test_no_shadow_is_none():
    assert load_config("rules: [{upstream: http://u, policy: none}]", "c", {}).shadow is None


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "rules: [{upstream: http://u, policy: none, shadow: nwe}]",
            ["c:1:52: unknown policy 'nwe'; declare it under policies"],
        ),
        (
            TOP + "rules: [{upstream: http://u, policy: none, shadow: newer}]",
            ["c:2:52: unknown policy 'newer'; did you mean 'new'?\n    shadow: new"],
        ),
        (
            f"rules: [{{{ANY}, headers: {{request: {{set: {{Cookie: a}}}}}}}}]",
            [f"c:1:100: any origin may use this rule, and so the Cookie that it adds; {REMEDY}"],
        ),
        (
            f"shadow: t\n{TOP}{RULES}",
            ["c:4:49: the whole table has a shadow already; remove this one, or the key shadow at the top"],
        ),
        ("rules: [{upstream: http://u, policy: none}]\nshadow: [t]", ["c:2:1: this must be text, not a list"]),
    ],
)
def test_refusals(text, problems):
    assert problems_of(text) == problems


def test_a_shadow_has_none_itself_and_all_its_problems_are_told():
    compiled = load_config("rules: [{upstream: http://u, policy: none}]", "c", {})
    with pytest.raises(InvalidConfig) as caught:
        with_shadow(compiled, f"shadow: u\n{RULES}", "t", {})
    assert [str(problem).partition(";")[0] for problem in caught.value.problems] == [
        "t:1:1: this configuration is itself tried as a shadow, and a shadow has none of its own",
        "t:3:44: unknown policy 'web'",
        "t:3:49: this configuration is itself tried as a shadow, and a shadow has none of its own",
        "t:3:57: unknown policy 'new'",
        "t:4:34: unknown policy 'web'",
    ]


def test_the_warnings_of_both_are_told():
    compiled = load_config(TOP + "rules: [{upstream: http://u, policy: web}]", "c", {})
    both = with_shadow(compiled, TOP + "rules: [{upstream: http://u, policy: new}]", "t", {})
    assert [problem.file for problem in both.warnings] == ["c", "t"]
    assert (both.table, both.shadow.rules, str(both.shadow)) == (compiled.table, None, "t")
