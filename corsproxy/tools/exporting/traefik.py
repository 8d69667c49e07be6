"""Traefik: its dynamic configuration as a file.

Entry points and what is trusted of those in front are Traefik's static configuration, and not here.  Its headers
middleware answers preflights, removes headers whose value is empty, and writes its own after that, which is what is
relied on here (pkg/middlewares/headers/header.go).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import yaml

from corsproxy.config.table import Upstream
from corsproxy.tools.exporting.cases import Cors
from corsproxy.tools.exporting.expressions import literal
from corsproxy.tools.exporting.features import Feature
from corsproxy.tools.exporting.routes import Edits, Host, Route, Routes

KEPT: Final = frozenset(
    {
        *(Feature.SUBDOMAINS, Feature.ANY_PORT, Feature.ORIGIN_REGEX, Feature.NULL, Feature.UNUSUAL_ORIGINS),
        *(Feature.OTHER_METHODS, Feature.ANY_HEADER, Feature.NO_CACHE, Feature.PREFLIGHTS_END, Feature.STRIPPED),
        *(Feature.VARY, Feature.TIMED_BY_ALL, Feature.RESOURCE_POLICY, Feature.STRIP, Feature.FORWARD_HOST),
        *(Feature.HEADERS, Feature.MAX_REQUEST_BODY, Feature.MANY_URLS, Feature.EACH_AUTHORITY),
        *(Feature.HTTPS_UPSTREAM, Feature.CLIENT_CERTIFICATE, Feature.HEALTH_CHECK, Feature.UPSTREAM_NAMES),
    }
)
_GRANTS: Final = (
    *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods"),
    *("Access-Control-Allow-Headers", "Access-Control-Expose-Headers", "Access-Control-Max-Age", "Timing-Allow-Origin"),
)

Tree = dict[str, Any]


def render(routes: Routes) -> str:
    """The file; what Traefik cannot keep is for ``features`` to tell."""
    places = [(host, route) for host in routes.hosts for route in host.routes]
    http: Tree = {"routers": {}, "middlewares": {}, "services": {}, "serversTransports": {}}
    for number, (host, route) in enumerate(places):
        name = f"rule-{number + 1}"
        middlewares = dict(_middlewares(name, route, routes))
        http["middlewares"] |= middlewares
        http["routers"][name] = {
            "rule": _rule(host, route),
            "priority": len(places) - number,
            "service": f"upstream-{route.upstream + 1}{'-own' if route.rule.forward_host == b'' else ''}",
            "middlewares": list(middlewares),
        }
    for index, upstream in enumerate(routes.upstreams, 1):
        own = any(route.rule.forward_host == b"" for _, route in places if route.upstream == index - 1)
        for suffix, passes in (("", False), *([("-own", True)] if own else [])):
            http["services"][f"upstream-{index}{suffix}"] = {"loadBalancer": _balancer(index, upstream, passes=passes)}
        http["serversTransports"][f"upstream-{index}"] = _transport(upstream)
    return yaml.dump({"http": http}, Dumper=_NoAliases, sort_keys=False, width=120)


def quote(text: str) -> str:
    """A text in a rule, as a string of Go."""
    return json.dumps(text)


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML's signature
        return True


def _rule(host: Host, route: Route) -> str:
    path = route.rule.path
    tests = []
    if host.name.startswith("*."):
        pattern = rf"(?i)^[^.]+(\.[^.]+)*{literal(host.name[1:])}$"
        tests.append(f"HostRegexp({quote(pattern)})")
    elif host.name:
        tests.append(f"Host({quote(host.name)})")
    if path == "/":
        tests.append('PathPrefix("/")')
    else:
        tests.append(f"(Path({quote(path)}) || PathPrefix({quote(f'{path}/')}))")
    return " && ".join(tests)


def _middlewares(name: str, route: Route, routes: Routes) -> Iterator[tuple[str, Tree]]:
    rule = route.rule
    headers = _headers(route, None if route.cors is None else routes.policies[route.cors])
    yield f"{name}-headers", {"headers": headers}
    if rule.max_request_body is not None:
        yield f"{name}-body", {"buffering": {"maxRequestBodyBytes": rule.max_request_body}}
    if route.prefix:
        yield f"{name}-strip", {"stripPrefix": {"prefixes": [route.prefix]}}
    if route.base:
        yield f"{name}-base", {"addPrefix": {"prefix": route.base}}


def _headers(route: Route, cors: Cors | None) -> Tree:
    rule = route.rule
    request, response = Edits.of(rule.request_edits), Edits.of(rule.response_edits)
    asked = dict.fromkeys(request.removed, "") | {name.lower(): text for name, text in request.added}
    if rule.forward_host:
        asked["Host"] = rule.forward_host.decode("ascii")
    answered = dict.fromkeys(response.removed, "") | {name.lower(): text for name, text in response.added}
    headers: Tree = {"customRequestHeaders": asked} if asked else {}
    if cors is not None:
        answered |= dict.fromkeys(_GRANTS, "")
        if cors.spec.timing_allow_origins == ("*",):
            answered["Timing-Allow-Origin"] = "*"
        if cors.spec.cross_origin_resource_policy:
            answered["Cross-Origin-Resource-Policy"] = cors.spec.cross_origin_resource_policy
        headers |= _cors(cors)
    return {**headers, "customResponseHeaders": answered} if answered else headers


def _cors(cors: Cors) -> Tree:
    spec = cors.spec
    headers = list(spec.allow_headers)
    found: Tree = {
        "accessControlAllowMethods": list(spec.allow_methods),
        "accessControlAllowHeaders": [*headers, "Authorization"] if headers == ["*"] else headers,
        "accessControlExposeHeaders": [] if spec.exposes_actual else list(spec.expose_headers),
        "accessControlAllowOriginList": ["*"] if cors.origins is None else [],
        "accessControlAllowOriginListRegex": [] if cors.origins is None else _expressions(cors),
    }
    kept = {name: content for name, content in found.items() if content}
    if spec.allow_credentials:
        kept["accessControlAllowCredentials"] = True
    if spec.max_age is not None:
        kept["accessControlMaxAge"] = spec.max_age
    return kept if cors.origins is None else {**kept, "addVaryHeader": True}


def _expressions(cors: Cors) -> list[str]:
    origins = cors.origins
    if origins is None:
        return []
    return [f"^(?:{text})$" for text in (*origins.plain, *([] if origins.regex is None else [origins.regex]))]


def _balancer(index: int, upstream: Upstream, *, passes: bool) -> Tree:
    balancer: Tree = {
        "servers": [{"url": str(endpoint)} for endpoint in upstream.endpoints],
        "passHostHeader": passes,
        "serversTransport": f"upstream-{index}",
        "responseForwarding": {"flushInterval": "-1ns"},
    }
    if check := upstream.health_check:
        balancer["healthCheck"] = {
            "path": check.target.decode("ascii"),
            "interval": f"{check.interval:g}s",
            "timeout": f"{check.timeout:g}s",
        }
    return balancer


def _transport(upstream: Upstream) -> Tree:
    timeouts, tls = upstream.timeouts, upstream.tls
    transport: Tree = {
        "forwardingTimeouts": {
            "dialTimeout": f"{timeouts.connect or 0:g}s",
            "responseHeaderTimeout": f"{timeouts.response or 0:g}s",
        }
    }
    if tls.server_name:
        transport["serverName"] = tls.server_name
    if tls.ca:
        transport["rootCAs"] = [tls.ca]
    if tls.cert:
        transport["certificates"] = [{"certFile": tls.cert, "keyFile": tls.key or tls.cert}]
    if not tls.verify:
        transport["insecureSkipVerify"] = True
    return transport
