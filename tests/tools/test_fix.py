"""The smallest change: each row is a request that is blocked, and what the search finds; every fix is tried again."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.cors.fetch import Credentials, Request
from corsproxy.tools.explaining.fix import Fix, NoFix, ask, find_fix
from corsproxy.tools.written_config import WrittenConfig

TEXT = """\
# my API
listen: 127.0.0.1:8080
policies:
  web-app:
    allow_origins:
      - https://app.example.com   # production
    allow_methods: [GET, POST]
    # more to come

  banking:
    allow_origins: [https://bank.example]
    allow_credentials: true

  star: {allow_origins: "*"}

rules:
  - {path: /orders, upstream: http://127.0.0.1:9000, policy: web-app}
  - {path: /users, upstream: http://127.0.0.1:9000, policy: web-app}
  - {path: /bank, upstream: http://127.0.0.1:9000, policy: banking}
  - {path: /star, upstream: http://127.0.0.1:9000, policy: star}
  - path: /inline
    upstream: http://127.0.0.1:9000
    policy:
      allow_origins: https://app.example.com
  - {path: /none, upstream: http://127.0.0.1:9000, policy: none}
  - {path: /keep, upstream: http://127.0.0.1:9000, policy: web-app, upstream_cors: keep}
"""
HERE = "http://localhost:8080"


@cache
def config(text=TEXT):
    return WrittenConfig.read(text, "config.yaml", {})


def asks(path, origin="https://app.example.com", **more):
    return Request(url=HERE + path, origin=origin.encode(), **more)


def changes(fix):
    """The lines of a diff that change."""
    return [line for line in fix.diff.splitlines()[2:] if line[0] in "+-"]


FIXES = [
    ("an origin, in a list of lines", asks("/orders", "https://new.example"), ["+      - https://new.example"]),
    (
        "an origin where one value stands",
        asks("/inline", "https://new.example"),
        [
            "-      allow_origins: https://app.example.com",
            "+      allow_origins: [https://app.example.com, https://new.example]",
        ],
    ),
    (
        "a method",
        asks("/orders", method=b"DELETE"),
        ["-    allow_methods: [GET, POST]", "+    allow_methods: [GET, POST, DELETE]"],
    ),
    (
        "a method, where the key was left out",
        asks("/bank", "https://bank.example", method=b"PUT"),
        ["+    allow_methods: [GET, HEAD, POST, PUT]"],
    ),
    ("a header", asks("/orders", headers=((b"X-Api-Key", b"1"),)), ["+    allow_headers: [x-api-key]"]),
    ("credentials", asks("/orders", credentials=Credentials.INCLUDE), ["+    allow_credentials: true"]),
    (
        "everything at once",
        asks(
            "/inline",
            "https://new.example",
            method=b"PUT",
            headers=((b"X-A", b"1"), (b"X-B", b"2")),
            credentials=Credentials.INCLUDE,
        ),
        [
            "-      allow_origins: https://app.example.com",
            "+      allow_origins: [https://app.example.com, https://new.example]",
            "+      allow_methods: [GET, HEAD, POST, PUT]",
            "+      allow_headers: [x-a, x-b]",
            "+      allow_credentials: true",
        ],
    ),
    (
        "credentials where * stands",
        asks("/star", credentials=Credentials.INCLUDE),
        [
            '-  star: {allow_origins: "*"}',
            "+  star: {allow_origins: [https://app.example.com], allow_credentials: true}",
        ],
    ),
    (
        "an insecure origin with credentials",
        asks("/bank", "http://new.example"),
        [
            "-    allow_origins: [https://bank.example]",
            "+    allow_origins: [https://bank.example, http://new.example]",
            "+    dangerously_allow_insecure_origins: true",
        ],
    ),
    ("null", asks("/orders", "null"), ['+      - "null"', "+    dangerously_allow_null: true"]),
    (
        "a rule without a policy",
        asks("/none"),
        [
            "-  - {path: /none, upstream: http://127.0.0.1:9000, policy: none}",
            "+  - {path: /none, upstream: http://127.0.0.1:9000, policy: {allow_origins: [https://app.example.com]}}",
        ],
    ),
]


@pytest.mark.parametrize(("request_", "expected"), [row[1:] for row in FIXES], ids=[row[0] for row in FIXES])
def test_the_smallest_change(request_, expected):
    fix = find_fix(config(), request_)
    assert isinstance(fix, Fix)
    assert changes(fix) == expected
    assert ask(config(fix.text), request_).fetched.verdict.allowed


NO_FIXES = [
    ("no rule", asks("/nowhere"), 'no rule matches the path "/nowhere"'),
    ("a method that browsers never send", asks("/orders", method=b"TRACE"), "no policy can allow this"),
    ("a method in the wrong case", asks("/orders", method=b"patch"), "ask for `PATCH` in the page"),
    ("an origin that is none", asks("/orders", "https://app.example.com/"), "no policy can allow this"),
    ("the upstream decides", asks("/keep"), "the rule has `upstream_cors: keep`"),
    (
        "credentials for null",
        asks("/star", "null", credentials=Credentials.INCLUDE),
        "no policy gives credentials to null",
    ),
    ("no policy and no origin", asks("/none", "null"), "the page has no origin that a policy should allow"),
    ("a scheme", Request(url="ftp://localhost/", origin=b"https://app.example.com"), "before it sends anything"),
]


@pytest.mark.parametrize(("request_", "reason"), [row[1:] for row in NO_FIXES], ids=[row[0] for row in NO_FIXES])
def test_where_no_change_is_offered_it_is_said_why(request_, reason):
    fix = find_fix(config(), request_)
    assert isinstance(fix, NoFix)
    assert reason in fix.reason


def test_a_search_that_finds_no_end_is_given_up(monkeypatch):
    monkeypatch.setattr("corsproxy.tools.explaining.fix._MOST", 1)
    assert find_fix(config(), asks("/orders", "null")) == NoFix("no change of a few lines does it")


def test_a_change_that_the_file_refuses_is_said_to_be_refused():
    text = "policies:\n  a:\n    allow_origins: [https://app.example.com]\n    allow_credentials: true\n"
    text += "rules: [{path: /, upstream: http://127.0.0.1:1, policy: a}]\n"
    fix = find_fix(config(text), asks("/", "null"))
    assert isinstance(fix, NoFix)
    assert fix.reason.startswith("the change that is asked for is refused: ")


def test_nothing_is_changed_for_an_allowed_request():
    assert find_fix(config(), asks("/orders")) is None


def test_what_else_it_would_allow_names_every_rule_of_the_policy():
    fix = find_fix(config(), asks("/orders", "https://new.example"))
    assert isinstance(fix, Fix)
    assert fix.allows == ("every page of https://new.example may read the answers of /orders, /users",)


def test_credentials_are_named():
    fix = find_fix(config(), asks("/bank", "https://new.example", method=b"PUT"))
    assert isinstance(fix, Fix)
    assert fix.allows == (
        "every page of https://new.example may read the answers of /bank, with cookies",
        "every page that the policy lists may send PUT to /bank, with cookies",
    )


WARNINGS = [
    (asks("/orders", "null"), "any sandboxed frame on any site"),
    (asks("/bank", "http://new.example"), "anyone on the way"),
    (asks("/star", credentials=Credentials.INCLUDE), "lose what * gave them"),
    (asks("/orders", "http://localhost:5173"), "keep it out of production"),
    (asks("/orders", "https://app.example.com.evil.example"), "resembles https://app.example.com"),
    (asks("/orders", "https://evilapp.example.com"), "resembles https://app.example.com"),
    (asks("/orders", "https://appxexample.com"), "resembles https://app.example.com"),
]


@pytest.mark.parametrize(("request_", "warning"), WARNINGS)
def test_an_unwise_change_comes_with_a_warning(request_, warning):
    fix = find_fix(config(), request_)
    assert isinstance(fix, Fix)
    assert any(warning in said for said in fix.warnings), fix.warnings


def test_an_ordinary_change_comes_with_none():
    fix = find_fix(config(), asks("/orders", "https://other.test"))
    assert isinstance(fix, Fix)
    assert fix.warnings == ()


def test_an_alias_is_edited_where_it_was_written():
    text = (
        "policies:\n  a: &a\n    allow_origins: [https://app.example.com]\n  b: *a\n"
        "rules:\n  - {path: /a, upstream: http://127.0.0.1:1, policy: a}\n"
        "  - {path: /b, upstream: http://127.0.0.1:1, policy: b}\n"
    )
    fix = find_fix(config(text), asks("/b", "https://new.example"))
    assert isinstance(fix, Fix)
    assert changes(fix)[-1] == "+    allow_origins: [https://app.example.com, https://new.example]"
    assert fix.allows == ("every page of https://new.example may read the answers of /a, /b",)


WRITTEN = [
    ("a regex", "allow_origin_regex: https://[a-z]+\\.example\\.com", ["+    allow_origins: [https://new.example]"]),
    (
        "a value of the environment",
        "allow_origins: ${PAGE}",
        ["-    allow_origins: ${PAGE}", '+    allow_origins: ["${PAGE}", https://new.example]'],
    ),
    (
        "a value of the environment, in quotes",
        "allow_origins: '${PAGE}'",
        ["-    allow_origins: '${PAGE}'", "+    allow_origins: ['${PAGE}', https://new.example]"],
    ),
    (
        "a value of the environment in a list",
        'allow_origins: ["${PAGE}"]',
        ['-    allow_origins: ["${PAGE}"]', '+    allow_origins: ["${PAGE}", https://new.example]'],
    ),
]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(("line", "expected"), [row[1:] for row in WRITTEN], ids=[row[0] for row in WRITTEN])
def test_what_is_written_stays_as_it_is_written(line, expected, mark):
    text = f"{mark}policies:\n  a:\n    {line}\nrules: [{{path: /, upstream: http://127.0.0.1:1, policy: a}}]\n"
    written = WrittenConfig.read(text, "config.yaml", {"PAGE": "https://app.example.com"})
    fix = find_fix(written, asks("/", "https://new.example"))
    assert isinstance(fix, Fix)
    assert changes(fix) == expected
    assert ask(written.changed(fix.text), asks("/")).fetched.verdict.allowed


ORIGINS = st.sampled_from(
    ["https://app.example.com", "https://x.test", "http://localhost:3000", "http://plain.test", "null"]
)
METHODS = st.sampled_from([b"GET", b"PUT", b"DELETE", b"QUERY"])
HEADERS = st.lists(
    st.sampled_from([(b"X-A", b"1"), (b"Authorization", b"x"), (b"Content-Type", b"application/json")]), unique=True
)


@given(
    st.sampled_from(["/orders", "/bank", "/star", "/inline", "/none"]),
    ORIGINS,
    METHODS,
    HEADERS,
    st.sampled_from(Credentials),
)
def test_whatever_is_offered_has_been_tried(path, origin, method, headers, credentials):
    request = asks(path, origin, method=method, headers=tuple(headers), credentials=credentials)
    fix = find_fix(config(), request)
    if isinstance(fix, Fix):
        assert ask(config(fix.text), request).fetched.verdict.allowed
    if fix is None:
        assert ask(config(), request).fetched.verdict.allowed
