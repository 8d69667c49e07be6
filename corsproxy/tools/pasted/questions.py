"""What somebody has pasted, recognised: the request that it is about, and what is known of its answer.

Every kind of input ends as a ``Question``, so that one way leads from there to the explanation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from corsproxy.cors.fetch import Credentials, Request, WireRequest, WireResponse, script_headers
from corsproxy.cors.words import escaped
from corsproxy.errors import CorsproxyError
from corsproxy.tools.explaining.explanation import ELSEWHERE, FETCH, Explanation, explain, explain_answers
from corsproxy.tools.har import cross_origin, judged, read_har
from corsproxy.tools.pasted.complaints import explain_complaint, request_of
from corsproxy.tools.pasted.console import Complaint, read_console
from corsproxy.tools.pasted.curl import read_curl
from corsproxy.tools.pasted.other_messages import GENERIC, read_other
from corsproxy.tools.pasted.script import is_script, read_script
from corsproxy.tools.written_config import WrittenConfig

Send = Callable[[WireRequest], WireResponse]

_URL: Final = re.compile(r"https?://\S+")
_CURL: Final = re.compile(r"(?:\$ ?)?(?:\S*/)?curl(?:\.exe)?\s")


class NotUnderstood(CorsproxyError):
    """A text is none of the inputs, or asks no question; the message says what it is, or what to paste."""


class Told(NamedTuple):
    """What was said beside the input."""

    origin: str = ""
    method: str = "GET"
    headers: tuple[str, ...] = ()  # "Name" or "Name: value"
    credentials: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A request of a page; ``complaint`` is what a browser said of it, ``answers`` gives what was recorded.

    ``failure`` is the network's error where nothing was.
    """

    request: Request
    initiator: str = FETCH
    complaint: Complaint | None = None
    answers: Send | None = None
    failure: str = ""


def read_questions(text: str, told: Told) -> list[Question]:
    """Every question in a text; raises NotUnderstood, or the error of the kind of input that it is."""
    plain = text.strip()
    if _URL.fullmatch(plain):
        return [Question(_asked(plain, told))]
    if plain.startswith("{") and '"log"' in plain:
        return _har_questions(plain)
    if complaint := read_console(plain):
        return [Question(request_of(complaint, told.origin), complaint.initiator, complaint)]
    if _CURL.match(plain):
        return [Question(read_curl(plain.removeprefix("$ "), told.origin))]
    if is_script(plain):
        return [Question(read_script(plain, told.origin))]
    if other := read_other(plain):
        raise NotUnderstood(other.meaning)
    raise NotUnderstood(
        "this is no URL, no message of a browser about CORS, no fetch(...), no curl command and no HAR file; paste the "
        "whole line of the console, which begins with 'Access to' or 'Cross-Origin Request Blocked'"
    )


def answer(question: Question, config: WrittenConfig | None, live: Send | None) -> Explanation:
    """The explanation of a question.

    It is of what a server really answers where ``live`` can ask it, else of what was recorded, else of what the
    configuration would have answered, else of what a browser said.  Raises NotUnderstood where there is none of these.
    """
    send = live or question.answers
    if send is not None:
        return explain_answers(question.request, send, config, question.initiator)
    if question.complaint is not None:
        return explain_complaint(config, question.complaint, question.request)
    other = read_other(question.failure)
    meaning = other.meaning if other and other.name != GENERIC else ""
    if config is None and question.failure:
        why = meaning or "the file has no answer to judge; name the rule table with -c, or ask the server with --live"
        asked = f"{escaped(question.request.method)} {question.request.url}"
        raise NotUnderstood(f"{asked}: {question.failure}; {why}")
    if config is None:
        raise NotUnderstood(
            "there is nothing to hold this against; name the rule table with -c, or ask the server with --live"
        )
    explanation = explain(config, question.request, question.initiator)
    if question.failure and not explanation.blocked:
        explanation = replace(explanation, fix=ELSEWHERE)
    return replace(explanation, lookalikes=(meaning, *explanation.lookalikes)) if meaning else explanation


def _asked(url: str, told: Told) -> Request:
    if not told.origin:
        raise NotUnderstood("a URL alone does not say which page asks; add --origin")
    return Request(
        url=url,
        origin=told.origin.encode("latin-1", "replace"),
        method=told.method.encode("latin-1", "replace"),
        headers=script_headers(told.headers),
        credentials=Credentials.INCLUDE if told.credentials else Credentials.SAME_ORIGIN,
    )


def _har_questions(text: str) -> list[Question]:
    entries = read_har(text)
    asked = list(cross_origin(entries))
    if not asked:
        raise NotUnderstood("no request in this HAR file crosses origins, so that CORS applies to none of them")
    return [
        Question(entry.request, entry.initiator, answers=judged(entries, entry), failure=entry.failure)
        for entry in asked
    ]
