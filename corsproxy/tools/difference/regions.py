"""Pieces of the space in few words: what lies below a prefix is not told one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from corsproxy.tools.difference.places import Cell, Space, parent_host, parent_path


class Region(NamedTuple):
    """Hosts and paths; ``*`` is any host, ``/orders/*`` is ``/orders`` and all below."""

    hosts: tuple[str, ...]
    but_hosts: tuple[str, ...]
    paths: tuple[str, ...]
    but_paths: tuple[str, ...]

    def __str__(self) -> str:
        hosts = ", ".join("any host" if host == "*" else host for host in self.hosts)
        return f"{hosts}{_except(self.but_hosts)}: {', '.join(self.paths)}{_except(self.but_paths)}"


def regions(space: Space, cells: Iterable[Cell]) -> list[Region]:
    """The same pieces, hosts with the same paths together."""
    paths: dict[str, set[str]] = {}
    for cell in cells:
        paths.setdefault(cell.host, set()).add(cell.path)
    hosts: dict[tuple[tuple[str, ...], tuple[str, ...]], set[str]] = {}
    for host, found in paths.items():
        every = space.paths(host)
        above = {path: parent_path(path, every) for path in every}
        hosts.setdefault(_outline(found, above), set()).add(host)
    above = {host: parent_host(host, space.hosts) for host in space.hosts}
    found_regions = []
    for (tops, holes), names in hosts.items():
        top_hosts, but_hosts = _outline(names, above)
        shown = tuple(host or "*" for host in top_hosts)
        found_regions.append(Region(shown, but_hosts, tuple(map(_below, tops)), tuple(map(_below, holes))))
    return found_regions


def _outline(found: set[str], above: dict[str, str | None]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The members of which no wider one is there, and what is missing right below a member."""
    tops = sorted(name for name in found if above[name] not in found)
    holes = sorted(name for name, wider in above.items() if name not in found and wider in found)
    return tuple(tops), tuple(holes)


def _below(path: str) -> str:
    return f"{path}/*"


def _except(names: tuple[str, ...]) -> str:
    return f" (but {', '.join(names)})" if names else ""
