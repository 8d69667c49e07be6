"""What Firefox prints in its console for a verdict of the browser model.

The sentences are those of Gecko's ``dom/locales/en-US/chrome/security/security.properties``, chosen as
``netwerk/protocol/http/nsCORSListenerProxy.cpp`` chooses them; https://developer.mozilla.org/docs/Web/HTTP/Guides/CORS/Errors
describes each.  Rules: pure; every reason has its sentence; what comes from the network is one harmless line.
"""

from __future__ import annotations

from typing import Final

from corsproxy.cors.check import Blocked, Verdict
from corsproxy.cors.fetch import is_token, members
from corsproxy.cors.words import escaped, shown

BLOCKED: Final = (
    "Cross-Origin Request Blocked: The Same Origin Policy disallows reading the remote resource at {url}. "
    "(Reason: {reason})."
)
STATUS: Final = " Status code: {status}."
NO_STATUS: Final = "(null)"  # what stands for a code where no answer came

# Each by its name in security.properties.  Firefox has fewer of them than the standard has reasons.
MISSING_ALLOW_ORIGIN: Final = "CORS header ‘Access-Control-Allow-Origin’ missing"
MULTIPLE_ALLOW_ORIGIN: Final = "Multiple CORS header ‘Access-Control-Allow-Origin’ not allowed"
OTHER_ALLOW_ORIGIN: Final = "CORS header ‘Access-Control-Allow-Origin’ does not match ‘{subject}’"
WILDCARD: Final = "Credential is not supported if the CORS header ‘Access-Control-Allow-Origin’ is ‘*’"
ALLOW_CREDENTIALS: Final = "expected ‘true’ in CORS header ‘Access-Control-Allow-Credentials’"
PREFLIGHT_FAILED: Final = "CORS preflight response did not succeed"
MALFORMED_METHODS: Final = "invalid token ‘{subject}’ in CORS header ‘Access-Control-Allow-Methods’"
MALFORMED_HEADERS: Final = "invalid token ‘{subject}’ in CORS header ‘Access-Control-Allow-Headers’"
METHOD: Final = "Did not find method in CORS header ‘Access-Control-Allow-Methods’"
HEADER: Final = (
    "header ‘{subject}’ is not allowed according to header ‘Access-Control-Allow-Headers’ from CORS preflight response"
)
NOT_HTTP: Final = "CORS request not http"
EXTERNAL_REDIRECT: Final = "CORS request external redirect not allowed"
NO_SUCCESS: Final = "CORS request did not succeed"

REASONS: Final = {
    Blocked.MISSING_ALLOW_ORIGIN: MISSING_ALLOW_ORIGIN,
    Blocked.MULTIPLE_ALLOW_ORIGIN: OTHER_ALLOW_ORIGIN,  # one line with a list; two lines are MULTIPLE_ALLOW_ORIGIN
    Blocked.INVALID_ALLOW_ORIGIN: OTHER_ALLOW_ORIGIN,
    Blocked.OTHER_ALLOW_ORIGIN: OTHER_ALLOW_ORIGIN,
    Blocked.WILDCARD_WITH_CREDENTIALS: WILDCARD,
    Blocked.ALLOW_CREDENTIALS: ALLOW_CREDENTIALS,
    Blocked.PREFLIGHT_STATUS: PREFLIGHT_FAILED,
    Blocked.PREFLIGHT_REDIRECT: EXTERNAL_REDIRECT,
    Blocked.MALFORMED_ALLOW_METHODS: MALFORMED_METHODS,
    Blocked.MALFORMED_ALLOW_HEADERS: MALFORMED_HEADERS,
    Blocked.METHOD: METHOD,
    Blocked.HEADER: HEADER,
    Blocked.SCHEME: NOT_HTTP,
    Blocked.REDIRECT_SCHEME: NOT_HTTP,
    Blocked.REQUEST_MODE: NO_SUCCESS,
    Blocked.REDIRECT_CREDENTIALS: NO_SUCCESS,
    Blocked.REDIRECT_LOCATION: NO_SUCCESS,
    Blocked.REDIRECT_LOCATIONS: NO_SUCCESS,
    Blocked.REDIRECT_STREAM: NO_SUCCESS,
    Blocked.TOO_MANY_REDIRECTS: NO_SUCCESS,
}
# Those that end with the status of the answer.
WITH_STATUS: Final = frozenset({MISSING_ALLOW_ORIGIN, PREFLIGHT_FAILED, NO_SUCCESS})


def firefox(verdict: Verdict, *, url: str, status: int, lines: int = 1) -> str:
    """The sentence that Firefox prints for a verdict, "" when the page got its answer.

    ``url`` is the one that was refused, ``status`` that of its answer (0: there was none), and ``lines`` how many
    Access-Control-Allow-Origin headers it had: Firefox counts them before it reads any.
    """
    if verdict.blocked is None:
        return ""
    reason = REASONS[verdict.blocked]
    if lines > 1 and verdict.blocked in {Blocked.MULTIPLE_ALLOW_ORIGIN, Blocked.OTHER_ALLOW_ORIGIN}:
        reason = MULTIPLE_ALLOW_ORIGIN
    after = STATUS.format(status=status or NO_STATUS) if reason in WITH_STATUS else ""
    return BLOCKED.format(url=shown(url), reason=reason.format(subject=escaped(_token(verdict)))) + after


def _token(verdict: Verdict) -> bytes:
    """What Firefox names: of a malformed list, the member that is no token."""
    if verdict.blocked not in {Blocked.MALFORMED_ALLOW_METHODS, Blocked.MALFORMED_ALLOW_HEADERS}:
        return verdict.subject
    return next((member for member in members(verdict.subject) if member and not is_token(member)), verdict.subject)
