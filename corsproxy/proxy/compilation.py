"""Whether the modules that every request goes through are machine code; pyproject.toml lists them."""

from __future__ import annotations

from importlib.util import find_spec


def compiled() -> bool:
    """Whether they are machine code here; else they are plain Python, which does the same more slowly."""
    spec = find_spec("corsproxy.proxy.plan")
    return spec is not None and not (spec.origin or "").endswith(".py")
