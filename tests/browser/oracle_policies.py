"""Policies, and requests under each of them, for Chromium and ``explain``."""

from __future__ import annotations

from typing import Any, Final

from corsproxy.cors.fetch import Credentials

# YAML; {origin} is the page's.
POLICIES: Final = [
    '{{allow_origins: ["{origin}"]}}',
    '{{allow_origins: ["https://other.example"]}}',
    '{{allow_origins: ["https://other.example"], on_denied: reject}}',
    '{{allow_origins: "*"}}',
    '{{allow_origins: "*", allow_methods: ["*"], allow_headers: ["*"], expose_headers: ["*"]}}',
    '{{allow_origins: ["{origin}"], allow_credentials: true}}',
    '{{allow_origins: ["{origin}"], allow_credentials: true, allow_methods: ["*"], allow_headers: ["*"]}}',
    '{{allow_origins: ["{origin}"], allow_credentials: true, expose_headers: ["*"]}}',
    '{{allow_origins: ["{origin}"], allow_methods: [GET, PUT, DELETE], allow_headers: [X-A, Content-Type]}}',
    '{{allow_origins: ["{origin}"], allow_methods: [PATCH], allow_headers: [Authorization], preflight_status: 200}}',
    '{{allow_origins: ["http://app.localhost:*"], max_age: 0, expose_headers: [Content-Type, X-Page]}}',
    "{{allow_origin_regex: 'http://[a-z]+\\.localhost:[0-9]+', dangerously_allow_insecure_origins: true}}",
    "none",
]

REQUESTS: Final[list[dict[str, Any]]] = [
    {},
    {"credentials": Credentials.INCLUDE},
    {"method": b"PUT"},
    {"method": b"PATCH"},
    {"method": b"DELETE", "credentials": Credentials.INCLUDE},
    {"headers": ((b"X-A", b"1"),)},
    {"headers": ((b"Authorization", b"Bearer t"),)},
    {"method": b"POST", "headers": ((b"Content-Type", b"application/json"),), "credentials": Credentials.INCLUDE},
    {"method": b"POST", "headers": ((b"Content-Type", b"text/plain"),)},
]

_RULES: Final = "".join(
    f"  - {{{{path: /p{number}, upstream: 'http://127.0.0.1:{{port}}', policy: {policy}}}}}\n"
    for number, policy in enumerate(POLICIES)
)
TEXT: Final = f"listen: 127.0.0.1:0\nrules:\n{_RULES}"
