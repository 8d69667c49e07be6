"""What an API is asked: requests as values, in two rounds, the second made from the answers to the first.

Rules: GET, HEAD and OPTIONS, and nothing else; every request goes to the one URL that was named; how many there are is
bounded, whatever comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from corsproxy.cors.check import preflight_of
from corsproxy.cors.fetch import Headers, Request, WireRequest, origin_of, values_of
from corsproxy.cors.origin import Origin, read_origin
from corsproxy.cors.serialized import ends_in_number, is_loopback
from corsproxy.cors.suffixes import site_part
from corsproxy.http.needs import PROBE_AGENT
from corsproxy.tools.probing.answers import Answered, Question, Role
from corsproxy.tools.probing.tricks import STRANGER, Trick, tricks

PROBED_HEADER: Final = b"x-corsproxy-probe"
LOCALHOST: Final = "http://localhost:3000"  # where a front-end runs while it is being written

_MOST_LEARNED: Final = 2  # origins that the API itself has named
_MOST_TRICKED: Final = 2  # origins that tricks are made from


class Method(StrEnum):
    """With which method the URL is asked for."""

    GET = "GET"
    HEAD = "HEAD"


@dataclass(frozen=True, slots=True)
class Target:
    """What is probed; ``origins`` are of pages that are meant to use it, ``headers`` go with every actual request."""

    url: str  # absolute, without a user name, without a fragment
    origins: tuple[str, ...] = ()
    method: Method = Method.GET
    headers: Headers = ()

    @property
    def own(self) -> Origin | None:
        """The API's own origin; None where no page can have it."""
        return read_origin(origin_of(self.url).decode("ascii"))

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.own is not None and is_loopback(self.own.host)

    @property
    def candidates(self) -> list[str]:
        """Origins that may be let in: those that are meant, and what is usual."""
        own = self.own
        if own is None:
            return list(dict.fromkeys((*self.origins, LOCALHOST)))
        domain = own.host[site_part(own.host)]
        named = "." in domain and not self.is_local and not ends_in_number(own.host)
        usual = [f"https://{domain}", f"https://app.{domain}"] if named else []
        return list(dict.fromkeys((*self.origins, str(own), *usual, LOCALHOST)))


Round = Callable[[Target, Sequence[Answered]], list[Question]]


def first_round(target: Target, answered: Sequence[Answered]) -> list[Question]:  # noqa: ARG001  # a Round
    """Who is let in: nobody in particular, a stranger, null, and whoever may be meant; what strangers may send."""
    return [
        _actual(target, Role.NOBODY, STRANGER),
        _actual(target, Role.STRANGER, STRANGER),
        _actual(target, Role.NULL, "null"),
        *(_actual(target, Role.PAGE, origin) for origin in target.candidates),
        _preflight(Role.STRANGER, _page(target, STRANGER, b"PUT")),
        _preflight(
            Role.STRANGER, _page(target, STRANGER, b"GET"), (b"Access-Control-Request-Private-Network", b"true")
        ),
    ]


def second_round(target: Target, answered: Sequence[Answered]) -> list[Question]:
    """Who resembles those that are let in; whether preflights work for them."""
    stranger = next(each for each in answered if each.question.role is Role.STRANGER)
    let_in = [each.origin for each in answered if each.question.role is Role.PAGE and each.access]
    learned = list(_learned(answered))[:_MOST_LEARNED]
    questions = [_actual(target, Role.PAGE, origin) for origin in learned]
    known = [*let_in, *learned]
    if not stranger.access:
        bases = [origin for origin in map(read_origin, known) if origin is not None][:_MOST_TRICKED]
        tried = {trick.origin: trick for base in bases for trick in tricks(base) if trick.origin not in known}
        questions += [_actual(target, Role.TRICK, trick.origin, trick) for trick in tried.values()]
    page = next(iter((*known, *target.candidates)))
    asked = ((b"Authorization", b"?"), (PROBED_HEADER, b"?"))
    return [
        *questions,
        _preflight(Role.PAGE, _page(target, page, b"GET")),
        _preflight(Role.PAGE, _page(target, page, b"PUT", asked)),
    ]


ROUNDS: Final[tuple[Round, ...]] = (first_round, second_round)


def _learned(answered: Sequence[Answered]) -> Iterator[str]:
    """Origins that the API has named without having been asked for them."""
    asked = {each.origin for each in answered}
    for value in dict.fromkeys(
        value for each in answered for value in values_of(each.answer.headers, b"access-control-allow-origin")
    ):
        text = value.decode("latin-1")
        if text not in asked and read_origin(text) is not None:
            yield text


def _page(target: Target, origin: str, method: bytes, headers: Headers = ()) -> Request:
    return Request(url=target.url, origin=origin.encode("latin-1"), method=method, headers=headers)


def _actual(target: Target, role: Role, origin: str, trick: Trick | None = None) -> Question:
    method = target.method.encode("ascii")
    line = () if role is Role.NOBODY else ((b"Origin", origin.encode("latin-1")),)
    headers = ((b"Accept", b"*/*"), (b"User-Agent", PROBE_AGENT), *line, *target.headers)
    return Question(role, WireRequest(method, target.url, headers), _page(target, origin, method), trick)


def _preflight(role: Role, page: Request, *more: tuple[bytes, bytes]) -> Question:
    asked = preflight_of(page, page.origin)
    return Question(
        role, WireRequest(asked.method, asked.url, ((b"User-Agent", PROBE_AGENT), *asked.headers, *more)), page
    )
