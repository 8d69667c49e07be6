"""Config: what the user may write, key by key.

Rules: a model says which keys there are, of what kind, and what they mean (editors show the descriptions); what the
values mean together is for ``load.py`` and what it calls.  Every default is the safest value that still lets the key be
left out.  Texts are kept as they were written; durations are seconds and sizes are bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from corsproxy.config.kinds import (
    Address,
    AddressOrOff,
    CountOrNone,
    Duration,
    DurationOrNone,
    HeadSize,
    MaxAge,
    SizeOrNone,
    Texts,
    listed,
)
from corsproxy.config.section import Section
from corsproxy.config.tests_model import TableTestConfig


class TlsConfig(Section):
    """HTTPS at a listener."""

    cert: str = Field(description="PEM file with the certificate and its chain.")
    key: str = Field(description="PEM file with the private key.")
    client_ca: str = Field(
        default="",
        description="PEM file with authorities: only clients with a certificate of theirs get in; left out: all do.",
    )


class ListenerConfig(Section):
    """A listener that is more than an address."""

    address: Address = Field(description="`host:port`, `unix:/path`, `systemd` or `systemd:NAME`.")
    tls: TlsConfig | None = Field(default=None, description="Serve HTTPS with this certificate; left out: HTTP.")
    mode: str = Field(
        default="", description="Permissions of a unix socket, in octal digits; left out: what the umask leaves."
    )
    proxy_protocol: bool = Field(
        default=False,
        description="Whether trusted proxies begin each connection with the PROXY protocol; nobody else gets in then.",
    )


class LimitsConfig(Section):
    """Limits of the listeners, for every client and every rule."""

    request_head_timeout: Duration = Field(
        default="10s",
        validate_default=True,
        description="Longest time from the start of a request, or of a silent connection, to the end of its head.",
    )
    request_body_timeout: DurationOrNone = Field(
        default="30s", validate_default=True, description="Longest silence of a client inside a request body."
    )
    keepalive_timeout: Duration = Field(
        default="75s", validate_default=True, description="How long a connection stays open between two requests."
    )
    max_request_head: HeadSize = Field(
        default="64KiB",
        validate_default=True,
        description="Largest request line and headers together; larger ones are answered 431.",
    )
    max_target: HeadSize = Field(
        default="32KiB",
        validate_default=True,
        description="Longest target of a request (its path and query); longer ones are answered 414.",
    )
    max_request_headers: int = Field(
        default=200, ge=1, le=100_000, description="Most header lines of a request; more are answered 431."
    )
    max_request_body: SizeOrNone = Field(
        default="none", validate_default=True, description="Largest request body; larger ones are answered 413."
    )
    max_response_body: SizeOrNone = Field(
        default="none",
        validate_default=True,
        description="Largest body of an answer; larger ones are 502, or broken off where their length was not known.",
    )
    max_connections: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Most connections of clients at one time; others get 503."
    )
    max_connections_per_client: CountOrNone = Field(
        default="none",
        validate_default=True,
        description="Most connections of one address at one time; others get 503. Trusted proxies may have any number.",
    )


class RuleLimitsConfig(Section):
    """Limits of one rule, which may be narrower than the listeners' and never wider."""

    max_request_body: SizeOrNone = Field(
        default=None, description="Largest request body; left out: the listeners' limit."
    )
    max_response_body: SizeOrNone = Field(
        default=None, description="Largest body of an answer; left out: the listeners' limit."
    )
    request_body_timeout: DurationOrNone = Field(
        default=None,
        description="Longest silence of a client inside a request body; left out: the listeners' limit.",
    )


class PolicyConfig(Section):
    """A CORS policy: the pages of which origins may do what."""

    allow_origins: Texts = Field(
        default_factory=list,
        description="Origins whose pages may read the answers: exact, `https://*.example.com` (one or more labels), "
        '`http://localhost:*` (any port), or `"*"` (every page of the world, without credentials).',
    )
    allow_origin_regex: str | None = Field(
        default=None,
        description="A regular expression (RE2) that a whole origin has to match; needs the extra `corsproxy[re2]`.",
    )
    allow_methods: Texts = Field(
        default=["GET", "HEAD", "POST"], description='Methods that a preflight grants, or `"*"`.'
    )
    allow_headers: Texts = Field(
        default_factory=list,
        description='Request headers that a preflight grants, or `"*"`: all of them, Authorization included.',
    )
    expose_headers: Texts = Field(
        default_factory=list, description='Response headers that a page may read besides the safelisted ones, or `"*"`.'
    )
    allow_credentials: bool = Field(
        default=False,
        description="Whether cookies and HTTP authentication may go along; never together with any origin.",
    )
    max_age: MaxAge = Field(
        default="none",
        validate_default=True,
        description="How long a browser may keep a preflight's answer; 0: not at all; none: the header is not sent.",
    )
    allow_private_network: bool = Field(
        default=False, description="Whether a preflight that asks for access to a private network is granted it."
    )
    timing_allow_origins: Texts = Field(
        default_factory=list, description="Origins whose pages may read detailed timings, by Timing-Allow-Origin."
    )
    cross_origin_resource_policy: Literal["same-origin", "same-site", "cross-origin"] | None = Field(
        default=None, description="Value of Cross-Origin-Resource-Policy on every answer; left out: not sent."
    )
    preflight_status: int = Field(default=204, ge=200, le=299, description="Status of a granted preflight.")
    on_denied: Literal["forward", "reject"] = Field(
        default="forward",
        description="What an origin that is not allowed gets: the upstream's answer without CORS headers, or 403.",
    )
    dangerously_allow_null: bool = Field(
        default=False,
        description='Permit `"null"` among the origins, which every sandboxed or local document of anybody has.',
    )
    dangerously_allow_insecure_origins: bool = Field(
        default=False,
        description="Permit http origins with credentials; whoever is on the network can speak as such an origin.",
    )
    dangerously_allow_public_suffix_subdomains: bool = Field(
        default=False,
        description="Permit a wildcard below a public suffix (`https://*.github.io`), where anybody gets a name.",
    )


class TimeoutsConfig(Section):
    """Time limits towards an upstream."""

    connect: DurationOrNone = Field(
        default="5s", validate_default=True, description="Longest time until a connection stands, TLS included."
    )
    response: DurationOrNone = Field(
        default="60s",
        validate_default=True,
        description="Longest time from the end of the request to the head of the answer.",
    )
    idle: DurationOrNone = Field(default="5m", validate_default=True, description="Longest silence inside an answer.")
    total: DurationOrNone = Field(
        default="none",
        validate_default=True,
        description="Longest time from sending the request to the end of its answer, streams and WebSockets included.",
    )
    queue: Duration = Field(
        default="5s",
        validate_default=True,
        description="Longest wait while `max_requests` are in flight; then the answer is 503.",
    )


class HealthCheckConfig(Section):
    """A request that is made again and again to each URL of an upstream."""

    path: str = Field(default="/", description="What is asked for by GET; a status from 200 to 399 is well.")
    interval: Duration = Field(default="10s", validate_default=True, description="Time between two requests.")
    timeout: Duration = Field(default="2s", validate_default=True, description="Longest time for the whole answer.")


class UpstreamTlsConfig(Section):
    """HTTPS towards an upstream."""

    ca: str = Field(
        default="", description="PEM file with the authorities to believe; left out: those of the operating system."
    )
    cert: str = Field(
        default="", description="PEM file with the certificate that the upstream asks of its clients, and its chain."
    )
    key: str = Field(default="", description="PEM file with that certificate's key; left out: it stands in `cert`.")
    server_name: str = Field(
        default="", description="Name that the upstream's certificate must have; left out: the host of its URL."
    )
    verify: bool = Field(
        default=True, description="Whether the upstream's certificate is verified; without it anybody can pose as it."
    )


class UpstreamConfig(Section):
    """A remote server, by name."""

    url: str = Field(
        default="", description="Its address: `http://host:port`, with a base path if there is one, or `unix:/path`."
    )
    urls: list[str] = Field(
        default_factory=list,
        description="Several interchangeable addresses in place of `url`; of two picked at random, the one with fewer"
        " requests in flight gets the next.",
    )
    max_requests: int = Field(
        default=5_000, ge=1, le=1_000_000, description="Most requests in flight at one time; others wait their turn."
    )
    max_queue: int = Field(
        default=1_000, ge=0, le=1_000_000, description="Most requests that wait for their turn; others get 503."
    )
    health_check: HealthCheckConfig | None = Field(
        default=None, description="Ask each URL whether it is well; left out: only the requests of clients tell."
    )
    timeouts: TimeoutsConfig = Field(default_factory=TimeoutsConfig, description="Time limits towards this upstream.")
    tls: UpstreamTlsConfig = Field(default_factory=UpstreamTlsConfig, description="HTTPS towards this upstream.")


class EditsConfig(Section):
    """Changes to headers."""

    set: dict[str, str] = Field(default_factory=dict, description="Headers to put in place of those of the same name.")
    add: dict[str, Texts] = Field(
        default_factory=dict, description="Headers to add to those that are there; a list adds one line for each entry."
    )
    remove: Texts = Field(default_factory=list, description="Headers to remove.")


class HeadersConfig(Section):
    """Changes to headers, both ways."""

    request: EditsConfig = Field(default_factory=EditsConfig, description="What the upstream sees.")
    response: EditsConfig = Field(default_factory=EditsConfig, description="What the client sees.")


class CookiesConfig(Section):
    """Changes to the cookies that an upstream sets."""

    same_site: Literal["none", "lax", "strict"] | None = Field(
        default=None, description="SameSite of every cookie; `none` brings Secure along."
    )
    secure: bool | None = Field(default=None, description="Add Secure, or take it away (for http on localhost).")
    partitioned: bool | None = Field(
        default=None, description="Add Partitioned (cookies in frames of other sites), or take it away."
    )
    domain: str | None = Field(
        default=None,
        description="`remove`, so that cookies belong to the proxy's host; or the domain to put instead.",
    )
    path: str | None = Field(
        default=None, description="Path of every cookie; left out: the upstream's, moved to where the rule's paths are."
    )


def _listener_kind(value: object) -> str:
    return "<listener>" if isinstance(value, dict | ListenerConfig) else "<address>"


def _policy_kind(value: object) -> str:
    return "<inline>" if isinstance(value, dict | PolicyConfig) else "<name>"


# The branches have names that no key has, because they appear in pydantic's paths.
Listener = Annotated[
    Annotated[Address, Tag("<address>")] | Annotated[ListenerConfig, Tag("<listener>")], Discriminator(_listener_kind)
]
PolicyReference = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[PolicyConfig, Tag("<inline>")], Discriminator(_policy_kind)
]


class RuleConfig(Section):
    """A row of the table; the most specific one wins, whatever the order: first the host, then the longest path."""

    path: str = Field(
        default="/",
        description="Prefix of the paths, in whole segments: `/orders` takes `/orders/7` too, and not `/orders-old`.",
    )
    host: str = Field(
        default="", description="Host that the request is addressed to, exact or `*.example.com`; left out: any."
    )
    upstream: str = Field(description="Name of an upstream, or a URL.")
    policy: PolicyReference = Field(
        description="Name of a policy, a policy written here, or `none`: forward and add nothing."
    )
    strip_prefix: bool = Field(
        default=False, description="Whether the upstream sees the path without the rule's prefix."
    )
    upstream_cors: Literal["replace", "keep"] = Field(
        default="replace",
        description="Whose CORS headers count: the policy's (`replace`), or the upstream's and none of ours (`keep`).",
    )
    forward_host: str = Field(
        default="upstream",
        description="Host that the upstream sees: `upstream` (its own), `preserve` (the client's), or a literal host.",
    )
    forward_origin: str = Field(
        default="keep",
        description="Origin that the upstream sees, in Referer too: `keep` (the client's), `remove`, or a literal.",
    )
    headers: HeadersConfig = Field(default_factory=HeadersConfig, description="What to change in headers, both ways.")
    cookies: CookiesConfig = Field(
        default_factory=CookiesConfig, description="Changes to the cookies that the upstream sets."
    )
    limits: RuleLimitsConfig = Field(
        default_factory=RuleLimitsConfig, description="Limits of this rule, narrower than the listeners'."
    )
    shadow: PolicyReference | None = Field(
        default=None, description="A policy that is tried beside this rule's own on its requests, and decides nothing."
    )
    dangerously_share_credentials: bool = Field(
        default=False,
        description='Permit the policy `"*"` where the rule adds credentials of its own, for every page to use.',
    )


class RequestIdConfig(Section):
    """A name for each request, for logs on both sides of this proxy."""

    header: str = Field(
        description="Header that the upstream gets it in; a trusted proxy's own is kept, anybody else's is replaced."
    )


class Config(Section):
    """The configuration of corsproxy."""

    listen: Annotated[list[Listener], BeforeValidator(listed)] = Field(
        default=["127.0.0.1:8080"],
        description="Where clients connect: `host:port`, `unix:/path`, `systemd`, a mapping, or a list of these.",
    )
    admin: AddressOrOff = Field(
        default="off",
        description="Where health, metrics and this configuration are shown: `host:port`, `unix:/path`, `systemd:NAME`"
        " or `off`.",
    )
    trusted_proxies: Texts = Field(
        default_factory=list,
        description="Networks of proxies in front of this one, whose X-Forwarded-* are believed; left out: nobody's.",
    )
    request_id: RequestIdConfig | None = Field(
        default=None, description="Give each request a name, which the upstream and the log get; left out: none."
    )
    limits: LimitsConfig = Field(default_factory=LimitsConfig, description="Limits of the listeners.")
    policies: dict[str, PolicyConfig] = Field(default_factory=dict, description="The CORS policies, by name.")
    upstreams: dict[str, UpstreamConfig] = Field(default_factory=dict, description="The upstreams, by name.")
    shadow: str = Field(
        default="",
        description="A second configuration file, whose rules are tried beside these, and decide nothing.",
    )
    rules: list[RuleConfig] = Field(description="The table: which requests go where, under which policy.")
    tests: list[TableTestConfig] = Field(
        default_factory=list, description="What pages ask for and should get, tried by `corsproxy check`."
    )
