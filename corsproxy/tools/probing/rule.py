"""The rule of this proxy that puts right what an API does: made from what the API itself has named.

Rules: what comes out loads, whatever the API answered; it is never wider than the API is today, and names no origin
that was only let in because all are.  What cannot be known (the pages that are meant) is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from corsproxy.cors.fetch import members
from corsproxy.cors.names import method_problems, request_header_problems, response_header_problems
from corsproxy.cors.origin import read_origin
from corsproxy.cors.origin_list import is_insecure
from corsproxy.errors import PolicyProblem
from corsproxy.tools.probing.answers import Access, Answered, Answers, Role
from corsproxy.tools.probing.questions import LOCALHOST, PROBED_HEADER, Target
from corsproxy.tools.yaml_edit import dumped, scalar

_ANY: Final = "*"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")  # in the place of *, which nobody has to write
_HEADERS: Final = ("Authorization", "Content-Type")
_MOST_NAMES: Final = 50
_LONGEST_MAX_AGE: Final = 86_400  # seconds; no browser keeps an answer for longer
_OWN_PORT: Final = 8080  # where this proxy listens by default

Problems = Callable[[Sequence[str]], Iterable[PolicyProblem]]


def written_rule(target: Target, answers: Answers) -> str:
    """A whole configuration, as YAML."""
    return "\n".join([*_listener(target), "policies:", "  pages:", *_policy(target, answers), *_rules(target), ""])


def _listener(target: Target) -> Iterator[str]:
    """The API may have the place where this proxy would listen."""
    parts = urlsplit(target.url)
    if parts.port == _OWN_PORT:
        yield f"listen: 127.0.0.1:{_OWN_PORT + 1}"


def _rules(target: Target) -> Iterator[str]:
    parts = urlsplit(target.url)
    yield from ("rules:", "  - path: /", f"    upstream: {scalar(f'{parts.scheme}://{parts.netloc}')}")
    yield "    policy: pages               # the API's own CORS headers are removed, and preflights answered here"


def _policy(target: Target, answers: Answers) -> Iterator[str]:
    origins = _origins(target, answers)
    credentials = _credentials(answers)
    if credentials:
        origins = [origin for origin in origins if not _insecure(origin)]
    if origins:
        yield "    allow_origins:"
        yield from (f"      - {scalar(origin)}" for origin in origins)
    elif answers.stranger.access is Access.PLAIN:
        yield '    allow_origins: "*"          # as it is now: every page may read what it answers without cookies'
    else:
        yield "    allow_origins:              # write the origins of the pages that are meant to use it"
        yield f"      - {scalar(_placeholder(target))}"
    if methods := _methods(answers):
        yield f"    allow_methods: {dumped(methods)}"
    if headers := _headers(answers):
        yield f"    allow_headers: {dumped(headers)}"
    exposed = _names(answers.actual(), b"access-control-expose-headers", response_header_problems)
    if exposed:
        yield f"    expose_headers: {dumped(_ANY if _ANY in exposed else exposed)}"
    if credentials:
        yield "    allow_credentials: true"
    if max_age := _max_age(answers):
        yield f"    max_age: {max_age}"


def _origins(target: Target, answers: Answers) -> list[str]:
    """The pages that are meant: those that were named, and those that the API singles out."""
    if answers.stranger.access:
        return list(target.origins)
    ignored = {str(target.own), LOCALHOST}
    singled_out = [each.origin for each in answers.let_in if each.origin not in ignored]
    return list(dict.fromkeys((*target.origins, *singled_out)))


def _credentials(answers: Answers) -> bool:
    return any(each.access is Access.CREDENTIALS for each in answers.actual(Role.PAGE, Role.STRANGER))


def _insecure(text: str) -> bool:
    origin = read_origin(text)
    return origin is None or is_insecure(origin.scheme, origin.host)


def _placeholder(target: Target) -> str:
    """An origin that could be meant: the front-end of the same owner."""
    own = target.own
    if own is None or target.is_local:
        return LOCALHOST
    return next(
        (origin for origin in target.candidates if origin.startswith("https://app.")), "https://app.example.com"
    )


def _methods(answers: Answers) -> Sequence[str]:
    names = _names(answers.preflights(), b"access-control-allow-methods", method_problems)
    return _METHODS if _ANY in names else names


def _headers(answers: Answers) -> Sequence[str]:
    names = _names(answers.preflights(), b"access-control-allow-headers", request_header_problems)
    open_to_all = _ANY in names or PROBED_HEADER.decode() in map(str.lower, names)
    return _HEADERS if open_to_all else names


def _names(answered: Iterable[Answered], name: bytes, problems: Problems) -> list[str]:
    """The names that a header lists, as far as a policy can list them, each once whatever its case."""
    listed = [member.decode("latin-1") for each in answered for value in each.values(name) for member in members(value)]
    known = {each.lower(): each for each in listed if each and not any(problems([each]))}
    return list(islice(known.values(), _MOST_NAMES))


def _max_age(answers: Answers) -> int:
    """The longest that was named, in seconds; 0 for none."""
    named = [value for each in answers.preflights() for value in each.values(b"access-control-max-age")]
    return max((min(int(value[:9]), _LONGEST_MAX_AGE) for value in named if value.isdigit()), default=0)
