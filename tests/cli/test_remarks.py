"""What dev says besides the verdict: each remark, and the silence where there is nothing to say."""

from __future__ import annotations

import io
import re
import socket

import pytest

from corsproxy.cli.dev import dev_config, local_network_access
from corsproxy.cli.exchange_lines import ExchangePrinter
from corsproxy.cli.local_certificate import Certificate
from corsproxy.cli.remarks import Comment, Remark, answers, comment
from corsproxy.config.load import compile_config, load_config
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.proxy.exchange import Exchange
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
    assert comment(exchange(line), never) == Comment((said,))


@pytest.mark.parametrize(
    "line",
    [(b"Location", b"/login"), (b"Location", b"https://else.example/"), cookie(b"a=1; SameSite=Lax"), (b"X-A", b"b")],
)
def test_what_passes_untouched_is_not_mentioned(line):
    assert comment(exchange(line), never) == Comment()


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


def rule_to(url):
    return load_config(f"rules: [{{upstream: '{url}', policy: none}}]", "c", {}).table.rules[0]


@pytest.mark.parametrize(
    ("url", "listening", "text"),
    [
        ("http://127.0.0.1:5000", "::1", "nobody answers at 127.0.0.1, but at ::1; name it http://localhost:5000"),
        ("https://[::1]:5000", "127.0.0.1", "nobody answers at ::1, but at 127.0.0.1; name it https://localhost:5000"),
        ("http://127.0.0.1:5000", "", ""),
        ("http://localhost:5000", "::1", ""),
        ("http://192.0.2.1:5000", "::1", ""),
    ],
)
def test_an_upstream_on_the_other_loopback_family(url, listening, text):
    down = exchange(rule=rule_to(url), status=502, upstream="", failure="refused")
    remarks = comment(down, lambda host, port: (host, port) == (listening, 5000)).remarks
    assert remarks == ((Remark("upstream", f"{text}, which finds both"),) if text else ())


@pytest.mark.parametrize("settings", [{"status": 200}, {"upstream": "http://127.0.0.1:5000"}, {"rule": None}])
def test_only_an_upstream_that_was_not_reached_is_looked_for(settings):
    down = {"rule": rule_to("http://127.0.0.1:5000"), "status": 502, "upstream": ""} | settings
    assert comment(exchange(**down), never).remarks == ()


def test_whether_somebody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        assert answers(*address)
    assert not answers(*address)


def test_the_line_tells_the_rewrites_and_each_remark_is_made_once():
    out = io.StringIO()
    printer = ExchangePrinter(out, comment=comment)
    for _ in range(2):
        printer(exchange(cookie(b"__Host-\x1b=1")))
    first, remark, second = out.getvalue().splitlines()
    assert first.endswith(r"allowed  [cookie __Host-\x1b +SameSite=Lax]")
    assert second.endswith(r"allowed  [cookie __Host-\x1b +SameSite=Lax]")
    assert remark == r"    cookie:  the browser will refuse __Host-\x1b: its name promises Secure, which it has not"


def test_a_remark_is_made_where_lines_are_not_wanted():
    out = io.StringIO()
    printer = ExchangePrinter(out, every=False, comment=comment)
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
    page, out = {"origin": b"http://127.0.0.1:5173"}, io.StringIO()
    printer = ExchangePrinter(out, comment=comment)
    log_in = exchange(cookie(b"sid=1; Domain=api.example.com; Secure"), **page)
    log_in.method, log_in.target, log_in.duration = b"POST", b"/login", 0.012
    account = exchange((b"Location", b"https://login.example.com/"), status=302, **page)
    account.target, account.duration = b"/account", 0.008
    for record in (log_in, account):
        printer(record)
    (shown,) = Document(ROOT / "docs/dev.md").of("text")
    time = re.compile(r"^\d\d:\d\d:\d\d", re.MULTILINE)
    assert time.sub("", out.getvalue()) == time.sub("", shown.text)
