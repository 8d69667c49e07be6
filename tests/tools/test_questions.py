"""From what was pasted to the explanation, for every kind of input, as a developer would paste it."""

import json
import socket
import ssl
import threading
from contextlib import suppress

import pytest
import trustme

from corsproxy.cors.check import Blocked, Step, Verdict
from corsproxy.cors.fetch import WireRequest, WireResponse
from corsproxy.cors.firefox import firefox
from corsproxy.cors.safari import safari
from corsproxy.cors.words import chromium
from corsproxy.tools.explaining.as_json import as_json
from corsproxy.tools.explaining.explanation import ELSEWHERE as ALLOWED_HERE
from corsproxy.tools.explaining.fix import Fix, NoFix
from corsproxy.tools.explaining.live import NoAnswer, send
from corsproxy.tools.explaining.steps import State
from corsproxy.tools.pasted.complaints import IncompleteComplaint
from corsproxy.tools.pasted.questions import NotUnderstood, Told, answer, read_questions
from corsproxy.tools.written_config import WrittenConfig

URL, PAGE = "http://localhost:8080/api", "http://localhost:5173"
TEXT = """\
policies:
  web-app:
    allow_origins: [https://app.example.com]
    allow_methods: [GET, POST]
rules:
  - {path: /api, upstream: http://127.0.0.1:9000, policy: web-app}
"""
ALLOWED = TEXT.replace("https://app.example.com", PAGE)
# In each of these worlds a page has got one of Chromium's sentences, and this is what has to be changed there.
CONFIG = WrittenConfig.read(TEXT, "config.yaml", {})
OPEN = WrittenConfig.read(ALLOWED, "config.yaml", {})


def explained(text, config=CONFIG, told=Told(), live=None):  # noqa: B008  # immutable
    (question,) = read_questions(text, told)
    return answer(question, config, live)


MESSAGES = [
    (Blocked.MISSING_ALLOW_ORIGIN, Step.ACTUAL, b"", "allow_origins"),
    (Blocked.MISSING_ALLOW_ORIGIN, Step.PREFLIGHT, b"", "allow_origins"),
    (Blocked.MULTIPLE_ALLOW_ORIGIN, Step.ACTUAL, b"http://a.example, http://b.example", "allow_origins"),
    (Blocked.INVALID_ALLOW_ORIGIN, Step.ACTUAL, b"hello", "allow_origins"),
    (Blocked.OTHER_ALLOW_ORIGIN, Step.ACTUAL, b"http://a.example", "allow_origins"),
    (Blocked.WILDCARD_WITH_CREDENTIALS, Step.ACTUAL, b"*", "allow_credentials"),
    (Blocked.ALLOW_CREDENTIALS, Step.ACTUAL, b"", "allow_credentials"),
    (Blocked.PREFLIGHT_STATUS, Step.PREFLIGHT, b"403", "allow_origins"),
    (Blocked.PREFLIGHT_REDIRECT, Step.PREFLIGHT, b"", "allow_origins"),
    (Blocked.METHOD, Step.PREFLIGHT, b"PUT", "PUT"),
    (Blocked.HEADER, Step.PREFLIGHT, b"x-api-key", "x-api-key"),
    (Blocked.MALFORMED_ALLOW_METHODS, Step.PREFLIGHT, b"", "allow_origins"),
    (Blocked.MALFORMED_ALLOW_HEADERS, Step.PREFLIGHT, b"", "allow_origins"),
]


@pytest.mark.parametrize(("blocked", "step", "subject", "changed"), MESSAGES)
def test_every_message_of_chromium_gets_the_rule_and_the_fix(blocked, step, subject, changed):
    explanation = explained(chromium(Verdict(blocked, subject, step, URL), url=URL, origin=PAGE))
    assert explanation.rule is not None
    assert explanation.rule.where == "config.yaml:6:5"
    assert explanation.rule.policy is not None
    assert explanation.rule.policy.where == "config.yaml:2:3"
    assert isinstance(explanation.fix, Fix)
    assert any(changed in line for line in explanation.fix.diff.splitlines() if line.startswith("+"))
    assert any(PAGE in line for line in explanation.fix.diff.splitlines() if line.startswith("+"))


def test_firefox_does_not_name_the_page_so_it_is_asked_for():
    said = firefox(Verdict(Blocked.MISSING_ALLOW_ORIGIN), url=URL, status=200)
    with pytest.raises(IncompleteComplaint, match="Firefox does not print the page's origin; add --origin"):
        explained(said)
    assert isinstance(explained(said, told=Told(origin=PAGE)).fix, Fix)


def test_safari_prints_the_url_in_its_second_line():
    said = safari(Verdict(Blocked.MISSING_ALLOW_ORIGIN), url=URL, origin=PAGE, status=200)
    with pytest.raises(IncompleteComplaint, match="Safari prints the URL in another line"):
        explained(said)
    assert isinstance(explained(f"{said}\nFetch API cannot load {URL} due to access control checks.").fix, Fix)


# What is said where the configuration would not have had the browser say so.
ELSEWHERE = [
    (Blocked.MISSING_ALLOW_ORIGIN, Step.PREFLIGHT, "the preflight asked for a method or a header that is not"),
    (Blocked.MISSING_ALLOW_ORIGIN, Step.ACTUAL, "with this configuration the browser would not have said so"),
    (Blocked.MULTIPLE_ALLOW_ORIGIN, Step.ACTUAL, "corsproxy never sends this header twice"),
    (Blocked.OTHER_ALLOW_ORIGIN, Step.ACTUAL, "corsproxy never sends this header twice"),
    (Blocked.PREFLIGHT_REDIRECT, Step.PREFLIGHT, "answers preflights itself and never redirects them"),
    (Blocked.PREFLIGHT_STATUS, Step.PREFLIGHT, "answers an allowed preflight with success"),
    (Blocked.MALFORMED_ALLOW_HEADERS, Step.PREFLIGHT, "corsproxy writes these lists itself"),
]


@pytest.mark.parametrize(("blocked", "step", "remark"), ELSEWHERE)
def test_a_message_that_this_configuration_does_not_cause(blocked, step, remark):
    explanation = explained(chromium(Verdict(blocked, b"x", step, URL), url=URL, origin=PAGE), OPEN)
    assert explanation.unclear
    assert isinstance(explanation.fix, NoFix)
    assert any(remark in said for said in (explanation.fix.reason, *explanation.lookalikes))


INPUTS = [
    (URL, Told(PAGE, "PUT", ("X-Api-Key", "Content-Type: application/json"), credentials=True)),
    (f"fetch('{URL}', {{method: 'PUT'}})", Told(PAGE)),
    (f"$ curl -X PUT -H 'Origin: {PAGE}' {URL}", Told()),
    (
        json.dumps({"log": {"entries": [{
            "request": {"method": "PUT", "url": URL, "headers": [{"name": "Origin", "value": PAGE}]},
            "response": {"status": 0, "headers": []},
        }]}}),
        Told(),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), INPUTS, ids=["url", "fetch", "curl", "har"])
def test_every_other_input(text, told):
    explanation = explained(text, told=told)
    assert explanation.blocked
    assert isinstance(explanation.fix, Fix)
    assert "PUT" in explanation.fix.diff


def test_a_har_file_has_as_many_questions_as_requests():
    entry = {
        "request": {"method": "GET", "url": URL, "headers": [{"name": "Origin", "value": PAGE}]},
        "response": {"status": 200, "headers": []},
    }
    questions = read_questions(json.dumps({"log": {"entries": [entry, entry]}}), Told())
    assert [answer(question, None, None).blocked for question in questions] == [True, True]


REFUSED = [
    (URL, "add --origin"),
    ("TypeError: Failed to fetch", "this line is the same for every failure"),
    ("hello", "paste the whole line of the console"),
    ('{"log": {"entries": []}}', "no request in this HAR file crosses origins"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_asks_no_question_says_what_to_paste(text, message):
    with pytest.raises(NotUnderstood, match=message):
        read_questions(text, Told())


def test_without_a_configuration_there_is_nothing_to_hold_it_against():
    with pytest.raises(NotUnderstood, match="name the rule table with -c"):
        explained(URL, None, Told(PAGE))


@pytest.mark.parametrize(("blocked", "step", "subject"), [row[:3] for row in MESSAGES])
def test_without_a_configuration_a_message_is_explained_by_itself(blocked, step, subject):
    said = chromium(Verdict(blocked, subject, step, URL), url=URL, origin=PAGE)
    explanation = explained(said, None)
    assert explanation.blocked
    assert explanation.sentences == {"Chromium": said}
    assert [step.state for step in explanation.steps].count(State.FAILED) == 1
    assert isinstance(explanation.fix, NoFix)
    assert explanation.needed[-1].headers[0] == f"Access-Control-Allow-Origin: {PAGE}"


@pytest.mark.parametrize("blocked", [Blocked.SCHEME, Blocked.REDIRECT_SCHEME, Blocked.REDIRECT_CREDENTIALS])
def test_a_message_that_no_server_can_prevent(blocked):
    said = chromium(Verdict(blocked, b"ftp", url=URL), url=URL, origin=PAGE)
    explanation = explained(said, None, Told(PAGE))
    assert [step.state for step in explanation.steps].count(State.FAILED) == 1
    assert explanation.needed == ()


def test_live_says_what_the_server_has_to_answer():
    explanation = explained(URL, None, Told(PAGE), live=lambda asked: WireResponse(200))
    assert [(answer.of, answer.headers) for answer in explanation.needed] == [
        ("GET", (f"Access-Control-Allow-Origin: {PAGE}",))
    ]


def test_live_with_a_configuration_names_the_change():
    explanation = explained(URL, CONFIG, Told(PAGE), live=lambda asked: WireResponse(200))
    assert isinstance(explanation.fix, Fix)
    assert explanation.needed == ()
    assert explanation.rule is not None


@pytest.mark.parametrize(
    ("listed", "told", "printing"),
    [
        (b"*", Told(PAGE, headers=("Authorization",)), {"Firefox", "Safari"}),  # Chromium 156 lets it pass
        (b"x-a", Told(PAGE, headers=("Authorization",)), {"Chromium", "Firefox", "Safari"}),
        (b"*", Told(PAGE, headers=("Authorization",), credentials=True), {"Chromium", "Firefox", "Safari"}),
    ],
)
def test_who_takes_a_star_for_authorization(listed, told, printing):
    granted = (
        (b"Access-Control-Allow-Origin", PAGE.encode()),
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Allow-Headers", listed),
    )
    explanation = explained(URL, None, told, live=lambda asked: WireResponse(200, granted))
    assert explanation.fetched.verdict.blocked is Blocked.HEADER
    assert set(explanation.sentences) == printing


def test_live_blocks_what_the_configuration_allows():
    explanation = explained(URL, OPEN, Told(PAGE), live=lambda asked: WireResponse(200))
    assert explanation.fix == ALLOWED_HERE


@pytest.fixture
def server():
    """A server of one answer a connection, its port, and what it was asked."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(65536))
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: http://localhost:5173\r\n"
                        b"Access-Control-Allow-Methods: PUT\r\nContent-Length: 0\r\n\r\n"
                    )

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], asked
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_live_asks_the_server_itself(server):
    port, asked = server
    explanation = explained(f"http://127.0.0.1:{port}/api?a=b", None, Told(PAGE, "PUT"), send)
    assert not explanation.blocked
    assert explanation.fix is None
    assert [request.split(b"\r\n")[0] for request in asked] == [
        b"OPTIONS /api?a=b HTTP/1.1",
        b"PUT /api?a=b HTTP/1.1",
    ]
    assert b"Access-Control-Request-Method: PUT" in asked[0]
    assert b"Origin: http://localhost:5173" in asked[1]


def test_a_server_that_is_not_there_is_said_to_be():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoAnswer, match=r"gave no answer .*; is it running"):
        explained(f"http://127.0.0.1:{port}/", None, Told(PAGE), send)


def test_a_certificate_that_is_not_trusted_is_said_to_be():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(NoAnswer, match=r"the certificate of localhost:\d+ is not trusted \("):
            explained(f"https://localhost:{listener.getsockname()[1]}/", None, Told(PAGE), send)
        thread.join()


def test_only_servers_are_asked():
    with pytest.raises(NoAnswer, match="is no URL of a server"):
        send(WireRequest(b"GET", "ftp://localhost/"))


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ("net::ERR_FAILED", "the file has no answer to judge"),
        ("net::ERR_CONNECTION_REFUSED", "nobody answers at this address"),
    ],
)
def test_a_har_entry_without_an_answer(failure, said):
    entry = {
        "request": {"method": "GET", "url": URL, "headers": [{"name": "Origin", "value": PAGE}]},
        "response": {"status": 0, "headers": [], "_error": failure},
    }
    text = json.dumps({"log": {"entries": [entry]}})
    with pytest.raises(NotUnderstood, match=said):
        explained(text, None)
    explanation = explained(text)
    assert isinstance(explanation.fix, Fix)
    assert any(said in remark for remark in explanation.lookalikes) is (failure != "net::ERR_FAILED")
    assert explained(text, OPEN).unclear


def test_json_has_the_same_content():
    found = as_json(explained(URL, told=Told(PAGE, "PUT")))
    assert json.loads(json.dumps(found)) == found
    assert found["blocked"] is True
    assert (found["reason"], found["step"]) == ("missing-allow-origin", "preflight")
    assert found["rule"] == {"name": "/api", "where": "config.yaml:6:5"}
    assert found["policy"] == {"name": "web-app", "where": "config.yaml:2:3"}
    assert found["outcome"] == "preflight-denied-origin"
    assert set(found["browsers"]) == {"Chromium", "Firefox", "Safari"}
    assert "+    allow_methods: [GET, POST, PUT]" in found["fix"]["diff"]


def test_json_says_why_there_is_no_fix():
    found = as_json(explained("http://localhost:8080/nowhere", told=Told(PAGE)))
    assert found["fix"] == {"diff": None, "why_not": 'no rule matches the path "/nowhere"; the rules are for /api'}
    assert found["rule"] is None
    assert isinstance(explained("http://localhost:8080/nowhere", told=Told(PAGE)).fix, NoFix)


def test_json_of_an_allowed_request_has_no_fix():
    found = as_json(explained(URL, OPEN, Told(PAGE)))
    assert (found["blocked"], found["fix"], found["reason"], found["browsers"]) == (False, None, None, {})
