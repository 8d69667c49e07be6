"""What a table asks of an engine, and what is lost where the engine does not have it.

Rules: each use is found in the compiled table or in what was written, at its own line; the loss is said in words
about who may do what, since that is what whoever exports has to decide about.  Limits of time and number that an engine
has in another granularity are no loss of that kind; docs/export.md lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from corsproxy.config.model import Config, HeadersConfig, ListenerConfig, RuleConfig, UpstreamConfig
from corsproxy.config.table import Rule
from corsproxy.config.written import Path
from corsproxy.cors.policy import Policy
from corsproxy.tools.exporting.pages import allowed_pages, strangers
from corsproxy.tools.written_config import WrittenConfig

KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "*"})
# What the schema of the Gateway API takes for an origin, but for the star in the place of a host.
ORDINARY_ORIGIN: Final = re.compile(r"\*|https?://(?:\*\.)?(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::[0-9]{1,5})?")


class Feature(Enum):
    """What an engine may have or lack; the value is its row in docs/export.md."""

    SUBDOMAINS = "`https://*.example.com`: one or more labels"
    ANY_PORT = "`http://localhost:*`: any port"
    ORIGIN_REGEX = "`allow_origin_regex`"
    NULL = "the origin `null`"
    UNUSUAL_ORIGINS = "origins of other schemes than http, of IPv6 addresses, and of names with underscores"
    OTHER_METHODS = "methods beside those of RFC 9110 and PATCH"
    ECHOED_METHOD = '`allow_methods: "*"` with credentials'
    ANY_HEADER = '`allow_headers: "*"`, Authorization included'
    ECHOED_HEADERS = '`allow_headers: "*"` with credentials'
    EXPOSES_ALL = '`expose_headers: "*"` with credentials'
    NO_CACHE = "`max_age: 0`"
    PREFLIGHT_STATUS = "`preflight_status`"
    PREFLIGHTS_END = "a denied preflight ends in the engine"
    STRIPPED = "the upstream's own CORS headers never come through"
    VARY = "`Vary: Origin` wherever an answer depends on the origin"
    ERRORS = "allowed pages can read the engine's own errors"
    REJECTS = "`on_denied: reject`"
    WEBSOCKETS = "WebSockets of pages that are not listed are refused"
    TIMED_BY_ALL = '`timing_allow_origins: "*"`'
    TIMING = "`timing_allow_origins` with a list"
    RESOURCE_POLICY = "`cross_origin_resource_policy`"
    PRIVATE_NETWORK = "`allow_private_network`"
    AMBIGUOUS = "paths that servers read in two ways are refused"
    MISDIRECTED = "421 for a host that no rule serves"
    STRIP = "`strip_prefix`, and a base path of the upstream"
    REFERENCES = "redirects of the upstream lead back to the rule"
    COOKIE_PATHS = "paths of cookies are moved with the rule's"
    COOKIES = "`cookies`"
    FORWARD_HOST = "`forward_host` with a literal or `preserve`"
    FORWARD_ORIGIN = "`forward_origin`"
    HEADERS = "`headers`"
    ADDED_HEADERS = "`headers: {request: {add: ...}}` beside the client's own"
    MAX_REQUEST_BODY = "`max_request_body`"
    MAX_RESPONSE_BODY = "`max_response_body`"
    UPSTREAM_NAMES = "upstreams by any name or address"
    MANY_URLS = "several `urls`"
    EACH_AUTHORITY = "several `urls`, each told its own Host"
    UNIX_UPSTREAM = "upstreams at unix sockets"
    HTTPS_UPSTREAM = "https upstreams, verified"
    CLIENT_CERTIFICATE = "`tls` of an upstream: `cert`, `ca`, `server_name`"
    HEALTH_CHECK = "`health_check`"
    RESPONSE_TIMEOUT = "`timeouts`: `response` apart from `idle`"
    TOTAL = "`timeouts: {total: ...}`"
    LISTEN_UNIX = "`listen` at a unix socket"
    LISTEN_TLS = "`listen` with `tls`"
    CLIENT_CA = "`client_ca` of a listener"
    MIXED_TLS = "listeners with `tls` beside others without"
    DIFFERENT_TLS = "listeners with different `tls`"
    SYSTEMD = "`listen: systemd`"
    PROXY_PROTOCOL = "`proxy_protocol`"
    TRUSTED_PROXIES = "`trusted_proxies`"
    REQUEST_ID = "`request_id`"


# What belongs to the Gateway or the entry points, where these are configured for themselves.
OF_LISTENERS: Final = frozenset(
    {
        *(Feature.LISTEN_UNIX, Feature.LISTEN_TLS, Feature.CLIENT_CA, Feature.SYSTEMD, Feature.PROXY_PROTOCOL),
        *(Feature.TRUSTED_PROXIES, Feature.MIXED_TLS, Feature.DIFFERENT_TLS),
    }
)


class Use(NamedTuple):
    """Something that a table asks for, where, and what happens without it."""

    feature: Feature
    path: Path
    loss: str


class Difference(NamedTuple):
    """What an engine does otherwise than this proxy, and the place of what asks for it."""

    file: str
    line: int
    column: int
    loss: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.loss}"


def differences(written: WrittenConfig, kept: Iterable[Feature]) -> tuple[Difference, ...]:
    """What a target that keeps these features loses of a configuration, each thing once, in the order of the file."""
    having = frozenset(kept)
    lost = [use for use in uses(written) if use.feature not in having]
    placed = {(written.place(use.path), use.loss) for use in lost}
    return tuple(Difference(written.file, line, column, loss) for (line, column), loss in sorted(placed))


def uses(written: WrittenConfig) -> Iterator[Use]:
    """Everything that a configuration asks for."""
    compiled = written.compiled
    config = compiled.config
    yield from _of_listeners(config)
    hosts = [rule.host for rule in compiled.table.rules]
    if all(hosts):
        yield Use(Feature.MISDIRECTED, ("rules",), "a host that no rule serves is not refused with 421")
    for rule in compiled.table.rules:
        index = written.index_of(rule)
        if rule.policy is not None and (place := written.policy_path(rule)) is not None:
            yield from _of_policy(rule.policy, place)
        yield from _of_rule(rule, config.rules[index], ("rules", index))
        name = config.rules[index].upstream
        at: Path = ("upstreams", name) if name in config.upstreams else ("rules", index, "upstream")
        yield from _of_upstream(rule, config.upstreams.get(name), at)
    if any(rule.path != "/" for rule in compiled.table.rules):
        loss = "a path that servers read in two ways may be judged by one rule and served as another's"
        yield Use(
            Feature.AMBIGUOUS, ("rules",), f"{loss}; pages that the one allows read what the other keeps from them"
        )


def _of_policy(policy: Policy, at: Path) -> Iterator[Use]:
    spec, some = policy.spec, policy.spec.allow_origins != ("*",)
    yield Use(
        Feature.STRIPPED, at, f"where the upstream sends CORS headers of its own, they count for {strangers(spec)}"
    )
    yield Use(Feature.PREFLIGHTS_END, at, "a denied preflight reaches the upstream, whose answer may grant it")
    yield Use(Feature.ERRORS, at, f"{allowed_pages(spec)} cannot read the engine's own errors, such as 502")
    if some:
        yield Use(Feature.VARY, at, "a cache may serve one page the answer that was made for another")
        yield Use(
            Feature.WEBSOCKETS,
            at,
            f"{strangers(spec)} may open WebSockets to the upstream, with cookies, and read them",
        )
    for index, text in enumerate(spec.allow_origins):
        yield from _of_origin(text, (*at, "allow_origins", index))
    yield from _of_grants(policy, at)
    if spec.on_denied == "reject":
        yield Use(
            Feature.REJECTS, (*at, "on_denied"), f"requests of {strangers(spec)} reach the upstream, and are obeyed"
        )
    if spec.preflight_status != 204:
        loss = f"a granted preflight is not answered {spec.preflight_status}, which some clients insist on"
        yield Use(Feature.PREFLIGHT_STATUS, (*at, "preflight_status"), loss)
    if spec.timing_allow_origins == ("*",):
        yield Use(Feature.TIMED_BY_ALL, (*at, "timing_allow_origins"), "pages read no detailed timings")
    if spec.timing_allow_origins and spec.timing_allow_origins != ("*",):
        pages = ", ".join(spec.timing_allow_origins)
        yield Use(Feature.TIMING, (*at, "timing_allow_origins"), f"pages of {pages} read no detailed timings")
    if spec.cross_origin_resource_policy is not None:
        loss = "pages may embed the answers as the upstream says, and not as cross_origin_resource_policy does"
        yield Use(Feature.RESOURCE_POLICY, (*at, "cross_origin_resource_policy"), loss)
    if spec.allow_private_network:
        loss = f"{allowed_pages(spec)} are refused by browsers that ask for the private network"
        yield Use(Feature.PRIVATE_NETWORK, (*at, "allow_private_network"), loss)


def _of_origin(text: str, at: Path) -> Iterator[Use]:
    loss = f"pages of {text} may read nothing"
    if text == "null":
        yield Use(Feature.NULL, at, loss)
    elif text.endswith(":*"):
        yield Use(Feature.ANY_PORT, at, loss)
    elif not ORDINARY_ORIGIN.fullmatch(text):
        yield Use(Feature.UNUSUAL_ORIGINS, at, loss)
    elif "//*." in text:
        yield Use(Feature.SUBDOMAINS, at, loss)


def _of_grants(policy: Policy, at: Path) -> Iterator[Use]:
    spec = policy.spec
    if spec.allow_origin_regex is not None:
        loss = "pages of the origins that only allow_origin_regex allows may read nothing"
        yield Use(Feature.ORIGIN_REGEX, (*at, "allow_origin_regex"), loss)
    if spec.allow_methods == ("*",) and spec.allow_credentials:
        loss = f"{allowed_pages(spec)} may use GET, HEAD and POST alone when they send cookies"
        yield Use(Feature.ECHOED_METHOD, (*at, "allow_methods"), loss)
    if others := [method for method in spec.allow_methods if method not in KNOWN_METHODS]:
        loss = f"{allowed_pages(spec)} may not use {', '.join(others)}"
        yield Use(Feature.OTHER_METHODS, (*at, "allow_methods"), loss)
    if spec.allow_headers == ("*",) and spec.allow_credentials:
        loss = f"{allowed_pages(spec)} may send no headers but the simple ones when they send cookies"
        yield Use(Feature.ECHOED_HEADERS, (*at, "allow_headers"), loss)
    elif spec.allow_headers == ("*",):
        yield Use(Feature.ANY_HEADER, (*at, "allow_headers"), f"{allowed_pages(spec)} may not send Authorization")
    if spec.max_age == 0:
        loss = "a browser keeps a preflight's answer for 5 seconds"
        yield Use(Feature.NO_CACHE, (*at, "max_age"), loss)
    if spec.exposes_actual:
        loss = f"{allowed_pages(spec)} read no header of the answers but the few that the standard exposes"
        yield Use(Feature.EXPOSES_ALL, (*at, "expose_headers"), loss)


def _of_rule(rule: Rule, written: RuleConfig, at: Path) -> Iterator[Use]:
    if rule.strip or rule.upstream.base:
        yield Use(Feature.STRIP, at, "the upstream sees the path as the client sent it, and answers for another one")
    if rule.location is not None and rule.location.authorities:
        loss = "redirects that name the upstream's own address lead clients there, past the policy"
        yield Use(Feature.REFERENCES, at, loss)
    if written.cookies.model_fields_set:
        loss = "the upstream's cookies pass as they are, so that browsers keep and send them otherwise"
        yield Use(Feature.COOKIES, (*at, "cookies"), loss)
    elif rule.cookies is not None:
        yield Use(Feature.COOKIE_PATHS, at, "cookies are sent to the upstream's paths, and not to this rule's")
    if rule.forward_host is not None:
        yield Use(Feature.FORWARD_HOST, (*at, "forward_host"), "the upstream is told its own host")
    if rule.forward_origin is not None:
        yield Use(Feature.FORWARD_ORIGIN, (*at, "forward_origin"), "the upstream sees the Origin of the page itself")
    yield from _of_headers(written.headers, (*at, "headers"))
    if rule.max_request_body is not None:
        loss = f"clients may send bodies of more than {rule.max_request_body} bytes"
        yield Use(Feature.MAX_REQUEST_BODY, _limit(written, at, "max_request_body"), loss)
    if rule.max_response_body is not None:
        loss = f"the upstream may answer with bodies of more than {rule.max_response_body} bytes"
        yield Use(Feature.MAX_RESPONSE_BODY, _limit(written, at, "max_response_body"), loss)


def _of_headers(written: HeadersConfig, at: Path) -> Iterator[Use]:
    if written.model_fields_set:
        yield Use(Feature.HEADERS, at, "the upstream and the client see headers as they were sent")
    if written.request.add:
        loss = f"the client's own {', '.join(written.request.add)} is replaced, where it should stand beside"
        yield Use(Feature.ADDED_HEADERS, (*at, "request", "add"), loss)


def _limit(written: RuleConfig, at: Path, key: str) -> Path:
    return (*at, "limits", key) if key in written.limits.model_fields_set else ("limits", key)


def _of_upstream(rule: Rule, written: UpstreamConfig | None, at: Path) -> Iterator[Use]:
    upstream = rule.upstream
    endpoint = upstream.endpoints[0]
    if not re.fullmatch(r"[a-z0-9-]+|[a-z0-9-]+\.[a-z0-9-]+\.svc(?:\.cluster\.local)?", endpoint.host):
        loss = f"requests go to a Service, which has to be made for {endpoint}"
        yield Use(Feature.UPSTREAM_NAMES, at, loss)
    if len(upstream.endpoints) > 1:
        yield Use(Feature.MANY_URLS, (*at, "urls"), f"all requests go to {upstream.endpoints[0]}")
        if len({endpoint.authority for endpoint in upstream.endpoints}) > 1 and rule.forward_host is None:
            told = upstream.endpoints[0].authority.decode("ascii")
            yield Use(Feature.EACH_AUTHORITY, (*at, "urls"), f"every one of them is told that it is {told}")
    if any(endpoint.unix_path for endpoint in upstream.endpoints):
        yield Use(Feature.UNIX_UPSTREAM, at, "the upstream cannot be reached at a unix socket")
    if any(endpoint.tls for endpoint in upstream.endpoints):
        loss = "whoever is on the way to the upstream can read and change everything"
        yield Use(Feature.HTTPS_UPSTREAM, at, loss)
    if upstream.tls.cert or upstream.tls.ca or upstream.tls.server_name:
        loss = "the upstream is recognised by the system's authorities and shown no certificate"
        yield Use(Feature.CLIENT_CERTIFICATE, (*at, "tls"), loss)
    if upstream.health_check is not None:
        loss = "an upstream that fails its checks gets requests all the same"
        yield Use(Feature.HEALTH_CHECK, (*at, "health_check"), loss)
    timeouts = upstream.timeouts
    if written and {"response", "idle"} & written.timeouts.model_fields_set and timeouts.response != timeouts.idle:
        loss = "an upstream that is silent is waited for as long before its answer as inside it"
        yield Use(Feature.RESPONSE_TIMEOUT, (*at, "timeouts"), loss)
    if upstream.timeouts.total is not None:
        loss = f"an answer may take longer than {upstream.timeouts.total:g} seconds in all"
        yield Use(Feature.TOTAL, (*at, "timeouts", "total") if written else at, loss)


def _of_listeners(config: Config) -> Iterator[Use]:
    for index, listener in enumerate(config.listen):
        at: Path = ("listen", index)
        address = listener.address if isinstance(listener, ListenerConfig) else listener
        yield from _of_address(address, at)
        if isinstance(listener, ListenerConfig):
            if listener.tls is not None:
                yield Use(
                    Feature.LISTEN_TLS, (*at, "tls"), "whoever is on the way to clients can read and change everything"
                )
            if listener.tls is not None and listener.tls.client_ca:
                loss = "clients get in without a certificate"
                yield Use(Feature.CLIENT_CA, (*at, "tls", "client_ca"), loss)
            if listener.proxy_protocol:
                loss = "the proxies in front cannot say who connected to them"
                yield Use(Feature.PROXY_PROTOCOL, (*at, "proxy_protocol"), loss)
    secure = [listener.tls if isinstance(listener, ListenerConfig) else None for listener in config.listen]
    if None in secure and any(secure):
        yield Use(Feature.MIXED_TLS, ("listen",), "all listeners want TLS, and clients without it are turned away")
    if len({tls for tls in secure if tls}) > 1:
        loss = "every listener has the certificates, and lets in the clients, of one of them"
        yield Use(Feature.DIFFERENT_TLS, ("listen",), loss)
    if config.trusted_proxies:
        loss = "the upstream is told the address of the proxy in front, and not that of its client"
        yield Use(Feature.TRUSTED_PROXIES, ("trusted_proxies",), loss)
    if config.request_id is not None:
        yield Use(Feature.REQUEST_ID, ("request_id",), "requests have no name, or the one that the client gives them")


def _of_address(address: str, at: Path) -> Iterator[Use]:
    if address.startswith("systemd"):
        yield Use(Feature.SYSTEMD, at, "no socket is taken over from systemd, so nobody listens there")
    elif address.startswith("unix:"):
        yield Use(Feature.LISTEN_UNIX, at, "nobody listens at this socket")
