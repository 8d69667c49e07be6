"""The inspector's record, and what is derived from it: the ring, pairs, masks, changes, explanations, exports."""

from __future__ import annotations

import json
import shlex

import pytest

from corsproxy.cors.decision import Decision, Outcome
from corsproxy.cors.flip import Change, Difference, Flip
from corsproxy.cors.words import advice
from corsproxy.tools.har import read_har
from corsproxy.tools.inspector.changes import Kind
from corsproxy.tools.inspector.details import Known, case_of, details, message_of
from corsproxy.tools.inspector.exports import as_curl, as_fetch, as_har
from corsproxy.tools.inspector.masking import masked, masked_url
from corsproxy.tools.inspector.reasons import Case, policy_text, tried
from corsproxy.tools.inspector.recorder import Recorded, Recorder
from corsproxy.tools.inspector.reenactment import delivered, forwarded
from corsproxy.tools.inspector.replay import Door, NotReplayed, replay
from corsproxy.tools.inspector.rows import pairs, row, rule_rows, verdict
from corsproxy.tools.pasted.curl import read_curl
from corsproxy.tools.pasted.script import read_script
from tests.tools.inspected import APP, CONFIG, EVIL, exchange, preflight, table_of, written

SECRETS = ("hunter2", "s3cret", "abc123", "Zm9v")


@pytest.fixture
def table():
    return table_of()


def known(table, text=CONFIG):
    return Known(table, written(text), advice)


# the ring


def test_the_ring_has_a_bound_and_numbers_are_never_given_twice(table):
    recorder = Recorder(most=3)
    one = exchange(table)
    for _ in range(5):
        recorder(one)
    assert [recorded.number for recorded in recorder.all()] == [3, 4, 5]
    assert recorder.last == 5


async def test_who_watches_is_woken_and_forgotten_at_the_end(table):
    recorder = Recorder()
    with recorder.watched() as event:
        assert recorder.watchers == 1
        recorder(exchange(table))
        assert event.is_set()
    assert recorder.watchers == 0


# pairs


def numbered(*exchanges):
    return [Recorded(number, one) for number, one in enumerate(exchanges, 1)]


def test_a_preflight_is_paired_with_the_first_request_that_it_asked_for(table):
    recorded = numbered(
        preflight(table), exchange(table, method=b"PUT"), exchange(table, method=b"PUT"), preflight(table, origin=EVIL)
    )
    assert pairs(recorded) == {1: 2, 2: 1}


@pytest.mark.parametrize(
    "other",
    [{"origin": EVIL}, {"target": b"/y"}, {"method": b"DELETE"}],
    ids=["another origin", "another path", "another method"],
)
def test_nothing_else_is_paired(table, other):
    assert pairs(numbered(preflight(table), exchange(table, **{"method": b"PUT", **other}))) == {}


# masks


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        (b"Authorization", b"Bearer abc123", b"Bearer ***"),
        (b"authorization", b"abc123", b"***"),
        (b"Proxy-Authorization", b"Basic Zm9v", b"Basic ***"),
        (b"Cookie", b"sid=abc123; theme=s3cret", b"sid=***; theme=***"),
        (b"Set-Cookie", b"sid=abc123; Secure; SameSite=None", b"sid=***; Secure; SameSite=None"),
        (b"X-Api-Key", b"abc123", b"***"),
        (b"X-Auth-Token", b"abc123", b"***"),
        (b"Referer", b"https://app.example.com/?token=abc123&page=2", b"https://app.example.com/?token=***&page=2"),
        (b"Location", b"/next?code=abc123", b"/next?code=***"),
        (b"Content-Type", b"application/json", b"application/json"),
        (b"Access-Control-Request-Headers", b"authorization", b"authorization"),
        (b"Access-Control-Allow-Credentials", b"true", b"true"),
    ],
)
def test_credentials_are_masked_and_nothing_else(name, value, shown):
    assert masked(((name, value),)) == ((name, shown),)


def test_a_url_keeps_all_but_its_secrets():
    assert masked_url("http://localhost/x?page=2&access_token=abc123") == "http://localhost/x?page=2&access_token=***"


def test_nothing_that_leaves_holds_a_secret(table):
    """Whatever is added to the details or to a row must pass the masks, too."""
    secret_lines = (
        (b"Authorization", b"Bearer abc123"),
        (b"Cookie", b"sid=s3cret"),
        (b"X-Api-Key", b"Zm9v"),
        (b"Referer", b"https://app.example.com/?token=abc123"),
    )
    answer = ((b"Set-Cookie", b"sid=s3cret; Secure"), (b"Location", b"/x?token=Zm9v"))
    target = b"/x?token=abc123&api_key=s3cret"
    for origin in (APP, EVIL):
        one = exchange(table, *secret_lines, target=target, status=302, answered=answer, origin=origin)
        found = [
            details(case_of(one, None), known(table)),
            row(Recorded(1, one), 0),
            as_har([message_of(one, table)]),
            tried(case_of(one, None), policy_text(one.rule, origin)),
        ]
        shown = json.dumps(found)
        assert [secret for secret in SECRETS if secret in shown] == []


# heads


def by_name(lines):
    return {line["name"]: line for line in lines}


def test_what_was_changed_is_told_with_its_line(table):
    answer = (
        (b"Content-Type", b"application/json"),
        (b"Access-Control-Allow-Origin", b"*"),
        (b"access-control-allow-headers", b"*"),
        (b"Vary", b"Accept"),
        (b"Server", b"Express"),
        (b"Connection", b"close"),
    )
    one = exchange(table, (b"Accept", b"*/*"), answered=answer)
    (head,) = details(case_of(one, None), known(table))["heads"]
    request, response = by_name(head["request"]), by_name(head["response"])
    assert (request["Accept"]["kind"], request["Host"]["kind"]) == (Kind.KEPT, Kind.REPLACED)
    assert request["Host"]["after"] == "127.0.0.1:8000"
    added = request["X-Upstream-Key"]
    assert (added["kind"], added["after"], added["where"]) == (Kind.ADDED, "***", "config.yaml:2:5")
    assert response["Content-Type"]["kind"] == Kind.KEPT
    replaced = response["Access-Control-Allow-Origin"]
    assert (replaced["kind"], replaced["before"], replaced["after"]) == (Kind.REPLACED, "*", APP.decode())
    assert replaced["where"] == one.rule.policy.where != ""
    gone = {name: line["why"] for name, line in response.items() if line["kind"] == Kind.REMOVED}
    assert list(gone) == ["access-control-allow-headers", "Server", "Connection"]
    assert gone["Server"] == "headers.response of the rule"
    assert (response["Vary"]["kind"], response["Vary"]["after"]) == (Kind.REPLACED, "Accept, Origin")


def test_where_the_table_has_been_replaced_nobody_knows_what_was_sent(table):
    one = exchange(table)
    newer = table_of()
    assert (forwarded(one, newer), delivered(one, newer)) == (None, None)
    (head,) = details(case_of(one, None), known(newer))["heads"]
    assert (head["request"], head["response"]) == (None, None)


@pytest.mark.parametrize("origin", [APP, EVIL])
def test_an_explanation_outlives_its_table(table, origin):
    one = exchange(table, origin=origin)
    explanation = details(case_of(one, None), known(table_of()))["explanation"]
    assert explanation["blocked"] is (origin == EVIL)


def test_a_failure_of_the_proxy_is_shown_with_its_own_lines(table):
    one = exchange(table, status=502)
    one.heard = 0.0
    assert (b"Access-Control-Allow-Origin", APP) in delivered(one, table)


# verdicts and explanations


@pytest.mark.parametrize(
    ("policy", "lines", "origin", "expected"),
    [
        ("{allow_origins: [https://app.example.com]}", (), APP, "allowed"),
        ("{allow_origins: [https://app.example.com]}", (), EVIL, "blocked"),
        ("{allow_origins: [https://app.example.com]}", (), b"", ""),
        ("none", (), APP, ""),
        ('{allow_origins: ["*"]}', (), EVIL, "allowed"),
        ('{allow_origins: ["*"]}', ((b"Cookie", b"a=b"),), EVIL, "blocked"),  # S10
        ('{allow_origins: ["*"]}', ((b"Cookie", b"a=b"), (b"Sec-Fetch-Mode", b"no-cors")), EVIL, "allowed"),
        (
            "{allow_origins: [https://app.example.com], allow_credentials: true}",
            ((b"Cookie", b"a=b"),),
            APP,
            "allowed",
        ),
    ],
)
def test_the_list_and_the_explanation_agree(policy, lines, origin, expected):
    text = f"rules: [{{path: /, upstream: 'http://127.0.0.1:8000', policy: {policy}}}]\n"
    table = table_of(text)
    one = exchange(table, *lines, origin=origin)
    assert verdict(one) == expected
    explanation = details(case_of(one, None), known(table, text))["explanation"]
    if expected and (b"Sec-Fetch-Mode", b"no-cors") not in lines:
        assert explanation["blocked"] is (expected == "blocked")


def test_a_path_without_a_rule_is_blocked_and_says_so():
    table = table_of(CONFIG.replace("path: /", "path: /api"))
    one = exchange(table, target=b"/elsewhere")
    assert verdict(one) == "blocked"
    found = details(case_of(one, None), Known(table, None, advice))
    assert (found["rule"], found["explanation"]["blocked"]) == (None, True)


def test_a_blocked_preflight_is_explained_as_the_request_that_it_asked_for(table):
    found = details(case_of(preflight(table, b"DELETE"), None), known(table))
    explanation = found["explanation"]
    assert explanation["request"]["method"] == "DELETE"
    assert "preflight" in explanation["browsers"]["Chromium"]
    assert "+" in explanation["fix"]["diff"]
    assert "allow_methods" in found["advice"]


def test_a_pair_is_explained_by_what_both_were_answered(table):
    asked, actual = preflight(table), exchange(table, method=b"PUT")
    found = details(Case(asked, actual), known(table))
    assert not found["explanation"]["blocked"]
    assert [head["method"] for head in found["heads"]] == ["OPTIONS", "PUT"]
    assert [event["what"] for event in found["timeline"]][:2] == ["the preflight arrives", "204 is on its way"]


def test_a_refused_websocket_has_its_own_words(table):
    one = exchange(table, origin=EVIL, websocket=True)
    explanation = details(case_of(one, None), known(table))["explanation"]
    assert explanation["blocked"]
    assert "WebSocket connection to" in explanation["browsers"]["Chromium"]


# try it


def test_another_policy_is_tried_without_touching_the_configuration(table):
    one = exchange(table, origin=EVIL)
    policy = policy_text(one.rule, EVIL)
    assert tried(case_of(one, None), policy)["explanation"]["blocked"]
    mended = policy.replace(APP.decode(), EVIL.decode())
    assert not tried(case_of(one, None), mended)["explanation"]["blocked"]
    assert verdict(exchange(table, origin=EVIL)) == "blocked"


@pytest.mark.parametrize(
    ("policy", "line", "says"),
    [
        ("allow_origins: [https://a.example]\nallow_method: [GET]\n", 2, "allow_method"),
        ("allow_origins: [https://a.example/]", 1, "/"),
        ("allow_origins: [", 1, ""),
        ("allow_origins: ['${HOME}']", 1, "HOME"),  # no variable of the process is told
    ],
)
def test_what_is_wrong_with_a_policy_is_told_by_its_own_lines(table, policy, line, says):
    (problem, *_) = tried(case_of(exchange(table), None), policy)["problems"]
    assert (problem["line"], says in problem["message"]) == (line, True)


def test_a_policy_cannot_leave_its_place(table):
    assert "problems" in tried(case_of(exchange(table), None), "allow_origins: []\nrules: []\n")
    assert "problems" in tried(case_of(exchange(table), None), "x" * 100_000)


def test_where_there_is_no_policy_a_try_begins_with_the_origin():
    assert policy_text(None, APP) == "allow_origins: ['https://app.example.com']\n"


# rules


def test_each_rule_has_its_counts_and_its_last_denial(table):
    recorded = numbered(exchange(table), exchange(table, origin=EVIL), exchange(table))
    (found,) = rule_rows(table, recorded)
    assert (found["exchanges"], found["blocked"], found["last_blocked"]) == (3, 1, 2)
    assert found["where"] == "config.yaml:2:5"


# exports: read back by the tools that read what developers paste


def exported(table):
    lines = ((b"Content-Type", b"application/json"), (b"X-Name", b"it's"), (b"Cookie", b"a=b"))
    return message_of(exchange(table, *lines, method=b"PUT", target=b"/x?q='a%20b'"), table)


def test_curl_and_fetch_ask_the_same_again(table):
    message = exported(table)
    for request in (read_curl(as_curl(message), ""), read_script(as_fetch(message), APP.decode())):
        assert (request.method, request.url.partition("?")[0]) == (b"PUT", "http://api.example.com/x")
        assert (b"x-name", b"it's") in [(name.lower(), value) for name, value in request.headers]


def test_curl_is_quoted_for_a_shell(table):
    assert "X-Name: it's" in shlex.split(as_curl(exported(table)))


def test_har_is_read_by_what_reads_har(table):
    (entry,) = read_har(json.dumps(as_har([exported(table)])))
    assert (entry.asked.method, entry.answered.status) == (b"PUT", 200)
    assert entry.request.origin == APP


# replay


@pytest.mark.parametrize("lacks", ["its body", "a way in"])
async def test_what_cannot_be_asked_again_is_said(table, lacks):
    one = exchange(table)
    one.request_bytes = 5 if lacks == "its body" else 0
    door = None if lacks == "a way in" else Door("127.0.0.1", 9, tls=False, credentials=True)
    with pytest.raises(NotReplayed):
        await replay(one, door)


def test_what_the_shadow_would_do_is_told_with_its_place(table):
    flip = Flip(
        Difference(Change.NEWLY_DENIED, Outcome.DENIED_ORIGIN, APP),
        Decision(Outcome.DENIED_ORIGIN, subject=APP),
        *("/", "tried.yaml:4:5", "web", "tried.yaml:2:3"),
    )
    one = exchange(table)
    assert (row(Recorded(1, one), 0)["shadow"], details(case_of(one, None), known(table))["shadow"]) == ("", [])
    one.shadow = flip
    words = "would be denied: the origin https://app.example.com is not allowed"
    shown = row(Recorded(1, one), 0)
    assert (shown["shadow"], shown["in_the_shadow"]) == ("newly-denied", words)
    (told,) = details(case_of(one, None), known(table))["shadow"]
    assert told == {
        "said": words,
        "rule": "/",
        "where": "tried.yaml:4:5",
        "policy": "web",
        "policy_where": "tried.yaml:2:3",
        "fix": "add `- https://app.example.com` to allow_origins of policy web",
    }
