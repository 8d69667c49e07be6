"""A question, what came back, and what a browser concludes from it.

Rules: what a browser concludes is ``cors.check``'s to say, and nobody else's; header lines are kept as they came, so
that doubled ones are seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from functools import cached_property
from typing import Final

from corsproxy.cors.check import REDIRECT_STATUSES, Step, check_origin, check_preflight
from corsproxy.cors.fetch import Credentials, Headers, Request, WireRequest, WireResponse, get, members, values_of
from corsproxy.proxy.response import is_grant
from corsproxy.tools.probing.tricks import Trick

# What is shown of an answer: what the findings are made of.
_TELLING: Final = frozenset({b"vary", b"location", b"cache-control", b"cross-origin-resource-policy"})

NO_ANSWER: Final = WireResponse(0)  # the server hung up, or was silent for too long


class Role(Enum):
    """On whose behalf a question is asked."""

    NOBODY = "nobody"  # without an Origin
    STRANGER = "stranger"
    NULL = "null"
    PAGE = "page"  # an origin that is meant, or may be
    TRICK = "trick"


class Access(IntEnum):
    """What a page gets of an answer."""

    NONE = 0
    PLAIN = 1  # without cookies
    CREDENTIALS = 2  # with them


@dataclass(frozen=True, slots=True)
class Question:
    """One request; ``page`` is the request of a page that a browser would send it for."""

    role: Role
    asked: WireRequest
    page: Request
    trick: Trick | None = None

    @property
    def preflight(self) -> bool:
        """Whether it is a preflight."""
        return self.asked.method == b"OPTIONS"


@dataclass(frozen=True)
class Answered:
    """A question with its answer."""

    question: Question
    answer: WireResponse

    @property
    def status(self) -> int:
        """The answer's status."""
        return self.answer.status

    @property
    def origin(self) -> str:
        """The Origin that was sent; "" for none."""
        return self.question.page.origin.decode("latin-1") if self.question.role is not Role.NOBODY else ""

    @property
    def allow_origin(self) -> bytes | None:
        """The value of Access-Control-Allow-Origin, all lines combined as a browser does it."""
        return self.get(b"access-control-allow-origin")

    @cached_property
    def access(self) -> Access:
        """What the page that was asked for gets."""
        if self.question.role is Role.NOBODY:
            return Access.NONE
        if self._lets_in(Credentials.INCLUDE):
            return Access.CREDENTIALS
        return Access.PLAIN if self._lets_in(Credentials.OMIT) else Access.NONE

    def get(self, name: bytes) -> bytes | None:
        """All values of a header (its name in lower case), combined; None without any."""
        return get(self.answer.headers, name)

    def values(self, name: bytes) -> list[bytes]:
        """The values of a header, line by line."""
        return values_of(self.answer.headers, name)

    @property
    def redirects(self) -> bool:
        """Whether it leads elsewhere."""
        return self.status in REDIRECT_STATUSES and self.get(b"location") is not None

    @property
    def varies(self) -> bool:
        """Whether it says that it depends on the Origin (https://www.rfc-editor.org/rfc/rfc9110#section-12.5.5)."""
        return bool({b"origin", b"*"}.intersection(name.lower() for name in members(self.get(b"vary") or b"")))

    @property
    def stored(self) -> bool:
        """Whether a cache may keep it (https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.5)."""
        return b"no-store" not in map(bytes.lower, members(self.get(b"cache-control") or b""))

    @property
    def telling(self) -> Headers:
        """The lines that the findings are made of."""
        return tuple(line for line in self.answer.headers if is_grant(line[0].lower()) or line[0].lower() in _TELLING)

    @property
    def grants(self) -> set[str]:
        """The lower-case names of the headers that grant something across origins."""
        return {name.lower().decode("latin-1") for name, _ in self.answer.headers if is_grant(name.lower())}

    def _lets_in(self, credentials: Credentials) -> bool:
        page = replace(self.question.page, credentials=credentials)
        if self.question.preflight:
            return check_preflight(page, page.origin, self.answer).allowed
        return check_origin(page, page.origin, self.answer, Step.ACTUAL).allowed


class Answers:
    """All that came back, in the order in which it was asked."""

    def __init__(self, answered: Iterable[Answered]) -> None:
        self.all = tuple(answered)

    def __iter__(self) -> Iterator[Answered]:
        return iter(self.all)

    def actual(self, *roles: Role) -> list[Answered]:
        """The answers to requests that are no preflights, of these roles, or all."""
        return [each for each in self if not each.question.preflight and (not roles or each.question.role in roles)]

    def preflights(self, *roles: Role) -> list[Answered]:
        """The answers to preflights, of these roles, or all."""
        return [each for each in self if each.question.preflight and (not roles or each.question.role in roles)]

    @property
    def stranger(self) -> Answered:
        """The answer to the request of a page that nobody has a reason to allow."""
        return self.actual(Role.STRANGER)[0]

    @property
    def let_in(self) -> list[Answered]:
        """The answers to pages that are, or may be, meant, and are let in."""
        return [each for each in self.actual(Role.PAGE) if each.access]

    @property
    def own_headers(self) -> list[str]:
        """The lower-case names of all headers that grant something across origins, sorted."""
        return sorted(set[str]().union(*(each.grants for each in self)))
