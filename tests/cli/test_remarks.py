"""What dev says besides the verdict: each remark, and the silence where there is nothing to say."""

from __future__ import annotations

import errno
import io
import re
import socket

import pytest

from corsproxy.cli.dev import dev_config, local_network_access
from corsproxy.cli.exchange_lines import ExchangePrinter
from corsproxy.cli.local_certificate import Certificate
from corsproxy.cli.remarks import Comment, Commentator, Remark, answers, localhost
from corsproxy.config.load import compile_config, load_config
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.proxy.exchange import Exchange
from corsproxy.proxy.request import header_line
from tests.documents import ROOT, Document

API = "https://api.example.com"
PAGE = b"http://localhost:5173"
RULE = compile_config(dev_config(API, (), "localhost:8080")).table.rules[0]
TLS_RULE = compile_config(dev_config(API, (), "localhost:8443", Certificate("c", "k"))).table.rules[0]
ALLOWED = Decision(Outcome.ALLOWED)


def exchange(*answered, rule=RULE, status=200, origin=PAGE, host=b"localhost:8080", **settings):
    """The record of an exchange with these lines of the upstream."""
    settings = {"decision": ALLOWED, "upstream": API} | settings
    return Exchange("127.0.0.1", b"GET", b"/x", host, origin, rule=rule, status=status, answered=answered, **settings)


def cookie(value):
    return (b"set-cookie", value)


def never(host, port):
    raise AssertionError((host, port))


def rule_to(url):
    return load_config(f"rules: [{{upstream: '{url}', policy: none}}]", "c", {}).table.rules[0]


def comment(exchange, answers):
    return Commentator(answers)(exchange)


# What was rewritten.

HOST = "Host -> api.example.com"
TOLD = (
    header_line(b"Accept", b"*/*"),
    header_line(b"Referer", PAGE + b"/page?x"),
    header_line(b"Origin", PAGE),
    header_line(b"Sec-Fetch-Site", b"same-site"),
)
OWN = header_line(b"Origin", API.encode())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"passed": TOLD}, [f"Host, Referer, Origin -> {API}", "-Sec-Fetch-Site"]),
        ({"passed": TOLD[:1]}, [HOST]),
        ({"passed": (OWN,), "host": b"api.example.com"}, []),
        ({"passed": TOLD, "decision": Decision(Outcome.DENIED_ORIGIN)}, [HOST]),  # no stranger is disguised
        ({"passed": TOLD, "upstream": ""}, []),  # a preflight, or nobody was reached
        ({"passed": TOLD, "rule": None}, []),
    ],
)
def test_what_the_api_hears_otherwise_than_it_was_said(settings, said):
    assert comment(exchange(**settings), never).rewrites == tuple(said)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("forward_host: preserve", []),
        ("forward_host: a.example", ["Host -> a.example"]),
        ("forward_origin: remove", [HOST, "-Referer -Origin -Sec-Fetch-Site"]),
        ("forward_origin: 'https://b.example'", [HOST, "Referer, Origin -> https://b.example", "-Sec-Fetch-Site"]),
    ],
)
def test_a_rule_may_tell_it_otherwise(keys, said):
    text = f"rules: [{{upstream: '{API}', policy: {{allow_origins: '*'}}, {keys}}}]"
    rule = load_config(text, "c", {}).table.rules[0]
    assert comment(exchange(rule=rule, passed=TOLD), never).rewrites == tuple(said)


GRANTS = ((b"access-control-allow-origin", b"*"), (b"Vary", b"Origin"), (b"Timing-Allow-Origin", b"*"))
REPLACED = "the API's Access-Control-Allow-Origin, Timing-Allow-Origin replaced"


@pytest.mark.parametrize(("rule", "said"), [(RULE, [REPLACED]), (rule_to(API), [])])
def test_the_apis_own_grants(rule, said):
    assert comment(exchange(*GRANTS, *GRANTS, rule=rule), never).rewrites == (HOST, *said)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ((b"Location", b"https://api.example.com/login?a"), "Location -> /login?a"),
        ((b"content-location", b"//api.example.com/x"), "Content-Location -> /x"),
        ((b"REFRESH", b"0; url=https://api.example.com/"), "Refresh -> 0; url=/"),
        ((b"Link", b"<https://api.example.com/b>; rel=next"), "Link -> </b>; rel=next"),
        (cookie(b"sid=secret; Domain=api.example.com; Path=/; Secure; SameSite=None"),
         "cookie sid -Domain=api.example.com -Secure -SameSite=None +SameSite=Lax"),
        (cookie(b"secret; Secure"), "cookie  -Secure +SameSite=Lax"),
    ],
)  # fmt: skip
def test_what_was_rewritten(line, said):
    assert comment(exchange(line), never) == Comment((HOST, said))


@pytest.mark.parametrize(
    "line",
    [(b"Location", b"/login"), (b"Location", b"https://else.example/"), cookie(b"a=1; SameSite=Lax"), (b"X-A", b"b")],
)
def test_what_passes_untouched_is_not_mentioned(line):
    assert comment(exchange(line), never) == Comment((HOST,))


@pytest.mark.parametrize(
    ("line", "settings", "why"),
    [
        (b"__Host-a=1; Path=/x", {}, "__Host-a: its name promises Secure, which it has not"),
        (b"a=1", {"origin": b"http://127.0.0.1:5173"},
         "a: it has SameSite=Lax, and a page on http://127.0.0.1 is of another site than http://localhost"),
        (b"a=1; SameSite=None", {"rule": TLS_RULE, "scheme": "https"}, "a: SameSite=None needs Secure"),
        (b"a=1; Secure", {"rule": TLS_RULE, "host": b"192.0.2.7:80"},
         "a: it has Secure, and http://192.0.2.7 is not secure"),
        (b"a=1; SameSite=Lax", {"rule": TLS_RULE, "scheme": "https", "host": b"[::1]:8443"},
         "a: it has SameSite=Lax, and a page on http://localhost is of another site than https://[::1]"),
    ],
)  # fmt: skip
def test_a_cookie_that_the_browser_will_refuse(line, settings, why):
    assert comment(exchange(cookie(line), **settings), never).remarks == (
        Remark("cookie", f"the browser will refuse {why}"),
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"origin": b"http://127.0.0.1:5173", "decision": Decision(Outcome.DENIED_ORIGIN)},  # it gets nothing anyway
        {"origin": b"null"},
        {"origin": b""},
        {"host": b"a/b"},
        {"rule": None},
    ],
)
def test_where_nothing_is_known_of_the_page_nothing_is_said_of_the_cookie(settings):
    assert comment(exchange(cookie(b"a=1; SameSite=Lax"), **settings), never).remarks == ()


@pytest.mark.parametrize("target", [b"https://login.example/x", b"//login.example", b"HTTP://u@login.example?x"])
def test_a_redirect_that_leaves_the_proxy(target):
    text = "it leads to login.example, past this proxy; that server has to allow the origin null"
    assert comment(exchange((b"Location", target), status=302), never).remarks == (Remark("redirect", text),)


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        (b"/x", {"status": 302}),
        (b"https://api.example.com/x", {"status": 302}),
        (b"http://localhost:8080/x", {"status": 307}),
        (b"https://login.example/x", {"status": 201}),
        (b"https://login.example/x", {"status": 302, "origin": b""}),  # a navigation: no CORS, and no harm
        (b"https://login.example/x", {"status": 302, "decision": Decision(Outcome.SAME_ORIGIN)}),
        (b"mailto:a@b.example", {"status": 302}),
    ],
)
def test_a_redirect_that_does_no_harm(target, settings):
    assert comment(exchange((b"Location", target), **settings), never).remarks == ()


BOTH = ["::1", "127.0.0.1"]


@pytest.mark.parametrize(
    ("url", "listening", "localhost", "text"),
    [
        ("http://127.0.0.1:5000", "::1", BOTH, "nobody answers at 127.0.0.1, but at ::1; name it http://localhost:5000"),
        ("https://[::1]:5000", "127.0.0.1", BOTH,
         "nobody answers at ::1, but at 127.0.0.1; name it https://localhost:5000"),
        ("http://127.0.0.1:5000", "::1", ["127.0.0.1"],
         "nobody answers at 127.0.0.1, but at ::1; name it http://[::1]:5000"),
        ("http://localhost:5000", "::1", ["127.0.0.1"],
         "nobody answers at 127.0.0.1, but at ::1; name it http://[::1]:5000"),
        ("https://localhost:5000", "127.0.0.1", ["::1"],
         "nobody answers at ::1, but at 127.0.0.1; name it https://127.0.0.1:5000"),
        ("http://127.0.0.1:5000", "", BOTH, ""),
        ("http://127.0.0.1:5000", "127.0.0.1 ::1", BOTH, ""),  # it was refused for another reason: a certificate
        ("http://localhost:5000", "", [], ""),
        ("http://192.0.2.1:5000", "::1", BOTH, ""),
    ],
)  # fmt: skip
def test_an_upstream_that_is_only_on_the_other_loopback_family(url, listening, localhost, text):
    commentator = Commentator(lambda host, port: host in listening.split() and port == 5000, lambda: localhost)
    down = exchange(rule=rule_to(url), status=502, upstream="", failure="refused")
    assert commentator(down).remarks == ((Remark("upstream", text),) if text else ())


@pytest.mark.parametrize("settings", [{"status": 504}, {"rule": None}])
def test_only_an_upstream_that_was_not_reached_is_looked_for(settings):
    down = {"rule": rule_to("http://127.0.0.1:5000"), "status": 502, "upstream": ""} | settings
    assert comment(exchange(**down), never).remarks == ()


@pytest.mark.parametrize(
    ("listening", "localhost", "said"),
    [
        ({"127.0.0.1"}, BOTH, ("::1", "127.0.0.1")),
        ({"::1"}, ["127.0.0.1", "::1"], ("127.0.0.1", "::1")),
        ({"::1"}, BOTH, None),
        ({"127.0.0.1", "::1"}, BOTH, None),
        ({"127.0.0.1"}, ["127.0.0.1"], None),
        (set(), BOTH, None),  # it has gone in between
        ({"127.0.0.1"}, [], None),
    ],
)
def test_an_upstream_that_localhost_finds_at_its_second_address(listening, localhost, said):
    """The exchange went well, and yet it is told; it is looked at once."""
    asked = []

    def answers(host, port):
        asked.append((host, port))
        return host in listening

    commentator = Commentator(answers, lambda: localhost)
    reached = exchange(rule=rule_to("http://localhost:5000"), upstream="http://localhost:5000")
    text = "nobody answers at {}, which localhost means first, but at {}; have it listen on both"
    assert commentator(reached).remarks == ((Remark("upstream", text.format(*said)),) if said else ())
    assert set(asked) <= {("127.0.0.1", 5000), ("::1", 5000)}
    asked.clear()
    assert commentator(reached).remarks == ()
    assert asked == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", API])
def test_an_address_that_was_reached_is_the_right_one(url):
    assert comment(exchange(rule=rule_to(url), upstream=url), never).remarks == ()


def test_what_localhost_means(monkeypatch):
    assert set(localhost()) <= {"127.0.0.1", "::1"}
    assert localhost()

    def unknown(*_, **__):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert localhost() == []


def test_whether_somebody_listens(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        assert answers(*address)
    assert answers(*address) is False

    def without_ipv6(*_):
        raise OSError(errno.EADDRNOTAVAIL, "no such address")

    monkeypatch.setattr(socket, "create_connection", without_ipv6)
    assert answers("::1", 80) is None


def test_the_line_tells_the_rewrites_and_each_remark_is_made_once():
    out = io.StringIO()
    printer = ExchangePrinter(out, comment=Commentator(never))
    for _ in range(2):
        printer(exchange(cookie(b"__Host-\x9b=1")))
    first, remark, second = out.getvalue().splitlines()
    assert first.endswith(r"allowed  [Host -> api.example.com]  [cookie __Host-\x9b +SameSite=Lax]")
    assert second.endswith(r"allowed  [Host -> api.example.com]  [cookie __Host-\x9b +SameSite=Lax]")
    assert remark == r"    cookie:  the browser will refuse __Host-\x9b: its name promises Secure, which it has not"


def test_a_remark_is_made_where_lines_are_not_wanted():
    out = io.StringIO()
    printer = ExchangePrinter(out, sample=None, comment=Commentator(never))
    printer(exchange((b"Location", b"https://api.example.com/")))
    assert out.getvalue() == ""
    printer(exchange((b"Location", b"https://login.example/"), status=303))
    assert "redirect: it leads to login.example" in out.getvalue()


ASKS = "before a page of {} may reach this machine, Chromium asks its user (Local Network Access)"
REFUSES = ASKS + "; a page that came over http is refused unasked"


@pytest.mark.parametrize(
    ("origins", "listen", "said"),
    [
        ((), "localhost:8080", []),
        (("https://app.test", "http://localhost:*"), "localhost:8080", [ASKS.format("https://app.test")]),
        (("http://*.dev.test:*",), "[::1]:8080", [REFUSES.format("http://*.dev.test:*")]),
        (("*",), "127.0.0.1:8080", [REFUSES.format("*")]),
        (("http://[::1]:5173", "https://*.localhost", "http://127.0.0.1:80"), "localhost:8080", []),
        (("https://app.test",), "0.0.0.0:8080", []),
    ],
)
def test_chromium_asks_before_a_page_of_elsewhere_reaches_this_machine(origins, listen, said):
    assert local_network_access(origins, listen) == said


def test_the_log_in_the_documentation_is_what_is_printed():
    page, out = {"origin": b"http://127.0.0.1:5173", "passed": TOLD[2:3]}, io.StringIO()
    printer = ExchangePrinter(out, comment=Commentator(never))
    log_in = exchange(cookie(b"sid=1; Domain=api.example.com; Secure"), **page)
    log_in.method, log_in.target, log_in.duration = b"POST", b"/login", 0.012
    account = exchange((b"Location", b"https://login.example.com/"), status=302, **page)
    account.target, account.duration = b"/account", 0.008
    for record in (log_in, account):
        printer(record)
    (shown,) = Document(ROOT / "docs/dev.md").of("text")
    time = re.compile(r"^\d\d:\d\d:\d\d", re.MULTILINE)
    assert time.sub("", out.getvalue()) == time.sub("", shown.text)
