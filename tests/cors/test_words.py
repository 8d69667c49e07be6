"""The browser's sentences, word for word as Chromium 156 printed them, and the advice."""

from __future__ import annotations

import pytest

from corsproxy.cors.browser import ALLOWED, Blocked, Credentials, Request, Step, Verdict, WireResponse, run
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.cors.words import advice, chromium, is_hopeless, sentence, websocket_refused

APP = "https://app.example"
API = "https://api.example/x"
HOME = "https://app.example/same"

START = f"Access to fetch at '{API}' from origin '{APP}' has been blocked by CORS policy: "
XHR = START.replace("fetch", "XMLHttpRequest")
PREFLIGHT = START + "Response to preflight request doesn't pass access control check: "
MISSING = "No 'Access-Control-Allow-Origin' header is present on the requested resource."
WILDCARD = (
    "The value of the 'Access-Control-Allow-Origin' header in the response must not be the wildcard '*' when the "
    "request's credentials mode is 'include'."
)
CREDENTIALS = (
    "The value of the 'Access-Control-Allow-Credentials' header in the response is '%s' which must be 'true' when the "
    "request's credentials mode is 'include'."
)
CONTROLLED = (
    " The credentials mode of requests initiated by the XMLHttpRequest is controlled by the withCredentials attribute."
)
MULTIPLE = (
    "The 'Access-Control-Allow-Origin' header contains multiple values 'https://app.example, http://b.example', but "
    "only one is allowed. Have the server send the header with a valid value."
)
INVALID = (
    "The 'Access-Control-Allow-Origin' header contains the invalid value '%s'. Have the server send the header with a "
    "valid value."
)
OTHER = (
    "The 'Access-Control-Allow-Origin' header has a value 'http://b.example' that is not equal to the supplied origin."
)
HAVE = " Have the server send the header with a valid value."
SCHEMES = (
    "Cross origin requests are only supported for protocol schemes: chrome, chrome-experimental-site-token-provider, "
    "chrome-extension, chrome-untrusted, data, http, https, isolated-app."
)

SENTENCES = [
    # initiator, step, reason, subject, the URL where it was blocked, Chromium's sentence
    ("fetch", "actual", "missing-allow-origin", b"", API, START + MISSING),
    ("XMLHttpRequest", "actual", "missing-allow-origin", b"", API, XHR + MISSING),
    ("fetch", "preflight", "missing-allow-origin", b"", API, PREFLIGHT + MISSING),
    ("CSS stylesheet", "actual", "missing-allow-origin", b"", API, START.replace("fetch", "CSS stylesheet") + MISSING),
    ("fetch", "actual", "multiple-allow-origin", b"https://app.example, http://b.example", API, START + MULTIPLE),
    ("fetch", "actual", "invalid-allow-origin", b"", API, START + INVALID % ""),
    ("fetch", "preflight", "invalid-allow-origin", b"b", API, PREFLIGHT + INVALID % "b"),
    ("fetch", "actual", "invalid-allow-origin", b"a\tb", API, START + INVALID % r"a\u0009b"),
    ("fetch", "actual", "invalid-allow-origin", "xéy".encode(), API, START + INVALID % r"x\u00C3\u00A9y"),
    ("fetch", "actual", "other-allow-origin", b"http://b.example", API, START + OTHER + HAVE),
    ("fetch", "preflight", "other-allow-origin", b"http://b.example", API, PREFLIGHT + OTHER + HAVE),
    ("XMLHttpRequest", "actual", "other-allow-origin", b"http://b.example", API, XHR + OTHER),
    ("fetch", "actual", "wildcard-with-credentials", b"*", API, START + WILDCARD),
    ("fetch", "preflight", "wildcard-with-credentials", b"*", API, PREFLIGHT + WILDCARD),
    ("XMLHttpRequest", "actual", "wildcard-with-credentials", b"*", API, XHR + WILDCARD + CONTROLLED),
    ("fetch", "actual", "allow-credentials", b"", API, START + CREDENTIALS % ""),
    ("fetch", "actual", "allow-credentials", b"true, true", API, START + CREDENTIALS % "true, true"),
    ("fetch", "preflight", "allow-credentials", b"", API, PREFLIGHT + CREDENTIALS % ""),
    ("XMLHttpRequest", "actual", "allow-credentials", b"", API, XHR + CREDENTIALS % "" + CONTROLLED),
    ("fetch", "preflight", "preflight-status", b"404", API, PREFLIGHT + "It does not have HTTP ok status."),
    (
        "fetch",
        "preflight",
        "preflight-redirect",
        b"/y",
        API,
        PREFLIGHT + "Redirect is not allowed for a preflight request.",
    ),
    (
        "fetch",
        "preflight",
        "malformed-allow-methods",
        b"PUT GET",
        API,
        START + "Cannot parse Access-Control-Allow-Methods response header field in preflight response.",
    ),
    (
        "fetch",
        "preflight",
        "malformed-allow-headers",
        b"a b",
        API,
        START + "Cannot parse Access-Control-Allow-Headers response header field in preflight response.",
    ),
    (
        "fetch",
        "preflight",
        "method",
        b"patch",
        API,
        START + "Method patch is not allowed by Access-Control-Allow-Methods in preflight response.",
    ),
    (
        "fetch",
        "preflight",
        "header",
        b"content-type",
        API,
        START + "Request header field content-type is not allowed by Access-Control-Allow-Headers in preflight "
        "response.",
    ),
    (
        "fetch",
        "actual",
        "missing-allow-origin",
        b"",
        HOME,
        f"Access to fetch at '{HOME}' (redirected from '{API}') from origin '{APP}' has been blocked by CORS policy: "
        + MISSING,
    ),
    (
        "fetch",
        "actual",
        "redirect-credentials",
        b"https://u:p@third.example/",
        API,
        START + "Redirect location '' contains a username and password, which is disallowed for cross-origin requests.",
    ),
    (
        "fetch",
        "actual",
        "redirect-scheme",
        b"ftp",
        "ftp://x/",
        f"Access to fetch at 'ftp://x/' (redirected from '{API}') from origin '{APP}' has been blocked by CORS policy: "
        + SCHEMES,
    ),
    ("fetch", "actual", "redirect-scheme", b"data", "data:,", "Failed to load resource: net::ERR_UNSAFE_REDIRECT"),
    ("fetch", "actual", "redirect-location", b"x", API, "Failed to load resource: net::ERR_INVALID_REDIRECT"),
    (
        "fetch",
        "actual",
        "redirect-locations",
        b"a, b",
        API,
        "Failed to load resource: net::ERR_RESPONSE_HEADERS_MULTIPLE_LOCATION",
    ),
    ("fetch", "actual", "too-many-redirects", b"x", API, "Failed to load resource: net::ERR_TOO_MANY_REDIRECTS"),
    # This one is from Chromium's source (services/network/cors/cors_url_loader.cc): it takes HTTP/2 to see it.
    ("fetch", "actual", "redirect-stream", b"x", API, "Failed to load resource: net::ERR_INVALID_ARGUMENT"),
    (
        "fetch",
        "actual",
        "request-mode",
        b"",
        API,
        (
            f'Fetch API cannot load {API}. Request mode is "same-origin" '
            f"but the URL's origin is not same as the request origin {APP}."
        ),
    ),
    ("fetch", "actual", "scheme", b"ftp", API, f'Fetch API cannot load {API}. URL scheme "ftp" is not supported.'),
]


@pytest.mark.parametrize(("initiator", "step", "reason", "subject", "at", "expected"), SENTENCES)
def test_chromiums_sentences(initiator, step, reason, subject, at, expected):
    verdict = Verdict(Blocked(reason), subject, Step(step), at)
    assert chromium(verdict, url=API, origin=APP, initiator=initiator) == expected


def test_every_reason_has_its_sentence():
    assert {reason for _, _, reason, *_ in SENTENCES} == {reason.value for reason in Blocked}


def test_an_answer_that_the_page_gets_is_not_commented():
    assert chromium(ALLOWED, url=API, origin=APP) == ""


def test_the_sentence_of_a_whole_fetch():
    """S2 in the words of the browser."""
    fetched = run(Request(url=API, origin=APP.encode(), credentials=Credentials.INCLUDE), lambda _: WireResponse(200))
    assert chromium(fetched.verdict, url=API, origin=APP) == START + MISSING


def test_a_sentence_is_one_harmless_line():
    line = chromium(Verdict(Blocked.MISSING_ALLOW_ORIGIN), url="https://x/\r\n\x1b[31m", origin="\u2028\ud800\udcff")
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.DENIED_ORIGIN, START + MISSING),
        (Outcome.PREFLIGHT_DENIED_ORIGIN, PREFLIGHT + MISSING),
        (Outcome.PREFLIGHT_DENIED_METHOD, PREFLIGHT + MISSING),
        (Outcome.PREFLIGHT_DENIED_HEADERS, PREFLIGHT + MISSING),
        (Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK, PREFLIGHT + MISSING),
        (Outcome.ALLOWED, ""),
        (Outcome.PREFLIGHT_ALLOWED, ""),
        (Outcome.NOT_CORS, ""),
        (Outcome.SAME_ORIGIN, ""),
        (Outcome.NO_POLICY, ""),
    ],
)
def test_what_the_browser_prints_because_of_a_decision(outcome, expected):
    assert sentence(Decision(outcome), url=API, origin=APP) == expected


ADVICE = [
    (Outcome.DENIED_ORIGIN, b"https://x.example", "add `- https://x.example` to allow_origins of policy web-app"),
    (
        Outcome.PREFLIGHT_DENIED_ORIGIN,
        b"http://localhost:3000",
        "add `- http://localhost:3000` to allow_origins of policy web-app",
    ),
    (Outcome.DENIED_ORIGIN, b"http://[::1]:3000", "add `- http://[::1]:3000` to allow_origins of policy web-app"),
    (
        Outcome.DENIED_ORIGIN,
        b"http://x.example",
        (
            "add `- http://x.example` to allow_origins of policy web-app; with allow_credentials it also needs "
            "`dangerously_allow_insecure_origins: true`"
        ),
    ),
    (
        Outcome.DENIED_ORIGIN,
        b"null",
        (
            "give the page an origin of its own (a sandboxed frame and a file have none); or add "
            '`- "null"` to allow_origins and `dangerously_allow_null: true` to policy web-app'
        ),
    ),
    (
        Outcome.DENIED_ORIGIN,
        b"https://a.example, https://a.example",
        "no policy can allow this; `https://a.example, https://a.example` is no origin that a policy can list",
    ),
    (
        Outcome.PREFLIGHT_DENIED_ORIGIN,
        b"\xff\n",
        "no policy can allow this; `\\u00FF\\u000A` is no origin that a policy can list",
    ),
    (
        Outcome.DENIED_ORIGIN,
        b"x" * 60_000,
        f"no policy can allow this; `{'x' * 200}` is no origin that a policy can list",
    ),
    (Outcome.PREFLIGHT_DENIED_METHOD, b"DELETE", "add `DELETE` to allow_methods of policy web-app"),
    (
        Outcome.PREFLIGHT_DENIED_METHOD,
        b"patch",
        (
            "ask for `PATCH` in the page, since methods are case-sensitive, and have it in allow_methods of policy "
            "web-app"
        ),
    ),
    (Outcome.PREFLIGHT_DENIED_METHOD, b"*", 'add `"*"` to allow_methods of policy web-app'),
    (Outcome.PREFLIGHT_DENIED_METHOD, b"1", 'add `"1"` to allow_methods of policy web-app'),
    (Outcome.PREFLIGHT_DENIED_METHOD, b"", "no policy can allow this; '' is no token of RFC 9110"),
    (Outcome.PREFLIGHT_DENIED_METHOD, b"PUT, GET", "no policy can allow this; 'PUT, GET' is no token of RFC 9110"),
    (
        Outcome.PREFLIGHT_DENIED_METHOD,
        b"TRACE",
        "no policy can allow this; 'TRACE' is a method that browsers never send for a page",
    ),
    (Outcome.PREFLIGHT_DENIED_HEADERS, b"x-a, x-b", "add `x-a, x-b` to allow_headers of policy web-app"),
    (Outcome.PREFLIGHT_DENIED_HEADERS, b"on", 'add `"on"` to allow_headers of policy web-app'),
    (Outcome.PREFLIGHT_DENIED_HEADERS, b"a b", "no policy can allow this; 'a b' is no token of RFC 9110"),
    (
        Outcome.PREFLIGHT_DENIED_HEADERS,
        b"x-a, cookie",
        "no policy can allow this; 'cookie' is set by the browser alone, so no page ever asks for it",
    ),
    (Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK, b"", "set `allow_private_network: true` in policy web-app"),
    (Outcome.ALLOWED, b"", ""),
    (Outcome.NOT_CORS, b"", ""),
]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, "Error during WebSocket handshake: Unexpected response code: 200"),
        (401, "HTTP Authentication failed; no valid credentials available"),
        (403, "Error during WebSocket handshake: Unexpected response code: 403"),
        (407, "Error in connection establishment: net::ERR_UNEXPECTED_PROXY_AUTH"),
    ],
)
def test_a_refused_handshake(status, reason):
    """In tests/browser Chromium says the same."""
    for scheme, shown in (("http", "ws"), ("https", "wss")):
        expected = f"WebSocket connection to '{shown}://api.example.com/feed' failed: {reason}"
        assert websocket_refused(status, url=f"{scheme}://api.example.com/feed") == expected


@pytest.mark.parametrize(("outcome", "subject", "expected"), ADVICE)
def test_the_smallest_change_that_would_allow_it(outcome, subject, expected):
    assert advice(Decision(outcome, subject=subject), "web-app") == expected


HOPELESS = [
    (Outcome.DENIED_ORIGIN, b"https://a.example", False),
    (Outcome.DENIED_ORIGIN, b"null", False),  # a policy may list it
    (Outcome.PREFLIGHT_DENIED_ORIGIN, b"https://a.example/", True),
    (Outcome.PREFLIGHT_DENIED_METHOD, b"PURGE", False),
    (Outcome.PREFLIGHT_DENIED_METHOD, b"TRACE", True),
    (Outcome.PREFLIGHT_DENIED_HEADERS, b"x-a, x-b", False),
    (Outcome.PREFLIGHT_DENIED_HEADERS, b"x-a, cookie", True),
    (Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK, b"https://a.example", False),
    (Outcome.ALLOWED, b"", False),
]


@pytest.mark.parametrize(("outcome", "subject", "hopeless"), HOPELESS)
def test_what_no_policy_can_allow(outcome, subject, hopeless):
    assert is_hopeless(Decision(outcome, subject=subject)) is hopeless
