"""What is read of recorded traffic: HAR files and access logs, whole, mixed and broken."""

from __future__ import annotations

import io
import json

import pytest

from corsproxy.config.load import load_config
from corsproxy.http.needs import Needs
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.access_log import EVERYTHING, JsonLog
from corsproxy.tools.learning.evidence import Evidence
from corsproxy.tools.learning.live import SOURCE, Learner
from corsproxy.tools.learning.places import Places
from corsproxy.tools.learning.proposal import Basis, propose, propose_from
from corsproxy.tools.learning.sources import Traffic, UnreadableTraffic
from corsproxy.tools.written_config import WrittenConfig
from tests.tools.inspected import exchange, preflight

APP = "https://app.example.com"
NOON = "2026-11-22T12:00:00.000Z"


def read(text, *hosts):
    traffic = Traffic(frozenset(hosts))
    return list(traffic.read(text.splitlines(keepends=True), "it")), traffic.notes


# HAR files


def har(*entries):
    return json.dumps({"log": {"entries": list(entries)}})


def entry(url="https://api.example.com/orders/7?x=1", method="GET", status=200, answered=(), **headers):
    sent = {"Origin": APP, "Sec-Fetch-Mode": "cors", **headers}
    return {
        "startedDateTime": NOON,
        "request": {"method": method, "url": url, "headers": fields(sent.items())},
        "response": {"status": status, "headers": fields(answered)},
    }


def fields(pairs):
    return [{"name": name, "value": value} for name, value in pairs]


def test_an_entry_of_a_har_file():
    ((seen,), notes) = read(har(entry(method="PUT", answered=[("X-Total", "7")], **{"X-Key": "k", "Cookie": "a=1"})))
    assert seen == (
        *(APP, "api.example.com", "/orders/7"),
        Needs(b"cors", b"PUT", headers=(b"x-key",), credentials="cookies", readable=(b"x-total",)),
        *(200, 1_795_348_800.0, "", "it"),
    )
    assert notes == []


@pytest.mark.parametrize(
    ("made", "mode"),
    [
        (entry(method="OPTIONS", **{"Access-Control-Request-Method": "PUT"}), b"cors"),
        (entry(status=0), b"cors"),  # blocked: it is what the page wants
        (entry("wss://api.example.com/feed"), b"websocket"),
        (entry(**{"Sec-Fetch-Mode": "no-cors"}), b"no-cors"),
        (entry(Origin="https://api.example.com"), b"same-origin"),
    ],
)
def test_kinds_of_entries(made, mode):
    (_, seen), _ = read(har(entry(), made))
    assert seen.needs.mode == mode


def test_requests_without_an_origin_need_a_way():
    page = entry("https://api.example.com/x.png")
    page["request"]["headers"] = []
    (_, seen), _ = read(har(entry(), {**page, "_resourceType": "image"}))
    assert (seen.origin, seen.needs, seen.target) == ("", None, "/x.png")


def test_requests_to_others_are_not_this_proxy_s():
    both = har(entry(), entry("https://tracker.test/x"), entry("https://tracker.test/y"))
    seen, notes = read(both, "api.example.com")
    assert [one.host for one in seen] == ["api.example.com"]
    assert notes == ["it: 2 requests to tracker.test are not this proxy's"]
    with pytest.raises(UnreadableTraffic, match=r"several hosts \(api.example.com, tracker.test\); name .* --host"):
        read(both)
    seen, _ = read(har(entry("http://localhost:8080/x"), entry("https://tracker.test/x")))
    assert [one.host for one in seen] == ["localhost:8080"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("api.example.com", ["api.example.com", "api.example.com:8443"]),
        ("api.example.com:8443", ["api.example.com:8443"]),
        ("*.example.com", ["api.example.com", "api.example.com:8443"]),
        ("[::1]", ["[::1]", "[::1]:8080"]),
    ],
)
def test_hosts_are_named_with_or_without_their_port(name, meant):
    hosts = ("api.example.com", "api.example.com:8443", "example.com", "[::1]", "[::1]:8080")
    seen, _ = read(har(*(entry(f"https://{host}/x") for host in hosts)), name)
    assert [one.host for one in seen] == meant


def test_the_page_s_own_server_is_not_the_api():
    """What a development server sends to its own pages, its WebSocket included, crosses no origin."""
    own = {"Origin": "http://localhost:5173"}
    live = entry("ws://localhost:5173/hmr", status=101, **own)
    seen, notes = read(
        har(entry("http://localhost:5173/src/main.js", **own), live, entry("http://localhost:8080/x", **own))
    )
    assert ([one.host for one in seen], notes) == (["localhost:8080"], [])


def test_a_url_that_is_none_is_nobody_s():
    seen, _ = read(har(entry(), entry("https://[broken/x")), "api.example.com")
    assert len(seen) == 1


# Access logs


def logged(*exchanges):
    stream = io.StringIO()
    log = JsonLog(stream, EVERYTHING, lambda: 1_795_348_800.0)
    for one in exchanges:
        log(one)
    return stream.getvalue()


CONFIG = """\
rules:
  - path: /
    upstream: http://127.0.0.1:8000
    policy: {allow_origins: [https://app.example.com], allow_methods: [GET, PUT]}
"""
TABLE = load_config(CONFIG, "config.yaml", {}).table
EXCHANGES = [
    preflight(TABLE, b"PUT"),
    preflight(TABLE, b"DELETE", origin=b"https://other.test"),
    exchange(TABLE, (b"Cookie", b"a=1"), (b"X-Key", b"k"), method=b"PUT", answered=((b"X-Total", b"7"),)),
    exchange(TABLE, (b"Authorization", b"Basic eDp5"), target=b"/orders?token=s3cret"),
    exchange(TABLE, (b"Sec-Fetch-Mode", b"navigate"), method=b"POST"),
    exchange(TABLE, (b"Sec-Fetch-Site", b"same-origin"), origin=b"https://own.test"),
    exchange(TABLE, websocket=True, status=101),
    exchange(TABLE, origin=b""),
    exchange(TABLE, answered=((b"Set-Cookie", b"a=1"),)),
]


def test_the_log_tells_what_an_observer_sees():
    """Learning from the log is learning from the exchanges themselves."""
    live = Learner(Places(TABLE))
    for one in EXCHANGES:
        live(one)
    logs = Evidence(Places(TABLE))
    text = logged(*EXCHANGES)
    for seen in read(text)[0]:
        logs.add(seen)
    assert [kind for kind, _ in logs.kinds()] == [kind for kind, _ in live.evidence.kinds()]
    assert {source for _, tally in live.evidence.kinds() for source in tally.sources} == {SOURCE}
    assert "s3cret" not in text
    basis = Basis(WrittenConfig.read(CONFIG, "config.yaml", {}))
    for proposal in (propose(logs.kinds(), basis), propose_from(EXCHANGES, basis)):
        assert [(one.key, one.value) for one in proposal.opened] == [
            ("allow_origins", "https://other.test"),
            ("allow_methods", "DELETE"),
            ("expose_headers", "x-total"),
            ("allow_credentials", "true"),
        ]


def test_an_exchange_without_a_request_is_no_page_s():
    learner = Learner(Places(TABLE))
    learner(Exchange("", b"", b"", b"", b""))
    assert learner.evidence.kinds() == []


LINE = {
    "time": NOON,
    "event": "request",
    "method": "GET",
    "path": "/x",
    "status": 200,
    "origin": APP,
    "cors": "allowed",
    "host": "api.test",
    "client": "10.0.0.1",
    "mode": "cors",
}


@pytest.mark.parametrize(
    ("lines", "seen", "note"),
    [
        ([LINE, "no JSON", "", "{broken"], 1, "2 lines are no access log"),
        (["first comes what a start-up script says", LINE], 1, "1 lines are no access log"),
        ([LINE, {"event": "denied"}, {"event": "dropped", "count": 3}], 1, None),
        ([LINE, [1], {"event": "request", "method": 7}], 1, "1 lines are no access log"),
        ([LINE | {"headers": "x-a,..."}], 1, "1 lines name more headers than the log has room for"),
        ([{key: value for key, value in LINE.items() if key != "mode"}], 1, "1 lines were written by a version"),
        ([LINE | {"time": "yesterday", "status": None}], 1, None),
    ],
)
def test_a_log_that_is_cut_mixed_or_old_is_used_as_far_as_it_goes(lines, seen, note):
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    found, notes = read(text)
    assert len(found) == seen
    assert [note in said for said in notes] == ([True] if note else [])


def test_of_an_old_line_the_method_and_the_origin_are_known():
    old = {key: value for key, value in LINE.items() if key != "mode"} | {"cors": "preflight-allowed"}
    ((seen,), _) = read(json.dumps(old))
    assert (seen.origin, seen.needs) == (APP, Needs(b"cors", b"GET", preflight=True))


@pytest.mark.parametrize("text", ["", "hello", '{"log": {}}', "[1]", '{"a": 1}\n{"b": 2}'])
def test_what_is_neither_is_refused(text):
    with pytest.raises(UnreadableTraffic, match="it is neither an access log in JSON nor a HAR file"):
        read(text)
