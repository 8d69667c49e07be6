"""HAProxy: a frontend whose rules decide, and a backend for each upstream.

Everything is decided once, into variables of the transaction: the host, the way (which rule), the case (of which
policy).  The lines of the case are written by ``http-after-response``, which HAProxy's own errors pass too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from corsproxy.config.addresses import Listen
from corsproxy.config.table import Endpoint, Upstream
from corsproxy.tools.exporting.cases import Case, Cors, Echo, Origins, Test
from corsproxy.tools.exporting.comments import one_line as comment
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
from corsproxy.tools.exporting.routes import Edits, Host, Route, Routes, cookie_paths, references

KEPT: Final = frozenset(Feature) - {
    *(Feature.COOKIES, Feature.FORWARD_ORIGIN, Feature.MAX_REQUEST_BODY, Feature.MAX_RESPONSE_BODY, Feature.TOTAL),
    *(
        Feature.EACH_AUTHORITY,
        Feature.LISTEN_TLS,
        Feature.MIXED_TLS,
        Feature.DIFFERENT_TLS,
        Feature.CLIENT_CA,
        Feature.SYSTEMD,
        Feature.PROXY_PROTOCOL,
    ),
    *(Feature.TRUSTED_PROXIES, Feature.REQUEST_ID, Feature.RESPONSE_TIMEOUT),
}
_MOST_CASES: Final = 100  # of a policy: its number and the case's make one number
_MOST_WORDS: Final = 40
_ECHOES: Final = {
    Echo.ORIGIN: "%[var(txn.cp_origin)]",
    Echo.METHOD: "%[var(txn.cp_method)]",
    Echo.HEADERS: "%[var(txn.cp_headers)]",
}
_PREAMBLE: Final = f"""
    acl cp_options method OPTIONS
    acl cp_has_origin req.fhdr(origin) -m found
    acl cp_one_origin req.fhdr_cnt(origin) eq 1
    acl cp_asks req.fhdr_cnt(access-control-request-method) eq 1
    acl cp_asks_often req.fhdr_cnt(access-control-request-method) gt 1
    acl cp_asked_names var(txn.cp_headers) -m found
    acl cp_serialized req.fhdr(origin) -m reg -- '^(?:{SERIALIZED})$'
    acl cp_forbidden req.fhdr(access-control-request-method) -m reg -- '^(?:{FORBIDDEN_METHODS})$'
    acl cp_private req.fhdr(access-control-request-private-network) -m str -- true
    acl cp_upgrades req.fhdr(upgrade) -m found
    # the page and the API share an origin: the browser says so, or the two are the same text
    acl cp_own req.fhdr(sec-fetch-site) -m str -- same-origin
    acl cp_own var(txn.cp_origin),strcmp(txn.cp_self) eq 0

    http-request set-var(txn.cp_origin) req.fhdr(origin)
    http-request set-var(txn.cp_method) req.fhdr(access-control-request-method)
    http-request set-var(txn.cp_headers) req.fhdr(access-control-request-headers)
    http-request set-var(txn.cp_authority) req.hdr(host),lower
    http-request set-var(txn.cp_self) 'str("http://"),concat(,txn.cp_authority)' unless {{ ssl_fc }}
    http-request set-var(txn.cp_self) 'str("https://"),concat(,txn.cp_authority)' if {{ ssl_fc }}
    http-request set-var(txn.cp_name) 'var(txn.cp_authority),regsub(":[0-9]*$",""),regsub("[.]$","")'
    http-request return status 405 if {{ method TRACE TRACK }}
    http-request return status 400 if {{ path -m reg -- '^(?:{AMBIGUOUS})' }}
""".strip("\n")


def render(routes: Routes) -> str:
    """The file; what HAProxy cannot keep is for ``features`` to tell."""
    lines = ["defaults", "    mode http", "    timeout client 1h", "    timeout http-request 10s", ""]
    lines += ["frontend corsproxy", *(f"    bind {quote(_bind(listen))}" for listen in routes.listen), _PREAMBLE]
    if routes.paths_decide:
        lines.append(f"    http-request return status 400 if {{ path -m reg -- {_begins(ESCAPED)} }}")
    lines += _indented(_frontend(routes))
    for index, upstream in enumerate(routes.upstreams, 1):
        lines += ["", f"# upstream {comment(upstream.name)}", f"backend cp_{index}", *_indented(_backend(upstream))]
    return "\n".join(lines) + "\n"


def quote(text: str) -> str:
    """An argument as it is: between single quotes nothing is special."""
    return "'" + text.replace("'", "'\\''") + "'"


def value(text: str) -> str:
    """An argument in which HAProxy looks for ``%``."""
    return quote(text.replace("%", "%%"))


def _escaped(text: str) -> str:
    """What is put in a match's place: a backslash names a group there."""
    return text.replace("\\", "\\\\").replace("%", "%%")


def _replacement(before: str) -> str:
    return quote(_escaped(before) + r"\1")


def _matches(expression: str) -> str:
    return quote(f"^(?:{expression})$")


def _begins(expression: str) -> str:
    return quote(f"^(?:{expression})")


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" if line else "" for line in lines)


def _bind(listen: Listen) -> str:
    return f"unix@{listen.unix_path}" if listen.unix_path else str(listen)


# Which rule


def _frontend(routes: Routes) -> Iterator[str]:
    ways = {id(route): number for number, route in enumerate(_all(routes), 1)}
    for index, host in enumerate(routes.hosts, 1):
        yield ""
        yield f"# host {comment(host.name or 'any')}"
        yield f"http-request set-var(txn.cp_host) int({index}) if {_called(host)}!{{ var(txn.cp_host) -m found }}"
        for route in host.routes:
            yield from _way(index, ways[id(route)], route)
    yield "http-request return status 421 unless { var(txn.cp_host) -m found }"
    yield "http-request return status 404 unless { var(txn.cp_way) -m found }"
    for index, cors in enumerate(routes.policies, 1):
        yield ""
        yield f"# policy {comment(cors.name)} ({comment(cors.where)})"
        yield from _policy(index, cors)
    yield ""
    yield "http-request set-header X-Forwarded-For %[src]"
    yield "http-request set-header X-Forwarded-Proto http unless { ssl_fc }"
    yield "http-request set-header X-Forwarded-Proto https if { ssl_fc }"
    yield "http-request set-header X-Forwarded-Host %[req.hdr(host)]"
    yield from (f"http-request del-header {name}" for name in ("Forwarded", "X-Real-IP"))
    for route in _all(routes):
        yield ""
        yield f"# rule {comment(route.rule.name)} ({comment(route.rule.where)})"
        yield from _rule(ways[id(route)], route)
    yield ""
    yield from (f"use_backend cp_{r.upstream + 1} if {{ var(txn.cp_way) -m int {ways[id(r)]} }}" for r in _all(routes))
    yield ""
    yield "http-after-response del-header Alt-Svc"
    yield from _lines(routes)
    yield "http-after-response add-header Vary '%[var(txn.cp_vary)]' if { var(txn.cp_vary) -m found }"


def _all(routes: Routes) -> list[Route]:
    return [route for host in routes.hosts for route in host.routes]


def _called(host: Host) -> str:
    if not host.name:
        return ""
    kind, name = ("end", host.name[1:]) if host.name.startswith("*.") else ("str", host.name)
    return f"{{ var(txn.cp_name) -m {kind} -- {quote(f'[{name}]' if ':' in name else name)} }} "


def _way(host: int, number: int, route: Route) -> Iterator[str]:
    open_yet = f"{{ var(txn.cp_host) -m int {host} }} !{{ var(txn.cp_way) -m found }}"
    path = route.rule.path
    policy = (
        f"http-request set-var(txn.cp_policy) int({(route.cors or 0) + 1}) if {{ var(txn.cp_way) -m int {number} }}"
    )
    found = f"{{ path -m reg -- {_begins(strict_path(path))} }}"
    yield f"http-request set-var(txn.cp_way) int({number}) if {open_yet} {found}"
    if path != "/":
        yield f"http-request return status 400 if {open_yet} {{ path -m reg -- {_begins(sloppy_path(path))} }}"
    if route.cors is not None:
        yield policy


def _rule(number: int, route: Route) -> Iterator[str]:
    rule = route.rule
    here = f"if {{ var(txn.cp_way) -m int {number} }}"
    request, response = Edits.of(rule.request_edits), Edits.of(rule.response_edits)
    if rule.forward_host != b"":
        host = (rule.forward_host or rule.upstream.endpoints[0].authority).decode("ascii")
        yield f"http-request set-header Host {value(host)} {here}"
    yield from (f"http-request del-header {quote(name)} {here}" for name in request.removed)
    yield from (f"http-request add-header {quote(name)} {value(text)} {here}" for name, text in request.added)
    if route.prefix or route.base:
        found = quote(f"^{cut(route.prefix)}/?(.*)$")
        yield f"http-request replace-path {found} {_replacement(route.base + '/')} {here}"
    yield from (f"http-response del-header {quote(name)} {here}" for name in response.removed)
    yield from (f"http-response add-header {quote(name)} {value(text)} {here}" for name, text in response.added)
    yield from _rewritings(number, route)


def _rewritings(number: int, route: Route) -> Iterator[str]:
    found = references(route)
    here = f"{{ var(txn.cp_way) -m int {number} }}"
    for place, reference in enumerate(found, 1):
        test = (
            f"!{{ var(txn.cp_moved) -m found }} {{ res.fhdr(location) -m reg -i -- {_matches(reference.expression)} }}"
        )
        yield f"http-response set-var(txn.cp_moved) int({place}) if {here} {test}"
    for place, reference in enumerate(found, 1):
        expression = quote(f"(?i)^(?:{reference.expression})$")
        replaced = f"http-response replace-header Location {expression} {_replacement(reference.before)}"
        yield f"{replaced} if {here} {{ var(txn.cp_moved) -m int {place} }}"
    # The longest first: what one has moved, the next does not know.
    for path in reversed(cookie_paths(route)):
        expression = quote(f"^(.*;[ \t]*[Pp][Aa][Tt][Hh]=)(?:{path.expression})((?:;.*)?)$")
        moved = quote(r"\1" + _escaped(path.before) + r"\2\3")
        yield f"http-response replace-header Set-Cookie {expression} {moved} if {here}"


# Policies


def _policy(index: int, cors: Cors) -> Iterator[str]:
    yield from _origins(f"cp_{index}_allowed", cors.origins)
    yield from _origins(f"cp_{index}_timed", cors.timed)
    yield f"acl cp_{index}_method req.fhdr(access-control-request-method) -m reg -- {_matches(cors.methods)}"
    # Of several lines every name is looked at, and one that is not allowed is enough.
    unlisted = f"^(?!(?:{cors.header})$)." if cors.header else "."
    yield f"acl cp_{index}_unlisted req.hdr(access-control-request-headers) -m reg -i -- {quote(unlisted)}"
    here = f"{{ var(txn.cp_policy) -m int {index} }} !{{ var(txn.cp_case) -m found }}"
    for number, case in enumerate(cors.cases, 1):
        code = index * _MOST_CASES + number
        for tests in _conditions(index, case.tests, cors):
            yield f"http-request set-var(txn.cp_case) int({code}) if {here} {' '.join(tests)}".rstrip()
        if case.vary:
            vary = quote(", ".join(case.vary))
            yield f"http-request set-var-fmt(txn.cp_vary) {vary} if {{ var(txn.cp_case) -m int {code} }}"
    for number, case in enumerate(cors.cases, 1):
        if case.status is not None:
            yield f"http-request return {_answer(case)} if {{ var(txn.cp_case) -m int {index * _MOST_CASES + number} }}"


def _answer(case: Case) -> str:
    if case.status == 403:
        return "status 403 content-type text/plain string 'the CORS policy does not allow this'"
    return f"status {case.status}"


def _origins(name: str, origins: Origins | None) -> Iterator[str]:
    if origins is None:
        return
    yield from (f"acl {name} req.fhdr(origin) -m reg -- {_matches(expression)}" for expression in origins.plain)
    if origins.regex is not None:
        yield f"acl {name}_regex req.fhdr(origin) -m reg -- {_matches(origins.regex)}"


def _conditions(index: int, tests: Iterable[Test], cors: Cors) -> list[list[str]]:
    """The conditions of a case: more than one where a test holds in more than one way."""
    ways: list[list[str]] = [[]]
    for test in tests:
        ways = [[*before, *more] for before in ways for more in _ways(index, test, cors)]
    return ways


def _ways(index: int, test: Test, cors: Cors) -> list[list[str]]:
    if test is Test.ALLOWED and cors.origins is not None:
        plain = [["cp_one_origin", f"cp_{index}_allowed"]] if cors.origins.plain else []
        regex = [["cp_one_origin", "cp_serialized", f"cp_{index}_allowed_regex"]]
        return plain + (regex if cors.origins.regex is not None else [])
    listed = {
        Test.PREFLIGHT: [["cp_options", "cp_has_origin", "cp_asks"], ["cp_options", "cp_has_origin", "cp_asks_often"]],
        Test.ORIGIN: [["cp_has_origin"]],
        Test.TIMED: [["cp_one_origin", f"cp_{index}_timed"]],
        Test.METHOD: [["cp_asks", f"cp_{index}_method"]],
        Test.FORBIDDEN: [["cp_forbidden"]],
        Test.HEADERS: [[f"!cp_{index}_unlisted"]],
        Test.PRIVATE: [["cp_private"]],
        Test.OWN: [["cp_own"]],
        Test.UPGRADE: [["cp_upgrades"]],
    }
    return listed[test]


def _lines(routes: Routes) -> Iterator[str]:
    """What the cases write, the upstream's own taken out before."""
    written: dict[tuple[str, str], list[int]] = {}
    forwarding: list[int] = []
    for index, cors in enumerate(routes.policies, 1):
        for number, case in enumerate(cors.cases, 1):
            code = index * _MOST_CASES + number
            forwarding += [code] if case.status is None else []
            for name, content in case.lines:
                text = quote(_ECHOES[content]) if isinstance(content, Echo) else value(content)
                written.setdefault((name, text), []).append(code)
    for here in _among(forwarding):
        yield f"http-after-response del-header access-control- -m beg if {here}"
        yield f"http-after-response del-header timing-allow-origin if {here}"
    for here in _among(_exposing(routes)):  # with credentials * is literal, so the names that are there are named
        yield f"http-after-response set-header Access-Control-Expose-Headers %[res.hdr_names] if {here}"
    for (name, text), codes in written.items():
        asked = "cp_asked_names " if text == quote(_ECHOES[Echo.HEADERS]) else ""
        yield from (f"http-after-response set-header {name} {text} if {asked}{here}" for here in _among(codes))


def _exposing(routes: Routes) -> list[int]:
    """The cases in which a page may read every header."""
    return [
        index * _MOST_CASES + number
        for index, cors in enumerate(routes.policies, 1)
        for number, case in enumerate(cors.cases, 1)
        if cors.spec.exposes_actual
        and case.status is None
        and ("Access-Control-Allow-Credentials", "true") in case.lines
    ]


def _among(codes: Sequence[int]) -> Iterator[str]:
    """Conditions that the case is one of these; a line of HAProxy's has 64 words."""
    for start in range(0, len(codes), _MOST_WORDS):
        yield f"{{ var(txn.cp_case) -m int {' '.join(map(str, codes[start : start + _MOST_WORDS]))} }}"


# Upstreams


def _backend(upstream: Upstream) -> Iterator[str]:
    timeouts = upstream.timeouts
    # One limit for the wait for the head and for silences inside the answer: the longer of the two breaks nothing off.
    longest = None if None in (timeouts.response, timeouts.idle) else max(timeouts.response or 0, timeouts.idle or 0)
    yield "balance leastconn"
    # An endpoint that cannot be reached is passed over at once, and the only one is not asked again.
    yield "option redispatch 1"
    yield f"retries {len(upstream.endpoints) - 1}"
    yield f"timeout connect {_milliseconds(timeouts.connect)}"
    yield f"timeout server {_milliseconds(longest)}"
    yield f"timeout tunnel {_milliseconds(timeouts.idle)}"
    yield f"timeout queue {_milliseconds(timeouts.queue)}"
    check = ""
    if upstream.health_check is not None:
        health = upstream.health_check
        yield "option httpchk"
        yield f"http-check send meth GET uri {value(health.target.decode('ascii'))}"
        yield f"timeout check {_milliseconds(health.timeout)}"
        check = f" check inter {_milliseconds(health.interval)} fall 1 rise 1"
    for number, endpoint in enumerate(upstream.endpoints, 1):
        tls = _tls(upstream, endpoint) if endpoint.tls else ""
        address = quote(_address(endpoint))
        yield f"server s{number} {address} maxconn {upstream.max_requests} init-addr last,libc,none{check}{tls}"


def _milliseconds(seconds: float | None) -> str:
    return "24d" if seconds is None else f"{max(1, round(seconds * 1000))}ms"  # 24d: the longest that it takes


def _address(endpoint: Endpoint) -> str:
    if endpoint.unix_path:
        return f"unix@{endpoint.unix_path}"
    return f"[{endpoint.host}]:{endpoint.port}" if ":" in endpoint.host else f"{endpoint.host}:{endpoint.port}"


def _tls(upstream: Upstream, endpoint: Endpoint) -> str:
    tls = upstream.tls
    name = tls.server_name or endpoint.host
    verified = f"verify required ca-file {quote(tls.ca or '@system-ca')} verifyhost {quote(name)}"
    shown = f" crt {quote(tls.cert)}" if tls.cert else ""
    return f" ssl sni {quote(f'str({name})')} {verified if tls.verify else 'verify none'}{shown}"
