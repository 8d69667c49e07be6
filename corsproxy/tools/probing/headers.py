"""The findings about how the headers are written: doubled, malformed, without Vary; and what they say besides.

Rules: pure, as ``judgement``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from corsproxy.cors.check import CHROMIUM_MAX_AGE, max_age
from corsproxy.cors.fetch import members, token_list
from corsproxy.cors.origin import read_origin
from corsproxy.tools.probing.answers import Answered, Answers, Role
from corsproxy.tools.probing.judgement import Finding, found
from corsproxy.tools.probing.kinds import Kind

_ORIGIN: Final = b"access-control-allow-origin"
_CREDENTIALS: Final = b"access-control-allow-credentials"
_MAX_AGE: Final = b"access-control-max-age"
_SINGLE: Final = (_ORIGIN, _CREDENTIALS, _MAX_AGE)  # the others are lists, over as many lines as one likes
_LISTS: Final = (b"access-control-allow-methods", b"access-control-allow-headers", b"access-control-expose-headers")
_FIREFOX_MAX_AGE: Final = 86_400
_ERRORS: Final = range(400, 600)


def caching(answers: Answers) -> Iterator[Finding]:
    """Whether a cache can hand the answer for one page to another.

    https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches.  Answers to OPTIONS are not kept by caches
    (https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7), and those of another status may come from somebody else.
    """
    first, *others = answers.actual()
    alike = [first, *(each for each in others if each.status == first.status)]
    if len({_written(each) for each in alike}) < 2:
        return
    lacking = [each for each in alike if each.stored and not each.varies]
    # * is for everybody: from a cache, too, it lets in nobody whom the API itself would not
    granting = [each for each in lacking if each.allow_origin not in {None, b"*"}]
    if lacking:
        shown = (granting or lacking)[0]
        different = next(each for each in alike if _written(each) != _written(shown))
        yield found(Kind.MISSING_VARY, shown, different, severe=bool(granting))


def _written(answered: Answered) -> tuple[bytes | None, ...]:
    """What of an answer depends on the Origin, if anything does."""
    return (answered.allow_origin, answered.get(_CREDENTIALS))


def values(answers: Answers) -> Iterator[Finding]:
    """Doubled and malformed values, each header once."""
    for name in _SINGLE:
        if several := [each for each in answers if len(_members(each, name)) > 1]:
            yield found(Kind.MULTIPLE_VALUES, several[0], subject=name.decode().title())
    yield from _malformed(answers, _ORIGIN, _is_allowed_origin)
    yield from _malformed(answers, _CREDENTIALS, lambda value: value == b"true")
    yield from _malformed(answers, _MAX_AGE, lambda value: value.isdigit())
    for name in _LISTS:
        if broken := [each for each in answers if token_list(each.answer.headers, name) is None]:
            yield found(Kind.MALFORMED_VALUE, broken[0], subject=_line(name, broken[0].get(name) or b""))
    for each in answers:
        if each.allow_origin == b"*" and each.get(_CREDENTIALS) == b"true":
            yield found(Kind.WILDCARD_CREDENTIALS, each)
            break


def _malformed(answers: Answers, name: bytes, understood: Callable[[bytes], bool]) -> Iterator[Finding]:
    """A single value that is none; what a trick has provoked is a finding already."""
    for each in answers:
        listed = _members(each, name)
        if each.question.role is not Role.TRICK and len(listed) == 1 and not understood(listed[0]):
            yield found(Kind.MALFORMED_VALUE, each, subject=_line(name, listed[0]))
            return


def _is_allowed_origin(value: bytes) -> bool:
    return value in {b"*", b"null"} or read_origin(value.decode("latin-1")) is not None


def _members(answered: Answered, name: bytes) -> list[bytes]:
    return [member for value in answered.values(name) for member in members(value)]


def _line(name: bytes, value: bytes) -> bytes:
    return b"%b: %b" % (name.title(), value)


def facts(answers: Answers) -> Iterator[Finding]:
    """What the headers say, without anything being wrong with it."""
    first = answers.actual(Role.NOBODY)[0]
    if not answers.own_headers:
        yield found(Kind.NO_CORS, answers.stranger)
    if first.allow_origin not in {None, b"*"}:
        yield found(Kind.NOT_ASKED, first, subject=first.allow_origin or b"")
    yield from _named(answers, b"access-control-expose-headers", Kind.EXPOSES)
    yield from _named(answers, b"timing-allow-origin", Kind.TIMING)
    yield from _named(answers, b"cross-origin-resource-policy", Kind.RESOURCE_POLICY)
    yield from _kept(answers.preflights(Role.PAGE)[0])
    if first.redirects:
        yield found(Kind.REDIRECT, first, subject=first.get(b"location") or b"")
    elif first.status in _ERRORS:
        yield found(Kind.STATUS, first, subject=str(first.status))


def _named(answers: Answers, name: bytes, kind: Kind) -> Iterator[Finding]:
    for each in answers.actual():
        if value := each.get(name):
            yield found(kind, each, subject=value)
            return


def _kept(preflight: Answered) -> Iterator[Finding]:
    """For how long browsers keep a preflight's answer; each has a limit of its own."""
    if preflight.access and preflight.get(_MAX_AGE) is not None:
        longest = max_age(preflight.answer.headers, _FIREFOX_MAX_AGE)
        chromium = min(longest, CHROMIUM_MAX_AGE)
        subject = f"{longest} s" if longest == chromium else f"{longest} s (Chromium {chromium} s)"
        yield found(Kind.MAX_AGE, preflight, subject=subject)
