"""The way in: a configuration's text, or a Config built by flags, to what runs.

Rules: everything that is wrong is said at once; nothing runs that has a problem; a warning stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corsproxy.config.addresses import Listen
from corsproxy.config.document import read_document
from corsproxy.config.edits import compile_request_id
from corsproxy.config.exposure import refuse_own_addresses
from corsproxy.config.findings import Findings, in_order
from corsproxy.config.listeners import compile_admin, compile_forwarding, compile_listeners
from corsproxy.config.model import Config
from corsproxy.config.policies import Policies
from corsproxy.config.precedence import build_table, refuse_unreachable
from corsproxy.config.rules import Context, compile_rule
from corsproxy.config.shadow import Shadow, compile_rule_shadows, refuse_shadows, refuse_two_shadows
from corsproxy.config.table import Rule, RuleTable
from corsproxy.config.upstreams import Upstreams
from corsproxy.config.validate import validate
from corsproxy.config.written import Path
from corsproxy.errors import InvalidConfig, Problem

if TYPE_CHECKING:
    from corsproxy.config.tests import TableTest

__all__ = ["Compiled", "Limits", "Listen", "compile_config", "load_config", "with_shadow"]

_PSEUDONYM = "corsproxy"  # in Via


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the listeners, in seconds and bytes; None: no limit."""

    request_head_timeout: float = 10.0
    request_body_timeout: float | None = 30.0
    keepalive_timeout: float = 75.0
    max_request_head: int = 64 * 1024
    max_target: int = 32 * 1024
    max_request_headers: int = 200
    max_request_body: int | None = None
    max_response_body: int | None = None
    max_connections: int = 10_000
    max_connections_per_client: int | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """A configuration that may run."""

    config: Config  # what was written
    table: RuleTable
    listen: tuple[Listen, ...]
    admin: Listen | None
    limits: Limits
    tests: tuple[TableTest, ...] = ()
    warnings: tuple[Problem, ...] = ()
    shadow: Shadow | None = None  # of the rules; one that is a file of its own is read by whoever reads files


def load_config(text: str, file: str, environment: Mapping[str, str], pseudonym: str = _PSEUDONYM) -> Compiled:
    """Compile the text of a configuration file.

    ``file`` is the name that problems are reported under, ``environment`` what ``${NAME}`` takes its values from, and
    ``pseudonym`` this proxy's name in Via.

    Raises InvalidConfig with every problem, in the order of the file.
    """
    config, findings = _read(text, file, environment)
    refuse_two_shadows(config, findings)
    return _compile(config, findings, pseudonym)


def with_shadow(
    compiled: Compiled, text: str, file: str, environment: Mapping[str, str], pseudonym: str = _PSEUDONYM
) -> Compiled:
    """The configuration with another one as its shadow, which is compiled as it would be by itself.

    Raises InvalidConfig with every problem of the shadow.
    """
    config, findings = _read(text, file, environment)
    refuse_shadows(config, findings)
    tried = _compile(config, findings, pseudonym)
    shadow = Shadow(tried.table, file=file, text=text)
    return replace(compiled, shadow=shadow, warnings=(*compiled.warnings, *tried.warnings))


def compile_config(config: Config, file: str = "command line", pseudonym: str = _PSEUDONYM) -> Compiled:
    """Compile a Config that flags were made into; problems name ``file`` and the path of the value.

    Raises InvalidConfig with every problem.
    """
    return _compile(config, Findings(file), pseudonym)


def _read(text: str, file: str, environment: Mapping[str, str]) -> tuple[Config, Findings]:
    """What is written in a text, and what is wrong with that so far; raises InvalidConfig where nothing can be used."""
    root, problems = read_document(text, file, environment)
    if root is None:
        raise InvalidConfig(in_order(problems))
    config, mismatches = validate(root, file, Config)
    return config, Findings(file, root, [*problems, *mismatches])


def _compile(config: Config, findings: Findings, pseudonym: str) -> Compiled:
    listen = compile_listeners(config, findings)
    admin = compile_admin(config, listen, findings)
    forwarding = compile_forwarding(config, pseudonym, findings)
    request_id = compile_request_id(config, findings)
    upstreams = Upstreams(config, findings)
    rules, shadows = _rules(config, upstreams, request_id, findings)
    refuse_own_addresses(upstreams.endpoints, listen, admin, findings)
    tests = _tests(config, findings)
    well = not findings.problems
    table = build_table(rules, forwarding, request_id) if well else RuleTable(forwarding)
    shadow = None
    if shadows and well:
        tried = build_table([shadows.get(rule, rule) for rule in rules], forwarding, request_id)
        shadow = Shadow(tried, shadows)
    limits = Limits(**{key: getattr(config.limits, key) for key in type(config.limits).model_fields})
    return Compiled(config, table, listen, admin, limits, tests, findings.conclude(), shadow)


def _tests(config: Config, findings: Findings) -> tuple[TableTest, ...]:
    if not config.tests:
        return ()
    from corsproxy.config.tests import compile_tests  # noqa: PLC0415  # few files that are served have tests in them

    return compile_tests(config.tests, findings)


def _rules(
    config: Config, upstreams: Upstreams, request_id: bytes, findings: Findings
) -> tuple[list[Rule], dict[Rule, Rule]]:
    """The rules in the order of the file, and those that have a shadow with what they are in it."""
    context = Context(upstreams, Policies(config, findings), config.limits, request_id, findings, {})
    paths: list[Path] = [("rules", index) for index in range(len(config.rules))]
    compiled = [compile_rule(rule, path, context) for path, rule in zip(paths, config.rules, strict=True)]
    rules = [(path, rule) for path, rule in zip(paths, compiled, strict=True) if rule and not findings.lost(path)]
    refuse_unreachable(rules, findings)
    if not config.rules and not findings.lost(("rules",)) and "rules" not in findings.lost(()):
        findings.refuse(("rules",), "there are no rules, so nothing would be served; add one")
    shadows = compile_rule_shadows(config, rules, context)
    upstreams.warn_of_unused()
    context.policies.warn_of_unused()
    return [rule for _, rule in rules], shadows
