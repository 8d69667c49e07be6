"""nginx's ``proxy_pass`` and what stands around it, as the part of a rule that is about forwarding.

Rules: a header that is set from a variable is listed, unless the proxy sends the same by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from corsproxy.tools.importing.imported import Row, Unreadable
from corsproxy.tools.importing.nginx_blocks import Block, Directive

FORWARDING: Final = frozenset(
    {
        "client_max_body_size",
        "proxy_connect_timeout",
        "proxy_hide_header",
        "proxy_pass",
        "proxy_read_timeout",
        "proxy_set_header",
    }
)
# Headers that the proxy sets by itself, or that belong to one connection.
_OWN_HEADERS: Final = frozenset(
    {"connection", "upgrade", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"}
)
_PASS: Final = re.compile(r"(?P<scheme>https?)://(?P<place>unix:[^:]+:?|[^/$]+)(?P<path>/[^$?]*)?")
_SIZE: Final = re.compile(r"(\d+)([kmg]?)", re.IGNORECASE)
_UNITS: Final = {"": "B", "k": "KiB", "m": "MiB", "g": "GiB"}
_SERVER_PARAMETERS: Final = ("max_fails=", "fail_timeout=")

Tell = Callable[[Directive, str], None]


def read_forwarding(block: Block, upstreams: Mapping[str, Directive], row: Row, tell: Tell) -> None:
    """Complete a rule that has its path; ``upstreams`` are the blocks of that name.

    Raises Unreadable where the location forwards to nothing that a rule can name.
    """
    urls = _upstream(block, upstreams, row)
    timeouts = _timeouts(block)
    row["upstream"] = urls[0] if len(urls) == 1 and not timeouts else _mapping(urls, timeouts)
    request = _request_headers(block, row, tell)
    response = _response_headers(block, tell)
    headers = {way: edits for way, edits in (("request", request), ("response", response)) if edits}
    if headers:
        row["headers"] = headers
    if (size := block.last("client_max_body_size")) and (match := _SIZE.fullmatch(size.args[0])) and match[1] != "0":
        row["limits"] = {"max_request_body": f"{match[1]}{_UNITS[match[2].lower()]}"}


def _mapping(urls: list[str], timeouts: Mapping[str, str]) -> dict[str, Any]:
    upstream: dict[str, Any] = {"url": urls[0]} if len(urls) == 1 else {"urls": urls}
    return {**upstream, "timeouts": dict(timeouts)} if timeouts else upstream


def _upstream(block: Block, upstreams: Mapping[str, Directive], row: Row) -> list[str]:
    """The URLs that ``proxy_pass`` means; whether the path's prefix is taken away goes into the row."""
    passed = block.own("proxy_pass")
    if not passed:
        raise Unreadable("the location has no proxy_pass, so there is no upstream")
    match = _PASS.fullmatch(passed[0].args[0])
    if not match:
        raise Unreadable(f"proxy_pass {passed[0].args[0]} has a variable or no http:// in it")
    scheme, place, base = match["scheme"], match["place"], match["path"]
    if base is not None:
        if not base.endswith("/"):
            raise Unreadable(f"proxy_pass replaces the prefix by {base}, which does not end in whole segments")
        if row["path"] != "/":
            row["strip_prefix"] = True
    if place.startswith("unix:"):
        return [place.rstrip(":")]
    servers = _servers(upstreams[place]) if place in upstreams else [place]
    return [f"{scheme}://{server}{(base or '').rstrip('/')}" for server in servers]


def _servers(upstream: Directive) -> list[str]:
    servers = []
    for told in upstream.inner:
        if told.name != "server":
            continue
        address, *parameters = told.args
        odd = [parameter for parameter in parameters if not parameter.startswith(_SERVER_PARAMETERS)]
        if odd or address.startswith("unix:"):
            raise Unreadable(f"the upstream {upstream.args[0]} has a server with {' '.join(odd) or address}")
        servers.append(address)
    return servers


def _timeouts(block: Block) -> dict[str, str]:
    timeouts: dict[str, str] = {}
    for name, keys in (("proxy_connect_timeout", ("connect",)), ("proxy_read_timeout", ("response", "idle"))):
        if told := block.last(name):
            duration = told.args[0]
            timeouts |= dict.fromkeys(keys, f"{duration}s" if duration.isdecimal() else duration)
    return timeouts


def _request_headers(block: Block, row: Row, tell: Tell) -> dict[str, Any]:
    changed: dict[str, str] = {}
    removed = []
    for told in block.every("proxy_set_header"):
        name, value = told.args
        if name.lower() == "host":
            _forward_host(value, told, row, tell)
        elif name.lower() == "origin" and "$" not in value:
            row["forward_origin"] = value or "remove"
        elif name.lower() in _OWN_HEADERS:
            continue
        elif "$" in value:
            tell(told, f"{name} is set from a variable, {value}, which is not read")
        elif value:
            changed[name] = value
        else:
            removed.append(name)
    return {key: edits for key, edits in (("set", changed), ("remove", removed)) if edits}


def _forward_host(value: str, told: Directive, row: Row, tell: Tell) -> None:
    if value in {"$host", "$http_host"}:
        row["forward_host"] = "preserve"
    elif "$" not in value:
        row["forward_host"] = value
    elif value != "$proxy_host":
        tell(told, f"Host is set from a variable, {value}, which is not read")


def _response_headers(block: Block, tell: Tell) -> dict[str, Any]:
    added: dict[str, list[str]] = {}
    for told in block.every("add_header"):
        name, value = told.args[:2]
        if name.lower().startswith("access-control-") or (name.lower(), value.lower()) == ("vary", "origin"):
            continue
        if "$" in value:
            tell(told, f"{name} is added from a variable, {value}, which is not read")
        else:
            added.setdefault(name, []).append(value)
    hidden = [told.args[0] for told in block.every("proxy_hide_header")]
    removed = [name for name in hidden if not name.lower().startswith("access-control-")]
    return {key: edits for key, edits in (("add", added), ("remove", removed)) if edits}
