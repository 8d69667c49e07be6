"""The configuration in force as plain data, for /config: what the proxy made of the file, without its secrets.

Rules: values of headers that the file sets are never shown, since that is where keys for upstreams stand; paths of keys
and certificates are, their content is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from corsproxy.config.table import Rule, Upstream
from corsproxy.http.cookies import CookieRewrite
from corsproxy.http.fields import FieldEdits
from corsproxy.http.redaction import MASK

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.config.shadow import Shadow
    from corsproxy.config.table import RuleTable


def described(compiled: Compiled, table: RuleTable) -> Mapping[str, object]:
    """The listeners and limits of a configuration, the rules of a table, in its order, and those of its shadow."""
    return {
        "listen": [str(listen) for listen in compiled.listen],
        "admin": str(compiled.admin) if compiled.admin else "off",
        "trusted_proxies": list(compiled.config.trusted_proxies),
        "limits": asdict(compiled.limits),
        "rules": [_rule(rule) for rule in table.rules],
        "shadow": _shadow(compiled.shadow) if compiled.shadow else None,
    }


def _shadow(shadow: Shadow) -> Mapping[str, object]:
    return {"file": shadow.file or None, "rules": [_rule(rule) for rule in shadow.tried]}


def _rule(rule: Rule) -> Mapping[str, object]:
    return {
        "where": rule.where,
        "host": rule.host or "any",
        "path": rule.path,
        "upstream": _upstream(rule.upstream),
        "policy": asdict(rule.policy.spec) if rule.policy else "none",
        "strip": rule.strip,
        "max_request_body": rule.max_request_body,
        "request_body_timeout": rule.request_body_timeout,
        "forward_host": _forwarded(rule.forward_host, "upstream", "preserve"),
        "forward_origin": _forwarded(rule.forward_origin, "keep", "remove"),
        "headers": {"request": _edits(rule.request_edits), "response": _edits(rule.response_edits)},
        "cookies": _cookies(rule.cookies) if rule.cookies else None,
    }


def _cookies(cookies: CookieRewrite) -> Mapping[str, object]:
    return {
        name: value.decode("ascii") if isinstance(value, bytes) else value for name, value in asdict(cookies).items()
    }


def _upstream(upstream: Upstream) -> Mapping[str, object]:
    return {
        "name": upstream.name,
        "endpoints": [str(endpoint) for endpoint in upstream.endpoints],
        "base": upstream.base.decode("ascii"),
        "timeouts": asdict(upstream.timeouts),
        "tls": asdict(upstream.tls),
    }


def _forwarded(value: bytes | None, absent: str, empty: str) -> str:
    if value is None:
        return absent
    return value.decode("ascii") or empty


def _edits(edits: FieldEdits) -> Mapping[str, object]:
    """What is done with headers, by name."""
    names = [line.partition(b":")[0].decode("ascii") for line in edits.lines.splitlines()]
    return {
        "removed": sorted(name.decode("ascii") for name in edits.removed),
        "added": [f"{name}: {MASK}" for name in names],
    }
