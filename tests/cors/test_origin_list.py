"""Lists of origins: what is dangerous in them."""

from __future__ import annotations

import pytest

from tests.cors.specs import problems_of

NULL_FLAG = "dangerously_allow_null"
INSECURE_FLAG = "dangerously_allow_insecure_origins"
SUFFIX_FLAG = "dangerously_allow_public_suffix_subdomains"

ROWS = [
    # origins, other keys, the problems: index, what the message says, correction; source
    (["https://a.example.com", "https://*.example.com", "http://localhost:*"], {}, []),
    (["https://a.example.com/"], {}, [(0, "a trailing slash", "https://a.example.com")]),
    (["https://a.example", "https://b.example", "https://a.example"], {}, [(2, "twice", "")]),
    (["*"], {}, []),
    (["*", "https://a.example"], {}, [(0, "covers already", "")]),
    (["https://a.example", "*", "null"], {NULL_FLAG: True}, [(1, "covers already", "")]),
    (["*", "*"], {}, [(1, "twice", "")]),
    (["null"], {}, [(0, "any sandboxed frame", "dangerously_allow_null: true")]),
    (["null"], {NULL_FLAG: True}, []),
    # with credentials
    (["*"], {"allow_credentials": True}, [(0, "lets every site on the web", "allow_credentials: false")]),
    (["null"], {"allow_credentials": True, NULL_FLAG: True}, [(0, "lets every site", "allow_credentials: false")]),
    (["http://a.example"], {}, []),
    (["http://a.example"], {"allow_credentials": True}, [(0, "not encrypted", "https://a.example")]),
    (["http://*.a.example:*"], {"allow_credentials": True}, [(0, "not encrypted", "https://*.a.example:*")]),
    (["http://10.0.0.7"], {"allow_credentials": True}, [(0, "not encrypted", "https://10.0.0.7")]),
    (["http://a.example"], {"allow_credentials": True, INSECURE_FLAG: True}, []),
    (["http://localhost.evil.example"], {"allow_credentials": True}, [(0, "not encrypted", None)]),  # decocms #3757
    (
        ["http://localhost:*", "http://app.localhost", "http://*.localhost:*", "http://127.0.0.2:1", "http://[::1]:*"],
        {"allow_credentials": True},
        [],
    ),
    (["https://a.example", "chrome-extension://abc"], {"allow_credentials": True}, []),
    # below a public suffix, with credentials or without
    (["https://*.com"], {}, [(0, "anyone can register a name below com", f"{SUFFIX_FLAG}: true")]),
    (["https://*.co.uk:*"], {}, [(0, "anyone can register", f"{SUFFIX_FLAG}: true")]),
    (["https://*.github.io"], {"allow_credentials": True}, [(0, "below github.io", f"{SUFFIX_FLAG}: true")]),
    (["https://*.github.io"], {SUFFIX_FLAG: True}, []),
    (["https://*.app.github.io", "https://github.io"], {}, []),
    (["https://*.internal"], {}, [(0, "below internal", f"{SUFFIX_FLAG}: true")]),
]


@pytest.mark.parametrize(("origins", "keys", "expected"), ROWS)
def test_each_entry_is_judged(origins, keys, expected):
    problems = problems_of(allow_origins=tuple(origins), **keys)
    assert [(problem.field, problem.index) for problem in problems] == [("allow_origins", row[0]) for row in expected]
    for problem, (_, reason, correction) in zip(problems, expected, strict=True):
        assert reason in problem.message
        assert correction in {problem.correction, None}


def test_timing_allow_origins_are_judged_for_what_they_grant():
    """Timing shows nothing of the user, so credentials do not matter to it."""
    problems = problems_of(
        timing_allow_origins=("http://a.example", "null", "https://*.com", "https://B.example"), allow_credentials=True
    )
    assert [(problem.field, problem.index) for problem in problems] == [
        ("timing_allow_origins", 3),
        ("timing_allow_origins", 1),
        ("timing_allow_origins", 2),
    ]
    assert problems_of(timing_allow_origins=("*",)) == ()


def test_a_policy_without_origins_is_refused():
    (problem,) = problems_of(allow_origins=())
    assert (problem.field, problem.index) == ("allow_origins", None)
    assert "policy: none" in problem.message


def test_an_expression_beside_the_wildcard_is_refused():
    (problem,) = problems_of(allow_origins=("*",), allow_origin_regex=r"https://a\.example")
    assert (problem.field, problem.index) == ("allow_origin_regex", None)
