"""The table as every engine can say it: hosts, and for each the routes in the order in which they win.

A request's host is looked up first, and its path among the routes of that host alone; what a broader host would have
served stands at the end of the list, as far as it is not covered already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from corsproxy.config.addresses import Listen
from corsproxy.config.load import Compiled
from corsproxy.config.table import Rule, Upstream
from corsproxy.cors.policy import Policy
from corsproxy.http.fields import FieldEdits
from corsproxy.tools.exporting.cases import Cors, cors_of
from corsproxy.tools.exporting.expressions import any_of, literal


@dataclass(frozen=True, slots=True)
class Route:
    """One rule at one host."""

    rule: Rule
    upstream: int  # its place in ``Routes.upstreams``
    cors: int | None  # its policy's place in ``Routes.policies``; None: the upstream's CORS headers pass

    @property
    def prefix(self) -> str:
        """What the upstream does not see of the path; "" for nothing."""
        return self.rule.path if self.rule.strip else ""

    @property
    def base(self) -> str:
        """What the upstream sees before the path."""
        return self.rule.upstream.base.decode("ascii")


@dataclass(frozen=True, slots=True)
class Host:
    """A host and its routes."""

    name: str  # "" any; "api.example.com"; "*.example.com"
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Routes:
    """Everything that is exported."""

    listen: tuple[Listen, ...]
    hosts: tuple[Host, ...]  # exact ones, then wildcards from the longest on, then any
    upstreams: tuple[Upstream, ...]
    policies: tuple[Cors, ...]
    trusted: tuple[str, ...] = ()  # networks of proxies in front

    @property
    def paths_decide(self) -> bool:
        """Whether a request's path decides about anything."""
        return any(route.rule.path != "/" for host in self.hosts for route in host.routes)


def routes_of(compiled: Compiled) -> Routes:
    """The table of a configuration."""
    rules = compiled.table.rules
    upstreams = list(dict.fromkeys(rule.upstream for rule in rules))
    policies: list[Policy] = list(dict.fromkeys(rule.policy for rule in rules if rule.policy is not None))
    names = list(dict.fromkeys(rule.host for rule in rules))  # in the table's order, the most specific first

    def route(rule: Rule) -> Route:
        cors = None if rule.policy is None else policies.index(rule.policy)
        return Route(rule, upstreams.index(rule.upstream), cors)

    hosts = [Host(name, tuple(map(route, _reachable(name, rules)))) for name in names]
    trusted = tuple(map(str, compiled.table.forwarding.networks))
    return Routes(compiled.listen, tuple(hosts), tuple(upstreams), tuple(map(cors_of, policies)), trusted)


def _reachable(name: str, rules: Sequence[Rule]) -> Iterable[Rule]:
    """The rules that a request to this host can find, in order: its own, then those of broader hosts."""
    taken: list[str] = []
    for host in dict.fromkeys(rule.host for rule in rules):
        if not _covers(host, name):
            continue
        found = [rule for rule in rules if rule.host == host and not any(_within(rule.path, path) for path in taken)]
        yield from sorted(found, key=lambda rule: -rule.path.rstrip("/").count("/"))
        taken += [rule.path for rule in found]


def _covers(host: str, name: str) -> bool:
    """Whether whoever is called ``name`` is looked up under ``host`` too."""
    return host in ("", name) or (host.startswith("*.") and name.endswith(host[1:]) and name != "")


def _within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class Edits:
    """What changes in a head: names that go, then lines that come."""

    removed: tuple[str, ...]
    added: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, edits: FieldEdits) -> Edits:
        """The edits of a rule, as texts."""
        lines = (line.decode("latin-1").partition(": ") for line in edits.lines.split(b"\r\n") if line)
        removed = sorted(name.decode("ascii") for name in edits.removed)
        return cls(tuple(removed), tuple((name, value) for name, _, value in lines))


@dataclass(frozen=True, slots=True)
class Rewriting:
    """References to the upstream, or cookies' paths there, that become the proxy's own.

    ``expression`` matches the whole of one, in any case, and its only group is what stays; ``before`` is put before it.
    """

    expression: str
    before: str


def references(route: Route) -> tuple[Rewriting, ...]:
    """What becomes of Location: the upstream's own URLs lead back to the rule, see http/location.py."""
    location = route.rule.location
    if location is None:
        return ()
    base, prefix = literal(location.base.decode("ascii")), location.prefix.decode("ascii")
    authority = any_of(sorted(name.decode("ascii") for name in location.authorities))
    found: list[Rewriting] = []
    if authority or base:
        start = f"(?:{authority}){'?' if base else ''}{base}" if authority else base
        found += _below(start, prefix)
        found.append(Rewriting(f"{start}([?#].*|)", (prefix or "/") if base else f"{prefix}/"))
    if prefix and not base:  # of a path alone, a second slash or a backslash would make an authority
        found.append(Rewriting(r"(/(?:[^/\\].*)?)", prefix))
    return tuple(found)


def _below(start: str, prefix: str) -> list[Rewriting]:
    """What begins with ``start`` and goes on with a path; what would read as an authority is written as ``/.//``."""
    if prefix:
        return [Rewriting(f"{start}(/.*)", prefix)]
    return [Rewriting(rf"{start}(/(?:[^/\\].*)?)", ""), Rewriting(rf"{start}(/[/\\].*)", "/.")]


def cookie_paths(route: Route) -> tuple[Rewriting, ...]:
    """What becomes of the Path of a cookie, where nothing else about cookies is asked for; see http/cookies.py."""
    cookies = route.rule.cookies
    if cookies is None or cookies.path is not None:
        return ()
    base, prefix = literal(cookies.base.decode("ascii")), cookies.prefix.decode("ascii")
    whole = Rewriting("/()", prefix or "/")
    if not base:
        return whole, Rewriting("(/[^;]+)", prefix)
    return whole, Rewriting(f"{base}()", prefix or "/"), Rewriting(f"{base}(/[^;]*)", prefix)
