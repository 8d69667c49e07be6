"""Every server that can be put to the vectors; each is imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import Final

from corsproxy.conformance.target import Target

# By the name on the command line: the module in this folder, and its class.
TARGETS: Final = {
    "corsproxy": ("corsproxy", "FastLane"),
    "corsproxy-ordinary": ("corsproxy", "OrdinaryLane"),
    "nginx": ("engines", "Nginx"),
    "haproxy": ("engines", "Haproxy"),
    "caddy": ("engines", "Caddy"),
    "envoy": ("engines", "Envoy"),
    "flask-cors": ("libraries", "FlaskCors"),
    "django-cors-headers": ("libraries", "DjangoCorsHeaders"),
    "starlette": ("libraries", "Starlette"),
    "express-cors": ("libraries", "ExpressCors"),
    "http-proxy-middleware": ("libraries", "HttpProxyMiddleware"),
    "cors-anywhere": ("libraries", "CorsAnywhere"),
    "local-cors-proxy": ("libraries", "LocalCorsProxy"),
}


def target_named(name: str) -> Target:
    """The target of a name in ``TARGETS``."""
    module, cls = TARGETS[name]
    target: Target = getattr(importlib.import_module(f"corsproxy.conformance.targets.{module}"), cls)()
    return target
