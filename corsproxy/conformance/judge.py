"""An exchange against its expectation: every way in which they differ, in words.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from corsproxy.conformance.braces import filled
from corsproxy.conformance.conclusion import Asked, conclude, kept_for, readable, sees_timing
from corsproxy.conformance.model import CLOSED, Conclusion, Expectation, Forwarded, Matcher
from corsproxy.conformance.wire import Received, Response
from corsproxy.cors.fetch import Credentials

_GRANTS = ("access-control-", "timing-allow-origin")
_FRAMING = ("Content-Length", "Transfer-Encoding")
# No cache keeps these unless it is told to (https://www.rfc-editor.org/rfc/rfc9110#section-15.1).
_NOT_KEPT = frozenset(range(400, 501)) - {404, 405, 410, 414}
_MODES = (Credentials.OMIT, Credentials.INCLUDE)
_SHOWN = 160  # characters of a value


@dataclass(slots=True)
class Seen:
    """What came of one exchange."""

    sent: bytes
    asked: Asked
    authority: str
    answer: Response | None  # None: the connection ended without one
    problem: str = ""  # what came is no HTTP, or nothing came in time
    received: list[Received] = field(default_factory=list)  # at the upstream, since the request was sent
    more: int = 0  # answers that came without being asked for


def differences(expect: Expectation, seen: Seen, values: Mapping[str, str], *, credentials: bool) -> Iterator[str]:
    """What is not as expected; ``credentials`` says whether the policy grants them."""
    if seen.problem:
        yield seen.problem
        return
    yield from _of_status(expect, seen.answer)
    yield from _of_upstream(expect, seen.received, values)
    if expect.answers is not None and (came := seen.more + (seen.answer is not None)) > expect.answers:
        yield f"{came} answers came, expected {expect.answers}"
    if seen.answer is not None:
        yield from _of_answer(expect, seen.answer, values)
        yield from _of_browser(expect, seen, seen.answer, grants_credentials=credentials)


def lets_in(expect: Expectation, seen: Seen) -> bool:
    """Whether somebody gets what the policy denies: the failures that are no mere inconvenience."""
    if seen.answer is None:
        return False
    if seen.answer.status == 101 and 101 in expect.not_status:
        return True
    wanted = _conclusion(expect.browser, grants_credentials=False)
    return wanted is not None and any(
        wanted.verdict(credentials) == "blocked"
        and conclude(seen.asked, seen.authority, credentials, seen.answer).allowed
        for credentials in _MODES
    )


def _of_status(expect: Expectation, answer: Response | None) -> Iterator[str]:
    found = CLOSED if answer is None else str(answer.status)
    accepted = {str(status) for status in expect.status}
    if expect.status and not accepted & {found, f"{found[0]}xx"}:
        yield f"status {found}, expected {' or '.join(map(str, expect.status))}"
    elif not expect.status and answer is None:
        yield "the connection ended without an answer"
    if answer is not None and answer.status in expect.not_status:
        yield f"status {found}"


def _of_upstream(expect: Expectation, received: list[Received], values: Mapping[str, str]) -> Iterator[str]:
    if expect.upstream == "untouched" and received:
        yield f"the upstream got {len(received)} request(s), and should get none"
    if expect.upstream == "reached" and len(received) != 1:
        yield f"the upstream got {len(received)} requests, expected 1"
    if expect.forwarded is not None:
        for request in received:
            yield from _of_forwarded(expect.forwarded, request, values)


def _of_forwarded(expect: Forwarded, request: Received, values: Mapping[str, str]) -> Iterator[str]:
    if expect.method is not None and request.method != expect.method:
        yield f"the upstream got {request.method}, expected {expect.method}"
    for name, matcher in expect.headers.items():
        for difference in _of_header(name, matcher, request.all(name), values):
            yield f"the upstream got {difference}"


def _of_answer(expect: Expectation, answer: Response, values: Mapping[str, str]) -> Iterator[str]:
    if expect.allow_origin is not None:
        matcher = Matcher(lines=1, value=expect.allow_origin) if expect.allow_origin else None
        yield from _of_header("Access-Control-Allow-Origin", matcher, answer.all("access-control-allow-origin"), values)
    if expect.allow_credentials is not None:
        name = "Access-Control-Allow-Credentials"
        yield from _of_header(name, "true" if expect.allow_credentials else None, answer.all(name), values)
    if expect.bare:
        yield from (f"{name.decode()}: {_short(value)}" for name, value in answer.headers if _is_grant(name))
    yield from _of_caches(expect, answer)
    for name, header in expect.headers.items():
        yield from _of_header(name, header, answer.all(name), values)
    yield from (f"several {name} lines" for name in expect.at_most_one if len(answer.all(name)) > 1)
    yield from _of_body(expect, answer, values)


def _of_caches(expect: Expectation, answer: Response) -> Iterator[str]:
    vary = _members(answer.all("vary"))
    if "*" in vary or answer.status in _NOT_KEPT or answer.status in range(502, 600):
        return
    for member in expect.vary:
        if member.lower() not in vary:
            yield f"Vary does not name {member}"
    if expect.for_caches and answer.all("access-control-allow-origin") != ["*"] and "origin" not in vary:
        yield "it is neither the same for everybody nor does it vary on Origin"


def _of_body(expect: Expectation, answer: Response, values: Mapping[str, str]) -> Iterator[str]:
    if expect.framing and answer.status == 204:
        yield from (f"a 204 with {name}" for name in _FRAMING if answer.all(name))
    if expect.bare_interim:
        lines = [name for interim in answer.interim for name, _ in interim.headers if _is_grant(name)]
        yield from (f"an interim answer with {name.decode()}" for name in lines)
    body = answer.body.decode("latin-1")
    if expect.body is not None and body != filled(expect.body, values):
        yield f"the body is {_short(body)!r}"
    if expect.body_without and expect.body_without in body:
        yield f"the body holds {expect.body_without}"
    if expect.whole is not None and answer.status < 400 and answer.whole != expect.whole:
        yield "the body is not whole" if expect.whole else "the body looks whole, and is not"


def _is_grant(name: bytes) -> bool:
    return name.decode("latin-1").lower().startswith(_GRANTS)


def _of_header(name: str, matcher: Matcher | str | None, found: list[str], values: Mapping[str, str]) -> Iterator[str]:
    if matcher is None:
        yield from (f"{name}: {_short(value)}" for value in found)
        return
    matcher = Matcher(lines=1, value=[matcher]) if isinstance(matcher, str) else matcher
    if matcher.lines is not None and len(found) != matcher.lines:
        yield f"{len(found)} {name} lines, expected {matcher.lines}" + (
            f": {_short(', '.join(found))}" if found else ""
        )
        return
    fill: Callable[[str], str] = lambda text: filled(text, values)  # noqa: E731  # three uses
    accepted = [fill(value) for value in matcher.value]
    for value in found:
        if accepted and value not in accepted:
            yield f"{name}: {_short(value)}, expected {' or '.join(map(_short, accepted))}"
        yield from (f"{name}: {_short(value)}" for text in matcher.without if fill(text) in value)
        if matcher.at_most is not None and not (value.isdecimal() and int(value) <= matcher.at_most):
            yield f"{name}: {_short(value)}, expected {matcher.at_most} or less"
    listed = _members(found)
    yield from (f"{name} does not have {fill(member)}" for member in matcher.has if fill(member).lower() not in listed)
    yield from (f"{name} has {fill(member)}" for member in matcher.lacks if fill(member).lower() in listed)


def _members(values: list[str]) -> set[str]:
    return {member.strip(" \t").lower() for value in values for member in value.split(",")} - {""}


def _of_browser(expect: Expectation, seen: Seen, answer: Response, *, grants_credentials: bool) -> Iterator[str]:
    wanted = _conclusion(expect.browser, grants_credentials=grants_credentials)
    if wanted is None:
        return
    for credentials in _MODES:
        expected = wanted.verdict(credentials)
        if expected is None:
            continue
        blocked = conclude(seen.asked, seen.authority, credentials, answer).blocked
        found = "allowed" if blocked is None else "blocked"
        if found != expected:
            yield f"a browser says {blocked or found} (credentials: {credentials}), expected {expected}"
    yield from _of_page(wanted, seen, answer, Credentials.INCLUDE if grants_credentials else Credentials.OMIT)


def _of_page(wanted: Conclusion, seen: Seen, answer: Response, credentials: Credentials) -> Iterator[str]:
    names = readable(credentials, answer)
    yield from (f"the page cannot read {name}" for name in wanted.reads if name.lower() not in names)
    yield from (f"the page can read {name}" for name in wanted.hides if name.lower() in names)
    if wanted.timing is not None and sees_timing(seen.asked, seen.authority, answer) != wanted.timing:
        yield "the page does not see timings" if wanted.timing else "the page sees timings"
    if wanted.max_age is not None and kept_for(answer) > wanted.max_age:
        yield f"a preflight is kept for {kept_for(answer)} seconds, expected {wanted.max_age} at most"


def _conclusion(word: str | Conclusion | None, *, grants_credentials: bool) -> Conclusion | None:
    if word == "blocked":
        return Conclusion(omit="blocked", include="blocked")
    if word == "allowed":
        return Conclusion(omit="allowed", include="allowed" if grants_credentials else None)
    return word if isinstance(word, Conclusion) else None


def _short(value: str | bytes) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
