"""Bugs that other engines had, each as a row: its number in the study of them, where it was seen, and what is right.

Those about routing, logs, the upstream's headers and the ways out of the process are tested where those things are.
"""

from __future__ import annotations

import pytest

from tests.cors.specs import compiled, lines_of, problems_of

REFUSED = [
    # number, source, what is written, the field that is refused
    (1, "CVE-2018-20744, CVE-2024-25124", {"allow_origins": ("*",), "allow_credentials": True}, "allow_origins"),
    (2, "rs/cors #197", {"allow_origins": ("h*",), "allow_credentials": True}, "allow_origins"),
    (2, "rs/cors #197", {"allow_origins": ("http*://x.com",), "allow_credentials": True}, "allow_origins"),
    (2, "rs/cors #197", {"allow_origin_regex": "h.*", "allow_credentials": True}, "allow_origin_regex"),
    (3, "CVE-2026-37737", {"allow_origin_regex": r"https://x\.com.*"}, "allow_origin_regex"),
    (4, "expressjs PR #412", {"allow_origin_regex": r".*example\.com$"}, "allow_origin_regex"),
    (5, "APISIX docs", {"allow_origin_regex": r".*\.test.com$"}, "allow_origin_regex"),
    (5, "APISIX docs", {"allow_origin_regex": r"https://www.test.com"}, "allow_origin_regex"),
    (7, "CVE-2019-25211", {"allow_origins": ("https://x.com*",)}, "allow_origins"),
    (9, "a sandboxed frame sends it", {"allow_origins": ("null",)}, "allow_origins"),
    (9, "", {"allow_origins": ("null",), "dangerously_allow_null": True, "allow_credentials": True}, "allow_origins"),
    (10, "decocms #3757", {"allow_origin_regex": r"http://localhost.*"}, "allow_origin_regex"),
    (10, "", {"allow_origins": ("http://localhost.attacker.com",), "allow_credentials": True}, "allow_origins"),
    (23, "ingress #7162", {"allow_origins": ("https://a.example, https://b.example",)}, "allow_origins"),
    (35, "an invalid policy is no policy", {"allow_origins": ("https://a.example/",)}, "allow_origins"),
]


@pytest.mark.parametrize(("number", "source", "keys", "field"), REFUSED)
def test_what_may_not_be_written(number, source, keys, field):
    problems = problems_of(**{"allow_origins": (), **keys})
    assert field in {problem.field for problem in problems}


DENIED = [
    # number, source, what is written, the origin that must be denied
    (3, "starlette #800", {"allow_origin_regex": r"https://x\.com"}, b"https://x.com.evil.io"),
    (3, "flask-cors #209", {"allow_origin_regex": r"https://x\.com"}, b"https://evil.io/https://x.com"),
    (4, "expressjs PR #412", {"allow_origins": ("https://*.example.com",)}, b"https://evil-example.com"),
    (6, "GHSA-vhxv-fg4m-p2w8", {"allow_origins": ("https://foo.com", "https://bar.com")}, b"https://barfoo.com"),
    (6, "", {"allow_origins": ("https://*.foo.com", "https://*.bar.com")}, b"https://barfoo.com"),
    (8, "overlap", {"allow_origins": ("https://*.example.com",)}, b"https://example.com"),
    (8, "overlap", {"allow_origins": ("https://*.example.com",)}, b"https://.example.com"),
    (9, "null is not listed", {"allow_origins": ("https://example.com",)}, b"null"),
    (9, "null by an expression", {"allow_origin_regex": r"https://x\.com|null"}, b"null"),
    (10, "decocms #3757", {"allow_origins": ("http://localhost:*",)}, b"http://localhost.attacker.com"),
    (12, "quarkus #48823", {"allow_origins": ("https://*.example.com",)}, b"https://%s"),
    (12, "spring #33682", {"allow_origins": ("https://*.example.com:*",)}, b"https://*@:;"),
    (12, "django #701", {"allow_origins": ("https://*.example.com:*",)}, b"https://[a.example.com"),
    (12, "", {"allow_origin_regex": r"https://.*\.example\.com"}, b"\xff\xfe\x00"),
]


@pytest.mark.parametrize(("number", "source", "keys", "origin"), DENIED)
def test_who_is_denied(number, source, keys, origin):
    policy = compiled(**{"allow_origins": (), **keys})
    decision = policy.judge_actual([origin])
    assert (decision.outcome, decision.lines, decision.subject) == ("denied-origin", b"", origin)
    preflight = policy.judge_preflight(origin, [b"GET"], [], private_network=False)
    assert (preflight.outcome, preflight.lines) == ("preflight-denied-origin", b"")


APP = b"https://app.example.com"


def test_8_a_wildcard_takes_one_or_more_labels():
    policy = compiled(allow_origins=("https://*.example.com",))
    assert policy.allows_origin(b"https://a.example.com")
    assert policy.allows_origin(b"https://a.b.example.com")


def test_11_a_megabyte_of_commas_is_not_looked_at():
    """rs/cors #170 took 127 ms and 121 MB for it; go-chi #36."""
    policy = compiled(allow_headers=("X-A",))
    decision = policy.judge_preflight(APP, [b"GET"], [b"," * 2**20], private_network=False)
    assert decision.outcome == "preflight-denied-headers"
    assert len(decision.subject) <= 256


@pytest.mark.parametrize("asks", [True, False])
def test_17_the_private_network_header_is_absent_by_default_and_never_false(asks):
    """CVE-2024-6221."""
    for policy in (compiled(), compiled(allow_private_network=True)):
        decision = policy.judge_preflight(APP, [b"GET"], [], asks)
        granted = dict(lines_of(decision)).get("Access-Control-Allow-Private-Network")
        assert granted == ("true" if asks and policy.spec.allow_private_network else None)


def test_19_allowed_missing_and_denied_origins_all_vary():
    """expressjs #106, gorilla #248, rs/cors #10."""
    policy = compiled()
    assert [policy.judge_actual(origins).vary for origins in ([APP], [], [b"https://evil.example"])] == [
        (b"Origin",)
    ] * 3


def test_23_several_origins_are_never_joined_nor_sent_without_an_origin():
    """ingress #7162, Cosmos #543."""
    policy = compiled(allow_origins=("https://app.example.com", "https://b.example"))
    assert lines_of(policy.judge_actual([APP])) == [("Access-Control-Allow-Origin", "https://app.example.com")]
    assert lines_of(policy.judge_actual([])) == []


def test_24_credentials_are_never_false():
    """http4s #5097."""
    policy = compiled(allow_credentials=False)
    assert b"Credentials" not in policy.judge_actual([APP]).lines
    assert b"Credentials" not in policy.judge_preflight(APP, [b"GET"], [], private_network=False).lines


def test_25_a_denied_origin_is_told_neither_methods_nor_credentials():
    policy = compiled(allow_credentials=True, allow_methods=("PUT",), expose_headers=("X-A",), max_age=5)
    assert policy.judge_actual([b"https://evil.example"]).lines == b""
    assert policy.judge_preflight(b"https://evil.example", [b"PUT"], [], private_network=False).lines == b""


@pytest.mark.parametrize("method", [b"PU", b"UT", b"PUTX", b"GET, PUT", b"put", b""])
def test_26_a_method_is_a_member_and_not_a_part(method):
    decision = compiled(allow_methods=("GET", "PUT")).judge_preflight(APP, [method], [], private_network=False)
    assert (decision.outcome, decision.subject) == ("preflight-denied-method", method)


def test_31_empty_request_headers_give_no_empty_list():
    for keys in ({}, {"allow_headers": ("*",), "allow_credentials": True}):
        decision = compiled(**keys).judge_preflight(APP, [b"GET"], [b""], private_network=False)
        assert decision.outcome == "preflight-allowed"
        assert b"Access-Control-Allow-Headers" not in decision.lines


def test_33_nothing_is_shared_that_could_change():
    """J #14, rs/cors #198: what a decision holds is bytes and tuples."""
    decision = compiled().judge_actual([APP])
    assert isinstance(decision.lines, bytes)
    assert isinstance(decision.vary, tuple)
    hash(decision)


def test_34_duplicate_origin_lines_are_denied():
    policy = compiled()
    assert policy.judge_actual([APP, APP]).outcome == "denied-origin"
    assert policy.judge_actual([APP, b"https://evil.example"]).lines == b""
    assert not policy.allows_origin(APP + b", " + APP)
