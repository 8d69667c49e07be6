"""What is done with a request head, decided before a byte is sent."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.cors.decision import Outcome
from corsproxy.http.forwarded import Forwarding
from corsproxy.proxy.framing import Framing, Kind
from corsproxy.proxy.head_reader import read_plain_request
from corsproxy.proxy.plan import Answer, Forward, plan
from corsproxy.proxy.request import Client
from tests.proxy.tables import HOSTED, TABLE, judge

APP = (b"Origin", b"https://app.example")
EVIL = (b"Origin", b"https://evil.example")
PUT = (b"Access-Control-Request-Method", b"PUT")
UPGRADE = ((b"Connection", b"keep-alive, Upgrade"), (b"Upgrade", b"websocket"))


@pytest.mark.parametrize(
    ("outcome", "method", "target", "fields"),
    [
        pytest.param(Outcome.NOT_CORS, b"GET", b"/", (), id="no Origin, as curl sends it"),
        pytest.param(Outcome.ALLOWED, b"GET", b"/", (APP,), id="S1: an allowed page"),
        pytest.param(Outcome.DENIED_ORIGIN, b"GET", b"/", (EVIL,), id="S2: forwarded, and stripped later"),
        pytest.param(Outcome.DENIED_ORIGIN, b"GET", b"/", (APP, APP), id="cors-engines 34: two Origin lines"),
        pytest.param(Outcome.NOT_CORS, b"OPTIONS", b"/", (), id="cors-engines 27: an OPTIONS that is no preflight"),
        pytest.param(Outcome.ALLOWED, b"OPTIONS", b"/", (APP,), id="OPTIONS with Origin alone is no preflight"),
        pytest.param(Outcome.NOT_CORS, b"OPTIONS", b"/", (PUT,), id="OPTIONS without Origin is no preflight"),
        pytest.param(Outcome.ALLOWED, b"GET", b"/", (APP, PUT), id="a preflight is OPTIONS"),
        pytest.param(Outcome.NO_POLICY, b"OPTIONS", b"/raw", (APP, PUT), id="policy none: the upstream answers"),
        pytest.param(Outcome.ALLOWED, b"GET", b"/", (APP, *UPGRADE), id="an allowed WebSocket"),
        pytest.param(Outcome.NOT_CORS, b"GET", b"/", UPGRADE, id="a WebSocket client that is no browser"),
        pytest.param(Outcome.NO_POLICY, b"GET", b"/raw", (EVIL, *UPGRADE), id="a WebSocket without policy"),
        pytest.param(
            Outcome.SAME_ORIGIN, b"POST", b"/strict", ((b"Origin", b"http://proxy.example"),),
            id="quarkus 29542: a POST of the same origin",
        ),
        pytest.param(
            Outcome.SAME_ORIGIN, b"POST", b"/strict", (EVIL, (b"Sec-Fetch-Site", b"same-origin")),
            id="Fetch metadata: the browser says that it is the same origin",
        ),
    ],
)  # fmt: skip
def test_what_goes_on(outcome, method, target, fields):
    planned = judge(method, target, *fields)
    assert isinstance(planned, Forward)
    assert planned.decision.outcome is outcome


@pytest.mark.parametrize(
    ("status", "outcome", "method", "target", "fields"),
    [
        pytest.param(204, Outcome.PREFLIGHT_ALLOWED, b"OPTIONS", b"/", (APP, PUT), id="S3: a granted preflight"),
        pytest.param(403, Outcome.PREFLIGHT_DENIED_ORIGIN, b"OPTIONS", b"/", (EVIL, PUT), id="denied origin"),
        pytest.param(403, Outcome.PREFLIGHT_DENIED_ORIGIN, b"OPTIONS", b"/", (APP, APP, PUT), id="two origins"),
        pytest.param(
            403, Outcome.PREFLIGHT_DENIED_METHOD, b"OPTIONS", b"/",
            (APP, (b"Access-Control-Request-Method", b"DELETE")), id="denied method",
        ),
        pytest.param(
            403, Outcome.PREFLIGHT_DENIED_HEADERS, b"OPTIONS", b"/",
            (APP, PUT, (b"Access-Control-Request-Headers", b"x-other")), id="denied header",
        ),
        pytest.param(403, Outcome.DENIED_ORIGIN, b"GET", b"/strict", (EVIL,), id="on_denied: reject"),
        pytest.param(403, Outcome.DENIED_ORIGIN, b"GET", b"/", (EVIL, *UPGRADE), id="WebSocket hijacking"),
        pytest.param(405, Outcome.ALLOWED, b"TRACE", b"/", (APP,), id="TRACE would reflect cookies"),
        pytest.param(508, Outcome.ALLOWED, b"GET", b"/", (APP, (b"Via", b"1.1 me")), id="RFC 9110 7.6.3: a loop"),
        pytest.param(413, Outcome.ALLOWED, b"POST", b"/", (APP, (b"Content-Length", b"11")), id="too large"),
        pytest.param(400, Outcome.ALLOWED, b"POST", b"/", (APP, (b"Content-Length", b"x")), id="bad framing"),
        pytest.param(
            501, Outcome.ALLOWED, b"POST", b"/", (APP, (b"Transfer-Encoding", b"gzip, chunked")), id="other coding"
        ),
        pytest.param(417, Outcome.ALLOWED, b"POST", b"/", (APP, (b"Expect", b"magic")), id="other expectation"),
    ],
)  # fmt: skip
def test_what_the_proxy_answers_itself(status, outcome, method, target, fields):
    """A refusal after the rule is known keeps its decision, so that an allowed page can read it."""
    planned = judge(method, target, *fields)
    assert isinstance(planned, Answer)
    assert (planned.status, planned.decision.outcome) == (status, outcome)
    assert planned.rule is not None


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        pytest.param(400, {"target": b"/a/../b"}, id="proxies 21: dot segments"),
        pytest.param(400, {"target": b"/a%2F..%2Fb"}, id="proxies 21: encoded dot segments"),
        pytest.param(400, {"target": b"/open%2Fx"}, id="a path that another server reads as another rule's"),
        pytest.param(400, {"target": b"/a#b"}, id="proxies 8: a fragment"),
        pytest.param(400, {"target": b"*"}, id="the asterisk is for OPTIONS"),
        pytest.param(400, {"host": None}, id="RFC 9112 3.2: no Host"),
        pytest.param(400, {"host": b"a@b"}, id="a Host that is none"),
        pytest.param(405, {"method": b"CONNECT", "target": b"evil.example:443"}, id="proxies 6: CONNECT"),
        pytest.param(404, {"target": b"/", "host": b"api.example", "table": HOSTED}, id="no rule for the path"),
        pytest.param(421, {"target": b"/api", "host": b"evil.example", "table": HOSTED}, id="proxies 24: rebinding"),
    ],
)
def test_what_finds_no_rule(status, request_):
    planned = judge(request_.pop("method", b"GET"), request_.pop("target", b"/"), APP, **request_)
    assert isinstance(planned, Answer)
    assert (planned.status, planned.rule) == (status, None)
    assert planned.decision.lines == b""


def test_two_host_lines_are_refused():
    planned = judge(b"GET", b"/", (b"Host", b"other.example"))
    assert (planned.status, planned.closes) == (400, True)


def test_the_host_of_the_request_before_stands_in_for_no_other():
    client = Client("192.0.2.1", tls=False)
    asked = [(b"a.example", b"1.1"), (None, b"1.0"), (b"", b"1.0"), (None, b"1.1"), (b"b.example", b"1.1")]
    planned = [judge(b"GET", b"/app/x", host=host, version=version, client=client) for host, version in asked]
    told = [item.authority if isinstance(item, Forward) else item.status for item in planned]
    assert told == [b"a.example", b"", 400, 400, b"b.example"]


def test_another_version_is_refused_with_the_rules_decision():
    planned = judge(b"GET", b"/", APP, version=b"2.0")
    assert (planned.status, planned.decision.outcome, planned.closes) == (505, Outcome.ALLOWED, True)


def test_options_about_the_server_is_answered_here():
    planned = judge(b"OPTIONS", b"*")
    assert (planned.status, planned.own.headers[:6]) == (204, b"Allow:")


def test_http_1_0_needs_no_host_and_cannot_expect():
    planned = judge(b"GET", b"/", (b"Expect", b"100-continue"), version=b"1.0", host=None)
    assert isinstance(planned, Forward)
    assert not planned.expects_continue


@pytest.mark.parametrize(
    ("target", "expected", "host"),
    [
        pytest.param(b"/a?b=%20c&d", b"/a?b=%20c&d", None, id="byte for byte"),
        pytest.param(b"/strict/x?y", b"/base/x?y", None, id="prefix stripped, base prefixed"),
        pytest.param(b"//evil.example/x", b"//evil.example/x", None, id="proxies 20: a path, not an authority"),
        pytest.param(b"http://evil.example/x", b"/x", None, id="proxies 20: absolute-form"),
        pytest.param(b"/own", b"/own", b"proxy.example", id="the client's own host"),
        pytest.param(b"/lit", b"/lit", b"api.internal", id="a literal host"),
    ],
)
def test_the_target_and_host_that_the_upstream_sees(target, expected, host):
    planned = judge(b"GET", target)
    assert (planned.target, planned.host) == (expected, host)
    sent = b"GET %b HTTP/1.1\r\nHost: %b\r\n" % (expected, host or b"up.internal:8000")
    assert planned.head(b"up.internal:8000").startswith(sent)


def lines_of(planned):
    """The header lines that the upstream gets, as pairs."""
    return [tuple(line.split(b": ", 1)) for line in planned.lines.split(b"\r\n")[:-1]]


OWN_LINES = [
    (b"X-Forwarded-For", b"192.0.2.1"),
    (b"X-Forwarded-Proto", b"http"),
    (b"X-Forwarded-Host", b"proxy.example"),
    (b"Via", b"1.1 me"),
]


def test_end_to_end_lines_keep_order_case_and_duplicates():
    fields = ((b"X-a", b"1"), (b"cookie", b"a=b"), APP, (b"X-A", b"2"), (b"aCCept", b"*/*"), (b"X-a", b"\xff"))
    assert lines_of(judge(b"GET", b"/", *fields)) == [*fields, *OWN_LINES]


def test_hop_by_hop_lines_stay_behind_and_nominations_cannot_take_ours():
    planned = judge(
        b"GET", b"/",
        (b"Connection", b"X-Forwarded-For, Origin, Foo, close"), (b"Foo", b"1"), (b"Keep-Alive", b"5"),
        (b"Proxy-Connection", b"x"), (b"Proxy-Authorization", b"x"), (b"Upgrade", b"h2c"),
        (b"HTTP2-Settings", b"x"), APP,
    )  # fmt: skip
    assert lines_of(planned) == [APP, *OWN_LINES]


def test_spoofed_forwarding_lines_are_dropped_in_every_spelling():
    planned = judge(
        b"GET", b"/",
        (b"X-Forwarded-For", b"6.6.6.6"), (b"X_Forwarded_For", b"6"), (b"X.Forwarded.Host", b"6"),
        (b"Forwarded", b"for=6"), (b"X-Real-IP", b"6"),
    )  # fmt: skip
    assert lines_of(planned) == OWN_LINES


def test_a_trusted_proxy_is_believed():
    planned = judge(
        b"GET", b"/", (b"X-Forwarded-For", b"198.51.100.7"), (b"X-Forwarded-Proto", b"https"),
        client=Client("10.0.0.9", tls=False),
    )  # fmt: skip
    assert lines_of(planned)[:2] == [(b"X-Forwarded-For", b"198.51.100.7, 10.0.0.9"), (b"X-Forwarded-Proto", b"https")]


def test_the_rules_edits_and_origin_reach_the_upstream_and_the_policy_judges_the_clients():
    planned = judge(b"GET", b"/lit", (b"Cookie", b"a=b"), APP, (b"x-key", b"client's"))
    assert lines_of(planned) == [(b"Origin", b"https://own.example"), *OWN_LINES, (b"X-Key", b"k")]
    assert planned.decision.outcome is Outcome.ALLOWED


@pytest.mark.parametrize(
    ("target", "sent"),
    [(b"/", [b"https://app.example/cart?x"]), (b"/own", []), (b"/lit", [b"https://own.example/cart?x"])],
)
def test_the_referer_follows_the_origin(target, sent):
    planned = judge(b"GET", target, APP, (b"referer", b"https://app.example/cart?x"))
    assert [value for name, value in lines_of(planned) if name == b"referer"] == sent


@pytest.mark.parametrize(("target", "sent"), [(b"/", [b"same-site"]), (b"/own", []), (b"/lit", [])])
def test_how_page_and_proxy_are_related_is_nothing_to_an_upstream_that_hears_of_another_page(target, sent):
    planned = judge(b"POST", target, APP, (b"sec-fetch-site", b"same-site"))
    assert [value for name, value in lines_of(planned) if name == b"sec-fetch-site"] == sent


@pytest.mark.parametrize("target", [b"/own", b"/lit"])
def test_an_origin_that_is_denied_is_not_disguised(target):
    """An upstream that refuses foreign origins against CSRF must still see that it is one."""
    fields = (EVIL, (b"Referer", b"https://evil.example/"), (b"Sec-Fetch-Site", b"cross-site"))
    assert lines_of(judge(b"POST", target, *fields))[:3] == list(fields)


def test_a_removed_origin_is_still_judged():
    planned = judge(b"GET", b"/own", APP, (b"Referer", b"https://app.example/"))
    assert lines_of(planned) == OWN_LINES
    assert planned.decision.outcome is Outcome.ALLOWED


@pytest.mark.parametrize(
    ("method", "fields", "last"),
    [
        (b"POST", ((b"Transfer-Encoding", b"chunked"),), [(b"Transfer-Encoding", b"chunked")]),
        (b"PUT", ((b"Content-Length", b"3"), (b"Expect", b"100-Continue")), [(b"Expect", b"100-continue")]),
        (b"GET", UPGRADE, [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]),
        (b"GET", ((b"TE", b"gzip, trailers"),), [(b"Connection", b"TE"), (b"TE", b"trailers")]),
        (b"POST", UPGRADE, []),
    ],
)
def test_the_lines_about_the_upstreams_connection_are_written_anew(method, fields, last):
    sent = lines_of(judge(method, b"/", *fields))
    assert sent[sent.index(OWN_LINES[-1]) + 1 :] == last


@pytest.mark.parametrize(
    ("repeatable", "method", "fields"),
    [
        (True, b"GET", ()),
        (True, b"DELETE", ()),
        (False, b"POST", ()),
        (False, b"PATCH", ()),
        (False, b"PUT", ((b"Content-Length", b"3"),)),
        (False, b"GET", UPGRADE),
    ],
)
def test_only_what_can_be_done_twice_is_repeatable(repeatable, method, fields):
    assert judge(method, b"/", *fields).repeatable is repeatable


def test_the_framing_is_planned():
    assert judge(b"POST", b"/", (b"Content-Length", b"3")).framing == Framing(Kind.LENGTH, 3)


@given(
    method=st.sampled_from([b"GET", b"POST", b"OPTIONS", b"CONNECT", b"FROB"]),
    target=st.binary(max_size=40),
    host=st.none() | st.binary(max_size=20),
    version=st.sampled_from([b"1.0", b"1.1", b"0.9", b"3.0"]),
    names=st.lists(st.sampled_from([b"Origin", b"Connection", b"Upgrade", b"Via", b"TE", b"Expect", b"X"]), max_size=5),
    value=st.binary(max_size=30),
)
def test_no_head_makes_the_plan_fail(method, target, host, version, names, value):
    """Whatever a client sends has an answer; an exception would be a 500 without CORS lines."""
    planned = judge(method, target, *((name, value) for name in names), version=version, host=host)
    assert isinstance(planned, Answer | Forward)


def block(*fields):
    return b"".join(b"%b: %b\r\n" % field for field in ((b"Host", b"proxy.example"), *fields)) + b"\r\n"


BLOCKS = [
    block(APP, (b"Authorization", b"Bearer s3cret")),
    block(EVIL),
    block(APP, PUT),
    block(EVIL, PUT),
    block(EVIL, (b"Sec-Fetch-Site", b"same-origin"), (b"X-Forwarded-For", b"10.0.0.9")),
    block(APP, (b"Content-Length", b"50")),
    block(APP, (b"Max-Forwards", b"0")),
    block((b"Via", b"1.1 me")),
    block(APP, (b"Cookie", b"a=" + b"b" * 3000)),
]
RENAMED = replace(TABLE, forwarding=Forwarding.create([], "other"))  # the same rules, by another name of the proxy
TARGETS = [
    b"/", b"/strict/x?y", b"/open", b"/lit/1", b"/own/%2e/", b"/a//b", b"/only", b"/raw", b"/strict", b"/stricter",
    b"/likewise/x/y", b"/stricter/z",
]  # fmt: skip


starts = st.tuples(st.sampled_from([b"GET", b"OPTIONS", b"PUT"]), st.sampled_from(TARGETS), st.integers(0, 1))


def shown(planned):
    """Everything that a plan says."""
    if isinstance(planned, Answer):
        own = [getattr(planned.own, name) for name in ("status", "detail", "headers", "limit")]
        return own, planned.decision, planned.rule, planned.closes
    return [
        getattr(planned, name)
        for name in (
            *("rule", "decision", "method", "target", "authority", "host", "framing", "lines", "upgrade"),
            "expects_continue",
        )
    ]


@given(st.lists(st.tuples(starts, st.integers(1, 3)), min_size=2, max_size=6), st.lists(st.sampled_from(BLOCKS)))
def test_what_is_remembered_of_a_connection_changes_no_plan(requests, changes):
    """The same head, and the same lines with another target, are planned like those of a new connection."""
    client, last = Client("10.0.0.1", tls=False), None
    for place, ((method, target, number), times) in enumerate(requests):
        table = (TABLE, RENAMED)[number]
        lines = (changes or BLOCKS)[place // 3 % len(changes or BLOCKS)]
        for _ in range(times):
            data = b"%b %b HTTP/1.1\r\n%b" % (method, target, lines)
            last = read_plain_request(data, 2**16, 100, last)
            alone = read_plain_request(data, 2**16, 100)
            expected = plan(table, alone.head, Client("10.0.0.1", tls=False))
            assert shown(plan(table, last.head, client)) == shown(expected)


def test_what_came_again_is_judged_once():
    client, last, planned = Client("192.0.2.1", tls=False), None, []
    for target in (b"/", b"/", b"/", b"/x", b"/x", b"/y"):
        last = read_plain_request(b"GET %b HTTP/1.1\r\n%b" % (target, BLOCKS[0]), 2**16, 100, last)
        planned.append(plan(TABLE, last.head, client))
    assert planned[1] is planned[2]
    assert planned[1] is not planned[0]  # nothing is kept for who asks once
    assert client.verdict is not None
    assert client.verdict.planned.target == b"/x"
    assert planned[-1].target == b"/y"
    assert planned[-1].lines is client.verdict.planned.lines


@pytest.mark.parametrize(
    ("method", "target", "fields", "status"),
    [
        (b"GET", b"/likewise/x", (APP,), 0),
        (b"OPTIONS", b"/likewise/x", (APP, PUT), 204),
        (b"OPTIONS", b"/likewise/x", (EVIL, PUT), 403),
        (b"GET", b"/own", (APP,), 0),
    ],
)
def test_rules_that_treat_requests_alike_share_what_is_remembered(method, target, fields, status):
    client, last, planned = Client("192.0.2.1", tls=False), None, []
    for asked in (b"/", b"/x", target):
        last = read_plain_request(b"%b %b HTTP/1.1\r\n%b" % (method, asked, block(*fields)), 2**16, 100, last)
        planned.append(plan(TABLE, last.head, client))
    assert planned[-1].rule.path == target.decode()
    assert getattr(planned[-1], "status", 0) == status
    alike = TABLE.find("", "/").treatment is TABLE.find("", target.decode()).treatment
    assert alike == (target != b"/own")
    # What is denied is told with the name of the rule, and so is judged anew.
    assert (client.verdict.rule is planned[1].rule) == (alike and status != 403)
