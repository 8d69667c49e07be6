r"""nginx: what goes into its ``http`` block, as a file for conf.d.

A policy is a set of maps (``nginx_maps``).  In the locations stand ``if`` with ``return`` in them, which is the one use
of it that nginx calls safe (https://www.nginx.com/resources/wiki/start/topics/depth/ifisevil/).

nginx decodes a path before it picks the location, and the rule must be the one that the raw target names: ``$cp_way_N``
is what the target says plainly, and where the two differ the request is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

from corsproxy.config.addresses import Listen
from corsproxy.config.table import Endpoint, Upstream
from corsproxy.tools.exporting.cases import Cors
from corsproxy.tools.exporting.comments import one_line as comment
from corsproxy.tools.exporting.expressions import AMBIGUOUS, ESCAPED, cut, literal, sloppy_path, strict_path
from corsproxy.tools.exporting.features import Feature
from corsproxy.tools.exporting.nginx_maps import (
    PREAMBLE,
    begins,
    headers_of,
    map_of,
    matches,
    policy,
    quote,
    serialized,
    value,
    variable_of,
)
from corsproxy.tools.exporting.routes import Edits, Host, Route, Routes, cookie_paths, references

_SYSTEM_AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"
# Every header of a response that grants something to pages; nginx hides headers by their whole name only.
_GRANTS: Final = (
    *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods"),
    *("Access-Control-Allow-Headers", "Access-Control-Expose-Headers", "Access-Control-Max-Age"),
    *("Access-Control-Allow-Private-Network", "Timing-Allow-Origin", "Alt-Svc"),
)

KEPT: Final = frozenset(Feature) - {
    *(Feature.EXPOSES_ALL, Feature.COOKIES, Feature.FORWARD_ORIGIN, Feature.ADDED_HEADERS, Feature.MAX_RESPONSE_BODY),
    *(
        Feature.EACH_AUTHORITY,
        Feature.DIFFERENT_TLS,
        Feature.HEALTH_CHECK,
        Feature.TOTAL,
        Feature.SYSTEMD,
        Feature.PROXY_PROTOCOL,
    ),
    *(Feature.TRUSTED_PROXIES, Feature.REQUEST_ID, Feature.RESPONSE_TIMEOUT),
}


def render(routes: Routes) -> str:
    """The file; what nginx cannot keep is for ``features`` to tell."""
    lines = [*PREAMBLE, *serialized(routes)]
    for index, upstream in enumerate(routes.upstreams, 1):
        lines += ["", f"# upstream {comment(upstream.name)}", *_upstream(index, upstream)]
    for index, cors in enumerate(routes.policies, 1):
        lines += ["", f"# policy {comment(cors.name)} ({comment(cors.where)})", *policy(index, cors)]
    for index, host in enumerate(routes.hosts, 1):
        lines += ["", *_ways(index, host), *_server(index, host, routes)]
    if all(host.name for host in routes.hosts):
        lines += ["", "# a host that no rule serves", "server {", *_indented(_listens(routes.listen, default=True))]
        lines += ["    return 421;", "}"]
    return "\n".join(lines) + "\n"


# Upstreams


def _upstream(index: int, upstream: Upstream) -> Iterator[str]:
    yield f"upstream cp_{index} {{"
    for endpoint in upstream.endpoints:
        yield f"    server {quote(_address(endpoint))} max_conns={upstream.max_requests};"
    yield "    keepalive 64;"
    yield "}"


def _address(endpoint: Endpoint) -> str:
    if endpoint.unix_path:
        return f"unix:{endpoint.unix_path}"
    return f"[{endpoint.host}]:{endpoint.port}" if ":" in endpoint.host else f"{endpoint.host}:{endpoint.port}"


def _tls(upstream: Upstream) -> Iterator[str]:
    tls = upstream.tls
    yield "proxy_ssl_server_name on;"
    yield f"proxy_ssl_name {value(tls.server_name or upstream.endpoints[0].host)};"
    if tls.verify:
        yield "proxy_ssl_verify on;"
        yield f"proxy_ssl_trusted_certificate {quote(tls.ca or _SYSTEM_AUTHORITIES)};"
    if tls.cert:
        yield f"proxy_ssl_certificate {value(tls.cert)};"
        yield f"proxy_ssl_certificate_key {value(tls.key or tls.cert)};"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


# Hosts


def _ways(index: int, host: Host) -> list[str]:
    """What the target says plainly, by the number of the route; 0 where servers read it in two ways."""
    entries: dict[str, str] = {}
    for number, route in enumerate(host.routes, 1):
        path = route.rule.path
        entries[begins(strict_path(path))] = str(number)
        if path != "/":
            entries[begins(sloppy_path(path))] = "0"
    return map_of("$request_uri", f"$cp_way_{index}", entries, default='""')


def _server(index: int, host: Host, routes: Routes) -> Iterator[str]:
    yield "server {"
    yield from _indented(_listens(routes.listen, default=not host.name))
    yield from _indented(_general(host.name, routes))
    yield f"    if ($cp_way_{index} = 0) {{ return 400; }}"
    for number, route in enumerate(host.routes, 1):
        yield ""
        yield f"    # rule {comment(route.rule.name)} ({comment(route.rule.where)})"
        path = route.rule.path
        plain = literal(unquote(path))
        yield "    location / {" if path == "/" else f"    location ~ {quote(f'^{plain}(?:/|$)')} {{"
        yield f"        if ($cp_way_{index} != {number}) {{ return 400; }}"
        yield from (f"        {line}" for line in _location(index, number, route, routes))
        yield "    }"
    if host.routes[-1].rule.path != "/":
        yield "    location / { return 404; }"
    yield "}"
    for number, route in enumerate(host.routes, 1):
        yield from _target(index, number, route)
        yield from _added_maps(index, number, route, routes)


def _general(name: str, routes: Routes) -> Iterator[str]:
    yield f"server_name {quote(f'[{name}]' if ':' in name else name)};"
    yield "merge_slashes off;"
    yield "absolute_redirect off;"
    yield "large_client_header_buffers 4 64k;"
    yield f"if ($request_uri ~ {begins(AMBIGUOUS).replace('~', '', 1)}) {{ return 400; }}"
    if routes.paths_decide:
        yield f"if ($request_uri ~ {begins(ESCAPED).replace('~', '', 1)}) {{ return 400; }}"


def _listens(listen: Iterable[Listen], *, default: bool) -> Iterator[str]:
    option = " default_server" if default else ""
    secure = None
    for address in listen:
        where = f"unix:{address.unix_path}" if address.unix_path else str(address)
        yield f"listen {quote(where)}{' ssl' if address.tls_cert else ''}{option};"
        secure = address if address.tls_cert else secure
    if secure is not None:  # of several they are alike
        yield f"ssl_certificate {value(secure.tls_cert)};"
        yield f"ssl_certificate_key {value(secure.tls_key)};"
        if secure.tls_client_ca:
            yield f"ssl_client_certificate {quote(secure.tls_client_ca)};"
            yield "ssl_verify_client on;"


def _location(index: int, number: int, route: Route, routes: Routes) -> Iterator[str]:
    if route.cors is not None:
        yield from _cors(route.cors + 1, routes.policies[route.cors])
    yield from _edits(route)
    yield from (f"add_header {quote(name)} {content} always;" for name, content in _added(index, number, route))
    yield from _limits(route)
    yield from _rewritings(route)
    upstream = route.rule.upstream
    if upstream.endpoints[0].tls:
        yield from _tls(upstream)
    scheme = "https" if upstream.endpoints[0].tls else "http"
    target = f"$cp_target_{index}_{number}" if route.prefix or route.base else ""
    yield f"proxy_pass {scheme}://cp_{route.upstream + 1}{target};"


def _cors(index: int, cors: Cors) -> Iterator[str]:
    for number, case in enumerate(cors.cases, 1):
        if case.status is not None:
            body = ' "the CORS policy does not allow this\\n"' if case.status == 403 else ""
            yield f"if ($cp_{index}_case = {number}) {{ return {case.status}{body}; }}"
    yield "default_type text/plain;"
    hidden = [*_GRANTS, *(["Cross-Origin-Resource-Policy"] if cors.spec.cross_origin_resource_policy else [])]
    yield from (f"proxy_hide_header {name};" for name in hidden)
    yield from (f"add_header {name} {variable_of(index, name)} always;" for name in headers_of(cors.cases))


def _edits(route: Route) -> Iterator[str]:
    rule = route.rule
    request, response = Edits.of(rule.request_edits), Edits.of(rule.response_edits)
    own = {
        "Host": _host(route),
        "Connection": "$cp_connection",
        "Upgrade": "$http_upgrade",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": "$scheme",
        "X-Forwarded-Host": "$http_host",
        "Forwarded": '""',
        "X-Real-IP": '""',
    }
    yield from (f"proxy_set_header {name} {content};" for name, content in own.items())
    added = {name.lower() for name, _ in request.added}
    yield from (f'proxy_set_header {quote(name)} "";' for name in request.removed if name not in added)
    yield from (f"proxy_set_header {quote(name)} {value(content)};" for name, content in request.added)
    yield from (f"proxy_hide_header {quote(name)};" for name in response.removed)


def _added(index: int, number: int, route: Route) -> list[tuple[str, str]]:
    """The rule's own response headers, and the variables that hold them where a request is forwarded."""
    added = Edits.of(route.rule.response_edits).added
    if route.cors is None:
        return [(name, value(content)) for name, content in added]
    return [(name, f"$cp_added_{index}_{number}_{place}") for place, (name, _) in enumerate(added, 1)]


def _added_maps(index: int, number: int, route: Route, routes: Routes) -> Iterator[str]:
    if route.cors is None:
        return
    answered = [number for number, case in enumerate(routes.policies[route.cors].cases, 1) if case.status is not None]
    for place, (_, content) in enumerate(Edits.of(route.rule.response_edits).added, 1):
        entries = {str(case): '""' for case in answered}
        yield from map_of(
            f"$cp_{route.cors + 1}_case", f"$cp_added_{index}_{number}_{place}", entries, default=value(content)
        )


def _host(route: Route) -> str:
    forwarded = route.rule.forward_host
    if forwarded == b"":
        return "$http_host"
    return value((forwarded or route.rule.upstream.endpoints[0].authority).decode("ascii"))


def _limits(route: Route) -> Iterator[str]:
    rule, timeouts = route.rule, route.rule.upstream.timeouts
    yield f"client_max_body_size {rule.max_request_body or 0};"
    yield f"client_body_timeout {_seconds(rule.request_body_timeout)};"
    yield f"proxy_connect_timeout {_seconds(timeouts.connect)};"
    # One limit for the wait for the head and for silences inside the answer: the longer of the two breaks nothing off.
    longest = None if None in (timeouts.response, timeouts.idle) else max(timeouts.response or 0, timeouts.idle or 0)
    yield f"proxy_read_timeout {_seconds(longest)};"
    yield f"proxy_send_timeout {_seconds(timeouts.response)};"
    yield "proxy_next_upstream error;"
    yield "proxy_http_version 1.1;"
    yield "proxy_buffering off;"
    yield "proxy_buffer_size 64k;"  # the largest head of an answer
    yield "proxy_buffers 4 64k;"
    yield "proxy_request_buffering off;"


def _seconds(seconds: float | None) -> str:
    return "10y" if seconds is None else f"{max(1, round(seconds * 1000))}ms"


def _rewritings(route: Route) -> Iterator[str]:
    found = references(route)
    for reference in found:
        yield f"proxy_redirect {matches(reference.expression, '~*')} {_replacement(reference.before)};"
    if not found:
        yield "proxy_redirect off;"
    for path in cookie_paths(route):
        yield f"proxy_cookie_path {matches(path.expression, '~')} {_replacement(path.before)};"


def _replacement(before: str) -> str:
    return f'{value(before)[:-1]}$1"'


def _target(index: int, number: int, route: Route) -> list[str]:
    """The raw target as the upstream sees it: the prefix cut off, the base put before it."""
    if not (route.prefix or route.base):
        return []
    entries = {quote(f"~^{cut(route.prefix)}/?(.*)$"): _replacement(f"{route.base}/")}
    return map_of("$request_uri", f"$cp_target_{index}_{number}", entries, default='"/"')
