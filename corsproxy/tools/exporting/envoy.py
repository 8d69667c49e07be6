"""Envoy: a bootstrap file with a listener, a route for each case of each rule, and a cluster for each upstream.

Envoy's own CORS filter is not used, because it decides otherwise: it answers a granted preflight whatever it asks for
and one that it does not grant with 200, leaves the upstream's CORS headers in the answers to strangers, adds no Vary
(envoyproxy/envoy#35873) and echoes the origin under ``*``.  Routes that match on headers say all of it, and the header
mutation filter writes the lines on every way out, Envoy's own errors included.  What is left (whether a page is the
API's own, references to the upstream) is a Lua filter, whose script is a constant: texts of the user are data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Final

import yaml

from corsproxy.config.addresses import Listen
from corsproxy.tools.exporting.cases import Case, Cors, Echo, Origins, Test
from corsproxy.tools.exporting.envoy_clusters import TYPE, Tree, certificate, cluster, seconds
from corsproxy.tools.exporting.expressions import (
    AMBIGUOUS,
    ESCAPED,
    FORBIDDEN_METHODS,
    SERIALIZED,
    cut,
    sloppy_path,
    strict_path,
)
from corsproxy.tools.exporting.features import Feature
from corsproxy.tools.exporting.routes import Edits, Host, Route, Routes

_MUTATION: Final = "envoy.filters.http.header_mutation"
_LUA: Final = "envoy.filters.http.lua"
_LARGEST_EXPRESSION: Final = "re2.max_program_size.error_level"
_ECHOES: Final = {
    Echo.ORIGIN: "%REQ(origin)%",
    Echo.METHOD: "%REQ(access-control-request-method)%",
    Echo.HEADERS: "%REQ(access-control-request-headers)%",
}
# What others may have said about the client; see http/forwarded.py.
_FORWARDED: Final = (
    *("forwarded", "x-client-ip", "x-cluster-client-ip", "x-original-host", "x-original-url", "x-real-ip"),
    "x-rewrite-url",
)
_OTHER_HOSTS: Final = "envoy.retry_host_predicates.previous_hosts"
_OTHER_HOSTS_TYPE: Final = ".retry.host.previous_hosts.v3.PreviousHostsPredicate"
_CREDENTIALS: Final = ("Access-Control-Allow-Credentials", "true")
_ASKED: Final = "access-control-request-method"

KEPT: Final = frozenset(Feature) - {
    *(Feature.COOKIES, Feature.FORWARD_ORIGIN, Feature.MAX_REQUEST_BODY, Feature.MAX_RESPONSE_BODY),
    *(Feature.EACH_AUTHORITY, Feature.SYSTEMD, Feature.PROXY_PROTOCOL, Feature.TRUSTED_PROXIES, Feature.REQUEST_ID),
}


def render(routes: Routes) -> str:
    """The file; what Envoy cannot keep is for ``features`` to tell."""
    bootstrap = {
        "static_resources": {
            "listeners": [_listener(index, listen, routes) for index, listen in enumerate(routes.listen, 1)],
            "clusters": [cluster(index, upstream) for index, upstream in enumerate(routes.upstreams, 1)],
        },
        # RE2 matches in linear time, whatever the size; a list of a few origins is larger than the default allows.
        "layered_runtime": {"layers": [{"name": "corsproxy", "static_layer": {_LARGEST_EXPRESSION: 1_000_000}}]},
    }
    return yaml.dump(bootstrap, Dumper=_NoAliases, sort_keys=False, width=120, allow_unicode=False)


def value(text: str) -> str:
    """A header's value: Envoy substitutes what stands between percent signs."""
    return text.replace("%", "%%")


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML's signature
        return True


# Listeners


def _listener(index: int, listen: Listen, routes: Routes) -> Tree:
    chain: Tree = {"filters": [{"name": "http", "typed_config": _manager(routes)}]}
    if listen.tls_cert:
        chain["transport_socket"] = {"name": "tls", "typed_config": _downstream_tls(listen)}
    return {"name": f"listener_{index}", "address": _address(listen), "filter_chains": [chain]}


def _address(listen: Listen) -> Tree:
    if listen.unix_path:
        return {"pipe": {"path": listen.unix_path}}
    return {"socket_address": {"address": listen.host, "port_value": listen.port}}


def _downstream_tls(listen: Listen) -> Tree:
    common: Tree = {"tls_certificates": [certificate(listen.tls_cert, listen.tls_key)]}
    tls: Tree = {"@type": f"{TYPE}.transport_sockets.tls.v3.DownstreamTlsContext", "common_tls_context": common}
    if listen.tls_client_ca:
        common["validation_context"] = {"trusted_ca": {"filename": listen.tls_client_ca}}
        tls["require_client_certificate"] = True
    return tls


def _manager(routes: Routes) -> Tree:
    return {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "corsproxy",
        "use_remote_address": True,
        "generate_request_id": False,
        "preserve_external_request_id": True,
        "server_header_transformation": "PASS_THROUGH",
        "strip_trailing_host_dot": True,
        "normalize_path": False,
        "stream_idle_timeout": "0s",  # the routes have theirs
        "http_protocol_options": {"allow_custom_methods": True},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {
            "name": "rules",
            "ignore_port_in_host_matching": True,
            "virtual_hosts": [*_hosts(routes)],
        },
        "http_filters": [
            {"name": _LUA, "typed_config": _script()},
            {"name": _MUTATION, "typed_config": {"@type": f"{TYPE}.filters.http.header_mutation.v3.HeaderMutation"}},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router", "suppress_envoy_headers": True},
            },
        ],
    }


def _script() -> Tree:
    code = resources.files("corsproxy.tools.exporting").joinpath("envoy.lua").read_text("utf-8")
    return {"@type": f"{TYPE}.filters.http.lua.v3.Lua", "default_source_code": {"inline_string": code}}


# Routes


def _hosts(routes: Routes) -> Iterator[Tree]:
    for index, host in enumerate(routes.hosts, 1):
        name = f"[{host.name}]" if ":" in host.name else host.name
        yield {"name": f"host_{index}", "domains": [name or "*"], "routes": [*_routes(host, routes)]}
    if all(host.name for host in routes.hosts):
        yield {"name": "unserved", "domains": ["*"], "routes": [_answer({"prefix": "/"}, 421)]}


def _routes(host: Host, routes: Routes) -> Iterator[Tree]:
    yield _answer({"prefix": "/", "headers": [_matching(":method", "TRACE|TRACK")]}, 405)
    yield _answer(_regex(AMBIGUOUS), 400)
    if routes.paths_decide:
        yield _answer(_regex(ESCAPED), 400)
    for route in host.routes:
        path = _path(route.rule.path)
        if route.cors is None:
            yield _case(route, path, Case((), None), None)
        else:
            cors = routes.policies[route.cors]
            for case in cors.cases:
                yield from (_case(route, {**path, **match}, case, cors) for match in _matches(case.tests, cors))
        if route.rule.path != "/":
            yield _answer(_regex(sloppy_path(route.rule.path)), 400)


def _answer(match: Tree, status: int) -> Tree:
    return {"match": match, "direct_response": {"status": status}}


def _regex(beginning: str) -> Tree:
    return {"safe_regex": {"regex": f"(?:{beginning}).*"}}


def _path(path: str) -> Tree:
    if path == "/":
        return {"prefix": "/"}
    return _regex(strict_path(path)) if "%" in path else {"path_separated_prefix": path}


def _matches(tests: Iterable[Test], cors: Cors) -> Iterator[Tree]:
    """The matches of a case: more than one where an origin is allowed in more than one way."""
    headers: list[list[Tree]] = [[]]
    metadata: list[Tree] = []
    for test in tests:
        if test is Test.OWN:
            metadata.append({"filter": "corsproxy", "path": [{"key": "own"}], "value": {"bool_match": True}})
            continue
        headers = [[*before, *ways] for before in headers for ways in _ways(test, cors)]
    for found in headers:
        match: Tree = {"headers": found} if found else {}
        yield {**match, "dynamic_metadata": metadata} if metadata else match


def _ways(test: Test, cors: Cors) -> list[list[Tree]]:
    """The header matchers that make up a test, in each of the ways in which it may hold."""
    if test in (Test.ALLOWED, Test.TIMED):
        return _origins(cors.origins if test is Test.ALLOWED else cors.timed)
    preflight = [_matching(":method", "OPTIONS"), _present("origin"), _present(_ASKED)]
    names = _matching("access-control-request-headers", f"(?i:{cors.headers})")
    single = {
        Test.PREFLIGHT: preflight,
        Test.ORIGIN: [_present("origin")],
        Test.METHOD: [_matching(_ASKED, cors.methods)],
        Test.FORBIDDEN: [_matching(_ASKED, FORBIDDEN_METHODS)],
        Test.HEADERS: [{**names, "treat_missing_header_as_empty": True}],
        Test.PRIVATE: [_matching("access-control-request-private-network", "true")],
        Test.UPGRADE: [_present("upgrade")],
    }
    return [single[test]]


def _origins(origins: Origins | None) -> list[list[Tree]]:
    if origins is None:
        return [[_present("origin")]]
    listed = [[_matching("origin", "|".join(origins.plain))]] if origins.plain else []
    if origins.regex is None:
        return listed
    return [*listed, [_matching("origin", origins.regex), _matching("origin", SERIALIZED)]]


def _matching(name: str, expression: str) -> Tree:
    return {"name": name, "string_match": {"safe_regex": {"regex": expression}}}


def _present(name: str) -> Tree:
    return {"name": name, "present_match": True}


def _case(route: Route, match: Tree, case: Case, cors: Cors | None) -> Tree:
    tree: Tree = {"match": match}
    if case.status is None:
        tree |= {"route": _action(route), **_request_edits(route)}
        if metadata := _metadata(route, case, cors):
            tree["metadata"] = {"filter_metadata": {_LUA: metadata}}
    else:
        tree["direct_response"] = {"status": case.status}
        if case.status == 403:
            tree["direct_response"]["body"] = {"inline_string": "the CORS policy does not allow this\n"}
    if mutations := [*_mutations(route, case, cors)]:
        config = {
            "@type": f"{TYPE}.filters.http.header_mutation.v3.HeaderMutationPerRoute",
            "mutations": {"response_mutations": mutations},
        }
        tree["typed_per_filter_config"] = {_MUTATION: config}
    return tree


def _mutations(route: Route, case: Case, cors: Cors | None) -> Iterator[Tree]:
    response = Edits.of(route.rule.response_edits)
    forwards = case.status is None
    if forwards:
        removed = ["alt-svc", *response.removed]
        if cors is not None:
            yield {"remove_on_match": {"key_matcher": {"prefix": "access-control-", "ignore_case": True}}}
            removed.append("timing-allow-origin")
            if cors.spec.cross_origin_resource_policy:
                removed.append("cross-origin-resource-policy")
        yield from ({"remove": name} for name in removed)
        yield from (_added(name, value(content)) for name, content in response.added)
    for name, content in case.lines:
        yield _added(name, _ECHOES[content] if isinstance(content, Echo) else value(content))
    if case.vary:
        yield _added("Vary", ", ".join(case.vary))


def _added(name: str, content: str) -> Tree:
    return {"append": {"header": {"key": name, "value": content}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}}


def _action(route: Route) -> Tree:
    rule, timeouts = route.rule, route.rule.upstream.timeouts
    action: Tree = {"cluster": f"upstream_{route.upstream + 1}", "timeout": seconds(timeouts.total)}
    # Silences before the head count here too, so that this limit is never the shorter one.
    silence = None if None in (timeouts.response, timeouts.idle) else max(timeouts.response or 0, timeouts.idle or 0)
    action["idle_timeout"] = seconds(silence)
    if retries := _retries(route):
        action["retry_policy"] = retries
    if route.prefix or route.base:
        substitution = route.base.replace("\\", r"\\") + r"/\1"
        action["regex_rewrite"] = {
            "pattern": {"regex": f"^{cut(route.prefix)}/?(.*)$"},
            "substitution": substitution,
        }
    if rule.forward_host != b"":
        host = (rule.forward_host or rule.upstream.endpoints[0].authority).decode("ascii")
        action["host_rewrite_literal"] = host
    return action


def _retries(route: Route) -> Tree:
    """An endpoint that cannot be reached is passed over; the limit of a try ends with the head of its answer."""
    upstream = route.rule.upstream
    limit = upstream.timeouts.response
    policy: Tree = {} if limit is None else {"per_try_timeout": seconds(limit)}
    others = len(upstream.endpoints) - 1
    if others:
        policy |= {
            "retry_on": "connect-failure",
            "num_retries": others,
            "retry_host_predicate": [{"name": _OTHER_HOSTS, "typed_config": {"@type": f"{TYPE}{_OTHER_HOSTS_TYPE}"}}],
            "host_selection_retry_max_attempts": others,
        }
    return policy


def _request_edits(route: Route) -> Tree:
    request = Edits.of(route.rule.request_edits)
    told = {
        "x-forwarded-for": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
        "x-forwarded-host": "%REQ(:authority)%",
    }
    added = [_told(name, content) for name, content in told.items()]
    added += [{**_header(name, value(content))} for name, content in request.added]
    return {
        "request_headers_to_remove": [*_FORWARDED, *request.removed],
        "request_headers_to_add": added,
    }


def _told(name: str, content: str) -> Tree:
    return {**_header(name, content), "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _header(name: str, content: str) -> Tree:
    return {"header": {"key": name, "value": content}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}


def _metadata(route: Route, case: Case, cors: Cors | None) -> Tree:
    metadata: Tree = {}
    location = route.rule.location
    if location is not None:
        metadata["references"] = {
            "authorities": sorted((name.decode("ascii") for name in location.authorities), key=len, reverse=True),
            "base": location.base.decode("ascii"),
            "prefix": location.prefix.decode("ascii"),
        }
    if cors is not None and cors.spec.exposes_actual and _CREDENTIALS in case.lines:
        metadata["exposes_all"] = True
    return metadata
