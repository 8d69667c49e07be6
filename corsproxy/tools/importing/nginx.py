"""nginx: servers, locations and the CORS headers that they add, as rules.

Rules: what a location adds to preflights and to other answers has to be one policy; a variable is read where a map
makes it of ``$http_origin``; a directive that is not known here is listed, so that nobody misses it later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from corsproxy.tools.importing.imported import (
    NO_POLICY,
    Imported,
    Policy,
    Row,
    Unreadable,
    literal_star,
    policy_of,
    whole_origin,
)
from corsproxy.tools.importing.nginx_blocks import Block, Directive, read_blocks
from corsproxy.tools.importing.nginx_forwarding import FORWARDING, read_forwarding

_ACCESS: Final = "access-control-"
_GRANTS: Final = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-allow-private-network",
        "access-control-expose-headers",
        "access-control-max-age",
    }
)
# What has no meaning for a rule, or is always so here.
_SETTLED: Final = frozenset(
    {
        "access_log",
        "add_header",
        "charset",
        "error_log",
        "if",
        "keepalive_timeout",
        "listen",
        "location",
        "proxy_buffer_size",
        "proxy_buffering",
        "proxy_buffers",
        "proxy_busy_buffers_size",
        "proxy_http_version",
        "proxy_pass",
        "proxy_request_buffering",
        "proxy_send_timeout",
        "proxy_ssl_server_name",
        "server_name",
        "server_tokens",
    }
)
_MOVED: Final = frozenset({"proxy_cookie_path", "proxy_redirect"})
_OPTIONS: Final = re.compile(r"\$request_method\s*=\s*['\"]?OPTIONS['\"]?")
_DEFAULT_LISTEN: Final = "80"


def read_nginx(file: str) -> Imported:
    """The rules of an nginx configuration file, with what it includes.

    Raises Unreadable where nginx would not read it.
    """
    top = Block(read_blocks(file))
    outer = top
    for http in top.own("http"):
        outer = top.inside(http)
    return _Reader(outer, file).read()


class _Reader:
    def __init__(self, http: Block, file: str) -> None:
        self.http = http
        self.file = file
        self.imported = Imported()
        self.origins = {told.args[1]: _mapped(told) for told in http.own("map") if told.args[:1] == ("$http_origin",)}
        self.upstreams = {told.args[0]: told for told in http.own("upstream")}

    def read(self) -> Imported:
        for server in self.http.own("server"):
            block = self.http.inside(server)
            self.listen(block)
            self.unknown(block)
            names = [name for told in block.own("server_name") for name in told.args] or ["_"]
            for location in block.own("location"):
                with self.imported.listed(location.line, self.file_of(location)):
                    self.location(block.inside(location), location, names)
        return self.imported

    def tell(self, directive: Directive, message: str) -> None:
        self.imported.tell(directive.line, message, self.file_of(directive))

    def file_of(self, directive: Directive) -> str:
        return "" if directive.file == self.file else directive.file

    def listen(self, server: Block) -> None:
        for told in server.own("listen"):
            address, *parameters = told.args
            if "ssl" in parameters or "quic" in parameters:
                self.tell(told, f"listen {address} is with TLS, which is not read; write it with cert and key")
                continue
            if address.startswith(("[::]", "unix:")):
                continue
            host, _, port = address.rpartition(":") if not address.replace(".", "").isdecimal() else ("", "", address)
            if "." in port:
                host, port = port, _DEFAULT_LISTEN
            place = f"{'0.0.0.0' if host in {'', '*'} else host}:{port}"  # noqa: S104  # what nginx means
            if place not in self.imported.listen:
                self.imported.listen.append(place)

    def unknown(self, block: Block) -> None:
        for told in block.directives:
            if told.name in _MOVED:
                self.tell(
                    told, f"{told.name} is not read; Location and cookies are moved below the rule's path without it"
                )
            elif told.name not in _SETTLED and told.name not in FORWARDING:
                self.tell(told, f"{told.name} is not read")

    def location(self, block: Block, location: Directive, names: Sequence[str]) -> None:
        row: Row = {"path": self.path(location), "upstream": "", "policy": NO_POLICY}
        read_forwarding(block, self.upstreams, row, self.tell)
        with self.imported.listed(location.line, self.file_of(location)):
            row["policy"] = self.policy(block)
        self.unknown(block)
        for told in block.own("location"):
            self.tell(told, f"location {' '.join(told.args)} stands inside of another one, and is not read")
        for name in names:
            with self.imported.listed(location.line, self.file_of(location)):
                self.imported.rules.append((location.line, row | _host(name)))

    def path(self, location: Directive) -> str:
        *modifier, path = location.args
        if modifier not in ([], ["^~"], ["="]) or path.startswith("@"):
            raise Unreadable(
                f"location {' '.join(location.args)} is no prefix; write the rule of each path that it means"
            )
        if modifier == ["="]:
            self.tell(location, f"wider: the rule takes every path below {path} too, not only {path} itself")
        elif not path.endswith("/"):
            self.tell(
                location, f"narrower: the rule takes {path} and {path}/..., and not {path}-..., in whole segments"
            )
        return path.rstrip("/") or "/"

    def policy(self, block: Block) -> Policy | str:
        """The policy of what this location adds; NO_POLICY where that is nothing of CORS."""
        always = self.grants(block)
        asked, status = dict(always), None
        for told in block.own("if"):
            if not _OPTIONS.fullmatch(" ".join(told.args)):
                if any(inner.name == "add_header" for inner in told.inner):
                    raise Unreadable(f"if ({' '.join(told.args)}) adds headers under a condition of its own")
                self.tell(told, f"if ({' '.join(told.args)}) is not read")
                continue
            inside = block.inside(told)
            asked = self.grants(inside)
            returned = inside.last("return")
            status = int(returned.args[0]) if returned and returned.args[0].isdecimal() else None
        if not always and not asked:
            return NO_POLICY
        return self.one_policy(always, asked, status)

    def grants(self, block: Block) -> dict[str, str]:
        found: dict[str, str] = {}
        for told in block.every("add_header"):
            name = told.args[0].lower()
            if name in found:
                raise Unreadable(f"{told.args[0]} is added twice, which browsers refuse")
            if name in _GRANTS:
                found[name] = told.args[1]
            elif name.startswith(_ACCESS):
                raise Unreadable(f"{told.args[0]} is no header of answers that is known here")
        return found

    def one_policy(self, always: Mapping[str, str], asked: Mapping[str, str], status: int | None) -> Policy:
        who = always.get(f"{_ACCESS}allow-origin", "")
        if not who or asked.get(f"{_ACCESS}allow-origin") != who:
            raise Unreadable("preflights and other answers name other origins, so that they are no single policy")
        credentials = always.get(f"{_ACCESS}allow-credentials") == "true"
        if credentials != (asked.get(f"{_ACCESS}allow-credentials") == "true"):
            raise Unreadable("preflights and other answers differ in credentials, so that they are no single policy")
        for name, value in (*always.items(), *asked.items()):
            if "$" in value and name != f"{_ACCESS}allow-origin":
                raise Unreadable(f"{name} has a variable in it: {value}")
        origins, regexes = self.who(who)
        age = asked.get(f"{_ACCESS}max-age", "")
        granted = status if status is not None and 200 <= status < 300 else None
        return policy_of(
            origins,
            regexes,
            {
                "allow_methods": literal_star(_list(asked.get(f"{_ACCESS}allow-methods")), credentials),
                "allow_headers": literal_star(_list(asked.get(f"{_ACCESS}allow-headers")), credentials),
                "expose_headers": literal_star(_list(always.get(f"{_ACCESS}expose-headers")), credentials),
                "allow_credentials": credentials,
                "max_age": int(age) if age.isdecimal() else None,
                "allow_private_network": asked.get(f"{_ACCESS}allow-private-network") == "true",
                "preflight_status": granted,
            },
        )

    def who(self, value: str) -> tuple[list[str], list[str]]:
        if value == "$http_origin":
            raise Unreadable("$http_origin echoes whoever asks; write the origins that are meant")
        if value.startswith("$"):
            mapped = self.origins.get(value, f"{value} is no map of $http_origin, so that its values are not known")
            if isinstance(mapped, str):
                raise Unreadable(mapped)
            return mapped
        if "$" in value:
            raise Unreadable(f"the origin {value} has a variable in it")
        return [value], []


def _host(name: str) -> Row:
    if name.startswith("~"):
        raise Unreadable(f"the server_name {name} is an expression; write the rule of each host that it means")
    if name in {"_", ""}:
        return {}
    return {"host": f"*{name}" if name.startswith(".") else name}


def _mapped(told: Directive) -> tuple[list[str], list[str]] | str:
    """The origins and expressions for which a map gives the origin itself; a text: why it cannot be read."""
    try:
        return _entries(told)
    except Unreadable as reason:
        return str(reason)


def _entries(told: Directive) -> tuple[list[str], list[str]]:
    origins, regexes = list[str](), list[str]()
    for entry in told.inner:
        value = entry.args[0] if entry.args else ""
        if entry.name == "default":
            if value:
                raise Unreadable(f"the map {told.args[1]} gives {value} to every other origin")
        elif not value:
            raise Unreadable(f"the map {told.args[1]} has an exception, {entry.name}; list who is meant")
        elif entry.name.startswith("~"):
            if value != "$http_origin":
                raise Unreadable(f"the map {told.args[1]} gives {value} to an expression, and not the origin")
            regexes.append(whole_origin(entry.name.removeprefix("~").removeprefix("*")))
        elif value in {"$http_origin", entry.name}:
            origins.append(entry.name)
        else:
            raise Unreadable(f"the map {told.args[1]} gives {value} to {entry.name}")
    return origins, regexes


def _list(value: str | None) -> list[str]:
    return [name for name in re.split(r"\s*,\s*", value or "") if name]
