"""What Safari prints in its console for a verdict of the browser model.

The sentences are WebKit's (``Source/WebCore/loader/CrossOriginAccessControl.cpp`` and
``CrossOriginPreflightResultCache.cpp``), the first of the two lines that it prints; the second only repeats that the
URL cannot be loaded "due to access control checks".  Rules: pure; what comes from the network is one harmless line.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from corsproxy.cors.check import Blocked, Step, Verdict
from corsproxy.cors.words import escaped, shown

NOT_LOADED: Final = "{api} cannot load {url} due to access control checks."
PREFLIGHT_STATUS: Final = "Preflight response is not successful. Status code: {status}"
OTHER_ORIGIN: Final = "Origin {origin} is not allowed by Access-Control-Allow-Origin. Status code: {status}"
_APIS: Final = {"fetch": "Fetch API"}  # others are called as they are

SENTENCES: Final = {
    Blocked.MISSING_ALLOW_ORIGIN: OTHER_ORIGIN,
    Blocked.MULTIPLE_ALLOW_ORIGIN: "Access-Control-Allow-Origin cannot contain more than one origin.",
    Blocked.INVALID_ALLOW_ORIGIN: OTHER_ORIGIN,
    Blocked.OTHER_ALLOW_ORIGIN: OTHER_ORIGIN,
    Blocked.WILDCARD_WITH_CREDENTIALS: (
        "Cannot use wildcard in Access-Control-Allow-Origin when credentials flag is true."
    ),
    Blocked.ALLOW_CREDENTIALS: 'Credentials flag is true, but Access-Control-Allow-Credentials is not "true".',
    Blocked.PREFLIGHT_STATUS: PREFLIGHT_STATUS,
    Blocked.PREFLIGHT_REDIRECT: PREFLIGHT_STATUS,
    Blocked.MALFORMED_ALLOW_METHODS: "Header Access-Control-Allow-Methods has an invalid value: {subject}",
    Blocked.MALFORMED_ALLOW_HEADERS: "Header Access-Control-Allow-Headers has an invalid value: {subject}",
    Blocked.METHOD: "Method {subject} is not allowed by Access-Control-Allow-Methods.",
    Blocked.HEADER: "Request header field {subject} is not allowed by Access-Control-Allow-Headers.",
    Blocked.SCHEME: "Cross origin requests are only supported for HTTP.",
}


def safari(verdict: Verdict, *, url: str, origin: str, status: int, initiator: str = "fetch") -> str:
    """The sentence that Safari prints for a verdict, "" when the page got its answer.

    ``url`` is the one that the page asked for, ``status`` that of the refused answer.  WebKit looks at the status
    first, so that a refused preflight is reported by it, whatever its headers are.  Reasons without a sentence of their
    own get the line that follows every other one.
    """
    if verdict.blocked is None:
        return ""
    sentence = SENTENCES.get(verdict.blocked, NOT_LOADED)
    if verdict.step is Step.PREFLIGHT and not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        sentence = PREFLIGHT_STATUS
    words = {"subject": escaped(verdict.subject), "origin": shown(origin), "url": shown(url), "status": status}
    return sentence.format(**words, api=_APIS.get(initiator, initiator))
