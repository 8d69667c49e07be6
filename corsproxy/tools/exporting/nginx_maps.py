r"""nginx: texts in its syntax, and a policy as maps.

A case of a policy is found by maps alone: each test is a digit, and the first case whose digits fit is the case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from corsproxy.tools.exporting.cases import Case, Cors, Echo, Line, Origins, Test
from corsproxy.tools.exporting.expressions import FORBIDDEN_METHODS, SERIALIZED
from corsproxy.tools.exporting.routes import Routes

_ECHOES: Final = {
    Echo.ORIGIN: "$http_origin",
    Echo.METHOD: "$http_access_control_request_method",
    Echo.HEADERS: "$http_access_control_request_headers",
}
_GLOBAL_TESTS: Final = {
    Test.PREFLIGHT: "$cp_preflight",
    Test.ORIGIN: "$cp_has_origin",
    Test.FORBIDDEN: "$cp_forbidden",
    Test.PRIVATE: "$cp_private",
    Test.OWN: "$cp_own",
    Test.UPGRADE: "$cp_upgrades",
}
PREAMBLE: Final = (
    'geo $cp_dollar { default "$"; }',
    'map $http_origin $cp_has_origin { default 1; "" 0; }',
    'map $http_access_control_request_method $cp_asks { default 1; "" 0; }',
    f'map $http_access_control_request_method $cp_forbidden {{ default 0; "~^(?:{FORBIDDEN_METHODS})$" 1; }}',
    'map $http_access_control_request_private_network $cp_private { default 0; "~^true$" 1; }',
    'map "$request_method $cp_has_origin$cp_asks" $cp_preflight { default 0; "~^OPTIONS 11$" 1; }',
    'map $http_upgrade $cp_upgrades { default 1; "" 0; }',
    'map $http_upgrade $cp_connection { default upgrade; "" ""; }',
    # The page and the API share an origin: the browser says so, or the two are the same text.
    'map "$http_sec_fetch_site|$http_origin|$scheme://$http_host" $cp_own {',
    '    default 0; "~^same-origin\\\\|" 1; "~*^[^|]*\\\\|([^|]+)\\\\|\\\\1$" 1;',
    "}",
)


def quote(text: str) -> str:
    """A text where nginx looks for no variables: expressions, names, paths of files."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def value(text: str) -> str:
    """A text where nginx looks for variables: it knows no escape for the dollar, so a variable has one."""
    return quote(text).replace("$", "${cp_dollar}")


def matches(expression: str, flag: str = "~") -> str:
    """What a map compares a whole value with; the flag ``~*`` does not mind the case."""
    return quote(f"{flag}^(?:{expression})$")


def begins(expression: str) -> str:
    """What a map compares the beginning of a value with."""
    return quote(f"~^(?:{expression})")


def serialized(routes: Routes) -> list[str]:
    """Whether an Origin is an origin at all, where a policy has an expression."""
    if not any(cors.origins and cors.origins.regex is not None for cors in routes.policies):
        return []
    return [f"map $http_origin $cp_serialized {{ default 0; {matches(SERIALIZED)} 1; }}"]


def policy(index: int, cors: Cors) -> Iterator[str]:
    """The maps of a policy: its tests, its case, and the value of each header in each case."""
    used = [test for test in Test if any(test in case.tests for case in cors.cases)]
    own = {
        Test.ALLOWED: lambda name: _origin_map(name, cors.origins),
        Test.TIMED: lambda name: _origin_map(name, cors.timed),
        Test.METHOD: lambda name: map_of("$http_access_control_request_method", name, {matches(cors.methods): "1"}),
        # An expression is never tried on an empty value.
        Test.HEADERS: lambda name: map_of(
            "$http_access_control_request_headers", name, {'""': "1", matches(cors.headers, "~*"): "1"}
        ),
    }
    digits = []
    for test in used:
        variable = _GLOBAL_TESTS.get(test) or f"$cp_{index}_{test.name.lower()}"
        digits.append(variable)
        if test in own:
            yield from own[test](variable)
    cases = {
        quote("~^" + "".join("1" if test in case.tests else "." for test in used)): str(number)
        for number, case in reversed(list(enumerate(cors.cases, 1)))
    }
    # The first line that fits wins, and of two alike the first case has it.
    yield from map_of('"' + "".join(digits) + '"', f"$cp_{index}_case", dict(reversed(cases.items())))
    for name in headers_of(cors.cases):
        values = {str(number): _value_of(case, name) for number, case in enumerate(cors.cases, 1)}
        written = {number: content for number, content in values.items() if content != '""'}
        yield from map_of(f"$cp_{index}_case", variable_of(index, name), written, default='""')


def map_of(source: str, variable: str, entries: dict[str, str], default: str = "0") -> list[str]:
    """A map, whose keys and values are quoted already; the first expression that matches wins."""
    return [
        f"map {source} {variable} {{",
        f"    default {default};",
        *(f"    {k} {v};" for k, v in entries.items()),
        "}",
    ]


def _origin_map(variable: str, origins: Origins | None) -> list[str]:
    if origins is None:
        return map_of("$http_origin", variable, {'""': "0"}, default="1")
    if origins.regex is None:
        return map_of("$http_origin", variable, {matches(text): "1" for text in origins.plain})
    entries = {quote(f"~^. (?:{text})$"): "1" for text in origins.plain}
    return map_of('"$cp_serialized $http_origin"', variable, {**entries, quote(f"~^1 (?:{origins.regex})$"): "1"})


def headers_of(cases: Iterable[Case]) -> list[str]:
    """The headers that any case writes."""
    found = [name for case in cases for name, _ in case.lines]
    return list(dict.fromkeys([*found, *(["Vary"] if any(case.vary for case in cases) else [])]))


def variable_of(index: int, name: str) -> str:
    """The variable that has a header's value under a policy."""
    return f"$cp_{index}_{name.lower().replace('-', '_')}"


def _value_of(case: Case, name: str) -> str:
    lines: tuple[Line, ...] = (*case.lines, ("Vary", ", ".join(case.vary)))
    found = next((content for written, content in lines if written == name), "")
    return _ECHOES[found] if isinstance(found, Echo) else value(found)
