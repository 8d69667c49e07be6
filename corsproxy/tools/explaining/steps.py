"""The steps of the Fetch standard that a request went through, read off the browser model's verdict.

Nothing is checked here a second time: the model checks in this order, so that every step before the one that its
verdict names was passed, and none after it was reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from corsproxy.cors.browser import Fetched
from corsproxy.cors.check import REDIRECT_REASONS, Blocked, Verdict
from corsproxy.cors.check import Step as CheckedStep
from corsproxy.cors.fetch import Credentials, Mode, Request, Tainting, get, origin_of
from corsproxy.cors.safelist import SAFELISTED_METHODS, is_preflighted, unsafe_names
from corsproxy.cors.words import escaped
from corsproxy.tools.simulation import Exchanged

_FETCH: Final = "https://fetch.spec.whatwg.org/#"


class State(StrEnum):
    """What became of a step."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not reached"
    NOTE = "note"  # nothing to pass or fail


class Step(NamedTuple):
    """One step, its clause, and what was found at it."""

    title: str
    clause: str
    state: State
    found: str = ""


class _Check(NamedTuple):
    title: str
    clause: str
    reasons: frozenset[Blocked]
    header: bytes = b""  # what is looked at
    credentials: bool = False  # only where cookies may go along


_ALLOW_ORIGIN: Final = _Check(
    "Access-Control-Allow-Origin is the page's origin, or * without credentials",
    "concept-cors-check",
    frozenset(
        {
            Blocked.MISSING_ALLOW_ORIGIN,
            Blocked.MULTIPLE_ALLOW_ORIGIN,
            Blocked.INVALID_ALLOW_ORIGIN,
            Blocked.OTHER_ALLOW_ORIGIN,
            Blocked.WILDCARD_WITH_CREDENTIALS,
        }
    ),
    b"access-control-allow-origin",
)
_ALLOW_CREDENTIALS: Final = _Check(
    "Access-Control-Allow-Credentials is true",
    "concept-cors-check",
    frozenset({Blocked.ALLOW_CREDENTIALS}),
    b"access-control-allow-credentials",
    credentials=True,
)
_PREFLIGHT: Final = (
    _Check("the answer is no redirect", "cors-preflight-fetch-0", frozenset({Blocked.PREFLIGHT_REDIRECT})),
    _ALLOW_ORIGIN,
    _ALLOW_CREDENTIALS,
    _Check("its status is 200 to 299", "ok-status", frozenset({Blocked.PREFLIGHT_STATUS})),
    _Check(
        "Access-Control-Allow-Methods and -Headers are lists",
        "cors-preflight-fetch-0",
        frozenset({Blocked.MALFORMED_ALLOW_METHODS, Blocked.MALFORMED_ALLOW_HEADERS}),
    ),
    _Check(
        "the method is granted", "cors-preflight-fetch-0", frozenset({Blocked.METHOD}), b"access-control-allow-methods"
    ),
    _Check(
        "every header is granted",
        "cors-preflight-fetch-0",
        frozenset({Blocked.HEADER}),
        b"access-control-allow-headers",
    ),
)
_ACTUAL: Final = (_ALLOW_ORIGIN, _ALLOW_CREDENTIALS)
_REDIRECT: Final = _Check(
    "the redirect may be followed",
    "http-redirect-fetch",
    REDIRECT_REASONS,
    b"location",
)


def steps_of(request: Request, exchanges: Sequence[Exchanged], fetched: Fetched) -> tuple[Step, ...]:
    """Every step, in the order of the standard."""
    return tuple(_walk(request, exchanges, fetched))


def steps_before(request: Request, fetched: Fetched) -> tuple[Step, ...]:
    """The steps that a verdict tells of by itself, where no answer is known: those of its own exchange."""
    checks = _PREFLIGHT if fetched.verdict.step is CheckedStep.PREFLIGHT else (*_ACTUAL, _REDIRECT)
    relevant = [check for check in checks if _applies(check, request) or fetched.verdict.blocked in check.reasons]
    beginning = tuple(_beginning(request, fetched))
    if fetched.verdict.blocked in {Blocked.REQUEST_MODE, Blocked.SCHEME}:
        return beginning
    return (*beginning, *_checked(relevant, None, fetched.verdict))


def _walk(request: Request, exchanges: Sequence[Exchanged], fetched: Fetched) -> Iterator[Step]:
    yield from _beginning(request, fetched)
    if fetched.verdict.blocked in {Blocked.REQUEST_MODE, Blocked.SCHEME}:
        return
    for position, exchanged in enumerate(exchanges, 1):
        last = position == len(exchanges)
        verdict = fetched.verdict if last else Verdict()
        yield from _exchange(request, exchanged, verdict, fetched.tainting)
    if fetched.verdict.allowed:
        yield _end(fetched)


def _beginning(request: Request, fetched: Fetched) -> Iterator[Step]:
    own, other = request.origin.decode("latin-1"), origin_of(request.url).decode("latin-1")
    blocked = fetched.verdict.blocked
    if own == other:
        yield Step(
            "the page asks its own origin, so that CORS does not apply", f"{_FETCH}concept-main-fetch", State.NOTE, own
        )
        return
    yield Step(
        f"the page asks another origin, in mode {request.mode.value}",
        f"{_FETCH}concept-main-fetch",
        State.NOTE,
        f"{own} asks {other}",
    )
    if blocked in {Blocked.REQUEST_MODE, Blocked.SCHEME}:
        yield Step("such a request may be made", f"{_FETCH}concept-main-fetch", State.FAILED, _words(fetched.verdict))
    elif request.mode is Mode.CORS and is_preflighted(request):
        yield Step("a preflight asks first", f"{_FETCH}cors-preflight-fetch-0", State.NOTE, _why_preflighted(request))
    elif request.mode is Mode.CORS:
        yield Step(
            "no preflight is needed",
            f"{_FETCH}concept-main-fetch",
            State.NOTE,
            "the method and all headers are safelisted",
        )


def _why_preflighted(request: Request) -> str:
    reasons = [f"the method {escaped(request.method)}"] if request.method not in SAFELISTED_METHODS else []
    if names := unsafe_names(request.headers):
        reasons.append(f"the header{'s' if len(names) > 1 else ''} {escaped(b', '.join(names))}")
    return "because of " + (" and ".join(reasons) or "the way its body is sent, or of something untold")


def _exchange(request: Request, exchanged: Exchanged, verdict: Verdict, tainting: Tainting) -> Iterator[Step]:
    asked, answered = exchanged.asked, exchanged.answered
    sent = f"{escaped(asked.method)} {asked.url}"
    yield Step(
        f"{'the preflight' if exchanged.preflight else 'the request'} is answered",
        f"{_FETCH}concept-http-fetch",
        State.PASSED,
        f"{sent}: {answered.status}",
    )
    if tainting is not Tainting.CORS and not exchanged.preflight:
        return
    checks = [check for check in (_PREFLIGHT if exchanged.preflight else _ACTUAL) if _applies(check, request)]
    if get(answered.headers, b"location") is not None and not exchanged.preflight:
        checks.append(_REDIRECT)
    yield from _checked(checks, exchanged, verdict)


def _applies(check: _Check, request: Request) -> bool:
    return check is not _REDIRECT and (not check.credentials or request.credentials is Credentials.INCLUDE)


def _checked(checks: Iterable[_Check], exchanged: Exchanged | None, verdict: Verdict) -> Iterator[Step]:
    state = State.PASSED
    for check in checks:
        clause, found = f"{_FETCH}{check.clause}", ""
        if state is not State.FAILED and verdict.blocked not in check.reasons:
            if check.header and exchanged:
                found = _found(exchanged, check.header)
            yield Step(check.title, clause, state, found)
        elif state is State.PASSED:
            state = State.FAILED
            yield Step(check.title, clause, State.FAILED, _words(verdict))
        else:
            yield Step(check.title, clause, State.NOT_REACHED)


def _found(exchanged: Exchanged, header: bytes) -> str:
    value = get(exchanged.answered.headers, header)
    name = "-".join(part.capitalize() for part in header.decode().split("-"))
    return f"{name}: {escaped(value)}" if value is not None else f"there is no {name}"


_SAID: Final[Mapping[Blocked | None, str]] = {
    Blocked.MISSING_ALLOW_ORIGIN: "there is no Access-Control-Allow-Origin",
    Blocked.MULTIPLE_ALLOW_ORIGIN: "it has several values: {}",
    Blocked.INVALID_ALLOW_ORIGIN: "it is no origin: {}",
    Blocked.OTHER_ALLOW_ORIGIN: "it is another one: {}",
    Blocked.WILDCARD_WITH_CREDENTIALS: "it is *, and credentials go along",
    Blocked.ALLOW_CREDENTIALS: "it is '{}'",
    Blocked.PREFLIGHT_REDIRECT: "it leads to {}",
    Blocked.PREFLIGHT_STATUS: "it is {}",
    Blocked.METHOD: "{} is not among them",
    Blocked.HEADER: "{} is not among them",
}


# What a message of a browser does not repeat of the answer.
_UNTOLD: Final = frozenset(
    {
        Blocked.PREFLIGHT_STATUS,
        Blocked.PREFLIGHT_REDIRECT,
        Blocked.MALFORMED_ALLOW_METHODS,
        Blocked.MALFORMED_ALLOW_HEADERS,
        Blocked.REDIRECT_CREDENTIALS,
        Blocked.REDIRECT_SCHEME,
    }
)


def _words(verdict: Verdict) -> str:
    if not verdict.subject and verdict.blocked in _UNTOLD:
        return ""
    otherwise = f"{verdict.blocked}: ".replace("-", " ") + "{}"
    return _SAID.get(verdict.blocked, otherwise).format(escaped(verdict.subject))


def _end(fetched: Fetched) -> Step:
    clause = f"{_FETCH}concept-filtered-response"
    response = fetched.response
    if response is None or fetched.tainting is Tainting.OPAQUE:
        return Step("the page gets an opaque answer: no status, no headers, no body", clause, State.NOTE)
    names = ", ".join(dict.fromkeys(escaped(name) for name, _ in response.headers))
    return Step(
        "the page reads the answer", clause, State.PASSED, f"{response.status}, and these headers: {names or 'none'}"
    )
