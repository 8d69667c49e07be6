"""What a page would notice if another table had answered: two answers to one request, as a browser judges them.

Rules: pure.  What this proxy decides speaks for itself; where it leaves CORS to the upstream, or an allowed request
carries credentials, the browser's own checks (``check``) are asked about the lines of the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from corsproxy.cors.check import Blocked, Step, Verdict, check_origin, check_preflight, exposed
from corsproxy.cors.decision import Decision
from corsproxy.cors.fetch import Credentials, Headers, Request, WireResponse, get, members, values_of
from corsproxy.cors.outcome import Outcome
from corsproxy.cors.words import advice, escaped

NO_RULE: Final = "no-rule"  # a reason besides the words of Outcome and of check.Blocked


class Change(StrEnum):
    """What becomes of a verdict; the same word in logs, metrics and the inspector."""

    SAME = "same"
    NEWLY_DENIED = "newly-denied"
    NEWLY_ALLOWED = "newly-allowed"
    CHANGED = "changed"  # allowed both times, with other credentials, exposed headers, timing or embedding
    UNKNOWN = "unknown"  # the upstream would decide, and has not been asked


class Asked(NamedTuple):
    """A request that came, as far as a browser's checks depend on it.

    ``preflight`` is what it asks for, where it is one; ``checked`` whether a browser applies CORS to it at all: it does
    not to navigations, WebSockets, images without ``crossorigin``, and the page's own origin.
    """

    origin: bytes
    credentials: Credentials
    checked: bool
    preflight: Request | None = None


class Given(NamedTuple):
    """An answer to it: what was decided, and the lines that the browser gets.

    ``headers`` None: nobody knows, since the upstream would have had to be asked.
    """

    decision: Decision
    ruled: bool = True  # whether a rule matched
    stopped: bool = False  # whether a denied request ends here, and is not forwarded
    status: int = 200
    headers: Headers | None = ()


class Difference(NamedTuple):
    """What changes from one answer to the other, why it is denied where it is, and what about."""

    change: Change
    reason: str = ""
    subject: bytes = b""


@dataclass(frozen=True, slots=True)
class Flip:
    """A verdict of the shadow that is another one, and the rule and the policy there that decide it."""

    difference: Difference
    decision: Decision
    rule: str = ""  # as logs call it; "" where none matches
    where: str = ""
    policy: str = ""
    policy_where: str = ""


class _Judged(NamedTuple):
    allowed: bool | None  # None: nobody knows
    reason: str = ""
    subject: bytes = b""


_ALLOWED: Final = _Judged(allowed=True)
_UNKNOWN: Final = _Judged(allowed=None)
_SAME: Final = Difference(Change.SAME)


def difference(asked: Asked, now: Given, then: Given) -> Difference:
    """What a page would notice if ``then`` were given in place of ``now``."""
    before, after = _judged(asked, now), _judged(asked, then)
    if before.allowed is None or after.allowed is None:
        return Difference(Change.UNKNOWN)
    if before.allowed and not after.allowed:
        return Difference(Change.NEWLY_DENIED, after.reason, after.subject)
    if after.allowed and not before.allowed:
        return Difference(Change.NEWLY_ALLOWED, before.reason, before.subject)
    if before.allowed and now.headers is not None and then.headers is not None:
        found = list(_changes(asked, now.headers, then.headers))
        if found:
            reasons = dict.fromkeys(reason for reason, _ in found)
            return Difference(Change.CHANGED, ", ".join(reasons), b" ".join(subject for _, subject in found))
    return _SAME


def said(flip: Flip) -> str:
    """A flip in words, as a clause about the shadow."""
    difference = flip.difference
    if difference.change is Change.CHANGED:
        return f"would be allowed with a difference: {escaped(difference.subject)}"
    why = _why(difference.reason).format(escaped(difference.subject))
    if difference.change is Change.NEWLY_DENIED:
        return f"would be denied: {why}"
    return f"would be allowed; it is denied now: {why}"


def remedy(flip: Flip) -> str:
    """The line that would leave to a page what it has now; "" where nothing is taken away, or no line is known."""
    difference = flip.difference
    if difference.change is not Change.NEWLY_DENIED:
        return ""
    if difference.reason == NO_RULE:
        return "add a rule for this host and path to the shadow"
    if difference.reason in _CREDENTIALS:
        return f"set `allow_credentials: true` in policy {flip.policy}"
    return advice(flip.decision, flip.policy)


_CREDENTIALS: Final = frozenset({Blocked.ALLOW_CREDENTIALS, Blocked.WILDCARD_WITH_CREDENTIALS})
_REASONS: Final[dict[str, str]] = {
    NO_RULE: "no rule matches",
    Outcome.DENIED_ORIGIN: "the origin {} is not allowed",
    Outcome.PREFLIGHT_DENIED_ORIGIN: "the origin {} is not allowed",
    Outcome.PREFLIGHT_DENIED_METHOD: "the method {} is not allowed",
    Outcome.PREFLIGHT_DENIED_HEADERS: "the request headers {} are not allowed",
    Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK: "private network access is not allowed",
    **dict.fromkeys(map(str, _CREDENTIALS), "it carries cookies, and credentials are not allowed"),
}


def _why(reason: str) -> str:
    return _REASONS.get(reason, f"a browser does not take the answer ({reason})".replace("{", "{{"))


def _judged(asked: Asked, given: Given) -> _Judged:
    decision = given.decision
    if decision.outcome.denied and (asked.checked or given.stopped):
        return _denied(decision.outcome, decision.subject)
    if not given.ruled:
        return _denied(NO_RULE)
    if not asked.checked or decision.outcome is Outcome.PREFLIGHT_ALLOWED:
        return _ALLOWED
    if given.headers is None:
        return _UNKNOWN
    verdict = _verdict(asked, given.status, given.headers)
    return _Judged(verdict.allowed, verdict.blocked or "", verdict.subject)


def _denied(reason: str, subject: bytes = b"") -> _Judged:
    return _Judged(allowed=False, reason=reason, subject=subject)


def _verdict(asked: Asked, status: int, headers: Headers) -> Verdict:
    """What the browser's own checks say of an answer."""
    response = WireResponse(status, headers)
    if asked.preflight is not None:
        return check_preflight(asked.preflight, asked.origin, response)
    request = Request(url="", origin=asked.origin, credentials=asked.credentials)
    return check_origin(request, asked.origin, response, Step.ACTUAL)


def _changes(asked: Asked, now: Headers, then: Headers) -> Iterator[tuple[str, bytes]]:
    """Each thing that differs in two answers which both reach the page, and how."""
    if asked.checked:
        yield from _gained("credentials", _credentials(now), _credentials(then))
    if asked.preflight is not None:
        return
    if asked.checked:
        yield from _gained("exposed-headers", _exposed(asked, now), _exposed(asked, then))
    yield from _gained("timing", _timing(asked, now), _timing(asked, then))
    yield from _gained("embedding", _embedding(now), _embedding(then))


def _gained(reason: str, now: set[bytes], then: set[bytes]) -> Iterator[tuple[str, bytes]]:
    yield from ((reason, b"-" + name) for name in sorted(now - then))
    yield from ((reason, b"+" + name) for name in sorted(then - now))


def _credentials(headers: Headers) -> set[bytes]:
    return {b"credentials"} if get(headers, b"access-control-allow-credentials") == b"true" else set()


def _exposed(asked: Asked, headers: Headers) -> set[bytes]:
    return {name.lower() for name, _ in exposed(WireResponse(200, headers), asked.credentials)}


def _timing(asked: Asked, headers: Headers) -> set[bytes]:
    """Whether the page may see timings (https://fetch.spec.whatwg.org/#concept-tao-check)."""
    listed = members(get(headers, b"timing-allow-origin") or b"")
    return {b"timing"} if not {b"*", asked.origin or b"*"}.isdisjoint(listed) else set()


def _embedding(headers: Headers) -> set[bytes]:
    return set(values_of(headers, b"cross-origin-resource-policy"))
