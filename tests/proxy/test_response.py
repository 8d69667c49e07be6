"""The response head toward the client."""

import itertools

import pytest

from corsproxy.proxy.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Kind
from corsproxy.proxy.received import ResponseHead, Status, received_line
from corsproxy.proxy.relay import trailer_lines
from corsproxy.proxy.response import Delivery, Told, delivery, interim_head, response_head, switching_head
from tests.proxy.tables import TABLE, judge

DATE = b"Sun, 22 Nov 2026 00:00:00 GMT"
LENGTH = Framing(Kind.LENGTH, 2)
ALIVE = Delivery(LENGTH, closes=False, version=b"1.1")
ORIGIN = {b"app": (b"Origin", b"https://app.example"), b"evil": (b"Origin", b"https://evil.example")}


def received(status, fields):
    """The head that the upstream sent."""
    return ResponseHead(b"1.1", Status(status, b"OK"), [received_line(*field) for field in fields])


def written(target, origin, *fields, status=200, delivered=ALIVE):
    """The lines of the head that a response becomes, without the status line and the empty line."""
    planned = judge(b"GET", target, *([ORIGIN[origin]] if origin else []))
    head = received(status, fields)
    data = response_head(planned, head, delivered, lambda: DATE)
    assert data.startswith(b"HTTP/1.1 %d OK\r\n" % status)
    assert data.endswith(b"\r\n\r\n")
    return [tuple(line.split(b": ", 1)) for line in data.split(b"\r\n")[1:-2]]


GRANTED = [(b"Access-Control-Allow-Origin", b"https://app.example"), (b"Access-Control-Allow-Credentials", b"true")]
VARY = (b"Vary", b"Origin")
DATED = (b"Date", DATE)


def test_end_to_end_lines_keep_order_case_and_duplicates():
    fields = ((b"X-b", b"1"), (b"set-cookie", b"a=1"), (b"x-a", b"2"), (b"Set-Cookie", b"b=2"), (b"date", b"then"))
    assert written(b"/", b"app", *fields) == [*fields, *GRANTED, VARY]


def test_a_missing_date_is_added():
    """RFC 9110 6.6.1: a recipient with a clock adds the Date that the upstream left out."""
    assert written(b"/", b"app") == [DATED, *GRANTED, VARY]


@pytest.mark.parametrize(
    ("origin", "granted"), [(b"app", GRANTED), (b"evil", []), (None, [])], ids=["allowed", "denied", "no origin"]
)
def test_the_upstreams_own_cors_lines_never_reach_the_client(origin, granted):
    """cors-engines 21 and 22: exactly one of each when allowed, none when denied, whatever the upstream says."""
    fields = (
        (b"Access-Control-Allow-Origin", b"*"), (b"access-control-allow-origin", b"https://evil.example"),
        (b"Access-Control-Allow-Credentials", b"true"), (b"Access-Control-Expose-Headers", b"*"),
        (b"Access-Control-Max-Age", b"1"), (b"Timing-Allow-Origin", b"*"),
    )  # fmt: skip
    assert written(b"/", origin, *fields) == [DATED, *granted, VARY]


def test_without_a_policy_the_upstream_decides():
    fields = ((b"Access-Control-Allow-Origin", b"*"), (b"Vary", b"Accept"))
    assert written(b"/raw", b"evil", *fields) == [*fields, DATED]


@pytest.mark.parametrize(
    ("upstream", "merged"),
    [
        ([b"Accept-Encoding"], b"Accept-Encoding, Origin"),
        ([b"accept", b"Cookie, ORIGIN"], b"accept, Cookie, ORIGIN"),
        ([b"*"], b"*"),
    ],
)
def test_vary_is_merged_and_never_doubled(upstream, merged):
    lines = written(b"/", b"app", *((b"Vary", value) for value in upstream))
    assert [value for name, value in lines if name == b"Vary"] == [merged]


def test_a_constant_answer_varies_on_nothing_of_ours():
    """cors-engines 2: where * is always sent, the answer does not depend on the origin."""
    assert written(b"/open", None, (b"Vary", b"Accept")) == [
        DATED, (b"Access-Control-Allow-Origin", b"*"), (b"Vary", b"Accept")
    ]  # fmt: skip


def test_hop_by_hop_lines_stay_behind():
    fields = ((b"Connection", b"close, Foo"), (b"Foo", b"1"), (b"Keep-Alive", b"1"), (b"Transfer-Encoding", b"chunked"))
    assert written(b"/", None, *fields) == [DATED, VARY]


def test_the_rules_edits_reach_the_client():
    fields = ((b"server", b"x"), (b"x-frame-options", b"ALLOW"))
    assert written(b"/lit", None, *fields) == [DATED, (b"X-Frame-Options", b"DENY"), VARY]


@pytest.mark.parametrize("status", [204, 304])
def test_a_length_where_there_is_none_by_definition(status):
    """RFC 9110 8.6: no Content-Length in a 204; in a 304 it describes the body that a 200 would have."""
    lines = written(b"/", None, (b"Content-Length", b"5"), status=status)
    assert ((b"Content-Length", b"5") in lines) is (status == 304)


@pytest.mark.parametrize(
    ("framing", "version", "closes", "kind", "lines"),
    [
        (LENGTH, b"1.1", False, Kind.LENGTH, []),
        (LENGTH, b"1.1", True, Kind.LENGTH, [(b"Connection", b"close")]),
        (LENGTH, b"1.0", False, Kind.LENGTH, [(b"Connection", b"keep-alive")]),
        (CHUNKED, b"1.1", False, Kind.CHUNKED, [(b"Transfer-Encoding", b"chunked")]),
        (UNTIL_CLOSE, b"1.1", False, Kind.CHUNKED, [(b"Transfer-Encoding", b"chunked")]),
        (CHUNKED, b"1.0", False, Kind.CLOSE, [(b"Connection", b"close")]),
        (UNTIL_CLOSE, b"1.0", False, Kind.CLOSE, [(b"Connection", b"close")]),
        (NO_BODY, b"1.1", False, Kind.NONE, []),
    ],
)
def test_the_clients_framing(framing, version, closes, kind, lines):
    delivered = delivery(framing, version=version, closes=closes)
    assert delivered.framing.kind is kind
    assert written(b"/", None, delivered=delivered) == [DATED, VARY, *lines]


def test_exposing_everything_with_credentials_names_what_is_there():
    from corsproxy.config.load import load_config  # noqa: PLC0415
    from corsproxy.proxy.plan import plan  # noqa: PLC0415
    from corsproxy.proxy.request import Client, Fields, RequestHead  # noqa: PLC0415

    table = load_config(
        'rules: [{path: /, upstream: "http://x", policy: {allow_origins: [https://app.example], '
        'allow_credentials: true, expose_headers: ["*"]}}]',
        "t.yaml",
        {},
    ).table
    planned = plan(
        table, RequestHead(b"GET", b"/", b"1.1", Fields(((b"Host", b"h"), ORIGIN[b"app"]))), Client(None, tls=False)
    )
    fields = ((b"X-B", b"1"), (b"ETag", b"e"), (b"Set-Cookie", b"a"), (b"Content-Type", b"t"), (b"date", b"d"))
    data = response_head(planned, received(200, fields), ALIVE, lambda: DATE)
    assert b"\r\nAccess-Control-Expose-Headers: date, etag, x-b\r\n" in data


def test_redirects_into_the_upstream_come_back_through_the_proxy():
    lines = written(b"/strict", None, (b"Location", b"http://up.internal:8000/base/x?y"), status=302)
    assert (b"Location", b"/strict/x?y") in lines


def test_references_into_the_upstream_come_back_wherever_they_stand():
    fields = (
        (b"Refresh", b"0; url=http://up.internal:8000/base/x"), (b"Link", b"</base/a>; rel=next, <https://cdn.example/b>"),
        (b"content-location", b"/base/x"),
    )  # fmt: skip
    assert written(b"/strict", None, *fields) == [
        (b"Refresh", b"0; url=/strict/x"), (b"Link", b"</strict/a>; rel=next, <https://cdn.example/b>"),
        (b"content-location", b"/strict/x"), DATED, VARY,
    ]  # fmt: skip


def test_a_switch_of_protocols_keeps_its_own_lines():
    planned = judge(b"GET", b"/", ORIGIN[b"app"], (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    head = received(101, ((b"Sec-WebSocket-Accept", b"x"), (b"Connection", b"upgrade")))
    data = switching_head(planned, head, lambda: DATE)
    assert data.startswith(b"HTTP/1.1 101 OK\r\nSec-WebSocket-Accept: x\r\n")
    assert data.endswith(b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")


def test_an_interim_head_passes_without_cors_and_hop_by_hop_lines():
    fields = ((b"Link", b"</base/x>"), (b"Access-Control-Allow-Origin", b"*"), (b"Connection", b"Foo"), (b"Foo", b"1"))
    planned = judge(b"GET", b"/strict")
    assert interim_head(planned, received(103, fields)) == b"HTTP/1.1 103 OK\r\nLink: </strict/x>\r\n\r\n"


def test_trailers_that_decide_something_have_no_place():
    """RFC 9110 6.5.1: framing, routing and access are not decided late."""
    trailers = ((b"X-Sum", b"1"), (b"Content-Length", b"9"), (b"access-control-allow-origin", b"*"), (b"Vary", b"x"))
    assert trailer_lines(trailers) == b"X-Sum: 1\r\n"


def test_the_rules_of_the_table_are_found_by_their_longest_prefix():
    assert TABLE.find("any.example", "/strict/x").path == "/strict"
    assert TABLE.find("any.example", "/strictly").path == "/"
    assert TABLE.find("only.example", "/only/x").host == "only.example"


PLANNED = [
    judge(b"GET", target, *fields)
    for target in (b"/", b"/open", b"/raw", b"/lit", b"/likewise/x")
    for fields in ((), (ORIGIN[b"app"],), (ORIGIN[b"evil"],))
]
RESPONSES = [
    received(200, ((b"Content-Length", b"2"), (b"Vary", b"Accept"), (b"Date", b"then"))),
    received(200, ((b"Content-Length", b"2"), (b"Connection", b"keep-alive"))),
    received(204, ((b"Server", b"x"),)),
]

FRAMINGS = [LENGTH, NO_BODY, CHUNKED, UNTIL_CLOSE]
LATER = b"Sun, 22 Nov 2026 00:00:01 GMT"


def told(head, client):
    """How a client is told of a head, and the bytes."""
    planned, framing, version, closes, date = client
    delivered = delivery(framing, version=version, closes=closes)
    return delivered, response_head(planned, head, delivered, lambda: date)


CONNECTIONS = [*itertools.product(FRAMINGS, [b"1.0", b"1.1"], [False, True], [DATE, LATER])]
PAIRS = [
    *(((one, *CONNECTIONS[0]), (other, *CONNECTIONS[0])) for one, other in itertools.product(PLANNED, repeat=2)),
    *(((PLANNED[1], *one), (PLANNED[1], *other)) for one, other in itertools.product(CONNECTIONS, repeat=2)),
]


@pytest.mark.parametrize("head", RESPONSES)
def test_what_one_client_was_told_serves_nobody_who_would_be_told_otherwise(head):
    for one, other in PAIRS:
        assert_serves_none_but_its_like(head, one, other)


def assert_serves_none_but_its_like(head, one, other):
    delivered, data = told(head, one)
    remembered = Told(one[0], head, one[1], delivered, lambda: one[4], data)
    planned, framing, version, closes, date = other
    if remembered.serves(planned, framing, version, lambda: date, closes=closes):
        again, expected = told(head, other)
        assert remembered.data == expected
        assert (remembered.delivered.framing, remembered.delivered.closes) == (again.framing, again.closes)
    else:
        assert one != other or remembered.delivered.closes != closes


def test_rules_that_treat_answers_alike_tell_the_same():
    one, other, own = (judge(b"GET", target, ORIGIN[b"app"]) for target in (b"/", b"/likewise/x", b"/lit"))
    connection = (LENGTH, b"1.1", False, DATE)
    delivered, data = told(RESPONSES[0], (one, *connection))
    remembered = Told(one, RESPONSES[0], LENGTH, delivered, lambda: DATE, data)
    assert remembered.serves(other, LENGTH, b"1.1", lambda: DATE, closes=False)
    assert not remembered.serves(own, LENGTH, b"1.1", lambda: DATE, closes=False)
