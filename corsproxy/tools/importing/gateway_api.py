"""Kubernetes Gateway API: the HTTPRoute objects in a file of manifests.

Rules: a match or filter that a rule has no words for leaves its rule out, because without it the rule would take other
requests; the fields are those of https://gateway-api.sigs.k8s.io/reference/spec/#httproute, CORS from v1.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from corsproxy.config.quantities import parse_duration
from corsproxy.config.written import Unusable
from corsproxy.tools.importing.imported import ANY, NO_POLICY, Imported, Policy, Row, Unreadable, Value, policy_of

_MATCHES_BEYOND: Final = {"headers": "headers", "queryParams": "the query", "method": "the method"}
_PORT: Final = 80
_LINE: Final = "__line__"
_MAX_AGE: Final = 5  # seconds, where the filter does not say


class _Located(yaml.SafeLoader):
    """YAML with the line of each mapping kept in it."""


def _mapping(loader: _Located, node: yaml.MappingNode) -> dict[Any, Any]:
    return {**loader.construct_mapping(node, deep=True), _LINE: node.start_mark.line + 1}


_Located.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_gateway_api(text: str) -> Imported:
    """The rules of every HTTPRoute in a text of YAML documents; raises Unreadable where it is no YAML."""
    try:
        documents = list(yaml.load_all(text, _Located))  # a SafeLoader
    except yaml.YAMLError as error:
        raise Unreadable(f"this is no YAML: {error}") from None
    imported = Imported()
    for route in _routes(documents):
        _read_route(route, imported)
    return imported


def _routes(documents: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        if isinstance(document, Mapping):
            if document.get("kind") == "HTTPRoute":
                yield document
            yield from _routes(document.get("items") or ())


def _read_route(route: Mapping[str, Any], imported: Imported) -> None:
    spec = route.get("spec") or {}
    for rule in spec.get("rules") or ():
        for match in rule.get("matches") or ({_LINE: rule[_LINE]},):
            for host in spec.get("hostnames") or ("",):
                with imported.listed(match[_LINE]):
                    row = _rule(rule, match, str(host), str((route.get("metadata") or {}).get("namespace", "default")))
                    _tell_exact(match, imported)
                    _grant(rule, match, row, imported)
                    imported.rules.append((match[_LINE], row))


def _rule(rule: Mapping[str, Any], match: Mapping[str, Any], host: str, namespace: str) -> Row:
    path = _path(match)
    row: Row = {"path": path, "upstream": "", "policy": NO_POLICY}
    if host and host != ANY:
        row["host"] = host
    for name in rule.keys() - {_LINE, "name", "matches", "filters", "backendRefs", "timeouts"}:
        raise Unreadable(f"{name} of a rule has no counterpart")
    for told in rule.get("filters") or ():
        _apply(told, path, row)
    row["upstream"] = _upstream(rule, namespace)
    return row


def _path(match: Mapping[str, Any]) -> str:
    for key, what in _MATCHES_BEYOND.items():
        if match.get(key):
            raise Unreadable(f"the match looks at {what}; rules tell requests apart by host and path alone")
    told = match.get("path") or {}
    kind = told.get("type", "PathPrefix")
    if kind not in {"PathPrefix", "Exact"}:
        raise Unreadable(f"a path of type {kind} has no counterpart; write the rule of each path that it means")
    return str(told.get("value", "/")).rstrip("/") or "/"


def _tell_exact(match: Mapping[str, Any], imported: Imported) -> None:
    told = match.get("path") or {}
    if told.get("type") == "Exact":
        imported.tell(
            match[_LINE], f"wider: the rule takes every path below {told['value']} too, not only {told['value']} itself"
        )


def _apply(told: Mapping[str, Any], path: str, row: Row) -> None:
    kind = told.get("type")
    if kind == "CORS":
        return  # see _grant
    if kind == "URLRewrite":
        _rewrite(told.get("urlRewrite") or {}, path, row)
    elif kind in {"RequestHeaderModifier", "ResponseHeaderModifier"}:
        _edit(told.get(f"{kind[0].lower()}{kind[1:]}") or {}, kind.removesuffix("HeaderModifier").lower(), row)
    else:
        raise Unreadable(f"the filter {kind} has no counterpart")


def _grant(rule: Mapping[str, Any], match: Mapping[str, Any], row: Row, imported: Imported) -> None:
    for told in rule.get("filters") or ():
        if told.get("type") == "CORS":
            with imported.listed(match[_LINE]):
                row["policy"] = _policy(told.get("cors") or {})


def _policy(cors: Mapping[str, Any]) -> Policy:
    for name in cors.keys() - {
        _LINE,
        "allowOrigins",
        "allowMethods",
        "allowHeaders",
        "exposeHeaders",
        "maxAge",
        "allowCredentials",
    }:
        raise Unreadable(f"{name} of the CORS filter is not known here")
    return policy_of(
        [str(origin) for origin in cors.get("allowOrigins") or ()],
        (),
        {
            "allow_methods": cors.get("allowMethods") or (),
            "allow_headers": cors.get("allowHeaders") or (),
            "expose_headers": cors.get("exposeHeaders") or (),
            "allow_credentials": bool(cors.get("allowCredentials")),
            "max_age": cors.get("maxAge", _MAX_AGE),
        },
    )


def _rewrite(told: Mapping[str, Any], path: str, row: Row) -> None:
    if hostname := told.get("hostname"):
        row["forward_host"] = hostname
    if (rewritten := told.get("path")) is None:
        return
    if rewritten.get("type") != "ReplacePrefixMatch" or str(rewritten.get("replacePrefixMatch", "")).strip("/"):
        raise Unreadable("the path is rewritten to another one; strip_prefix only takes the rule's own away")
    if path != "/":
        row["strip_prefix"] = True


def _edit(told: Mapping[str, Any], way: str, row: Row) -> None:
    edits: dict[str, Any] = {}
    for key in ("set", "add"):
        if entries := told.get(key):
            edits[key] = {entry["name"]: entry["value"] for entry in entries}
    if told.get("remove"):
        edits["remove"] = list(told["remove"])
    row.setdefault("headers", {})[way] = edits


def _upstream(rule: Mapping[str, Any], namespace: str) -> Value:
    """A URL, or the mapping of an upstream that has several or time limits."""
    backends = rule.get("backendRefs") or ()
    if not backends:
        raise Unreadable("the rule has no backendRefs, so there is no upstream")
    if len({backend.get("weight", 1) for backend in backends}) > 1:
        raise Unreadable("its backends have different weights; those of an upstream are alike")
    urls = [_url(backend, namespace) for backend in backends]
    timeouts = {
        key: _seconds(told)
        for key, told in (
            ("total", (rule.get("timeouts") or {}).get("request")),
            ("response", (rule.get("timeouts") or {}).get("backendRequest")),
        )
        if told is not None
    }
    if len(urls) == 1 and not timeouts:
        return urls[0]
    upstream: dict[str, Any] = {"url": urls[0]} if len(urls) == 1 else {"urls": urls}
    return {**upstream, "timeouts": timeouts} if timeouts else upstream


def _url(backend: Mapping[str, Any], namespace: str) -> str:
    if backend.get("kind", "Service") != "Service" or backend.get("group", ""):
        raise Unreadable(f"a backend is a {backend.get('kind')}, and only a Service has an address")
    if backend.get("filters"):
        raise Unreadable("a backend has filters of its own, which have no counterpart")
    place = f"{backend['name']}.{backend.get('namespace', namespace)}.svc"
    port = backend.get("port", _PORT)
    return f"http://{place}" if port == _PORT else f"http://{place}:{port}"


def _seconds(told: object) -> str:
    """A duration of the Gateway API (GEP-2257), which is one of ours if it has one unit; "0s" is no limit."""
    text = str(told)
    try:
        return text if parse_duration(text) else "none"
    except Unusable:
        raise Unreadable(f"the duration {text} has several units; write it in one") from None
