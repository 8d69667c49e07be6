"""What a browser has printed, read back: which request it was, and why it was blocked.

The patterns are made from the very sentences that ``cors`` prints, so that both directions change together.  Rules: a
pasted text may hold more than the message (a time, a file and line, the second line of Safari), curly or straight
quotes, and line breaks where a terminal or a chat has wrapped it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from corsproxy.cors import firefox, safari, words
from corsproxy.cors.check import Blocked, Step


@dataclass(frozen=True, slots=True)
class Complaint:
    """One message of a browser; what it does not say is empty."""

    browser: str  # Chromium, Firefox or Safari
    blocked: Blocked
    url: str = ""  # that the page asked for
    origin: str = ""
    initiator: str = "fetch"  # Chromium's word for who asked
    subject: str = ""  # the header, method or value that is named
    step: Step = Step.ACTUAL
    at: str = ""  # the URL that was refused, where it is not ``url``


_SPACE: Final = re.compile(r"\s+")
_CHROMIUM: Final = re.compile(
    r"Access to (?P<initiator>.{1,40}?) at '(?P<url>[^']*)'(?: \(redirected from '(?P<first>[^']*)'\))? "
    r"from origin '(?P<origin>[^']*)' has been blocked by CORS policy: "
    rf"(?P<preflight>{re.escape(words.PREFLIGHT)})?(?P<reason>.*)"
)
# Firefox puts the URL in quotes in some of its messages, and in some of its translations.
_FIREFOX: Final = re.compile(
    r"Cross-Origin Request Blocked: The Same Origin Policy disallows reading the remote resource at "
    r"'?(?P<url>\S+?)'?\. \(Reason: (?P<reason>.*?)\)\."
)
_SAFARI_URL: Final = re.compile(
    r"(?P<api>Fetch API|XMLHttpRequest|EventSource) cannot load (?P<url>\S+?)\.? due to access control"
)


def read_console(text: str) -> Complaint | None:
    """The first message of a browser about CORS in a text; None when there is none."""
    plain = _SPACE.sub(" ", text.translate(STRAIGHT_QUOTES)).strip()
    return _chromium(plain) or _firefox(plain) or _safari(plain)


STRAIGHT_QUOTES: Final = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


# Where a value of any length ends: with the message, or where Safari's next line begins.
_END: Final = r"(?= \[Error\]| Fetch API cannot| XMLHttpRequest cannot|$)"


def _template(sentence: str, **groups: str) -> re.Pattern[str]:
    """The sentence as a pattern; a placeholder matches anything, or what ``groups`` has for it, at its first place."""
    pattern, names = "", set[str]()
    for literal, name in _pieces(sentence.translate(STRAIGHT_QUOTES)):
        pattern += re.escape(literal)
        if name:
            pattern += groups.get(name, rf"(?P<{name}>.*?)") if name not in names else ".*?"
            names.add(name)
    return re.compile(pattern + _END if pattern.endswith("*?)") else pattern)


def _pieces(sentence: str) -> Iterator[tuple[str, str]]:
    position = 0
    for match in re.finditer(r"\{(\w+)\}", sentence):
        yield sentence[position : match.start()], match[1]
        position = match.end()
    yield sentence[position:], ""


# What differs between versions and products of Chromium: the schemes, and whether the location is printed.
_VARYING: Final = {
    Blocked.REDIRECT_SCHEME: words.CORS_SENTENCES[Blocked.REDIRECT_SCHEME].partition(":")[0],
    Blocked.REDIRECT_CREDENTIALS: words.CORS_SENTENCES[Blocked.REDIRECT_CREDENTIALS].replace("''", "'{subject}'"),
}
_CHROMIUM_REASONS: Final = [
    (blocked, _template(_VARYING.get(blocked, said))) for blocked, said in words.CORS_SENTENCES.items()
]
_CHROMIUM_OTHERS: Final = [
    (blocked, _template(said, url=r"(?P<url>\S+)", origin=r"(?P<origin>\S+?)"))
    for blocked, said in words.OTHER_SENTENCES.items()
    if "{url}" in said
]
# Several reasons share one of Firefox's sentences; the most usual of them, which comes last, stands for all.  That the
# request "did not succeed" is said of everything that is not about CORS, and is for ``other_messages``.
_FIREFOX_BY_SENTENCE: Final = {
    **{said: blocked for blocked, said in firefox.REASONS.items() if said != firefox.NO_SUCCESS},
    firefox.OTHER_ALLOW_ORIGIN: Blocked.OTHER_ALLOW_ORIGIN,
    firefox.MULTIPLE_ALLOW_ORIGIN: Blocked.MULTIPLE_ALLOW_ORIGIN,
    firefox.NOT_HTTP: Blocked.SCHEME,
}
_FIREFOX_REASONS: Final = [(blocked, _template(said)) for said, blocked in _FIREFOX_BY_SENTENCE.items()]
_PREFLIGHT_REASONS: Final = frozenset(
    {
        Blocked.PREFLIGHT_STATUS,
        Blocked.PREFLIGHT_REDIRECT,
        Blocked.MALFORMED_ALLOW_METHODS,
        Blocked.MALFORMED_ALLOW_HEADERS,
        Blocked.METHOD,
        Blocked.HEADER,
    }
)


def _chromium(text: str) -> Complaint | None:
    match = _CHROMIUM.search(text)
    if match is None:
        return _chromium_other(text)
    for blocked, pattern in _CHROMIUM_REASONS:
        if reason := pattern.match(match["reason"]):
            step = Step.PREFLIGHT if match["preflight"] or blocked in _PREFLIGHT_REASONS else Step.ACTUAL
            return Complaint(
                "Chromium",
                blocked,
                url=match["first"] or match["url"],
                origin=match["origin"],
                initiator=match["initiator"],
                subject=reason.groupdict().get("subject") or "",
                step=step,
                at=match["url"],
            )
    return None


def _chromium_other(text: str) -> Complaint | None:
    for blocked, pattern in _CHROMIUM_OTHERS:
        if match := pattern.search(text):
            said = match.groupdict()
            return Complaint(
                "Chromium",
                blocked,
                url=said["url"].rstrip("."),
                origin=said.get("origin") or "",
                subject=said.get("subject") or "",
            )
    return None


def _firefox(text: str) -> Complaint | None:
    match = _FIREFOX.search(text)
    if match is None:
        return None
    for blocked, pattern in _FIREFOX_REASONS:
        if reason := pattern.fullmatch(match["reason"]):
            step = Step.PREFLIGHT if blocked in _PREFLIGHT_REASONS else Step.ACTUAL
            return Complaint(
                "Firefox",
                blocked,
                url=match["url"],
                subject=reason.groupdict().get("subject") or "",
                step=step,
                at=match["url"],
            )
    return None


_SAFARI_REASONS: Final = [
    (blocked, _template(said, origin=r"(?P<origin>\S+)", status=r"(?P<status>\d+)", url=r"(?P<url>\S+)"))
    for blocked, said in safari.SENTENCES.items()
]


def _safari(text: str) -> Complaint | None:
    place = _SAFARI_URL.search(text)
    for blocked, pattern in _SAFARI_REASONS:
        if match := pattern.search(text):
            said = match.groupdict()
            return Complaint(
                "Safari",
                blocked,
                url=place["url"] if place else "",
                origin=said.get("origin") or "",
                initiator="XMLHttpRequest" if place and place["api"] == "XMLHttpRequest" else "fetch",
                subject=said.get("subject") or "",
                step=Step.PREFLIGHT if blocked in _PREFLIGHT_REASONS else Step.ACTUAL,
            )
    return Complaint("Safari", Blocked.MISSING_ALLOW_ORIGIN, url=place["url"]) if place else None
