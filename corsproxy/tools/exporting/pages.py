"""Who is meant, in a few words: the pages that a policy allows, and all others."""

from __future__ import annotations

from typing import Final

from corsproxy.cors.spec import PolicySpec

_NAMED: Final = 3


def allowed_pages(spec: PolicySpec) -> str:
    """``pages of https://a.example and 2 more origins``."""
    if spec.allow_origins == ("*",):
        return "pages of every origin"
    names = list(spec.allow_origins)
    if spec.allow_origin_regex is not None:
        names.append(f"/{spec.allow_origin_regex}/")
    if len(names) > _NAMED:
        return f"pages of {', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return f"pages of {', '.join(names)}"


def strangers(spec: PolicySpec) -> str:
    """Whom a policy does not allow."""
    return "all pages" if spec.allow_origins == ("*",) else f"pages that {spec.name} does not list"
