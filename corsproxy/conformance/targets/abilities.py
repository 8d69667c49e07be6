"""What a setting asks of a target beyond origins, methods, headers and credentials, and who can do it."""

from __future__ import annotations

from typing import Final

from corsproxy.conformance.model import Setting
from corsproxy.cors.pattern import parse_pattern
from corsproxy.errors import InvalidOrigin
from corsproxy.tools.exporting.expressions import origin as expression_of

# What a setting may ask for, and how a table says that a target does not have it.
_ASKED: Final = {
    "path": "a policy for one path only",
    "max_request_body": "a limit for request bodies",
    "response_timeout": "a time limit for the upstream",
    "forward_origin": "another Origin towards the upstream",
    "refusing": "an upstream, since it is the application itself",
    "allow_origin_regex": "an expression for origins",
    "allow_private_network": "private networks",
    "timing_allow_origins": "Timing-Allow-Origin",
    "cross_origin_resource_policy": "Cross-Origin-Resource-Policy",
    "on_denied": "refusing a request for its origin",
}


def asked_for(setting: Setting) -> set[str]:
    """The names in ``_ASKED`` that a setting needs."""
    fields = {name for name in _ASKED if getattr(setting, name, None) or name in setting.policy.model_fields_set}
    return fields | ({"refusing"} if setting.upstream == "refusing" else set())


def lacking(setting: Setting, abilities: frozenset[str]) -> str:
    """Why a target with some abilities cannot have this setting; "" when it can."""
    return ", ".join(f"it has no way to say: {_ASKED[name]}" for name in sorted(asked_for(setting) - abilities))


def origins_of(setting: Setting) -> tuple[list[str], list[str]]:
    """The origins that a library compares as texts, and the expressions for the patterns among them.

    A text that is neither, of a setting that nobody should write, is passed as it stands.
    """
    texts, expressions = list[str](), list[str]()
    for text in setting.policy.allow_origins:
        try:
            pattern = parse_pattern(text)
        except InvalidOrigin:
            texts.append(text)
            continue
        if pattern.exact or text == "*":
            texts.append(text)
        else:
            expressions.append(f"^{expression_of(pattern)}$")
    if setting.policy.allow_origin_regex is not None:
        expressions.append(f"^(?:{setting.policy.allow_origin_regex})$")
    return texts, expressions


def seconds(setting: Setting) -> int | None:
    """How long preflights may be kept; None: not said."""
    age = setting.policy.max_age
    return int(age) if isinstance(age, int | float) else None
