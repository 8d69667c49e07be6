"""Other proxies as processes: found, started with a configuration, known to listen, and ended for certain.

One file for each engine says how it is found and what its command is; ``engine.py`` has what they share.
"""

from __future__ import annotations

from typing import Final

from corsproxy.conformance.engines.caddy import CADDY
from corsproxy.conformance.engines.engine import Engine, running
from corsproxy.conformance.engines.envoy import ENVOY
from corsproxy.conformance.engines.haproxy import HAPROXY
from corsproxy.conformance.engines.nginx import NGINX
from corsproxy.conformance.process import free_port

__all__ = ["ENGINES", "Engine", "free_port", "running"]

ENGINES: Final = {engine.name: engine for engine in (ENVOY, NGINX, HAPROXY, CADDY)}
