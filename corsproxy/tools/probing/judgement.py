"""The findings: who is let in that should not be, whether preflights work, and what the headers say.

Rules: pure; a finding is made from answers alone, and carries those that show it; nobody is said to be let in unless
``cors.check`` says so.  How the headers are written is looked at in ``headers``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from corsproxy.cors.fetch import token_list
from corsproxy.http.answers import printable
from corsproxy.tools.probing.answers import Access, Answered, Answers, Role
from corsproxy.tools.probing.kinds import WORDS, Kind, Severity
from corsproxy.tools.probing.questions import LOCALHOST, PROBED_HEADER, Target

_READ: Final = {
    Access.PLAIN: "what it answers without cookies",
    Access.CREDENTIALS: "what it answers to a logged-in user",
}
_SEND: Final = {
    Access.PLAIN: "such requests, without cookies",
    Access.CREDENTIALS: "such requests in the name of a logged-in user",
}
# Where anything may stand in front of a domain, a name that differs in a dot ends alike; where nothing ends the host,
# neither does an underscore.
_IMPLIED_BY: Final = {Kind.DOT: Kind.PREFIX, Kind.UNDERSCORE: Kind.SUFFIX}
_WANTS_LOG_IN: Final = frozenset({401, 407, 511})
_FORBIDDEN: Final = 403
_LONGEST: Final = 300  # characters of what an API has sent


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an API does; ``evidence`` is what shows it."""

    kind: Kind
    severity: Severity
    evidence: tuple[Answered, ...]
    subject: str = ""  # printable
    read: str = ""  # what a page gets by it

    @property
    def what(self) -> str:
        """What the API does."""
        return WORDS[self.kind].what.format(subject=self.subject)

    @property
    def risk(self) -> str:
        """Who may do what because of it."""
        return WORDS[self.kind].risk.format(read=self.read)

    @property
    def cure(self) -> str:
        """What this proxy does in its place."""
        return WORDS[self.kind].cure


def found(kind: Kind, *evidence: Answered, subject: bytes | str = "", severe: bool = True) -> Finding:
    """A finding that is about no page's access."""
    words = WORDS[kind]
    text = subject if isinstance(subject, str) else subject.decode("latin-1")
    return Finding(kind, words.severe if severe else words.mild, evidence, printable(text[:_LONGEST]))


def _access(kind: Kind, each: Answered, gets: dict[Access, str] = _READ) -> Finding:
    """A finding about what a page gets, more severe if it gets it with cookies."""
    words = WORDS[kind]
    severity = words.severe if each.access is Access.CREDENTIALS else words.mild
    return Finding(kind, severity, (each,), printable(each.origin), gets[each.access])


def pages(answers: Answers, target: Target) -> Iterator[Finding]:
    """Who is let in that should not be."""
    stranger = answers.stranger
    if stranger.access:
        yield _access(Kind.ANY_ORIGIN, stranger)
    for null in answers.actual(Role.NULL):
        if null.access > stranger.access:
            yield _access(Kind.NULL_ORIGIN, null)
    yield from _tricked(answers)
    for page in answers.actual(Role.PAGE):
        if page.origin in target.origins and not page.access:
            yield found(Kind.NOT_LET_IN, page, subject=page.origin)
    if not target.is_local:  # else it is where its pages are
        for page in answers.let_in:
            if page.origin == LOCALHOST and LOCALHOST not in target.origins and page.access > stranger.access:
                yield _access(Kind.LOCALHOST, page)


def _tricked(answers: Answers) -> Iterator[Finding]:
    """Who is let in by a resemblance; what another finding implies is not said again."""
    let_in = [(trick, each) for each in answers.actual(Role.TRICK) if each.access and (trick := each.question.trick)]
    kinds = {trick.kind for trick, _ in let_in}
    for trick, each in let_in:
        if _IMPLIED_BY.get(trick.kind) not in kinds:
            yield _access(trick.kind, each)


def preflights(answers: Answers, target: Target) -> Iterator[Finding]:
    """What strangers may send, and whether preflights work for those who are let in."""
    stranger, private = answers.preflights(Role.STRANGER)
    if stranger.access:
        yield _access(Kind.PREFLIGHT_ANY_ORIGIN, stranger, _SEND)
    if private.get(b"access-control-allow-private-network") == b"true" and private.access:
        yield found(Kind.PRIVATE_NETWORK, private)
    plain, wishful = answers.preflights(Role.PAGE)
    if not plain.access:
        yield from _fails(plain, wanted=bool(answers.let_in) or bool(target.origins))
    if _any_header(wishful):
        yield found(Kind.ANY_HEADER, wishful)


def _fails(preflight: Answered, *, wanted: bool) -> Iterator[Finding]:
    """Why a preflight fails; ``wanted``: there is somebody for whom it would have to work."""
    status = str(preflight.status) if preflight.status else "none"
    if preflight.redirects:
        location = preflight.get(b"location") or b""
        yield found(Kind.PREFLIGHT_REDIRECT, preflight, subject=location, severe=wanted)
    elif preflight.status in _WANTS_LOG_IN:
        yield found(Kind.PREFLIGHT_AUTH, preflight, subject=status, severe=wanted)
    elif preflight.status == _FORBIDDEN:
        yield found(Kind.PREFLIGHT_REFUSED, preflight, subject=status, severe=wanted)
    else:
        yield found(Kind.PREFLIGHT_UNANSWERED, preflight, subject=status, severe=wanted)


def _any_header(wishful: Answered) -> bool:
    """Whether a preflight's answer allows a header that nobody has heard of."""
    names = token_list(wishful.answer.headers, b"access-control-allow-headers") or []
    return not {PROBED_HEADER, b"*"}.isdisjoint(name.lower() for name in names)
