"""What only looks like CORS: one row a case, with the beginning of what is said; and rows where nothing is."""

import pytest

from corsproxy.config.addresses import parse_listen
from corsproxy.cors.browser import run
from corsproxy.cors.fetch import Credentials, Mode, Request, WireResponse
from corsproxy.cors.policy import PolicySpec, compile_policy
from corsproxy.tools.explaining.lookalikes import is_local, lookalikes, nearly_listed, other_port
from corsproxy.tools.simulation import Exchanged

PAGE, URL = b"https://app.example.com", "https://api.example.com/data"
OK = WireResponse(200, ((b"Access-Control-Allow-Origin", PAGE),))
INCLUDE = {"credentials": Credentials.INCLUDE}


def said(request, answer):
    exchanges = []

    def send(asked):
        exchanges.append(Exchanged(asked, answer))
        return answer

    return lookalikes(request, exchanges, run(request, send))


def asks(url=URL, origin=PAGE, **more):
    return Request(url=url, origin=origin, **more)


def answer(status=200, *headers):
    return WireResponse(status, headers)


ALLOW = (b"Access-Control-Allow-Origin", PAGE)
CREDENTIALS = (b"Access-Control-Allow-Credentials", b"true")
SAID = [
    ("mixed content", asks("http://api.example.com/"), OK, "mixed content"),
    ("local network", asks("https://192.168.1.5/"), OK, "Local Network Access"),
    ("loopback", asks("http://localhost:8080/"), OK, "Local Network Access"),
    (
        "a trailing slash in the page's origin",
        asks(origin=b"https://app.example.com/"),
        OK,
        "https://app.example.com/ has a trailing slash",
    ),
    ("no-cors", asks(mode=Mode.NO_CORS), OK, "mode no-cors"),
    ("a forbidden header", asks(headers=((b"Cookie", b"a=b"),)), OK, "Cookie is set by the browser alone"),
    ("a server error", asks(), answer(502), "the answer was 502"),
    ("a redirect without headers", asks(), answer(302, (b"Location", b"/login")), "the answer was a redirect (302)"),
    ("two headers", asks(), answer(200, ALLOW, ALLOW), "two Access-Control-Allow-Origin headers"),
    ("a preflight that needs a log-in", asks(method=b"PUT"), answer(401, ALLOW), "the preflight got 401"),
    ("a redirected preflight", asks(method=b"PUT"), answer(301, (b"Location", b"/")), "the preflight was redirected"),
    (
        "a slash at the end",
        asks(),
        answer(200, (b"Access-Control-Allow-Origin", PAGE + b"/")),
        "Access-Control-Allow-Origin ends with a slash",
    ),
    ("another port", asks(), answer(200, (b"Access-Control-Allow-Origin", PAGE + b":8443")), "only the port differs"),
    (
        "another scheme",
        asks(),
        answer(200, (b"Access-Control-Allow-Origin", b"http://app.example.com")),
        "only the scheme differs",
    ),
    (
        "a cookie without credentials",
        asks(),
        answer(200, ALLOW, (b"Set-Cookie", b"a=b")),
        "the answer sets a cookie, which is ignored",
    ),
    (
        "a cookie that is refused",
        asks("https://api.other.test/", **INCLUDE),
        answer(200, ALLOW, CREDENTIALS, (b"Set-Cookie", b"sid=1; SameSite=Lax")),
        "the browser refuses the cookie sid: it has SameSite=Lax",
    ),
    (
        "CORP",
        asks(),
        answer(200, ALLOW, (b"Cross-Origin-Resource-Policy", b"same-site")),
        "Cross-Origin-Resource-Policy is same-site",
    ),
]


STAR = b"*"
SAID += [
    (
        "Authorization under a wildcard",
        asks(headers=((b"Authorization", b"Bearer t"),)),
        answer(204, ALLOW, (b"Access-Control-Allow-Headers", STAR)),
        "Access-Control-Allow-Headers: * stands for every header but Authorization",
    ),
    (
        "* for headers, with credentials",
        asks(headers=((b"X-A", b"1"),), **INCLUDE),
        answer(204, ALLOW, CREDENTIALS, (b"Access-Control-Allow-Headers", STAR)),
        "Access-Control-Allow-Headers: * is an ordinary name",
    ),
    (
        "* for methods, with credentials",
        asks(method=b"PUT", **INCLUDE),
        answer(204, ALLOW, CREDENTIALS, (b"Access-Control-Allow-Methods", STAR)),
        "Access-Control-Allow-Methods: * is an ordinary name",
    ),
    (
        "* for what is exposed, with credentials",
        asks(**INCLUDE),
        answer(200, ALLOW, CREDENTIALS, (b"Access-Control-Expose-Headers", STAR)),
        "Access-Control-Expose-Headers: * is an ordinary name",
    ),
    (
        "cookies that are withheld",
        asks("https://api.other.test/", **INCLUDE),
        answer(401, ALLOW, CREDENTIALS),
        "https://app.example.com is of another site than https://api.other.test: only cookies with SameSite=None",
    ),
]


@pytest.mark.parametrize(("request_", "answered", "beginning"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_what_is_said(request_, answered, beginning):
    assert [remark for remark in said(request_, answered) if remark.startswith(beginning)]


NOT_SAID = [
    ("all is well", asks(), OK),
    (
        "a page on this machine",
        asks("http://localhost:8080/", b"http://localhost:5173"),
        answer(200, (b"Access-Control-Allow-Origin", b"http://localhost:5173")),
    ),
    (
        "an https page and loopback",
        asks("http://127.0.0.1:1/", b"https://localhost:5173"),
        answer(200, (b"Access-Control-Allow-Origin", b"https://localhost:5173")),
    ),
    ("null", asks(origin=b"null"), answer(200, (b"Access-Control-Allow-Origin", b"*"))),
    ("another site altogether", asks(), answer(200, (b"Access-Control-Allow-Origin", b"https://b.example"))),
    (
        "a cookie that is kept",
        asks(**INCLUDE),
        answer(200, ALLOW, CREDENTIALS, (b"Set-Cookie", b"sid=1; SameSite=None; Secure")),
    ),
]


@pytest.mark.parametrize(("request_", "answered"), [row[1:] for row in NOT_SAID], ids=[row[0] for row in NOT_SAID])
def test_nothing_is_said_where_nothing_is_wrong(request_, answered):
    assert said(request_, answered) == ()


def test_the_proxy_itself_is_quoted():
    request = asks()
    exchanges = [Exchanged(asked, WireResponse(404), own="no rule matches the path /x") for asked in sent(request)]
    fetched = run(request, lambda asked: WireResponse(404))
    assert lookalikes(request, exchanges, fetched) == (
        "corsproxy itself answered 404, before any policy applied: no rule matches the path /x",
    )


def sent(request):
    asked = []
    run(request, lambda wire: asked.append(wire) or WireResponse(404))
    return asked


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("[::1]", True),
        ("10.1.2.3", True),
        ("[fe80::1]", True),
        ("nas.local", True),
        ("example.com", False),
        ("8.8.8.8", False),
    ],
)
def test_what_is_local(host, local):
    assert is_local(host) is local


PORTS = [
    ("http://localhost:3000/", "127.0.0.1:8080", ["the page asks port 3000, and this configuration listens on 8080"]),
    ("https://localhost/", "127.0.0.1:8080", ["the page asks port 443, and this configuration listens on 8080"]),
    ("http://localhost:8080/", "127.0.0.1:8080", []),
    ("http://[::1]:8080/", "[::1]:8080", []),
    ("https://api.example.com/", "127.0.0.1:8080", []),  # something in front of the proxy maps the port
    ("http://localhost:3000/", "unix:/run/corsproxy.sock", []),
    ("http://localhost:3000/", "127.0.0.1:0", []),
]


@pytest.mark.parametrize(("url", "listen", "said_"), PORTS)
def test_the_wrong_port_in_the_pages_url(url, listen, said_):
    remarks = other_port([parse_listen(listen)], asks(url))
    assert [remark.partition(":")[0] for remark in remarks] == said_


def test_what_was_never_sent_has_no_answer_to_speak_of():
    assert said(asks("ftp://api.example.com/"), OK) == ()


# Scenario S9: scheme, host and port make an origin.
NEARLY = [
    (b"http://app.example.com", ["only the scheme differs from https://app.example.com"]),
    (b"https://app.example.com:8443", ["only the port differs from https://app.example.com"]),
    (b"https://www.app.example.com", ["only the www. differs from https://app.example.com"]),
    (b"https://b.example", ["only the www. differs from https://www.b.example"]),
    (b"https://x.pattern.example:8443", []),
    (b"https://app.example.com", []),
    (b"https://other.example", []),
    (b"null", []),
]


@pytest.mark.parametrize(("origin", "said_"), NEARLY)
def test_which_listed_origin_is_almost_the_pages(origin, said_):
    listed = ("https://app.example.com", "https://www.b.example", "https://*.pattern.example")
    policy = compile_policy(PolicySpec(name="a", allow_origins=listed))
    remarks = nearly_listed(policy, asks(origin=origin))
    assert [remark.partition(",")[0] for remark in remarks] == said_
