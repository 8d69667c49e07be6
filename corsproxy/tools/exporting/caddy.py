"""Caddy: its JSON, since the Caddyfile cannot say everything.

JSON has no comments; what there is to say stands in the names of routes that nobody calls (``named_routes``).
Expressions look at the target as it came, ``{http.request.orig_uri}``, and never at the path that Caddy has decoded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from corsproxy.config.addresses import Listen
from corsproxy.tools.exporting.cases import Case, Cors, Echo, Origins, Test
from corsproxy.tools.exporting.comments import one_line
from corsproxy.tools.exporting.expressions import (
    AMBIGUOUS,
    ESCAPED,
    FORBIDDEN_METHODS,
    SERIALIZED,
    cut,
    literal,
    sloppy_path,
    strict_path,
)
from corsproxy.tools.exporting.features import Feature
from corsproxy.tools.exporting.routes import Edits, Host, Rewriting, Route, Routes, cookie_paths, references

KEPT: Final = frozenset(Feature) - {
    *(Feature.EXPOSES_ALL, Feature.COOKIES, Feature.FORWARD_ORIGIN, Feature.MAX_RESPONSE_BODY, Feature.TOTAL),
    *(
        Feature.EACH_AUTHORITY,
        Feature.MIXED_TLS,
        Feature.DIFFERENT_TLS,
        Feature.SYSTEMD,
        Feature.PROXY_PROTOCOL,
        Feature.REQUEST_ID,
    ),
}
_ORIGIN: Final = "{http.request.header.Origin}"  # several lines of it are joined, and so are no origin
_METHOD: Final = "Access-Control-Request-Method"
_NAMES: Final = "Access-Control-Request-Headers"
_ECHOES: Final = {
    Echo.ORIGIN: _ORIGIN,
    Echo.METHOD: f"{{http.request.header.{_METHOD}}}",
    Echo.HEADERS: f"{{http.request.header.{_NAMES}}}",
}
_TARGET: Final = "{http.request.orig_uri}"
_AUTHORITY: Final = "(?:[Hh][Tt][Tt][Pp][Ss]?://[^/?]*)?"  # of a target in absolute form
_SELF: Final = "{http.request.header.Origin} == {http.request.scheme} + '://' + {http.request.hostport}.lowerAscii()"
_MOVED: Final = "\x00"  # stands before what was moved already, until all expressions were tried

Tree = dict[str, Any]


def render(routes: Routes) -> str:
    """The file; what Caddy cannot keep is for ``features`` to tell."""
    server: Tree = {
        "listen": [_listen(listen) for listen in routes.listen],
        "automatic_https": {"disable": True},
        "routes": [*_guards(routes), *(_host(host, routes) for host in routes.hosts), _answer([{}], 421)],
    }
    apps: Tree = {"http": {"servers": {"corsproxy": server}}}
    secure = [listen for listen in routes.listen if listen.tls_cert]
    if secure:
        server["tls_connection_policies"] = [_policy(secure[0])]
        files = {(listen.tls_cert, listen.tls_key) for listen in secure}
        loaded = [{"certificate": cert, "key": key} for cert, key in sorted(files)]
        apps["tls"] = {"certificates": {"load_files": loaded}}
    return json.dumps({"apps": apps}, indent=2) + "\n"


def remark(text: str, remarks: Iterable[str]) -> str:
    """The file with remarks in it."""
    tree = json.loads(text)
    server = tree["apps"]["http"]["servers"]["corsproxy"]
    named: Tree = {one_line(said): {"handle": []} for said in remarks}
    tree["apps"]["http"]["servers"]["corsproxy"] = {"named_routes": named, **server}
    return json.dumps(tree, indent=2) + "\n"


def value(text: str) -> str:
    """A text in which Caddy looks for placeholders."""
    return text.replace("{", r"\{").replace("}", r"\}")


def _replacement(before: str) -> str:
    """A text in which Go's expressions look for groups, too."""
    return value(before.replace("$", "$$"))


def _listen(listen: Listen) -> str:
    return f"unix/{listen.unix_path}" if listen.unix_path else str(listen)


def _policy(listen: Listen) -> Tree:
    if not listen.tls_client_ca:
        return {}
    ca = {"provider": "file", "pem_files": [listen.tls_client_ca]}
    return {"client_authentication": {"mode": "require_and_verify", "ca": ca}}


# Which rule


def _guards(routes: Routes) -> Iterator[Tree]:
    yield _answer([{"method": ["TRACE", "TRACK"]}], 405)
    yield _answer([_target(AMBIGUOUS)], 400)
    if routes.paths_decide:
        yield _answer([_target(ESCAPED)], 400)


def _target(beginning: str) -> Tree:
    return {"vars_regexp": {_TARGET: {"pattern": f"^{_AUTHORITY}(?:{beginning})"}}}


def _answer(match: list[Tree], status: int) -> Tree:
    route: Tree = {"handle": [{"handler": "static_response", "status_code": status}], "terminal": True}
    return route if match == [{}] else {"match": match, **route}


def _host(host: Host, routes: Routes) -> Tree:
    inner = [tree for route in host.routes for tree in _way(route, routes)]
    route: Tree = {"handle": [{"handler": "subroute", "routes": [*inner, _answer([{}], 404)]}], "terminal": True}
    if not host.name:
        return route
    # Caddy's own host matcher takes one label for the wildcard.
    below = host.name.startswith("*.")
    name = (r"[^.]+(?:\.[^.]+)*\." if below else "") + literal(host.name.removeprefix("*."))
    pattern = rf"(?i)^\[?{name}\]?\.?$" if ":" in host.name else rf"(?i)^{name}\.?$"
    return {"match": [{"vars_regexp": {"{http.request.host}": {"pattern": pattern}}}], **route}


def _way(route: Route, routes: Routes) -> Iterator[Tree]:
    path = route.rule.path
    cors = None if route.cors is None else routes.policies[route.cors]
    cases = [Case((), None)] if cors is None else cors.cases
    handled = [tree for case in cases for tree in _cases(route, case, cors, routes)]
    remark = one_line(f"rule {route.rule.name} ({route.rule.where})")
    yield {
        "group": remark,
        "match": [_target(strict_path(path))],
        "handle": [{"handler": "subroute", "routes": handled}],
        "terminal": True,
    }
    if path != "/":
        yield _answer([_target(sloppy_path(path))], 400)


def _cases(route: Route, case: Case, cors: Cors | None, routes: Routes) -> Iterator[Tree]:
    """The routes of a case: where names are repeated that were not asked for, there is no line."""
    sets = [*_sets(case.tests, cors)] if cors is not None else [{}]
    unasked = [found for found in sets if found.get("header", {}).get(_NAMES, ["*"]) is None]
    if unasked and any(content is Echo.HEADERS for _, content in case.lines):
        less = tuple(line for line in case.lines if line[1] is not Echo.HEADERS)
        yield _case(route, replace(case, lines=less), unasked, cors, routes)
        sets = [found for found in sets if found not in unasked]
    yield _case(route, case, sets, cors, routes)


def _case(route: Route, case: Case, sets: list[Tree], cors: Cors | None, routes: Routes) -> Tree:
    handlers: list[Tree] = []
    if lines := _lines(case):
        handlers.append({"handler": "headers", "response": {"add": lines}})
    if case.status is None:
        handlers += _forwarding(route, cors, routes)
    else:
        answer: Tree = {"handler": "static_response", "status_code": case.status}
        handlers.append({**answer, "body": "the CORS policy does not allow this\n"} if case.status == 403 else answer)
    tree: Tree = {"handle": handlers, "terminal": True}
    return tree if sets == [{}] else {"match": sets, **tree}


def _lines(case: Case) -> dict[str, list[str]]:
    lines = {name: [_ECHOES[content] if isinstance(content, Echo) else value(content)] for name, content in case.lines}
    return {**lines, "Vary": [", ".join(case.vary)]} if case.vary else lines


def _sets(tests: Iterable[Test], cors: Cors) -> list[Tree]:
    """Sets of matchers, of which one has to match: several where a test holds in several ways."""
    sets: list[Tree] = [{}]
    for test in tests:
        sets = [_both(before, way) for before in sets for way in _ways(test, cors)]
    return sets


def _both(first: Tree, second: Tree) -> Tree:
    merged = dict(first)
    for kind, matcher in second.items():
        if kind not in merged or kind in {"method", "expression"}:
            merged[kind] = matcher
        elif kind == "not":
            merged[kind] = [*merged[kind], *matcher]
        else:
            merged[kind] = {**merged[kind], **matcher}
    return merged


def _ways(test: Test, cors: Cors) -> list[Tree]:
    if test is Test.ALLOWED:
        return _origins(cors.origins)
    timed = cors.timed.plain if cors.timed else ()
    single: dict[Test, list[Tree]] = {
        Test.PREFLIGHT: [{"method": ["OPTIONS"], **_present("Origin", _METHOD)}],
        Test.ORIGIN: [_present("Origin")],
        Test.TIMED: [_header("Origin", "|".join(timed))],
        Test.METHOD: [_header(_METHOD, cors.methods)],
        Test.FORBIDDEN: [_header(_METHOD, FORBIDDEN_METHODS)],
        Test.HEADERS: [
            {**_present(_NAMES), **_surely(_joined(_NAMES, cors.headers, "(?i)"))},
            {"header": {_NAMES: None}},
        ],
        Test.PRIVATE: [{"header": {"Access-Control-Request-Private-Network": ["true"]}}],
        Test.OWN: [{"header": {"Sec-Fetch-Site": ["same-origin"]}}, {"expression": _SELF}],
        Test.UPGRADE: [_present("Upgrade")],
    }
    return single[test]


def _origins(origins: Origins | None) -> list[Tree]:
    if origins is None:
        return [{}]
    listed = [_joined("Origin", "|".join(origins.plain))] if origins.plain else []
    if origins.regex is None:
        return listed
    return [*listed, {**_joined("Origin", origins.regex), **_surely(_header("Origin", SERIALIZED))}]


def _surely(matcher: Tree) -> Tree:
    """A matcher that stands beside others of its kind: of several ``vars_regexp`` in a set one is enough for Caddy."""
    return {"not": [{"not": [matcher]}]}


def _joined(name: str, expression: str, flags: str = "") -> Tree:
    """What all lines of a header are together; ``header_regexp`` is content with one of them."""
    return {"vars_regexp": {f"{{http.request.header.{name}}}": {"pattern": f"{flags}^(?:{expression})$"}}}


def _header(name: str, expression: str, flags: str = "") -> Tree:
    return {"header_regexp": {name: {"pattern": f"{flags}^(?:{expression})$"}}}


def _present(*names: str) -> Tree:
    return {"header": {name: ["*"] for name in names}}


# What is forwarded


def _forwarding(route: Route, cors: Cors | None, routes: Routes) -> Iterator[Tree]:
    rule, upstream = route.rule, route.rule.upstream
    if rule.max_request_body is not None:
        yield {"handler": "request_body", "max_size": rule.max_request_body}
    if route.prefix or route.base:
        moved = _replacement(route.base + "/") + "$1"
        yield {"handler": "rewrite", "path_regexp": [{"find": f"^{cut(route.prefix)}/?(.*)$", "replace": moved}]}
    proxy: Tree = {
        "handler": "reverse_proxy",
        "upstreams": [
            {"dial": _dial(endpoint.unix_path, endpoint.host, endpoint.port), "max_requests": upstream.max_requests}
            for endpoint in upstream.endpoints
        ],
        "load_balancing": {"selection_policy": {"policy": "least_conn"}, "retries": len(upstream.endpoints) - 1},
        "transport": _transport(route),
        "headers": _headers(route, cors),
        "flush_interval": -1,
    }
    if routes.trusted:
        proxy["trusted_proxies"] = list(routes.trusted)
    if check := upstream.health_check:
        uri = check.target.decode("ascii")
        active = {"uri": uri, "interval": _duration(check.interval), "timeout": _duration(check.timeout)}
        proxy["health_checks"] = {"active": active}
    yield proxy


def _dial(unix_path: str, host: str, port: int) -> str:
    if unix_path:
        return f"unix/{unix_path}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _transport(route: Route) -> Tree:
    upstream = route.rule.upstream
    timeouts, tls = upstream.timeouts, upstream.tls
    limits = {
        "dial_timeout": timeouts.connect,
        "response_header_timeout": timeouts.response,
        "read_timeout": timeouts.idle,
    }
    transport: Tree = {"protocol": "http", "compression": False}
    transport |= {name: _duration(limit) for name, limit in limits.items() if limit is not None}
    if upstream.endpoints[0].tls:
        secure: Tree = {"server_name": tls.server_name or upstream.endpoints[0].host}
        if not tls.verify:
            secure["insecure_skip_verify"] = True
        if tls.ca:
            secure["ca"] = {"provider": "file", "pem_files": [tls.ca]}
        if tls.cert:
            secure |= {"client_certificate_file": tls.cert, "client_certificate_key_file": tls.key or tls.cert}
        transport["tls"] = secure
    return transport


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


def _headers(route: Route, cors: Cors | None) -> Tree:
    rule = route.rule
    request, response = Edits.of(rule.request_edits), Edits.of(rule.response_edits)
    replaced, added = _split(request)
    if rule.forward_host != b"":
        replaced["Host"] = [value((rule.forward_host or rule.upstream.endpoints[0].authority).decode("ascii"))]
    removed = ["Alt-Svc", *response.removed]
    if cors is not None:
        removed += ["Access-Control-*", "Timing-Allow-Origin"]
        removed += ["Cross-Origin-Resource-Policy"] if cors.spec.cross_origin_resource_policy else []
    gone = [name for name in request.removed if name not in {key.lower() for key in replaced}]
    set_there, added_there = _split(response)
    unset = [name for name in removed if name.lower() not in {key.lower() for key in set_there}]
    moved = {
        "Location": _moving("(?i)^(?:{})$", "", references(route)),
        "Set-Cookie": _moving("(?i)^(.*;[ \t]*path=)(?:{})((?:;.*)?)$", "$1", cookie_paths(route)),
    }
    return {
        "request": {"set": replaced, "add": added, "delete": [*gone, "Forwarded", "X-Real-IP"]},
        "response": {
            "set": set_there,
            "add": added_there,
            "delete": unset,
            "replace": {name: found for name, found in moved.items() if found},
        },
    }


def _split(edits: Edits) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What is put in the place of others, and what stands beside them."""
    replaced: dict[str, list[str]] = {}
    added: dict[str, list[str]] = {}
    for name, text in edits.added:
        (replaced if name.lower() in edits.removed else added).setdefault(name, []).append(value(text))
    return replaced, added


def _moving(around: str, start: str, rewritings: Iterable[Rewriting]) -> list[Tree]:
    """Replacements of which one at most is made."""
    stays = "$2$3" if start else "$1"
    found = [
        {
            "search_regexp": around.format(rewriting.expression),
            "replace": f"{start}{_MOVED}{_replacement(rewriting.before)}{stays}",
        }
        for rewriting in rewritings
    ]
    return [*found, {"search_regexp": _MOVED, "replace": ""}] if found else []
