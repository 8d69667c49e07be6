"""A policy as a list of cases, of which the first that holds decides.

This is ``Policy.judge_preflight`` and ``judge_actual`` with what ``proxy/plan.py`` makes of them, turned inside out: no
code, only tests that any engine can make and lines that any engine can write.  A test of this project holds the list
against the policy itself, for any policy and any request.

Two things are left to the browser, which loses nothing by it: a private network is granted where the policy says so and
not refused in words otherwise, and ``allow_headers: "*"`` repeats the names as they were asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from corsproxy.cors.names import SAFELISTED_METHODS
from corsproxy.cors.pattern import ANY, parse_pattern
from corsproxy.cors.policy import Policy
from corsproxy.cors.spec import PolicySpec
from corsproxy.tools.exporting import expressions


class Test(Enum):
    """What can be asked about a request."""

    __test__ = False  # pytest

    PREFLIGHT = "OPTIONS with Origin and Access-Control-Request-Method"
    ORIGIN = "has an Origin"
    ALLOWED = "its Origin is allowed"
    METHOD = "the method that it asks for is allowed"
    FORBIDDEN = "the method that it asks for is one that browsers never send"
    HEADERS = "the headers that it asks for are allowed"
    PRIVATE = "it asks for a private network"
    TIMED = "its Origin may read timings"
    OWN = "the page and the API share an origin"
    UPGRADE = "asks for another protocol, as WebSocket handshakes do"


class Echo(Enum):
    """A value that is taken from the request."""

    ORIGIN = "Origin"
    METHOD = "Access-Control-Request-Method"
    HEADERS = "Access-Control-Request-Headers"


Line = tuple[str, str | Echo]


@dataclass(frozen=True, slots=True)
class Case:
    """What happens when all tests hold and those of no case before it did."""

    tests: tuple[Test, ...]
    status: int | None  # of the answer; None: forward
    lines: tuple[Line, ...] = ()
    vary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origins:
    """Which origins a list and an expression allow: one of ``plain``, or ``regex`` where it is an origin at all."""

    plain: tuple[str, ...]  # expressions
    regex: str | None = None


@dataclass(frozen=True, slots=True)
class Cors:
    """A policy for other engines."""

    name: str
    where: str
    spec: PolicySpec
    origins: Origins | None  # None: any
    timed: Origins | None
    methods: str  # an expression, as the next
    headers: str  # of the whole list, in any case
    header: str  # of one name in it, in any case
    cases: tuple[Case, ...]


def cors_of(policy: Policy) -> Cors:
    """The policy as cases."""
    spec = policy.spec
    any_method, any_header = spec.allow_methods == ("*",), spec.allow_headers == ("*",)
    names = None if any_header else [name.lower() for name in spec.allow_headers]
    methods = sorted({*spec.allow_methods, *SAFELISTED_METHODS})
    return Cors(
        name=policy.name,
        where=policy.where,
        spec=spec,
        origins=_origins(spec.allow_origins, spec.allow_origin_regex),
        timed=_origins(spec.timing_allow_origins) if _times_some(spec) else None,
        methods=expressions.ANY_NAME if any_method else expressions.any_of(methods),
        headers=expressions.names(names),
        header=expressions.ANY_NAME if names is None else expressions.any_of(names),
        cases=(*_preflights(policy), *_actual(policy)),
    )


def _origins(texts: Iterable[str], regex: str | None = None) -> Origins | None:
    patterns = [parse_pattern(text) for text in texts]
    return None if ANY in patterns else Origins(tuple(map(expressions.origin, patterns)), regex)


def _times_some(spec: PolicySpec) -> bool:
    return bool(spec.timing_allow_origins) and spec.timing_allow_origins != ("*",)


def _preflights(policy: Policy) -> list[Case]:
    spec, vary = policy.spec, tuple(name.decode() for name in policy.vary_preflight)
    tests = (Test.PREFLIGHT, *_allowed(spec), Test.METHOD, Test.HEADERS)
    granted = Case(tests, spec.preflight_status, _preflight_lines(spec), vary)
    denied = Case((Test.PREFLIGHT,), 403, (), vary)
    cases = [granted, denied]
    if spec.allow_private_network:
        private = (*granted.lines, ("Access-Control-Allow-Private-Network", "true"))
        cases.insert(0, Case((*tests, Test.PRIVATE), spec.preflight_status, private, vary))
    if spec.allow_methods == ("*",):
        cases.insert(0, Case((Test.PREFLIGHT, Test.FORBIDDEN), 403, (), vary))
    return cases


def _actual(policy: Policy) -> list[Case]:
    spec, vary = policy.spec, tuple(name.decode() for name in policy.vary_actual)
    always = _line("Cross-Origin-Resource-Policy", [spec.cross_origin_resource_policy or ""])
    stranger = always if spec.allow_origins != ("*",) else ()
    nobody = _line("Timing-Allow-Origin", ["*" if spec.timing_allow_origins == ("*",) else ""]) + always
    granted = (*_origin_line(spec), *_credentials(spec), *_exposed(spec), *nobody)
    cases = [Case(_allowed(spec), None, granted, vary)]
    if _times_some(spec):
        timed: Line = ("Timing-Allow-Origin", Echo.ORIGIN)
        cases.insert(0, Case((Test.ORIGIN, *_allowed(spec), Test.TIMED), None, (*granted, timed), vary))
    if spec.allow_origins == ("*",):
        return cases
    rejects = spec.on_denied == "reject"
    cases.append(Case((Test.ORIGIN, Test.OWN), None, stranger, vary))
    cases.append(Case((Test.ORIGIN,) if rejects else (Test.ORIGIN, Test.UPGRADE), 403, stranger, vary))
    if stranger != nobody and not rejects:
        cases.append(Case((Test.ORIGIN,), None, stranger, vary))
    return [*cases, Case((), None, nobody, vary)]


def _allowed(spec: PolicySpec) -> tuple[Test, ...]:
    return () if spec.allow_origins == ("*",) else (Test.ALLOWED,)


def _preflight_lines(spec: PolicySpec) -> tuple[Line, ...]:
    methods: Line = ("Access-Control-Allow-Methods", ", ".join(spec.allow_methods))
    headers: Line = ("Access-Control-Allow-Headers", ", ".join(spec.allow_headers))
    if spec.allow_methods == ("*",) and spec.allow_credentials:
        methods = (methods[0], Echo.METHOD)
    if spec.allow_headers == ("*",):  # https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name
        headers = (headers[0], Echo.HEADERS if spec.allow_credentials else "*, Authorization")
    age = _line("Access-Control-Max-Age", ["" if spec.max_age is None else str(spec.max_age)])
    listed = [line for line in (methods, headers) if line[1]]
    return (*_origin_line(spec), *listed, *_credentials(spec), *age)


def _origin_line(spec: PolicySpec) -> tuple[Line, ...]:
    return (("Access-Control-Allow-Origin", "*" if spec.allow_origins == ("*",) else Echo.ORIGIN),)


def _credentials(spec: PolicySpec) -> tuple[Line, ...]:
    return _line("Access-Control-Allow-Credentials", ["true" if spec.allow_credentials else ""])


def _exposed(spec: PolicySpec) -> tuple[Line, ...]:
    return () if spec.exposes_actual else _line("Access-Control-Expose-Headers", spec.expose_headers)


def _line(name: str, members: Iterable[str]) -> tuple[Line, ...]:
    value = ", ".join(members)
    return ((name, value),) if value else ()
