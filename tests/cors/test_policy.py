"""The policy: what it says of requests, line by line."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corsproxy.cors.decision import Outcome
from corsproxy.cors.policy import _MOST_REMEMBERED, PolicySpec, compile_policy
from corsproxy.errors import InvalidPolicy
from tests.cors.specs import compiled, lines_of, problems_of

APP = b"https://app.example.com"
EVIL = b"https://evil.example"
ACAO = ("Access-Control-Allow-Origin", "https://app.example.com")
ANY = ("Access-Control-Allow-Origin", "*")
ACAC = ("Access-Control-Allow-Credentials", "true")
ACAM = ("Access-Control-Allow-Methods", "GET, HEAD, POST")
CORP = ("Cross-Origin-Resource-Policy", "cross-origin")
TAO = ("Timing-Allow-Origin", "https://app.example.com")
EVERY = {
    "allow_credentials": True,
    "expose_headers": ("X-Total-Count", "ETag"),
    "timing_allow_origins": ("https://app.example.com",),
    "cross_origin_resource_policy": "cross-origin",
}
ACEH = ("Access-Control-Expose-Headers", "X-Total-Count, ETag")

ACTUAL = [
    # keys of the policy, Origin lines, outcome, lines, vary
    ({}, [APP], "allowed", [ACAO], [b"Origin"]),
    ({}, [], "not-cors", [], [b"Origin"]),
    ({}, [EVIL], "denied-origin", [], [b"Origin"]),
    ({}, [b""], "denied-origin", [], [b"Origin"]),
    ({}, [APP, APP], "denied-origin", [], [b"Origin"]),
    ({}, [APP, EVIL], "denied-origin", [], [b"Origin"]),
    ({"allow_credentials": True}, [APP], "allowed", [ACAO, ACAC], [b"Origin"]),
    (EVERY, [APP], "allowed", [ACAO, ACAC, ACEH, CORP, TAO], [b"Origin"]),
    (EVERY, [EVIL], "denied-origin", [CORP], [b"Origin"]),
    (EVERY, [], "not-cors", [CORP], [b"Origin"]),
    # a constant, whether or not there is an Origin, so that a cache may keep it for all
    ({"allow_origins": ("*",)}, [APP], "allowed", [ANY], []),
    ({"allow_origins": ("*",)}, [], "not-cors", [ANY], []),
    ({"allow_origins": ("*",)}, [b"null"], "allowed", [ANY], []),
    ({"allow_origins": ("*",)}, [b"\xff"], "allowed", [ANY], []),
    ({"allow_origins": ("*",)}, [APP, EVIL], "allowed", [ANY], []),
    (
        {"allow_origins": ("*",), "expose_headers": ("*",), "cross_origin_resource_policy": "same-site"},
        [],
        "not-cors",
        [ANY, ("Access-Control-Expose-Headers", "*"), ("Cross-Origin-Resource-Policy", "same-site")],
        [],
    ),
    # Timing-Allow-Origin for some makes the answer depend on the origin
    (
        {"allow_origins": ("*",), "timing_allow_origins": ("https://app.example.com",)},
        [APP],
        "allowed",
        [ANY, TAO],
        [b"Origin"],
    ),
    (
        {"allow_origins": ("*",), "timing_allow_origins": ("https://app.example.com",)},
        [EVIL],
        "allowed",
        [ANY],
        [b"Origin"],
    ),
    (
        {"allow_origins": ("*",), "timing_allow_origins": ("https://app.example.com",)},
        [],
        "not-cors",
        [ANY],
        [b"Origin"],
    ),
    (
        {"allow_origins": ("*",), "timing_allow_origins": ("*",)},
        [],
        "not-cors",
        [ANY, ("Timing-Allow-Origin", "*")],
        [],
    ),
    ({"timing_allow_origins": ("*",)}, [APP], "allowed", [ACAO, ("Timing-Allow-Origin", "*")], [b"Origin"]),
    ({"timing_allow_origins": ("*",)}, [], "not-cors", [("Timing-Allow-Origin", "*")], [b"Origin"]),
    ({"timing_allow_origins": ("*",)}, [EVIL], "denied-origin", [], [b"Origin"]),  # nothing for a denied origin
    ({"timing_allow_origins": ("https://evil.example",)}, [EVIL], "denied-origin", [], [b"Origin"]),
    ({"timing_allow_origins": ("https://*.example.com",)}, [APP], "allowed", [ACAO, TAO], [b"Origin"]),
    ({"timing_allow_origins": ("https://b.example.com",)}, [APP], "allowed", [ACAO], [b"Origin"]),
    # null
    (
        {"allow_origins": ("null",), "dangerously_allow_null": True},
        [b"null"],
        "allowed",
        [("Access-Control-Allow-Origin", "null")],
        [b"Origin"],
    ),
]


@pytest.mark.parametrize(("keys", "origins", "outcome", "lines", "vary"), ACTUAL)
def test_actual_requests(keys, origins, outcome, lines, vary):
    policy = compiled(**keys)
    decision = policy.judge_actual(origins)
    assert decision.outcome == outcome
    assert lines_of(decision) == lines
    assert list(decision.vary) == list(policy.vary_actual) == vary
    assert decision.subject == (b", ".join(origins) if decision.outcome.denied else b"")


ACRM, ACRH = b"Access-Control-Request-Method", b"Access-Control-Request-Headers"
LISTS = {"allow_methods": ("GET", "PUT"), "allow_headers": ("Content-Type", "X-A")}
ACAM_LIST = ("Access-Control-Allow-Methods", "GET, PUT")
ACAH_LIST = ("Access-Control-Allow-Headers", "Content-Type, X-A")
ALL = {"allow_methods": ("*",), "allow_headers": ("*",)}

PREFLIGHTS = [
    # keys of the policy, origin, methods, headers, private network, outcome, lines, subject
    ({}, APP, [b"POST"], [], False, "preflight-allowed", [ACAO, ACAM], b""),
    (LISTS, APP, [b"PUT"], [b"content-type"], False, "preflight-allowed", [ACAO, ACAM_LIST, ACAH_LIST], b""),
    (LISTS, APP, [b"GET"], [b"x-a", b"content-type"], False, "preflight-allowed", [ACAO, ACAM_LIST, ACAH_LIST], b""),
    (
        {**LISTS, "allow_credentials": True, "max_age": 600},
        APP,
        [b"PUT"],
        [],
        False,
        "preflight-allowed",
        [ACAO, ACAM_LIST, ACAH_LIST, ACAC, ("Access-Control-Max-Age", "600")],
        b"",
    ),
    ({"max_age": 0}, APP, [b"GET"], [], False, "preflight-allowed", [ACAO, ACAM, ("Access-Control-Max-Age", "0")], b""),
    ({"allow_methods": ()}, APP, [b"GET"], [], False, "preflight-allowed", [ACAO], b""),
    # those of actual requests say nothing on a preflight
    (EVERY, APP, [b"GET"], [], False, "preflight-allowed", [ACAO, ACAM, ACAC], b""),
    # *
    (
        ALL,
        APP,
        [b"FROB"],
        [b"authorization,x-b"],
        False,
        "preflight-allowed",
        [ACAO, ("Access-Control-Allow-Methods", "*"), ("Access-Control-Allow-Headers", "*, Authorization")],
        b"",
    ),
    (
        {**ALL, "allow_credentials": True},
        APP,
        [b"FROB"],
        [b"X-B, authorization,x-b"],
        False,
        "preflight-allowed",
        [
            ACAO,
            ("Access-Control-Allow-Methods", "FROB"),
            ("Access-Control-Allow-Headers", "x-b, authorization"),
            ACAC,
        ],
        b"",
    ),
    (
        {**ALL, "allow_credentials": True},
        APP,
        [b"PUT"],
        [],
        False,
        "preflight-allowed",
        [ACAO, ("Access-Control-Allow-Methods", "PUT"), ACAC],
        b"",
    ),
    ({"allow_origins": ("*",)}, EVIL, [b"GET"], [], False, "preflight-allowed", [ANY, ACAM], b""),
    # denied, in the order of a browser's checks
    ({}, EVIL, [b"PUT"], [b"x-a"], True, "preflight-denied-origin", [], EVIL),
    ({}, APP, [b"PUT"], [b"x-a"], True, "preflight-denied-method", [], b"PUT"),
    ({}, APP, [], [], False, "preflight-denied-method", [], b""),
    ({}, APP, [b"GET", b"GET"], [], False, "preflight-denied-method", [], b"GET, GET"),
    ({}, APP, [b"GET"], [b"x-a,x-b"], True, "preflight-denied-headers", [], b"x-a, x-b"),
    ({}, APP, [b"GET"], [], True, "preflight-denied-private-network", [], APP),
    (
        {"allow_private_network": True},
        APP,
        [b"GET"],
        [],
        True,
        "preflight-allowed",
        [ACAO, ACAM, ("Access-Control-Allow-Private-Network", "true")],
        b"",
    ),
    ({"allow_private_network": True}, APP, [b"GET"], [], False, "preflight-allowed", [ACAO, ACAM], b""),
]


@pytest.mark.parametrize(
    ("keys", "origin", "methods", "headers", "private_network", "outcome", "lines", "subject"), PREFLIGHTS
)
def test_preflights(keys, origin, methods, headers, private_network, outcome, lines, subject):
    policy = compiled(**keys)
    decision = policy.judge_preflight(origin, methods, headers, private_network)
    assert (decision.outcome, decision.subject) == (outcome, subject)
    assert lines_of(decision) == lines
    assert decision.vary == policy.vary_preflight


@pytest.mark.parametrize(
    ("keys", "vary"),
    [
        ({}, (b"Origin", ACRM, ACRH)),
        ({"allow_origins": ("*",)}, (ACRM, ACRH)),
        ({"allow_private_network": True}, (b"Origin", ACRM, ACRH, b"Access-Control-Request-Private-Network")),
    ],
)
def test_what_a_preflight_depends_on(keys, vary):
    assert compiled(**keys).vary_preflight == vary


@pytest.mark.parametrize(
    ("credentials", "lines"), [(True, [ACAO, ACAC]), (False, [ACAO, ("Access-Control-Expose-Headers", "*")])]
)
def test_exposing_all_with_credentials_is_left_to_who_knows_the_response(credentials, lines):
    """https://fetch.spec.whatwg.org/#http-access-control-expose-headers: * is literal with credentials."""
    policy = compiled(expose_headers=("*",), allow_credentials=credentials)
    decision = policy.judge_actual([APP])
    assert decision.exposes_actual is credentials
    assert lines_of(decision) == lines
    assert not policy.judge_actual([EVIL]).exposes_actual
    assert not policy.judge_actual([]).exposes_actual


def test_what_was_written_stays_readable():
    spec = PolicySpec(name="x", allow_origins=("https://a.example",), on_denied="reject", preflight_status=200)
    policy = compile_policy(spec)
    assert (policy.spec, policy.name, policy.on_denied, policy.preflight_status) == (spec, "x", "reject", 200)
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.name = "y"


def test_all_problems_are_reported_at_once():
    problems = problems_of(
        allow_origins=("https://a.example/", "http://b.example", "null"),
        allow_origin_regex="(",
        allow_methods=("patch",),
        allow_headers=("Host",),
        expose_headers=("Set-Cookie",),
        allow_credentials=True,
        max_age=-1,
        timing_allow_origins=("x",),
        cross_origin_resource_policy="all",
        preflight_status=403,
        on_denied="drop",
    )
    assert {problem.field for problem in problems} == {
        "allow_origins",
        "allow_origin_regex",
        "allow_methods",
        "allow_headers",
        "expose_headers",
        "max_age",
        "timing_allow_origins",
        "cross_origin_resource_policy",
        "preflight_status",
        "on_denied",
    }
    assert [problem.index for problem in problems if problem.field == "allow_origins"] == [0, 2, 1, 2]
    # Lower case, then what to do: the style of every message.
    assert all(not problem.message.endswith(".") for problem in problems)


def test_the_exception_says_it_all():
    with pytest.raises(InvalidPolicy, match=r"(?s)allow_origins: .*\nmax_age: .*") as caught:
        compiled(allow_origins=(), max_age=-1)
    assert len(caught.value.problems) == 2


NOISE = st.binary(max_size=60) | st.sampled_from([APP, b"null", APP + b"\r\nX: y", b"https://%s", b"https://*@:;"])
POLICIES = [
    compiled(allow_origins=("https://app.example.com", "https://*.example.com", "http://localhost:*"), **LISTS),
    compiled(allow_origin_regex=r"https://pr-[0-9]+\.example\.com", allow_credentials=True, **ALL),
    compiled(allow_origins=("*",), **ALL),
    compiled(**EVERY, allow_private_network=True),
]


@given(st.sampled_from(POLICIES), st.lists(NOISE, max_size=3), st.lists(NOISE, max_size=3), st.lists(NOISE, max_size=3))
@example(POLICIES[1], [APP], [b"X\r\nY"], [b"x\r\ny"])
def test_arbitrary_bytes_are_judged_without_an_exception_and_never_break_out_of_a_line(
    policy, origins, methods, headers
):
    for decision in (
        policy.judge_actual(origins),
        policy.judge_preflight(b", ".join(origins), methods, headers, bool(methods)),
    ):
        lines = lines_of(decision)
        assert not decision.outcome.denied or all(not name.startswith("Access-Control-") for name, _ in lines)
        assert len({name for name, _ in lines}) == len(lines)


@given(st.sampled_from(POLICIES), NOISE)
def test_the_three_ways_to_ask_about_an_origin_agree(policy, origin):
    allowed = policy.allows_origin(origin)
    assert policy.judge_actual([origin]).outcome.denied is not allowed
    preflight = policy.judge_preflight(origin, [b"GET"], [], private_network=False)
    assert (preflight.outcome == Outcome.PREFLIGHT_ALLOWED) is allowed


def test_what_is_remembered_is_bounded_and_changes_nothing():
    """More origins than are remembered, all allowed by a wildcard: each gets its own answer, again and again."""
    policy = compile_policy(PolicySpec(name="wide", allow_origins=("https://*.example.com",)))
    origins = [f"https://a{number}.example.com".encode() for number in range(_MOST_REMEMBERED + 2)]
    for origin in [*origins, *origins[:3], *origins[-3:]]:
        assert policy.judge_actual([origin]).lines == b"Access-Control-Allow-Origin: %b\r\n" % origin
    assert len(policy._granted_to) <= _MOST_REMEMBERED


def test_preflights_that_are_remembered_are_bounded_too():
    policy = compile_policy(PolicySpec(name="wide", allow_origins=("https://*.example.com",), allow_methods=("PUT",)))
    origins = [f"https://a{number}.example.com".encode() for number in range(_MOST_REMEMBERED + 2)]
    for origin in [*origins, *origins[:3], *origins[-3:]]:
        lines = policy.judge_preflight(origin, [b"PUT"], [], private_network=False).lines
        assert lines.startswith(b"Access-Control-Allow-Origin: %b\r\n" % origin)


def test_what_is_denied_is_remembered_apart_and_puts_out_nothing_that_is_allowed():
    policy = compile_policy(PolicySpec(name="web", allow_origins=("https://app.example.com",)))
    ask = {
        Outcome.DENIED_ORIGIN: lambda origin: policy.judge_actual([origin]),
        Outcome.PREFLIGHT_DENIED_ORIGIN: lambda origin: policy.judge_preflight(
            origin, [b"GET"], [], private_network=False
        ),
    }
    for outcome, judged in ask.items():
        allowed = judged(b"https://app.example.com")
        for number in range(_MOST_REMEMBERED + 2):
            origin = b"https://a%d.example.net" % number
            for decision in (judged(origin), judged(origin)):
                assert (decision.outcome, decision.subject) == (outcome, origin)
                assert b"Access-Control" not in decision.lines
        assert judged(b"https://app.example.com") is allowed
    assert 0 < len(policy._denied_to) <= _MOST_REMEMBERED
    assert 0 < len(policy._denied_preflights) <= _MOST_REMEMBERED


def test_long_texts_of_clients_are_not_remembered():
    policy = compile_policy(PolicySpec(name="web", allow_origins=("https://app.example.com",)))
    assert policy.judge_actual([b"x" * 513]).denied
    assert policy.judge_preflight(b"https://app.example.com", [b"x" * 513], [], private_network=False).denied
    assert not policy._denied_to
    assert not policy._denied_preflights
