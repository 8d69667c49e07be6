"""The rule table: what requests read.

Everything that can be known before a request arrives has been computed when the configuration was compiled; what
stands here is immutable and is replaced whole on a reload.  The most specific rule wins, whatever the order in the
file: first the host (exact, then the longest ``*.`` wildcard, then any), then the longest path prefix, in whole
segments.  A look-up costs one dictionary probe per path segment and host level, however many rules there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from corsproxy.cors.policy import Policy
from corsproxy.http.cookies import CookieRewrite
from corsproxy.http.fields import HOP_BY_HOP, SPEAKS_FOR_THE_UPSTREAM, FieldEdits
from corsproxy.http.forwarded import Forwarding
from corsproxy.http.location import LocationRewrite


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One URL of an upstream: where to connect, and how to name it there."""

    tls: bool
    host: str  # "" for a unix socket
    port: int
    unix_path: str  # "" for TCP
    authority: bytes  # the Host that it is addressed by

    def __str__(self) -> str:
        if self.unix_path:
            return f"unix:{self.unix_path}"
        return f"{'https' if self.tls else 'http'}://{self.authority.decode()}"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of the upstream leg in seconds; None: no limit."""

    connect: float | None = 5.0
    response: float | None = 60.0  # from the whole request sent to the response's head
    idle: float | None = 300.0  # longest silence inside the response
    total: float | None = None  # from the request's head sent to the response's end, upgrades included
    queue: float = 5.0  # waiting while as many requests are in flight as may be


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """What each endpoint is asked again and again, whether anybody else asks it or not; times in seconds."""

    target: bytes  # the path, as it is asked; no base path is put before it
    interval: float = 10.0
    timeout: float = 2.0


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """How an https upstream is recognised, and what it is shown; "" for what was not written."""

    ca: str = ""  # PEM file; "": the authorities of the operating system
    cert: str = ""  # PEM file, for an upstream that asks for one
    key: str = ""  # PEM file; "": it stands in cert
    server_name: str = ""  # "": the endpoint's host
    verify: bool = True


@dataclass(frozen=True, slots=True, eq=False)  # by identity: the pool of an upstream is found by it
class Upstream:
    """A remote server, at one or several addresses that are interchangeable."""

    name: str
    endpoints: tuple[Endpoint, ...]
    base: bytes = b""  # base path, prefixed to every target; no trailing slash
    timeouts: Timeouts = Timeouts()
    tls: UpstreamTls = UpstreamTls()
    max_requests: int = 5_000  # in flight
    max_queue: int = 1_000  # waiting for one of those to end
    health_check: HealthCheck | None = None


@dataclass(frozen=True, slots=True)
class Treatment:
    """What a rule does with the lines of a request and of its answer, wherever it stands and wherever it leads.

    Rules that do the same have one and the same, so that what was made by one of thousands serves all of them.
    """

    policy: Policy | None
    max_request_body: int | None
    forward_host: bytes | None
    forward_origin: bytes | None
    request_edits: FieldEdits
    response_edits: FieldEdits
    # Lower-case names that never reach the client as they came.
    response_drops: frozenset[bytes] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "response_drops", _response_drops(self.policy, self.response_edits))


def _response_drops(policy: Policy | None, edits: FieldEdits) -> frozenset[bytes]:
    """What ends at this hop, what the rule edits, and what the policy writes anew."""
    drops = HOP_BY_HOP | SPEAKS_FOR_THE_UPSTREAM | edits.removed
    if policy is None:
        return drops
    if policy.spec.cross_origin_resource_policy is not None:
        drops |= {b"cross-origin-resource-policy"}
    return drops | {b"vary"}


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One row of the table, compiled."""

    where: str  # config.yaml:30:5
    host: str  # "" any; "api.example.com"; "*.example.com"
    path: str  # "/orders"; "/" everything
    upstream: Upstream
    policy: Policy | None  # None: forward and add nothing (policy: none, or upstream_cors: keep)
    treatment: Treatment = field(init=False, repr=False)
    strip: int = 0  # leading path segments that the upstream does not see
    max_request_body: int | None = None  # bytes
    max_response_body: int | None = None  # bytes
    request_body_timeout: float | None = 30.0  # seconds
    forward_host: bytes | None = None  # None: the endpoint's authority; b"": the client's own (preserve)
    forward_origin: bytes | None = None  # None: the client's own (keep); b"": removed
    request_edits: FieldEdits = FieldEdits()
    response_edits: FieldEdits = FieldEdits()
    cookies: CookieRewrite | None = None
    location: LocationRewrite | None = None
    treatments: dict[Treatment, Treatment] = field(default_factory=dict, repr=False)  # of those compiled with this one

    def __post_init__(self) -> None:
        own = Treatment(
            self.policy,
            self.max_request_body,
            self.forward_host,
            self.forward_origin,
            self.request_edits,
            self.response_edits,
        )
        object.__setattr__(self, "treatment", self.treatments.setdefault(own, own))

    @property
    def name(self) -> str:
        """How logs and answers call this rule: its host and path as written."""
        return self.host + self.path


@dataclass(frozen=True, slots=True)
class Prefixes:
    """The rules of one host, by path prefix.  Keys have no trailing slash; "" is the catch-all."""

    rules: Mapping[str, Rule]
    depth: int  # segments of the longest prefix

    def find(self, path: str) -> Rule | None:
        """The rule with the longest prefix of ``path`` in whole segments."""
        if not self.depth:
            return self.rules.get("")
        end = 0
        ends = [0]
        for _ in range(self.depth):
            end = path.find("/", end + 1)
            if end < 0:
                ends.append(len(path))
                break
            ends.append(end)
        for end in reversed(ends):
            rule = self.rules.get(path[:end])
            if rule is not None:
                return rule
        return None


NO_PREFIXES = Prefixes({}, 0)


@dataclass(frozen=True, slots=True)
class RuleTable:
    """Every rule, ready to be looked up."""

    forwarding: Forwarding
    rules: tuple[Rule, ...] = ()
    exact: Mapping[str, Prefixes] = field(default_factory=dict)  # host -> its rules
    wildcard: Mapping[str, Prefixes] = field(default_factory=dict)  # "example.com" for *.example.com
    any_host: Prefixes = NO_PREFIXES
    request_id: bytes = b""  # the header that names a request, as written; b"": requests have no names

    def find(self, host: str, path: str) -> Rule | None:
        """The rule for a lower-case host without port and a normalised path, or None."""
        if self.exact and (prefixes := self.exact.get(host)) and (rule := prefixes.find(path)):
            return rule
        if self.wildcard:
            dot = host.find(".")
            while dot >= 0:
                prefixes = self.wildcard.get(host[dot + 1 :])
                if prefixes and (rule := prefixes.find(path)):
                    return rule
                dot = host.find(".", dot + 1)
        return self.any_host.find(path)

    def serves(self, host: str) -> bool:
        """Whether any rule is meant for this host; a host that none serves is misdirected (RFC 9110 15.5.20)."""
        if self.any_host.rules or host in self.exact:
            return True
        labels = host.split(".")
        return any(".".join(labels[start:]) in self.wildcard for start in range(1, len(labels)))
