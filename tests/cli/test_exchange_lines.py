"""What is printed of an exchange: a table from records to lines, and what a client cannot do to them."""

from __future__ import annotations

import io
import re
import time

import pytest

from corsproxy.cli import exchange_lines, remarks
from corsproxy.cli.exchange_lines import ExchangePrinter
from corsproxy.cli.remarks import Comment, Remark
from corsproxy.config.load import load_config
from corsproxy.cors.decision import NO_POLICY, Decision, Outcome
from corsproxy.cors.flip import NO_RULE, Change, Difference, Flip
from corsproxy.proxy.exchange import Exchange

RULE = load_config(
    "rules: [{path: /api, upstream: 'http://a', policy: web-app}]\npolicies: {web-app: {allow_origins: https://a.test}}",
    "config.yaml",
    {},
).table.rules[0]

BROWSER = (
    "Access to fetch at 'http://api.test/api/x' from origin 'https://b.test' has been blocked by CORS policy: {}"
    "No 'Access-Control-Allow-Origin' header is present on the requested resource."
)
CHECK = "Response to preflight request doesn't pass access control check: "


def exchange(outcome=Outcome.ALLOWED, subject=b"", **fields):
    record = {
        "client": "127.0.0.1",
        "method": b"GET",
        "target": b"/api/x",
        "host": b"api.test",
        "origin": b"https://b.test",
        "rule": RULE,
        "decision": Decision(outcome, subject=subject),
        "status": 200,
        "duration": 0.0123,
    }
    return Exchange(**{**record, **fields})


def printed(*exchanges, **options):
    """The lines, without the time of day, which each exchange's first line begins with."""
    stream = io.StringIO()
    printer = ExchangePrinter(stream, **options)
    for record in exchanges:
        printer(record)
    assert stream.getvalue().endswith("\n") or not stream.getvalue()
    return [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in stream.getvalue().split("\n")[:-1]]


# The line.


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (exchange(), "GET      /api/x  200  12 ms  https://b.test  allowed"),
        (exchange(Outcome.NOT_CORS, origin=b""), "GET      /api/x  200  12 ms  -  no Origin header, so not CORS"),
        (
            exchange(Outcome.PREFLIGHT_ALLOWED, method=b"OPTIONS", status=204, duration=0.0001),
            "OPTIONS  /api/x  204  0 ms  https://b.test  preflight allowed",
        ),
        (
            exchange(status=502, failure="http://a: it cannot be reached"),
            "GET      /api/x  502  12 ms  https://b.test  allowed  (http://a: it cannot be reached)",
        ),
        (
            exchange(Outcome.NO_POLICY, status=0, rule=None, failure="the client went away", duration=12.5),
            "GET      /api/x  ---  12500 ms  https://b.test  no policy  (the client went away)",
        ),
        (
            exchange(Outcome.NO_POLICY, status=400, method=b"", target=b"", origin=b"", rule=None),
            "           400  12 ms  -  no policy",  # a head that nobody could read
        ),
        (
            exchange(Outcome.NOT_CORS, origin=b"", method=b"PROPFIND"),
            "PROPFIND  /api/x  200  12 ms  -  no Origin header, so not CORS",
        ),
    ],
)
def test_an_exchange_is_a_line(record, line):
    assert printed(record) == [line]


def test_a_line_begins_with_the_time_of_day():
    stream = io.StringIO()
    ExchangePrinter(stream)(exchange())
    assert re.match(r"\d\d:\d\d:\d\d  GET ", stream.getvalue())


VERDICTS = {
    Outcome.NO_POLICY: "no policy",
    Outcome.NOT_CORS: "no Origin header, so not CORS",
    Outcome.SAME_ORIGIN: "same origin, so not CORS",
    Outcome.ALLOWED: "allowed",
    Outcome.DENIED_ORIGIN: "blocked: the origin is not allowed",
    Outcome.PREFLIGHT_ALLOWED: "preflight allowed",
    Outcome.PREFLIGHT_DENIED_ORIGIN: "preflight blocked: the origin is not allowed",
    Outcome.PREFLIGHT_DENIED_METHOD: "preflight blocked: the method is not allowed",
    Outcome.PREFLIGHT_DENIED_HEADERS: "preflight blocked: request headers are not allowed",
    Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK: "preflight blocked: private network access is not allowed",
}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_its_words(outcome):
    (line, *_) = printed(exchange(outcome, b"https://b.test"))
    assert line.split("  ")[-1] == VERDICTS[outcome]


# The explanation.


@pytest.mark.parametrize(
    ("outcome", "subject", "check", "fix"),
    [
        (Outcome.DENIED_ORIGIN, b"https://b.test", "", "add `- https://b.test` to allow_origins of policy web-app"),
        (
            Outcome.PREFLIGHT_DENIED_ORIGIN,
            b"https://b.test",
            CHECK,
            "add `- https://b.test` to allow_origins of policy web-app",
        ),
        (Outcome.PREFLIGHT_DENIED_METHOD, b"PUT", CHECK, "add `PUT` to allow_methods of policy web-app"),
        (Outcome.PREFLIGHT_DENIED_HEADERS, b"x-a, x-b", CHECK, "add `x-a, x-b` to allow_headers of policy web-app"),
        (
            Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK,
            b"https://b.test",
            CHECK,
            "set `allow_private_network: true` in policy web-app",
        ),
    ],
)
def test_what_is_denied_is_explained(outcome, subject, check, fix):
    """The very sentence of the browser, the rule with its place, and the smallest change."""
    assert printed(exchange(outcome, subject))[1:] == [
        f"    browser: {BROWSER.format(check)}",
        "    rule:    /api (config.yaml:1:9), policy web-app (config.yaml:2:12)",
        f"    fix:     {fix}",
    ]


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if not outcome.denied])
def test_what_is_not_denied_needs_no_explanation(outcome):
    assert len(printed(exchange(outcome))) == 1
    assert printed(exchange(outcome), sample=None) == []


def test_a_refused_websocket_has_a_sentence_of_its_own():
    record = exchange(Outcome.DENIED_ORIGIN, b"https://b.test", status=403, websocket=True, scheme="https")
    assert printed(record)[1] == (
        "    browser: WebSocket connection to 'wss://api.test/api/x' failed: "
        "Error during WebSocket handshake: Unexpected response code: 403"
    )


def test_the_fix_is_in_the_words_of_whoever_started_it():
    record = exchange(Outcome.DENIED_ORIGIN, b"https://b.test")
    lines = printed(record, advise=lambda decision, name: f"allow {decision.subject.decode()} in {name}")
    assert lines[3] == "    fix:     allow https://b.test in web-app"


def test_a_cause_is_explained_once():
    """A page that tries again every second does not bury the rest; another cause is another matter."""
    denied = exchange(Outcome.DENIED_ORIGIN, b"https://b.test")
    others = [
        exchange(Outcome.DENIED_ORIGIN, b"https://c.test"),
        exchange(Outcome.PREFLIGHT_DENIED_ORIGIN, b"https://b.test"),
        exchange(Outcome.DENIED_ORIGIN, b"https://b.test", websocket=True, status=403),
    ]
    assert len(printed(denied, denied, denied)) == 4 + 1 + 1
    assert len(printed(denied, *others, denied)) == 4 * 4 + 1


def test_only_denials_are_printed_where_nothing_else_is_wanted():
    denied = exchange(Outcome.DENIED_ORIGIN, b"https://b.test")
    lines = printed(exchange(), denied, exchange(), denied, sample=None)
    assert len(lines) == 4
    assert lines[0].endswith("blocked: the origin is not allowed")


def test_a_denial_without_a_policy_is_a_line_alone():
    """There is no rule to name; it cannot happen, and must not fail."""
    assert len(printed(exchange(Outcome.DENIED_ORIGIN, rule=None))) == 1


def test_the_memory_of_causes_has_a_bound(monkeypatch):
    """An upstream can make up cookies without end; what has been forgotten is said again."""
    monkeypatch.setattr(exchange_lines, "_REMARKS_REMEMBERED", 3)
    stream = io.StringIO()
    remarks = (Comment(remarks=(Remark("cookie", f"{number % 5}" + "a" * 60_000),)) for number in range(10))
    printer = ExchangePrinter(stream, comment=lambda _: next(remarks))
    for _ in range(10):
        printer(exchange())
        assert len(printer._remarked) <= 3
    assert max(len(text) for _, text in printer._remarked) == 200
    assert stream.getvalue().count("cookie:") == 10


def test_causes_that_come_again_are_counted():
    denied = exchange(Outcome.DENIED_ORIGIN, b"https://b.test")
    lines = printed(*[denied] * 100, sample=None)
    assert len(lines) == 4 + 2 + 2
    assert lines[5::2] == [
        f"    again:   {count} times by now, /api (config.yaml:1:9), policy web-app (config.yaml:2:12)"
        for count in (10, 100)
    ]


def test_a_flood_of_made_up_origins_is_a_few_lines():
    flood = [exchange(Outcome.DENIED_ORIGIN, b"https://%d.test" % number, duration=0.0) for number in range(2000)]
    lines = printed(*flood, sample=None)
    assert len(lines) == 4 * 100 + 2 * 4  # those that are named, then the first, tenth, hundredth and thousandth more
    assert lines[401].startswith("    more:    too many causes to name each")
    assert lines[-1].startswith("    again:   1000 times by now, /api")


# What clients send.

HOSTILE = [
    b"\x1b[2J\x1b]0;owned\x07",  # clears a terminal, and names its window
    b"/x\n10:00:00  GET      /admin  200  1 ms  -  allowed",  # a forged line
    b"/x\r\x00\x08\x7f",
    b"/\x9b31m",  # C1: the one-byte form of ESC [
    "/\u202egpj.exe".encode(),  # turns the direction of the text
    b"/\xff\xfe",
]


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize("field", ["method", "target", "host", "origin"])
def test_nothing_of_a_client_reaches_the_terminal_unescaped(field, bad):
    record = exchange(Outcome.DENIED_ORIGIN, bad, **{field: bad})
    lines = printed(record, exchange(Outcome.PREFLIGHT_DENIED_HEADERS, bad, **{field: bad}))
    assert len(lines) == 8
    assert all(line.isascii() and line.isprintable() for line in lines)


@pytest.mark.parametrize("bad", HOSTILE)
def test_nor_does_what_an_upstream_made_of_it(bad):
    (line,) = printed(exchange(failure=bad.decode("latin-1")))
    assert line.isascii()
    assert line.isprintable()


# Colours.


def test_colours_are_for_terminals_alone():
    everything = [exchange(outcome, b"https://b.test", failure="x") for outcome in Outcome]
    assert not any("\x1b" in line for line in printed(*everything))


@pytest.mark.parametrize(
    ("record", "painted"),
    [
        (exchange(), "\x1b[32mallowed\x1b[0m"),
        (exchange(Outcome.PREFLIGHT_ALLOWED), "\x1b[32mpreflight allowed\x1b[0m"),
        (exchange(Outcome.NOT_CORS), "\x1b[2mno Origin header, so not CORS\x1b[0m"),
        (exchange(Outcome.DENIED_ORIGIN), "\x1b[31mblocked: the origin is not allowed\x1b[0m"),
        (exchange(status=200), "  200  "),
        (exchange(status=404), "  \x1b[33m404\x1b[0m  "),
        (exchange(status=502), "  \x1b[31m502\x1b[0m  "),
        (exchange(status=0), "  \x1b[31m---\x1b[0m  "),
        (exchange(failure="it broke"), "\x1b[33m(it broke)\x1b[0m"),
        (exchange(origin=b"\x1b[31m"), "  \\x1b[31m  "),
    ],
)
def test_on_a_terminal_the_verdict_is_seen_at_a_glance(record, painted):
    assert painted in printed(record, colour=True)[0]


# The stream.


class Broken(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, text):
        raise BrokenPipeError


def test_a_stream_that_is_broken_breaks_nobody():
    printer = ExchangePrinter(Broken())
    printer.say("listening")
    printer(exchange())


def test_a_stream_of_few_characters_gets_what_it_can_hold():
    """The names in a configuration are the user's own; a machine without UTF-8 still has to log."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        printer = ExchangePrinter(stream, advise=lambda _, __: "añade esto \udce9")
        printer.say("listening on ñ")
        printer(exchange(Outcome.DENIED_ORIGIN))
        said = raw.getvalue().decode("ascii")
    assert said.startswith("listening on \\xf1\n")
    assert said.endswith("fix:     a\\xf1ade esto \\udce9\n")


# Whatever could forge a line, move a cursor, set a title, or reorder what people read.
NASTY = {
    "CR LF": b"\r\n12:00:00  GET      /forged",
    "NUL": b"\x00",
    "escape": b"\x1b[2J\x1b[31m",
    "title": b"\x1b]0;pwned\x07",
    "backspace": b"\x08\x08",
    "delete": b"\x7f",
    "C1 CSI": b"\x9b2J",
    "C1 CSI in UTF-8": "\u009b2J".encode(),
    "next line": "\u0085".encode(),
    "line separator": "\u2028".encode(),
    "right-to-left override": "\u202e".encode(),
    "isolate": "\u2066".encode(),
    "zero width": "\u200b".encode(),
    "no UTF-8": b"\xff\xfe",
}
PLACES = {
    "method": lambda nasty: {"method": b"GET" + nasty},
    "target": lambda nasty: {"target": b"/api/" + nasty},
    "host": lambda nasty: {"host": b"api.test" + nasty},
    "origin": lambda nasty: {"origin": b"https://" + nasty},
    "failure": lambda nasty: {"failure": "it said " + nasty.decode("latin-1")},
    "location": lambda nasty: {"answered": [(b"Location", b"/" + nasty)], "status": 302},
    "cookie": lambda nasty: {"answered": [(b"Set-Cookie", nasty + b"=1; Domain=" + nasty)]},
}


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY.keys())
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("outcome", [Outcome.ALLOWED, Outcome.DENIED_ORIGIN, Outcome.PREFLIGHT_DENIED_HEADERS])
def test_no_line_is_forged_and_no_terminal_obeys(nasty, place, outcome):
    record = exchange(outcome, nasty, **place(nasty))
    plain = printed(exchange(outcome, b"x-a"), comment=remarks.Commentator())
    lines = printed(record, comment=remarks.Commentator())
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert not any(line.startswith("GET      /forged") for line in lines)
    assert [line[:13] for line in lines if line[:4] == "    "][: len(plain) - 1] == [line[:13] for line in plain[1:]]


def test_secrets_in_a_target_are_not_printed():
    lines = printed(exchange(Outcome.DENIED_ORIGIN, b"https://b.test", target=b"/api/x?access_token=abcdef&a=1"))
    assert "abcdef" not in "".join(lines)
    assert "/api/x?access_token=***&a=1" in lines[0]
    assert "/api/x?access_token=***&a=1" in lines[1]  # the browser's sentence names the URL


# The shadow.

FLIP = Flip(
    Difference(Change.NEWLY_DENIED, Outcome.DENIED_ORIGIN, b"https://b.test"),
    Decision(Outcome.DENIED_ORIGIN, subject=b"https://b.test"),
    *("/api", "tried.yaml:4:5", "web", "tried.yaml:2:3"),
)
GAINED = Flip(Difference(Change.NEWLY_ALLOWED, NO_RULE), Decision(Outcome.ALLOWED), "/", "tried.yaml:4:5", "none")


def test_what_the_shadow_would_do_is_told_below_the_exchange_once_and_then_counted():
    lines = printed(*[exchange(shadow=FLIP)] * 10)
    assert lines[1:4] == [
        "    shadow:  would be denied: the origin https://b.test is not allowed",
        "    there:   /api (tried.yaml:4:5), policy web (tried.yaml:2:3)",
        "    fix:     add `- https://b.test` to allow_origins of policy web",
    ]
    assert [line for line in lines[4:] if line.startswith(" ")] == [
        "    shadow:  newly-denied, 10 times by now, /api (tried.yaml:4:5), policy web (tried.yaml:2:3)"
    ]


def test_of_a_flip_that_takes_nothing_away_there_is_nothing_to_mend():
    assert printed(exchange(shadow=GAINED, rule=None), sample=None)[1:] == [
        "    shadow:  would be allowed; it is denied now: no rule matches",
        "    there:   / (tried.yaml:4:5), policy none",
    ]
    assert printed(exchange(shadow=Flip(Difference(Change.NEWLY_DENIED, NO_RULE), NO_POLICY)))[2:] == [
        "    there:   no rule",
        "    fix:     add a rule for this host and path to the shadow",
    ]


def test_flips_of_made_up_origins_are_counted_as_one():
    lines = printed(*(exchange(shadow=FLIP, origin=b"https://%d.test" % number) for number in range(101)), sample=None)
    assert lines[-1].startswith("    shadow:  too many verdicts differ to name each; counted from here on, /api (tried")


def test_the_time_of_day_goes_on_with_the_clock_of_exchanges(monkeypatch):
    """The system is asked once in a second, and by the next exchange after that the time is right again."""
    asked = iter([1_700_000_000.25, 1_700_000_001.5])
    monkeypatch.setattr(exchange_lines, "_now", lambda: next(asked))
    stream = io.StringIO()
    printer = ExchangePrinter(stream)
    for started in (50.0, 50.7, 50.75):
        printer(exchange(started=started, duration=0.0))
    times = [line[:8] for line in stream.getvalue().splitlines()]
    assert times[0] == times[1] != times[2]
    assert times[2] == time.strftime("%H:%M:%S", time.localtime(1_700_000_001))
