"""What browsers print, read back: every sentence that ``cors`` can say is recognised as what it was said of."""

import pytest

from corsproxy.cors import firefox as ff
from corsproxy.cors.check import Blocked, Step, Verdict
from corsproxy.cors.firefox import firefox
from corsproxy.cors.safari import safari
from corsproxy.cors.words import chromium
from corsproxy.tools.pasted.console import read_console
from corsproxy.tools.pasted.other_messages import read_other

URL, PAGE = "http://localhost:8080/api", "http://localhost:5173"
SUBJECTS = {
    Blocked.MULTIPLE_ALLOW_ORIGIN: b"http://a.example, http://b.example",
    Blocked.INVALID_ALLOW_ORIGIN: b"hello",
    Blocked.OTHER_ALLOW_ORIGIN: b"http://b.example",
    Blocked.ALLOW_CREDENTIALS: b"",
    Blocked.METHOD: b"PUT",
    Blocked.HEADER: b"x-api-key",
    Blocked.SCHEME: b"ftp",
}
# Chromium reports these by a line of the network, without CORS in it; read_other knows them.
BY_THE_NETWORK = {
    Blocked.REDIRECT_LOCATION,
    Blocked.REDIRECT_LOCATIONS,
    Blocked.REDIRECT_STREAM,
    Blocked.TOO_MANY_REDIRECTS,
}
ONLY_PREFLIGHT = {
    Blocked.PREFLIGHT_STATUS,
    Blocked.PREFLIGHT_REDIRECT,
    Blocked.MALFORMED_ALLOW_METHODS,
    Blocked.MALFORMED_ALLOW_HEADERS,
    Blocked.METHOD,
    Blocked.HEADER,
}
SAID = [
    (blocked, step, initiator)
    for blocked in Blocked
    if blocked not in BY_THE_NETWORK
    for step in (Step.PREFLIGHT, Step.ACTUAL)
    if step is Step.PREFLIGHT or blocked not in ONLY_PREFLIGHT
    for initiator in ("fetch", "XMLHttpRequest", "CSS stylesheet")
]


@pytest.mark.parametrize(("blocked", "step", "initiator"), SAID)
def test_every_cors_message_of_chromium(blocked, step, initiator):
    verdict = Verdict(blocked, SUBJECTS.get(blocked, b""), step, URL)
    said = chromium(verdict, url=URL, origin=PAGE, initiator=initiator)
    complaint = read_console(f"app.js:7 {said}\n(anonymous) @ app.js:7")
    assert complaint is not None
    assert (complaint.browser, complaint.blocked, complaint.url) == ("Chromium", blocked, URL)
    if PAGE in said:
        assert complaint.origin == PAGE
    if f"Access to {initiator} at" in said:
        assert complaint.initiator == initiator
    if blocked in SUBJECTS:
        assert complaint.subject.encode() == SUBJECTS[blocked]
    checked = blocked not in {
        Blocked.REQUEST_MODE,
        Blocked.SCHEME,
        Blocked.REDIRECT_SCHEME,
        Blocked.REDIRECT_CREDENTIALS,
    }
    if checked:
        assert complaint.step is step


# As earlier versions and other products print them.
VARIANTS = [
    (
        (
            "No 'Access-Control-Allow-Origin' header is present on the requested resource. If an opaque response "
            "serves your needs, set the request's mode to 'no-cors' to fetch the resource with CORS disabled."
        ),
        Blocked.MISSING_ALLOW_ORIGIN,
    ),
    (
        (
            "The 'Access-Control-Allow-Origin' header has a value 'http://a.example' that is not equal to the supplied "
            "origin. Have the server send the header with a valid value, or, if an opaque response serves your needs, "
            "set the request's mode to 'no-cors' to fetch the resource with CORS disabled."
        ),
        Blocked.OTHER_ALLOW_ORIGIN,
    ),
    (
        ("Cross origin requests are only supported for protocol schemes: http, data, chrome, edge, https."),
        Blocked.REDIRECT_SCHEME,
    ),
    (
        (
            "Redirect location 'http://me:secret@a.example/' contains a username and password, which is disallowed for "
            "cross-origin requests."
        ),
        Blocked.REDIRECT_CREDENTIALS,
    ),
]


@pytest.mark.parametrize(("reason", "blocked"), VARIANTS)
def test_other_versions_of_chromium(reason, blocked):
    complaint = read_console(
        f"Access to fetch at '{URL}' from origin '{PAGE}' has been blocked by CORS policy: {reason}"
    )
    assert complaint is not None
    assert (complaint.blocked, complaint.url) == (blocked, URL)


def test_a_redirected_request_is_known_by_the_url_that_the_page_asked_for():
    verdict = Verdict(Blocked.MISSING_ALLOW_ORIGIN, url="https://other.example/")
    complaint = read_console(chromium(verdict, url=URL, origin=PAGE))
    assert complaint is not None
    assert (complaint.url, complaint.at) == (URL, "https://other.example/")


@pytest.mark.parametrize("blocked", [blocked for blocked in Blocked if ff.REASONS[blocked] != ff.NO_SUCCESS])
def test_every_message_of_firefox(blocked):
    said = firefox(Verdict(blocked, SUBJECTS.get(blocked, b"x y")), url=URL, status=200)
    complaint = read_console(said)
    straight = read_console(said.replace("‘", "'").replace("’", "'"))
    assert complaint is not None
    assert complaint == straight
    assert (complaint.browser, complaint.url) == ("Firefox", URL)
    assert ff.REASONS[complaint.blocked] == ff.REASONS[blocked]


def test_two_headers_are_said_in_a_sentence_of_firefox_own():
    verdict = Verdict(Blocked.MULTIPLE_ALLOW_ORIGIN, b"http://a.example, http://b.example")
    complaint = read_console(firefox(verdict, url=URL, status=200, lines=2))
    assert complaint is not None
    assert complaint.blocked is Blocked.MULTIPLE_ALLOW_ORIGIN


SAFARI = [
    (Blocked.MISSING_ALLOW_ORIGIN, Step.ACTUAL, 200, Blocked.MISSING_ALLOW_ORIGIN),
    (Blocked.MISSING_ALLOW_ORIGIN, Step.PREFLIGHT, 403, Blocked.PREFLIGHT_STATUS),
    (Blocked.WILDCARD_WITH_CREDENTIALS, Step.ACTUAL, 200, Blocked.WILDCARD_WITH_CREDENTIALS),
    (Blocked.MULTIPLE_ALLOW_ORIGIN, Step.ACTUAL, 200, Blocked.MULTIPLE_ALLOW_ORIGIN),
    (Blocked.ALLOW_CREDENTIALS, Step.ACTUAL, 200, Blocked.ALLOW_CREDENTIALS),
    (Blocked.METHOD, Step.PREFLIGHT, 204, Blocked.METHOD),
    (Blocked.HEADER, Step.PREFLIGHT, 204, Blocked.HEADER),
    # The second line alone says nothing but that it was CORS: the most usual reason is taken.
    (Blocked.TOO_MANY_REDIRECTS, Step.ACTUAL, 302, Blocked.MISSING_ALLOW_ORIGIN),
]


@pytest.mark.parametrize(("blocked", "step", "status", "read"), SAFARI)
def test_both_lines_of_safari(blocked, step, status, read):
    said = safari(Verdict(blocked, SUBJECTS.get(blocked, b""), step), url=URL, origin=PAGE, status=status)
    complaint = read_console(f"[Error] {said}\n[Error] Fetch API cannot load {URL} due to access control checks.")
    assert complaint is not None
    assert (complaint.browser, complaint.blocked, complaint.url) == ("Safari", read, URL)


@pytest.mark.parametrize(
    "text", ["", "hello", "Access to fetch at 'x' from origin 'y' has been blocked by CORS policy: ?"]
)
def test_what_is_no_message_is_none(text):
    assert read_console(text) is None


LOCAL_NETWORK = (
    "Access to fetch at 'http://localhost/' from origin 'https://a.example' has been blocked by CORS policy: "
    "Permission was denied for this request to access the `loopback` address space."
)
# Printed by: C Chromium, F Firefox, S Safari.
OTHERS = [
    (
        "Mixed Content: The page at 'https://a.example/' was loaded over HTTPS, but requested an insecure",
        "mixed-content",
    ),  # C
    ("Blocked loading mixed active content “http://a.example/”", "mixed-content"),  # F
    (LOCAL_NETWORK, "local-network-access"),  # C
    ("GET https://localhost/ net::ERR_CERT_AUTHORITY_INVALID", "certificate"),  # C
    ("The certificate for this server is invalid.", "certificate"),  # S
    ("GET http://localhost:9/ net::ERR_CONNECTION_REFUSED", "server-down"),  # C
    ("Could not connect to the server.", "server-down"),  # S
    ("GET http://nowhere.example/ net::ERR_NAME_NOT_RESOLVED", "name"),  # C
    (firefox(Verdict(Blocked.TOO_MANY_REDIRECTS), url=URL, status=0), "no-answer"),  # F
    ("net::ERR_BLOCKED_BY_RESPONSE.NotSameOriginAfterDefaultedToSameOriginByCoep 200 (OK)", "coep"),  # C
    ("GET http://a.example/ net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin 200 (OK)", "corp"),  # C
    ("GET http://a.example/ net::ERR_BLOCKED_BY_CLIENT", "extension"),  # C
    ("Refused to connect to 'http://a.example/' because it violates the following Content Security Policy", "csp"),  # C
    (
        "WebSocket connection to 'ws://a.example/' failed: Error during WebSocket handshake: Unexpected response code",
        "websocket",
    ),  # C
    ("Tainted canvases may not be exported", "tainted-canvas"),  # C
    ("Cookie “sid” has been rejected because it is in a cross-site context", "cookie"),  # F
    ("GET http://a.example/ net::ERR_TOO_MANY_REDIRECTS", "redirect"),  # C
    ("TypeError: Failed to fetch", "generic"),  # C
    ("TypeError: NetworkError when attempting to fetch resource.", "generic"),  # F
    ("TypeError: Load failed", "generic"),  # S
]


@pytest.mark.parametrize(("text", "name"), OTHERS)
def test_what_only_looks_like_cors(text, name):
    other = read_other(text)
    assert other is not None
    assert other.name == name
    assert read_console(text) is None


def test_an_unknown_message_has_no_meaning():
    assert read_other("Uncaught ReferenceError: x is not defined") is None
