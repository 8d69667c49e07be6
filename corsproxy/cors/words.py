"""What the browser prints in its console, word for word, and what to change so that it prints nothing.

The sentences are Chromium's (third_party/blink/renderer/platform/loader/cors/cors_error_string.cc), each compared with
what Chromium 156 printed.  Rules: pure; every reason has its sentence; whatever comes from the network is escaped in
Chromium's way, so that a sentence is always one harmless line.

Another browser's sentences are another table and another function beside ``chromium``, keyed by the same ``Blocked``.
"""

from __future__ import annotations

import json
import re

from corsproxy.cors.check import Blocked, Step, Verdict
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.cors.names import method_problems, request_header_problems
from corsproxy.cors.origin import parse_origin, read_origin
from corsproxy.cors.origin_list import is_insecure
from corsproxy.errors import InvalidOrigin, PolicyProblem

_BLOCKED = "Access to {initiator} at {where} from origin '{origin}' has been blocked by CORS policy: "
PREFLIGHT = "Response to preflight request doesn't pass access control check: "
_FETCH_HINT = " Have the server send the header with a valid value."
_XHR_HINT = (
    " The credentials mode of requests initiated by the XMLHttpRequest is controlled by the withCredentials attribute."
)

# Reasons that Chromium puts into its CORS sentence.
CORS_SENTENCES = {
    Blocked.MISSING_ALLOW_ORIGIN: "No 'Access-Control-Allow-Origin' header is present on the requested resource.",
    Blocked.MULTIPLE_ALLOW_ORIGIN: (
        "The 'Access-Control-Allow-Origin' header contains multiple values '{subject}', but only one is allowed."
    ),
    Blocked.INVALID_ALLOW_ORIGIN: "The 'Access-Control-Allow-Origin' header contains the invalid value '{subject}'.",
    Blocked.OTHER_ALLOW_ORIGIN: (
        "The 'Access-Control-Allow-Origin' header has a value '{subject}' that is not equal to the supplied origin."
    ),
    Blocked.WILDCARD_WITH_CREDENTIALS: (
        "The value of the 'Access-Control-Allow-Origin' header in the response must not be the wildcard '*' "
        "when the request's credentials mode is 'include'."
    ),
    Blocked.ALLOW_CREDENTIALS: (
        "The value of the 'Access-Control-Allow-Credentials' header in the response is '{subject}' "
        "which must be 'true' when the request's credentials mode is 'include'."
    ),
    Blocked.PREFLIGHT_STATUS: "It does not have HTTP ok status.",
    Blocked.PREFLIGHT_REDIRECT: "Redirect is not allowed for a preflight request.",
    Blocked.MALFORMED_ALLOW_METHODS: (
        "Cannot parse Access-Control-Allow-Methods response header field in preflight response."
    ),
    Blocked.MALFORMED_ALLOW_HEADERS: (
        "Cannot parse Access-Control-Allow-Headers response header field in preflight response."
    ),
    Blocked.METHOD: "Method {subject} is not allowed by Access-Control-Allow-Methods in preflight response.",
    Blocked.HEADER: (
        "Request header field {subject} is not allowed by Access-Control-Allow-Headers in preflight response."
    ),
    Blocked.REDIRECT_SCHEME: (
        "Cross origin requests are only supported for protocol schemes: chrome, "
        "chrome-experimental-site-token-provider, chrome-extension, chrome-untrusted, data, http, https, isolated-app."
    ),
    # Chromium leaves the quotes empty.
    Blocked.REDIRECT_CREDENTIALS: (
        "Redirect location '' contains a username and password, which is disallowed for cross-origin requests."
    ),
}

# Reasons that it reports without that word.
OTHER_SENTENCES = {
    Blocked.REQUEST_MODE: (
        'Fetch API cannot load {url}. Request mode is "same-origin" but the URL\'s origin is not same as the request '
        "origin {origin}."
    ),
    Blocked.SCHEME: 'Fetch API cannot load {url}. URL scheme "{subject}" is not supported.',
    Blocked.REDIRECT_LOCATION: "Failed to load resource: net::ERR_INVALID_REDIRECT",
    Blocked.REDIRECT_LOCATIONS: "Failed to load resource: net::ERR_RESPONSE_HEADERS_MULTIPLE_LOCATION",
    Blocked.REDIRECT_STREAM: "Failed to load resource: net::ERR_INVALID_ARGUMENT",
    Blocked.TOO_MANY_REDIRECTS: "Failed to load resource: net::ERR_TOO_MANY_REDIRECTS",
}

# Redirects to these are refused before CORS is looked at.
_UNSAFE_SCHEMES = frozenset({b"blob", b"data", b"file"})

# Reasons of the access control check, which a preflight's answer has to pass too.
_ACCESS_CHECK = frozenset(
    {
        Blocked.MISSING_ALLOW_ORIGIN,
        Blocked.MULTIPLE_ALLOW_ORIGIN,
        Blocked.INVALID_ALLOW_ORIGIN,
        Blocked.OTHER_ALLOW_ORIGIN,
        Blocked.WILDCARD_WITH_CREDENTIALS,
        Blocked.ALLOW_CREDENTIALS,
        Blocked.PREFLIGHT_STATUS,
        Blocked.PREFLIGHT_REDIRECT,
    }
)
_HINTS = {
    ("fetch", Blocked.MULTIPLE_ALLOW_ORIGIN): _FETCH_HINT,
    ("fetch", Blocked.INVALID_ALLOW_ORIGIN): _FETCH_HINT,
    ("fetch", Blocked.OTHER_ALLOW_ORIGIN): _FETCH_HINT,
    ("XMLHttpRequest", Blocked.WILDCARD_WITH_CREDENTIALS): _XHR_HINT,
    ("XMLHttpRequest", Blocked.ALLOW_CREDENTIALS): _XHR_HINT,
}

# Statuses of a refused WebSocket handshake that Chromium takes for more than a number.
_HANDSHAKES = {
    401: "HTTP Authentication failed; no valid credentials available",
    407: "Error in connection establishment: net::ERR_UNEXPECTED_PROXY_AUTH",
}

# What YAML takes for a text without quotes: a word that is none of its own.
_PLAIN_WORD = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[A-Za-z][A-Za-z0-9_-]*", re.IGNORECASE)
_MAX_SHOWN = 200  # bytes of a text that is no origin


def chromium(verdict: Verdict, *, url: str, origin: str, initiator: str = "fetch") -> str:
    """The sentence that Chromium prints for a verdict, "" when the page got its answer.

    ``url`` is the one that the page asked for, before any redirect.  ``initiator`` is Chromium's word for who asked:
    fetch, XMLHttpRequest, script, CSS stylesheet, font, image, resource (EventSource, sendBeacon) and so on.
    """
    if verdict.blocked is None:
        return ""
    words = {"subject": escaped(verdict.subject), "url": shown(url), "origin": shown(origin)}
    if verdict.blocked is Blocked.REDIRECT_SCHEME and verdict.subject in _UNSAFE_SCHEMES:
        return "Failed to load resource: net::ERR_UNSAFE_REDIRECT"
    if verdict.blocked in OTHER_SENTENCES:
        return OTHER_SENTENCES[verdict.blocked].format_map(words)
    where = f"'{words['url']}'"
    if verdict.url not in {"", url}:
        where = f"'{shown(verdict.url)}' (redirected from {where})"
    check = PREFLIGHT if verdict.step is Step.PREFLIGHT and verdict.blocked in _ACCESS_CHECK else ""
    reason = CORS_SENTENCES[verdict.blocked].format_map(words)
    hint = _HINTS.get((initiator, verdict.blocked), "")
    return _BLOCKED.format(initiator=initiator, where=where, **words) + check + reason + hint


def sentence(decision: Decision, *, url: str, origin: str) -> str:
    """What Chromium prints because of this proxy's decision, "" when nothing is denied.

    Whatever the reason, a denied answer carries no Access-Control-* header at all, so that the browser always misses
    the same one.
    """
    if not decision.outcome.denied:
        return ""
    step = Step.ACTUAL if decision.outcome is Outcome.DENIED_ORIGIN else Step.PREFLIGHT
    return chromium(Verdict(Blocked.MISSING_ALLOW_ORIGIN, step=step), url=url, origin=origin)


def websocket_refused(status: int, *, url: str) -> str:
    """What Chromium prints when a WebSocket handshake is answered by anything but 101; it names no reason."""
    reason = _HANDSHAKES.get(status, f"Error during WebSocket handshake: Unexpected response code: {status}")
    return f"WebSocket connection to '{shown(url.replace('http', 'ws', 1))}' failed: {reason}"


def advice(decision: Decision, policy_name: str) -> str:
    """The smallest change of the configuration that would allow what was denied, in one line; "" when nothing was.

    Where no configuration can help, it says so, and what can.
    """
    subject = escaped(decision.subject)
    match decision.outcome:
        case Outcome.DENIED_ORIGIN | Outcome.PREFLIGHT_DENIED_ORIGIN:
            return _origin_advice(subject, policy_name)
        case Outcome.PREFLIGHT_DENIED_METHOD:
            return _method_advice(subject, policy_name)
        case Outcome.PREFLIGHT_DENIED_HEADERS:
            return _headers_advice(subject, policy_name)
        case Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK:
            return f"set `allow_private_network: true` in policy {policy_name}"
        case _:
            return ""


def is_hopeless(decision: Decision) -> bool:
    """Whether no change of a policy allows what was denied: the page itself has to ask for something else."""
    subject = escaped(decision.subject)
    match decision.outcome:
        case Outcome.DENIED_ORIGIN | Outcome.PREFLIGHT_DENIED_ORIGIN:
            return subject != "null" and read_origin(subject) is None
        case Outcome.PREFLIGHT_DENIED_METHOD:
            return any(method_problems([subject]))
        case Outcome.PREFLIGHT_DENIED_HEADERS:
            return any(request_header_problems([name.strip() for name in subject.split(",")]))
        case _:
            return False


def _origin_advice(origin: str, policy_name: str) -> str:
    if origin == "null":
        return (
            'give the page an origin of its own (a sandboxed frame and a file have none); or add `- "null"` to '
            f"allow_origins and `dangerously_allow_null: true` to policy {policy_name}"
        )
    try:
        scheme, host, _ = parse_origin(origin)
    except InvalidOrigin:
        return f"no policy can allow this; `{origin[:_MAX_SHOWN]}` is no origin that a policy can list"
    line = f"add `- {origin}` to allow_origins of policy {policy_name}"
    if is_insecure(scheme, host):
        line += "; with allow_credentials it also needs `dangerously_allow_insecure_origins: true`"
    return line


def _method_advice(method: str, policy_name: str) -> str:
    problem = next(method_problems([method]), None)
    if problem is None:
        return f"add `{_yaml(method)}` to allow_methods of policy {policy_name}"
    if problem.correction:
        return (
            f"ask for `{problem.correction}` in the page, since methods are case-sensitive, and have it in "
            f"allow_methods of policy {policy_name}"
        )
    return _hopeless(problem)


def _headers_advice(headers: str, policy_name: str) -> str:
    names = [name.strip() for name in headers.split(",")]
    problem = next(request_header_problems(names), None)
    if problem is not None:
        return _hopeless(problem)
    return f"add `{', '.join(map(_yaml, names))}` to allow_headers of policy {policy_name}"


def _hopeless(problem: PolicyProblem) -> str:
    """What is wrong, without the remedy for somebody who has written it into a policy."""
    return f"no policy can allow this; {problem.message.partition(';')[0]}"


def _yaml(token: str) -> str:
    return token if _PLAIN_WORD.fullmatch(token) else json.dumps(token)


def shown(text: str) -> str:
    """A text as ``escaped`` prints it."""
    return escaped(text.encode("utf-8", "backslashreplace"))


def escaped(value: bytes) -> str:
    """As Chromium prints a value: printable ASCII as it is, every other byte as four hexadecimal digits."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\u{byte:04X}" for byte in value)
