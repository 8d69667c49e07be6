"""The policy: what the user wrote, compiled into what requests read.

Rules: ``compile_policy`` is the only way from one to the other, and reports every problem at once; a ``Policy`` never
changes; whatever does not depend on the request is bytes by then; nothing that a client sends raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from corsproxy.cors.decision import Decision, Outcome
from corsproxy.cors.grants import Headers, Methods, compile_headers, compile_methods, field_line
from corsproxy.cors.hostile import hostile_to_list
from corsproxy.cors.origin_list import credential_problems, list_problems, read_patterns
from corsproxy.cors.pattern import ANY, OriginSet, compile_patterns
from corsproxy.cors.regex import OriginRegex
from corsproxy.cors.review import review_regex
from corsproxy.cors.spec import PolicySpec, spec_problems
from corsproxy.errors import InvalidPolicy, PolicyProblem

__all__ = ["Policy", "PolicySpec", "compile_policy"]

# Decisions that are kept, of each kind.  What is denied has a place of its own, so that whoever makes up origins puts
# out nothing that is allowed.
_MOST_REMEMBERED: Final = 1024
_LONGEST_REMEMBERED: Final = 512  # bytes of what was asked

Asked = tuple[bytes, bytes, bytes, bool]  # origin, method, names of headers, whether it is for a private network


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A compiled policy; made by ``compile_policy`` alone.

    With ``*`` among the origins the answer is a constant and the Origin header is not read: what a browser would do
    with another answer for a strange Origin is nothing, and what a shared cache would do with it is serve it to all.
    """

    spec: PolicySpec
    name: str
    where: str  # it was written: config.yaml:12:3; "": in flags
    on_denied: str
    preflight_status: int
    vary_actual: tuple[bytes, ...]
    vary_preflight: tuple[bytes, ...]
    _origins: OriginSet
    _regex: OriginRegex | None
    _timing: OriginSet | None  # None: Timing-Allow-Origin does not depend on the origin
    _methods: Methods
    _headers: Headers
    _absent: Decision  # for a request without Origin
    _constant: Decision | None  # for any other, when the origin changes nothing
    _always: bytes  # lines that every answer to an actual request has
    _granted: bytes  # lines that an allowed actual request has besides its origin's own
    _preflight: bytes  # lines that a granted preflight has besides its origin's and those that it asked for
    # What was decided before: by origin, and of preflights by all that was asked.
    _granted_to: dict[bytes, Decision] = field(default_factory=dict)
    _denied_to: dict[bytes, Decision] = field(default_factory=dict)
    _preflights: dict[Asked, Decision] = field(default_factory=dict)
    _denied_preflights: dict[Asked, Decision] = field(default_factory=dict)

    def allows_origin(self, origin: bytes) -> bool:
        """Whether this value of the Origin header is allowed; any bytes may be asked about."""
        return self._origins.match(origin) or (self._regex is not None and self._regex.match(origin))

    def judge_actual(self, origins: Sequence[bytes]) -> Decision:
        """The decision on a request that is no preflight; ``origins`` are the values of all its Origin lines."""
        if not origins:
            return self._absent
        if self._constant is not None:
            return self._constant
        # Two lines joined are no origin, so they match nothing, even when they are the same.
        origin = b", ".join(origins)
        known = self._granted_to.get(origin) or self._denied_to.get(origin)
        if known is not None:
            return known
        if not self.allows_origin(origin):
            decision = Decision(Outcome.DENIED_ORIGIN, self._always, self.vary_actual, subject=origin)
            _remember(self._denied_to, origin, decision, len(origin))
            return decision
        lines = self._origin_line(origin) + self._granted
        if self._timing is not None and self._timing.match(origin):
            lines += b"Timing-Allow-Origin: %b\r\n" % origin
        decision = Decision(Outcome.ALLOWED, lines, self.vary_actual, self.spec.exposes_actual)
        _remember(self._granted_to, origin, decision, len(origin))
        return decision

    def judge_preflight(
        self,
        origin: bytes,
        methods: Sequence[bytes],
        headers: Sequence[bytes],
        private_network: bool,  # noqa: FBT001 - one more thing that a preflight asks for, not a mode of this method
    ) -> Decision:
        """The decision on a preflight, in the order in which a browser checks its answer.

        ``methods`` and ``headers`` are the values of all lines of Access-Control-Request-Method and -Headers;
        ``private_network`` is whether Access-Control-Request-Private-Network asks for that too.
        """
        # Two methods are no token.  Nothing else of the request has a say, so what was decided once is decided again.
        asked = (origin, b", ".join(methods), b",".join(headers), private_network)
        known = self._preflights.get(asked) or self._denied_preflights.get(asked)
        if known is not None:
            return known
        decision = self._preflight_decision(*asked)
        memory = self._denied_preflights if decision.denied else self._preflights
        _remember(memory, asked, decision, len(origin) + len(asked[1]) + len(asked[2]))
        return decision

    def _preflight_decision(self, origin: bytes, method: bytes, headers: bytes, private_network: bool) -> Decision:  # noqa: FBT001 - as above
        if not self.allows_origin(origin):
            return self._refusal(Outcome.PREFLIGHT_DENIED_ORIGIN, origin)
        method_line = self._methods.grant(method)
        if method_line is None:
            return self._refusal(Outcome.PREFLIGHT_DENIED_METHOD, method)
        headers_line = self._headers.grant(headers)
        if headers_line is None:
            return self._refusal(Outcome.PREFLIGHT_DENIED_HEADERS, self._headers.denied(headers))
        lines = self._origin_line(origin) + method_line + headers_line + self._preflight
        if private_network:
            if not self.spec.allow_private_network:
                return self._refusal(Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK, origin)
            lines += b"Access-Control-Allow-Private-Network: true\r\n"
        return Decision(Outcome.PREFLIGHT_ALLOWED, lines, self.vary_preflight)

    def _origin_line(self, origin: bytes) -> bytes:
        # https://fetch.spec.whatwg.org/#cors-check compares bytes: what is echoed is what was sent.
        return b"Access-Control-Allow-Origin: %b\r\n" % (b"*" if self._origins.any else origin)

    def _refusal(self, outcome: Outcome, subject: bytes) -> Decision:
        return Decision(outcome, b"", self.vary_preflight, subject=subject)


def _remember(memory: dict[Any, Decision], asked: object, decision: Decision, size: int) -> None:
    """Keep a decision; ``size`` are the bytes that it holds on to.  A wildcard allows any number of them."""
    if size > _LONGEST_REMEMBERED:
        return
    if len(memory) >= _MOST_REMEMBERED:
        memory.clear()
    memory[asked] = decision


def compile_policy(spec: PolicySpec, where: str = "") -> Policy:
    """The policy that a spec describes; ``where`` it was written, for people.

    Raises ``InvalidPolicy`` with every reason why the spec is wrong or unsafe.
    """
    patterns, problems = read_patterns("allow_origins", spec.allow_origins)
    timing_patterns, timing_problems = read_patterns("timing_allow_origins", spec.timing_allow_origins)
    regex, regex_problems = review_regex(spec)
    origins, timing = compile_patterns(patterns.values()), compile_patterns(timing_patterns.values())
    problems += [
        *_presence_problems(spec),
        *list_problems("allow_origins", patterns, spec),
        *credential_problems(patterns, spec),
        *hostile_to_list("allow_origins", patterns, origins.match),
        *regex_problems,
        *timing_problems,
        *list_problems("timing_allow_origins", timing_patterns, spec),
        *hostile_to_list("timing_allow_origins", timing_patterns, timing.match),
        *spec_problems(spec),
    ]
    if problems:
        raise InvalidPolicy(tuple(problems))
    return _assemble(spec, where, origins, regex, timing)


def _presence_problems(spec: PolicySpec) -> list[PolicyProblem]:
    if not spec.allow_origins and spec.allow_origin_regex is None:
        reason = "no origin is allowed; list at least one, or use policy: none to forward without CORS"
        return [PolicyProblem("allow_origins", None, reason)]
    if str(ANY) in spec.allow_origins and spec.allow_origin_regex is not None:
        reason = "'*' allows every origin already; leave one of the two out"
        return [PolicyProblem("allow_origin_regex", None, reason)]
    return []


def _assemble(spec: PolicySpec, where: str, origins: OriginSet, regex: OriginRegex | None, timing: OriginSet) -> Policy:
    """Everything that no request changes, joined into bytes."""
    timing_depends = bool(timing.exact or timing.hosts)
    varies = (b"Origin",) if timing_depends or not origins.any else ()
    always = field_line("Cross-Origin-Resource-Policy", _listed(spec.cross_origin_resource_policy))
    unconditional = field_line("Timing-Allow-Origin", ["*"] if timing.any else []) + always
    granted = _credentials(spec) + _exposed(spec) + unconditional
    absent = b"Access-Control-Allow-Origin: *\r\n" + granted if origins.any else unconditional
    constant = None if varies else Decision(Outcome.ALLOWED, absent)
    return Policy(
        spec=spec,
        name=spec.name,
        where=where,
        on_denied=spec.on_denied,
        preflight_status=spec.preflight_status,
        vary_actual=varies,
        vary_preflight=_vary_preflight(spec, origins),
        _origins=origins,
        _regex=regex,
        _timing=timing if timing_depends else None,
        _methods=compile_methods(spec.allow_methods, credentials=spec.allow_credentials),
        _headers=compile_headers(spec.allow_headers, credentials=spec.allow_credentials),
        _absent=Decision(Outcome.NOT_CORS, absent, varies),
        _constant=constant,
        _always=always,
        _granted=granted,
        _preflight=_credentials(spec) + field_line("Access-Control-Max-Age", _listed(spec.max_age)),
    )


def _vary_preflight(spec: PolicySpec, origins: OriginSet) -> tuple[bytes, ...]:
    names = [b"Access-Control-Request-Method", b"Access-Control-Request-Headers"]
    if spec.allow_private_network:
        names.append(b"Access-Control-Request-Private-Network")
    return tuple(names) if origins.any else (b"Origin", *names)


def _credentials(spec: PolicySpec) -> bytes:
    # The only value is "true" (https://fetch.spec.whatwg.org/#http-access-control-allow-credentials).
    return b"Access-Control-Allow-Credentials: true\r\n" if spec.allow_credentials else b""


def _exposed(spec: PolicySpec) -> bytes:
    return b"" if spec.exposes_actual else field_line("Access-Control-Expose-Headers", spec.expose_headers)


def _listed(value: str | int | None) -> list[str]:
    return [] if value is None else [str(value)]
