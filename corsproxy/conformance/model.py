"""What a vector is: a setting, what the upstream does, what is sent, and what has to come of it.

Rules: data only, validated strictly, so that a key with a typing error is no expectation that nobody checks; texts
stand for bytes (latin-1), and the names in braces, such as ``{host}``, are filled in when the vector is run.  What an
expectation leaves out is the server's own business: vectors judge any server, not the habits of this one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from corsproxy.config.kinds import Texts
from corsproxy.config.model import PolicyConfig
from corsproxy.config.section import Section
from corsproxy.cors.fetch import Credentials

CLOSED = "closed"  # instead of a status: the connection ended without an answer
_CLASSES = frozenset({"2xx", "3xx", "4xx", "5xx"})


class Setting(Section):
    """How a target has to be configured: one rule, its policy, and what stands behind it."""

    policy: PolicyConfig
    path: str = Field(default="", description="The only path prefix that the policy is for; left out: every path.")
    upstream: Literal["vectors", "refusing"] = Field(
        default="vectors", description="What is behind: the vectors' own upstream, or a port that refuses connections."
    )
    max_request_body: int | None = Field(default=None, description="Bytes; a larger body is refused with 413.")
    response_timeout: float | None = Field(default=None, description="Seconds that the upstream has for its answer.")
    forward_origin: str = Field(default="", description="The Origin that the upstream gets; left out: the client's.")
    refusable: bool = Field(
        default=False, description="Unsafe by itself: a server that refuses to start with it holds its vectors."
    )


class Interim(Section):
    """A 1xx answer before the final one."""

    status: int
    headers: list[str] = Field(default_factory=list)


class Behaviour(Section):
    """What the upstream does with a request."""

    status: int = 200
    headers: list[str] = Field(default_factory=list)
    body: str = "ok"
    chunked: bool = False
    interim: list[Interim] = Field(default_factory=list)
    how: Literal["answer", "close", "reset", "silent", "cut", "raw"] = Field(
        default="answer",
        description="answer: all of the above; close or reset: the connection, without a word; silent: nothing, ever;"
        " cut: half of the body; raw: `body` is the whole answer, byte by byte.",
    )


class Matcher(Section):
    """What is said of one header; every key that is there has to hold."""

    lines: int | None = Field(default=None, description="How many lines of that name there are.")
    value: Texts = Field(default_factory=list, description="Each line's value is one of these.")
    has: Texts = Field(default_factory=list, description="Members of the list, over all lines, in any case and order.")
    lacks: Texts = Field(default_factory=list, description="Members that the list does not have.")
    without: Texts = Field(default_factory=list, description="Texts that stand nowhere in the values.")
    at_most: int | None = Field(default=None, description="The greatest number that the value may be.")


class Conclusion(Section):
    """What a browser makes of the answer.

    ``omit`` and ``include`` are the two modes of credentials.  Why something is blocked is left open: a server that
    denies may leave the grant out or name somebody else.
    """

    omit: Literal["allowed", "blocked"] | None = None
    include: Literal["allowed", "blocked"] | None = None
    reads: Texts = Field(default_factory=list, description="Response headers that the page can read.")
    hides: Texts = Field(default_factory=list, description="Response headers that the page cannot read.")
    timing: bool | None = Field(default=None, description="Whether the page sees detailed timings.")
    max_age: int | None = Field(default=None, description="Seconds for which a preflight may be kept, at most.")

    def verdict(self, credentials: Credentials) -> str | None:
        """What is expected in this mode; None: nothing."""
        return self.include if credentials is Credentials.INCLUDE else self.omit


class Forwarded(Section):
    """What the upstream has to have received."""

    method: str | None = None
    headers: dict[str, Matcher | str | None] = Field(
        default_factory=dict, description="By name; a text: one line with that value; null: no line."
    )


class Expectation(Section):
    """What has to be true of one exchange."""

    status: list[int | str] = Field(default_factory=list, description="Any of these: 204, 2xx, closed.")
    not_status: list[int] = Field(default_factory=list, description="None of these.")
    allow_origin: Texts | None = Field(
        default=None, description="Exactly one line, with one of these values; an empty list: no line."
    )
    allow_credentials: bool | None = Field(default=None, description="Exactly one line `true`; or none at all.")
    bare: bool = Field(default=False, description="No Access-Control-* and no Timing-Allow-Origin line.")
    vary: Texts = Field(default_factory=list, description="Members that Vary has, unless it is `*`.")
    headers: dict[str, Matcher | str | None] = Field(
        default_factory=dict, description="By name; a text: one line with that value; null: no line."
    )
    at_most_one: Texts = Field(default_factory=list, description="Headers that have one line or none.")
    for_caches: bool = Field(
        default=False, description="If it may be kept: it is the constant `*`, or it varies on Origin."
    )
    framing: bool = Field(default=False, description="A 204 has neither Content-Length nor Transfer-Encoding.")
    bare_interim: bool = Field(default=False, description="Interim answers have no line that grants anything.")
    body: str | None = Field(default=None, description="The whole body.")
    body_without: str = Field(default="", description="What does not stand in the body.")
    whole: bool | None = Field(default=None, description="Whether the body looks whole, if the status is below 400.")
    answers: int | None = Field(
        default=None, description="How many answers come before the connection is quiet, at most."
    )
    upstream: Literal["reached", "untouched", "either"] = Field(
        default="either", description="reached: exactly one request arrived there; untouched: none."
    )
    forwarded: Forwarded | None = Field(default=None, description="What arrived there, if anything did.")
    browser: Literal["allowed", "blocked"] | Conclusion | None = Field(
        default=None,
        description="A word: in every mode of credentials that the policy grants (allowed), in both (blocked).",
    )

    @field_validator("status", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return value if isinstance(value, list) else [value]

    @field_validator("status")
    @classmethod
    def _known(cls, value: list[int | str]) -> list[int | str]:
        for status in value:
            if isinstance(status, str) and status not in _CLASSES and status != CLOSED:
                raise ValueError(f"{status!r} is no status; write 204, 2xx, 3xx, 4xx, 5xx or closed")
        return value


class Exchange(Section):
    """One request and what has to come of it.

    ``request`` is everything that is sent; its line ends become CRLF before the braces are filled in, so that what they
    bring stays as it is.
    """

    request: str
    upstream: Behaviour = Behaviour()
    expect: Expectation


class Vector(Section):
    """One thing that a server gets right or wrong."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    topic: str
    title: str = Field(min_length=1)
    source: str = Field(min_length=1, description="Where this is said, or where it went wrong.")
    protects: str = Field(min_length=1, description="What happens where it does not hold.")
    setting: str
    exchanges: list[Exchange] = Field(min_length=1, description="One after the other.")
    one_connection: bool = Field(default=False, description="Whether all of them take the same connection.")
    values: dict[str, str] = Field(default_factory=dict, description="What stands for names in braces.")
