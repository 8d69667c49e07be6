"""Envoy: upstreams as clusters."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from corsproxy.config.table import Endpoint, Upstream

TYPE: Final = "type.googleapis.com/envoy.extensions"
_SYSTEM_AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"

Tree = dict[str, Any]


def cluster(index: int, upstream: Upstream) -> Tree:
    """The cluster of an upstream."""
    tree: Tree = {
        "name": f"upstream_{index}",
        "type": "STATIC" if all(map(_is_address, upstream.endpoints)) else "STRICT_DNS",
        "connect_timeout": seconds(upstream.timeouts.connect or 3600.0),
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": upstream.max_requests,
                    "max_requests": upstream.max_requests,
                    "max_pending_requests": upstream.max_queue,
                }
            ]
        },
        "load_assignment": {
            "cluster_name": f"upstream_{index}",
            "endpoints": [{"lb_endpoints": [{"endpoint": _endpoint(endpoint)} for endpoint in upstream.endpoints]}],
        },
    }
    if tree["type"] == "STRICT_DNS":  # its default asks for IPv6 alone where there is any
        tree["dns_lookup_family"] = "V4_PREFERRED"
    if upstream.endpoints[0].tls:
        tree["transport_socket"] = {"name": "tls", "typed_config": _upstream_tls(upstream)}
    if check := upstream.health_check:
        tree["health_checks"] = [
            {
                "timeout": seconds(check.timeout),
                "interval": seconds(check.interval),
                "unhealthy_threshold": 1,
                "healthy_threshold": 1,
                "http_health_check": {"path": check.target.decode("ascii")},
            }
        ]
    return tree


def _endpoint(endpoint: Endpoint) -> Tree:
    if endpoint.unix_path:
        return {"address": {"pipe": {"path": endpoint.unix_path}}}
    return {"address": {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}}


def _is_address(endpoint: Endpoint) -> bool:
    if endpoint.unix_path:
        return True
    try:
        ipaddress.ip_address(endpoint.host)
    except ValueError:
        return False
    return True


def _upstream_tls(upstream: Upstream) -> Tree:
    tls = upstream.tls
    name = tls.server_name or upstream.endpoints[0].host
    common: Tree = {}
    if tls.cert:
        common["tls_certificates"] = [certificate(tls.cert, tls.key or tls.cert)]
    if tls.verify:
        kind = "IP_ADDRESS" if _is_address(upstream.endpoints[0]) and not tls.server_name else "DNS"
        common["validation_context"] = {
            "trusted_ca": {"filename": tls.ca or _SYSTEM_AUTHORITIES},
            "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": name}}],
        }
    context: Tree = {"@type": f"{TYPE}.transport_sockets.tls.v3.UpstreamTlsContext", "common_tls_context": common}
    return context if _is_address(upstream.endpoints[0]) and not tls.server_name else {**context, "sni": name}


def certificate(cert: str, key: str) -> Tree:
    """A certificate and its key, as files."""
    return {"certificate_chain": {"filename": cert}, "private_key": {"filename": key}}


def seconds(limit: float | None) -> str:
    """A time limit; none is 0 in Envoy."""
    return "0s" if limit is None else f"{max(limit, 0.001):.3f}".rstrip("0").rstrip(".") + "s"
