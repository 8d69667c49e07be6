"""Firefox's sentences, as its localisation file has them, for verdicts of the browser model."""

import pytest

from corsproxy.cors.check import ALLOWED, Blocked, Step, Verdict
from corsproxy.cors.firefox import firefox

URL = "https://api.example.com/data"
_AT = f"Cross-Origin Request Blocked: The Same Origin Policy disallows reading the remote resource at {URL}. (Reason: "

# Source of every row: dom/locales/en-US/chrome/security/security.properties, and MDN's page of that name.
SENTENCES = [
    (
        Verdict(Blocked.MISSING_ALLOW_ORIGIN),
        200,
        0,
        "CORS header ‘Access-Control-Allow-Origin’ missing). Status code: 200.",
    ),
    (
        Verdict(Blocked.MISSING_ALLOW_ORIGIN),
        0,
        0,
        "CORS header ‘Access-Control-Allow-Origin’ missing). Status code: (null).",
    ),
    (
        Verdict(Blocked.MULTIPLE_ALLOW_ORIGIN, b"https://a.example, https://b.example"),
        200,
        2,
        "Multiple CORS header ‘Access-Control-Allow-Origin’ not allowed).",
    ),
    (
        Verdict(Blocked.MULTIPLE_ALLOW_ORIGIN, b"https://a.example, https://b.example"),
        200,
        1,
        "CORS header ‘Access-Control-Allow-Origin’ does not match ‘https://a.example, https://b.example’).",
    ),
    (
        Verdict(Blocked.OTHER_ALLOW_ORIGIN, b"https://a.example"),
        200,
        1,
        "CORS header ‘Access-Control-Allow-Origin’ does not match ‘https://a.example’).",
    ),
    (
        Verdict(Blocked.WILDCARD_WITH_CREDENTIALS, b"*"),
        200,
        1,
        "Credential is not supported if the CORS header ‘Access-Control-Allow-Origin’ is ‘*’).",
    ),
    (
        Verdict(Blocked.ALLOW_CREDENTIALS, b""),
        200,
        1,
        "expected ‘true’ in CORS header ‘Access-Control-Allow-Credentials’).",
    ),
    (
        Verdict(Blocked.PREFLIGHT_STATUS, b"401", Step.PREFLIGHT),
        401,
        1,
        "CORS preflight response did not succeed). Status code: 401.",
    ),
    (
        Verdict(Blocked.METHOD, b"PUT", Step.PREFLIGHT),
        204,
        1,
        "Did not find method in CORS header ‘Access-Control-Allow-Methods’).",
    ),
    (
        Verdict(Blocked.HEADER, b"x-api-key", Step.PREFLIGHT),
        204,
        1,
        (
            "header ‘x-api-key’ is not allowed according to header ‘Access-Control-Allow-Headers’ "
            "from CORS preflight response)."
        ),
    ),
    (
        Verdict(Blocked.MALFORMED_ALLOW_METHODS, b"GET, P UT", Step.PREFLIGHT),
        204,
        1,
        "invalid token ‘P UT’ in CORS header ‘Access-Control-Allow-Methods’).",
    ),
    (Verdict(Blocked.SCHEME, b"ftp"), 0, 0, "CORS request not http)."),
]


@pytest.mark.parametrize(("verdict", "status", "lines", "expected"), SENTENCES)
def test_sentence(verdict, status, lines, expected):
    assert firefox(verdict, url=URL, status=status, lines=lines) == _AT + expected


def test_nothing_is_printed_for_an_allowed_request():
    assert firefox(ALLOWED, url=URL, status=200) == ""


@pytest.mark.parametrize("blocked", Blocked)
def test_every_reason_has_its_sentence_in_one_harmless_line(blocked):
    sentence = firefox(Verdict(blocked, b"evil\r\n\x1b[31m"), url="https://a.example/\n", status=200)
    assert sentence.startswith("Cross-Origin Request Blocked: ")
    assert sentence.isprintable()
