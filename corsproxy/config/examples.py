"""What editors offer to write, section by section and key by key.

Rules: every one loads; keys that a schema completes by itself (booleans, words of a list, sections) need none, nor do
those whose default is what most people write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

_ORIGINS: Final = (
    ["https://app.example.com"],
    ["https://app.example.com", "https://*.preview.example.com", "http://localhost:*"],
    "*",
)

EXAMPLES: Final[Mapping[str, Mapping[str, Sequence[object]]]] = {
    "Config": {
        "listen": ("127.0.0.1:8080", ["0.0.0.0:8080", "unix:/run/corsproxy.sock"], "systemd"),
        "admin": ("127.0.0.1:9901", "unix:/run/corsproxy-admin.sock", "off"),
        "trusted_proxies": (["10.0.0.0/8"], ["10.0.0.0/8", "192.0.2.7"]),
        "policies": ({"web-app": {"allow_origins": ["https://app.example.com"]}},),
        "upstreams": ({"orders": {"url": "http://orders.internal:8000"}},),
        "shadow": ("tried.yaml",),
        "rules": ([{"path": "/orders", "upstream": "http://orders.internal:8000", "policy": "none"}],),
        "tests": ([{"origin": "https://app.example.com", "path": "/orders"}],),
    },
    "ListenerConfig": {
        "address": ("127.0.0.1:8443", "unix:/run/corsproxy.sock", "systemd:web"),
        "mode": ("0660",),
    },
    "TlsConfig": {
        "cert": ("/etc/corsproxy/cert.pem",),
        "key": ("/etc/corsproxy/key.pem",),
        "client_ca": ("/etc/corsproxy/clients.pem",),
    },
    "RequestIdConfig": {"header": ("X-Request-Id",)},
    "LimitsConfig": {
        "max_request_body": ("10MiB",),
        "max_response_body": ("100MiB",),
        "max_connections_per_client": (100,),
    },
    "RuleLimitsConfig": {
        "max_request_body": ("1MiB",),
        "max_response_body": ("100MiB",),
        "request_body_timeout": ("10s",),
    },
    "PolicyConfig": {
        "allow_origins": _ORIGINS,
        "allow_origin_regex": (r"https://pr-[0-9]+\.example\.com",),
        "allow_methods": (["GET", "HEAD", "POST", "PUT", "DELETE"], "*"),
        "allow_headers": (["Content-Type", "Authorization"], "*"),
        "expose_headers": (["X-Total-Count"], "*"),
        "max_age": ("10m", "none"),
        "timing_allow_origins": _ORIGINS,
    },
    "UpstreamConfig": {
        "url": ("http://orders.internal:8000", "https://api.example.com/v2", "unix:/run/orders.sock"),
        "urls": (["http://orders-1.internal:8000", "http://orders-2.internal:8000"],),
    },
    "HealthCheckConfig": {"path": ("/health",)},
    "UpstreamTlsConfig": {
        "ca": ("/etc/corsproxy/ca.pem",),
        "cert": ("/etc/corsproxy/client.pem",),
        "key": ("/etc/corsproxy/client-key.pem",),
        "server_name": ("orders.example.com",),
    },
    "RuleConfig": {
        "path": ("/orders", "/"),
        "host": ("api.example.com", "*.example.com"),
        "upstream": ("http://orders.internal:8000",),
        "policy": ("none", {"allow_origins": ["https://app.example.com"]}),
        "shadow": ("none", {"allow_origins": ["https://app.example.com"]}),
        "forward_host": ("upstream", "preserve", "orders.example.com"),
        "forward_origin": ("keep", "remove", "https://orders.example.com"),
    },
    "EditsConfig": {
        "set": ({"Cache-Control": "no-store"},),
        "add": ({"X-Route": "orders"},),
        "remove": (["Server", "X-Powered-By"],),
    },
    "CookiesConfig": {"domain": ("remove", "example.com"), "path": ("/orders",)},
    "TableTestConfig": {
        "origin": ("https://app.example.com", ["https://evil.example", "https://app.example.com.evil.example", "null"]),
        "method": ("GET", ["PUT", "DELETE"]),
        "path": ("/orders/7", "/orders?full=1"),
        "host": ("api.example.com",),
        "headers": (["X-Api-Key", "Content-Type: application/json"],),
    },
}
