"""What a configuration would give away without meaning to: its own addresses, and credentials of its own.

Rules: only what is certain is refused; what depends on the network is left to the answers 508 and 421 at run time.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from corsproxy.config.addresses import Listen
from corsproxy.config.findings import Findings
from corsproxy.config.model import RuleConfig
from corsproxy.config.table import Endpoint, Upstream
from corsproxy.config.written import Path
from corsproxy.cors.policy import Policy

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
# The addresses that a listener has besides its own.
_EVERYWHERE = {"0.0.0.0": ("127.0.0.1", "0.0.0.0"), "::": _LOOPBACK, "localhost": _LOOPBACK}  # noqa: S104  # compared

# Names of request headers that carry a secret, as far as names tell.
_SECRET = re.compile(
    r"(?:^|-)(?:api-?keys?|auth|authorization|cookies?|credentials?|password|secret|session|tokens?)(?:-|$)"
)


def refuse_own_addresses(
    endpoints: Mapping[Path, Endpoint], listeners: tuple[Listen, ...], admin: Listen | None, findings: Findings
) -> None:
    """Refuse upstreams that are this process: a loop, or a way around the separation of the admin address."""
    for path, endpoint in endpoints.items():
        if any(_same(listen, endpoint) for listen in listeners):
            message = (
                f"{endpoint} is where this proxy itself listens, so requests would come back; name the API's address"
            )
            findings.refuse(path, message)
        elif admin is not None and _same(admin, endpoint):
            findings.refuse(path, f"{endpoint} is the admin address of this proxy, which clients must not reach")
        elif endpoint.host == "localhost" and any(_maybe_same(listen, endpoint) for listen in listeners):
            findings.warn(path, f"{endpoint} is probably this proxy itself; name the address where the API listens")


def check_credentials(
    written: RuleConfig, upstream: Upstream, policy: Policy | None, path: Path, findings: Findings
) -> None:
    """Refuse that every page of the world reads what the upstream answers to credentials of this proxy's own.

    A browser's credentials never go together with any origin.  Those that the rule adds go with every request, so that
    ``"*"`` would hand their power to every page that anybody opens, on whatever address the proxy listens.
    """
    if policy is None or "*" not in policy.spec.allow_origins or written.dangerously_share_credentials:
        return
    edits = written.headers.request
    for key, names in (("set", edits.set), ("add", edits.add)):
        for name in names:
            if _SECRET.search(name.lower()):
                message = f"any origin may use this rule, and so the {name} that it adds; {_REMEDY}"
                findings.refuse_key((*path, "headers", "request", key, name), message)
    if upstream.tls.cert:
        message = f"any origin may use this rule, and so the client certificate of the upstream; {_REMEDY}"
        findings.refuse((*path, "upstream"), message)


_REMEDY = "list the origins in its policy, or set dangerously_share_credentials"


def _same(listen: Listen, endpoint: Endpoint) -> bool:
    """Whether a connection to the endpoint certainly ends at this listener."""
    if endpoint.unix_path or listen.unix_path:
        return endpoint.unix_path == listen.unix_path
    if endpoint.port != listen.port:
        return False
    host = _address(endpoint.host)
    return bool(host) and (host == _address(listen.host) or host in _EVERYWHERE.get(listen.host, ()))


def _maybe_same(listen: Listen, endpoint: Endpoint) -> bool:
    """Whether ``localhost`` may end at this listener, in the one family that it has."""
    return endpoint.port == listen.port and listen.host in {"127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104  # compared


def _address(host: str) -> str:
    """An address in its one spelling, or ``localhost``; "" for every other name, which may have many addresses."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "localhost" if host.lower() == "localhost" else ""
