"""Which keys belong where, and what an unknown one was probably meant to be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import TypeGuard, get_args, get_origin

from corsproxy.config.model import (
    Config,
    CookiesConfig,
    EditsConfig,
    HeadersConfig,
    HealthCheckConfig,
    LimitsConfig,
    ListenerConfig,
    PolicyConfig,
    RequestIdConfig,
    RuleConfig,
    RuleLimitsConfig,
    TimeoutsConfig,
    TlsConfig,
    UpstreamConfig,
    UpstreamTlsConfig,
)
from corsproxy.config.section import Section
from corsproxy.config.tests_model import TableTestConfig, TestsFileConfig
from corsproxy.config.written import Path

# How messages call a section.
TITLES: dict[type[Section], str] = {
    Config: "the configuration",
    RuleConfig: "a rule",
    PolicyConfig: "a policy",
    UpstreamConfig: "an upstream",
    TimeoutsConfig: "timeouts",
    UpstreamTlsConfig: "the tls of an upstream",
    HealthCheckConfig: "a health check",
    LimitsConfig: "limits",
    RuleLimitsConfig: "the limits of a rule",
    ListenerConfig: "a listener",
    TlsConfig: "tls",
    HeadersConfig: "headers",
    EditsConfig: "changes to headers",
    CookiesConfig: "cookies",
    RequestIdConfig: "request_id",
    TableTestConfig: "a test",
    TestsFileConfig: "a file of tests",
}

# What other software calls the same thing, where it looks too different to be guessed.
_SYNONYMS = {
    "backend": "upstream",
    "target": "upstream",
    "proxy_pass": "upstream",
    "prefix": "path",
    "location": "path",
    "strip_path": "strip_prefix",
    "change_origin": "forward_host",
    "options_success_status": "preflight_status",
    "bind": "listen",
    "routes": "rules",
    "cors": "policy",
}


def section_at(path: Path, root: type[Section]) -> type[Section]:
    """The section at the path of a mapping that may stand in ``root``."""
    annotation: object = root
    for step in path:
        annotation = next(_inside(annotation, step))
    return next(_sections(annotation))


def _inside(annotation: object, step: str | int) -> Iterator[object]:
    """The annotations of what can stand at a step below an annotated value."""
    if _is_section(annotation):
        yield from (field.annotation for name, field in annotation.model_fields.items() if name == step)
    elif get_origin(annotation) is dict or (get_origin(annotation) is list and isinstance(step, int)):
        yield get_args(annotation)[-1]
    else:  # a branch of a union, or the one value that may stand in place of a list
        for branch in get_args(annotation):
            yield from _inside(branch, step)


def _sections(annotation: object) -> Iterator[type[Section]]:
    if _is_section(annotation):
        yield annotation
    for branch in get_args(annotation):
        yield from _sections(branch)


def _is_section(annotation: object) -> TypeGuard[type[Section]]:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def meant(name: str, known: Iterable[str]) -> str:
    """The known name that is most like ``name``, or ""."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+", "_", name).lower()
    names = list(known)
    if (synonym := _SYNONYMS.get(snake)) in names:
        return synonym or ""
    return next(iter(difflib.get_close_matches(snake, names, n=1, cutoff=0.6)), "")


def home_of(key: str) -> str:
    """How the section is called in which a key belongs, or "" when none has it."""
    return next((title for section, title in TITLES.items() if key in section.model_fields), "")
