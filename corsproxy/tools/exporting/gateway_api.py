"""The Gateway API of Kubernetes: an HTTPRoute for each host, with up to 16 rules.

What the specification of the CORS filter (GEP-1767) leaves to its implementations is not kept.  Upstreams become
Services, since nothing else can be referred to; where clients connect, and with which certificates, is for the Gateway
to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from corsproxy.config.table import Upstream
from corsproxy.cors.spec import PolicySpec
from corsproxy.tools.exporting.features import KNOWN_METHODS, ORDINARY_ORIGIN, Feature
from corsproxy.tools.exporting.routes import Edits, Host, Route, Routes

KEPT: Final = frozenset(
    {
        *(Feature.SUBDOMAINS, Feature.ECHOED_METHOD, Feature.ECHOED_HEADERS, Feature.PREFLIGHTS_END),
        *(Feature.TIMED_BY_ALL, Feature.RESOURCE_POLICY, Feature.STRIP, Feature.HEADERS, Feature.ADDED_HEADERS),
        Feature.TOTAL,
    }
)
_MOST_RULES: Final = 16
_SERVICE: Final = re.compile(r"([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:\.([a-z0-9-]+))?(?:\.svc(?:\.cluster\.local)?)?")
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9]+")

Tree = dict[str, Any]


def render(routes: Routes) -> str:
    """The objects, each a document."""
    documents = [document for host in routes.hosts for document in _routes(host, routes)]
    numbered = [_named(document, index) for index, document in enumerate(documents, 1)]
    return "---\n".join(yaml.dump(document, sort_keys=False, width=120) for document in numbered)


def service(upstream: Upstream) -> tuple[str, str]:
    """The name and namespace of the Service that an upstream is, or may become."""
    endpoint = upstream.endpoints[0]
    match = _SERVICE.fullmatch(endpoint.host)
    if match is not None and not endpoint.unix_path:
        return match[1][:63], match[2] or ""
    return _NOT_IN_NAMES.sub("-", upstream.name.lower()).strip("-")[:63].strip("-") or "upstream", ""


def _routes(host: Host, routes: Routes) -> Iterator[Tree]:
    rules = [_rule(route, routes) for route in host.routes]
    for start in range(0, len(rules), _MOST_RULES):
        spec: Tree = {"parentRefs": [{"name": "corsproxy"}]}
        if host.name:
            spec["hostnames"] = [host.name]
        spec["rules"] = rules[start : start + _MOST_RULES]
        yield spec


def _named(spec: Tree, index: int) -> Tree:
    metadata = {"name": f"corsproxy-{index}"}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec}


def _rule(route: Route, routes: Routes) -> Tree:
    name, namespace = service(route.rule.upstream)
    backend: Tree = {"name": name, "port": route.rule.upstream.endpoints[0].port or 80}
    rule: Tree = {
        "matches": [{"path": {"type": "PathPrefix", "value": route.rule.path}}],
        "filters": [*_filters(route, routes)],
        "backendRefs": [{**backend, "namespace": namespace} if namespace else backend],
    }
    total = route.rule.upstream.timeouts.total
    return rule if total is None else {**rule, "timeouts": {"request": f"{max(1, round(total * 1000))}ms"}}


def _filters(route: Route, routes: Routes) -> Iterator[Tree]:
    spec = None if route.cors is None else routes.policies[route.cors].spec
    cors = {} if spec is None else _cors(spec)
    if "allowOrigins" in cors:  # without any, what the filter does is nobody's word
        yield {"type": "CORS", "cors": cors}
    rewrite: Tree = {}
    if route.prefix or route.base:
        rewrite["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": route.base or "/"}
    if route.rule.forward_host is None and (name := _hostname(route)):
        rewrite["hostname"] = name
    if rewrite:
        yield {"type": "URLRewrite", "urlRewrite": rewrite}
    request = _modifier(Edits.of(route.rule.request_edits))
    if request:
        yield {"type": "RequestHeaderModifier", "requestHeaderModifier": request}
    response = _modifier(Edits.of(route.rule.response_edits), _constants(spec))
    if response:
        yield {"type": "ResponseHeaderModifier", "responseHeaderModifier": response}


def _hostname(route: Route) -> str:
    """The host that the upstream is told; the filter takes no port and no address."""
    host = route.rule.upstream.endpoints[0].authority.decode("ascii").partition(":")[0].lower()
    return host if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", host) and not host[-1].isdigit() else ""


def _cors(spec: PolicySpec) -> Tree:
    cors: Tree = {
        "allowOrigins": [text for text in spec.allow_origins if ORDINARY_ORIGIN.fullmatch(text)],
        "allowMethods": [method for method in spec.allow_methods if method in KNOWN_METHODS],
        "allowHeaders": list(spec.allow_headers),
        "exposeHeaders": [] if spec.exposes_actual else list(spec.expose_headers),
    }
    found = {name: content for name, content in cors.items() if content}
    if spec.allow_credentials:
        found["allowCredentials"] = True
    if spec.max_age:
        found["maxAge"] = spec.max_age
    return found


def _constants(spec: PolicySpec | None) -> dict[str, str]:
    """What every answer has, whoever asks."""
    if spec is None:
        return {}
    timed = {"Timing-Allow-Origin": "*"} if spec.timing_allow_origins == ("*",) else {}
    policy = spec.cross_origin_resource_policy
    return {**timed, "Cross-Origin-Resource-Policy": policy} if policy else timed


def _modifier(edits: Edits, constants: dict[str, str] | None = None) -> Tree:
    replaced = {name for name, _ in edits.added if name.lower() in edits.removed}
    modifier: Tree = {
        "set": [{"name": name, "value": text} for name, text in edits.added if name in replaced]
        + [{"name": name, "value": text} for name, text in (constants or {}).items()],
        "add": [{"name": name, "value": text} for name, text in edits.added if name not in replaced],
        "remove": [name for name in edits.removed if name not in {found.lower() for found in replaced}],
    }
    return {name: content for name, content in modifier.items() if content}
