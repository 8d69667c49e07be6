"""Safari's sentences, as WebKit's source has them, for verdicts of the browser model."""

import pytest

from corsproxy.cors.check import ALLOWED, Blocked, Step, Verdict
from corsproxy.cors.safari import safari

URL, PAGE = "https://api.example.com/data", "https://app.example.com"

# Source of every row: Source/WebCore/loader/CrossOriginAccessControl.cpp and CrossOriginPreflightResultCache.cpp.
SENTENCES = [
    (
        Verdict(Blocked.MISSING_ALLOW_ORIGIN),
        200,
        "Origin https://app.example.com is not allowed by Access-Control-Allow-Origin. Status code: 200",
    ),
    # WebKit looks at a preflight's status before its headers.
    (
        Verdict(Blocked.MISSING_ALLOW_ORIGIN, step=Step.PREFLIGHT),
        403,
        "Preflight response is not successful. Status code: 403",
    ),
    (
        Verdict(Blocked.MISSING_ALLOW_ORIGIN, step=Step.PREFLIGHT),
        204,
        "Origin https://app.example.com is not allowed by Access-Control-Allow-Origin. Status code: 204",
    ),
    (
        Verdict(Blocked.MULTIPLE_ALLOW_ORIGIN, b"https://a.example, https://b.example"),
        200,
        "Access-Control-Allow-Origin cannot contain more than one origin.",
    ),
    (
        Verdict(Blocked.WILDCARD_WITH_CREDENTIALS, b"*"),
        200,
        "Cannot use wildcard in Access-Control-Allow-Origin when credentials flag is true.",
    ),
    (
        Verdict(Blocked.ALLOW_CREDENTIALS, b""),
        200,
        'Credentials flag is true, but Access-Control-Allow-Credentials is not "true".',
    ),
    (
        Verdict(Blocked.METHOD, b"PUT", Step.PREFLIGHT),
        204,
        "Method PUT is not allowed by Access-Control-Allow-Methods.",
    ),
    (
        Verdict(Blocked.HEADER, b"x-api-key", Step.PREFLIGHT),
        204,
        "Request header field x-api-key is not allowed by Access-Control-Allow-Headers.",
    ),
    (
        Verdict(Blocked.MALFORMED_ALLOW_METHODS, b"P UT", Step.PREFLIGHT),
        204,
        "Header Access-Control-Allow-Methods has an invalid value: P UT",
    ),
    (Verdict(Blocked.TOO_MANY_REDIRECTS), 302, f"Fetch API cannot load {URL} due to access control checks."),
]


@pytest.mark.parametrize(("verdict", "status", "expected"), SENTENCES)
def test_sentence(verdict, status, expected):
    assert safari(verdict, url=URL, origin=PAGE, status=status) == expected


def test_the_api_is_called_by_its_name():
    said = safari(Verdict(Blocked.TOO_MANY_REDIRECTS), url=URL, origin=PAGE, status=302, initiator="XMLHttpRequest")
    assert said == f"XMLHttpRequest cannot load {URL} due to access control checks."


def test_nothing_is_printed_for_an_allowed_request():
    assert safari(ALLOWED, url=URL, origin=PAGE, status=200) == ""


@pytest.mark.parametrize("blocked", Blocked)
def test_every_reason_has_its_sentence_in_one_harmless_line(blocked):
    sentence = safari(Verdict(blocked, b"evil\r\n\x1b[31m"), url="https://a.example/\n", origin="\x1b", status=200)
    assert sentence
    assert sentence.isprintable()
