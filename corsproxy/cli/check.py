"""``corsproxy check``: what a configuration file means, or everything that is wrong with it."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from corsproxy.cli.source import Source, source_options
from corsproxy.cli.style import print_problems, print_table, print_warnings
from corsproxy.errors import InvalidConfig, Problem

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.config.table import Rule, Upstream
    from corsproxy.cors.policy import PolicySpec


@click.command()
@source_options
@click.option(
    "--json", "as_json", is_flag=True, envvar="CORSPROXY_CHECK_JSON", show_envvar=True, help="Print JSON, for programs."
)
def check(source: Source, as_json: bool) -> None:  # click passes a flag so
    """Say what a configuration means, or everything that is wrong with it.

    Prints the table that results: the rules in the order in which they win, where each was written, and what each
    policy grants.  What is invalid exits with 1 and every problem as FILE:LINE:COLUMN, or the name of the flag or
    variable, with the smallest correction.  Nothing is connected to and nothing is started.

    \b
        corsproxy check -c config.yaml
        corsproxy check -c config.yaml --json
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    try:
        compiled = source.read()
    except InvalidConfig as invalid:
        if as_json:
            _print_json({"valid": False, "problems": _located(invalid.problems)})
        else:
            print_problems(invalid.problems)
        raise SystemExit(1) from None
    if as_json:
        _print_json(_summary(compiled))
    else:
        _print_table(compiled)


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, indent=2))


def _summary(compiled: Compiled) -> dict[str, Any]:
    return {
        "valid": True,
        "listen": [str(listen) for listen in compiled.listen],
        "admin": str(compiled.admin) if compiled.admin else None,
        "rules": [_rule(rule) for rule in compiled.table.rules],
        "policies": {spec.name: dataclasses.asdict(spec) for spec in _policies(compiled)},
        "warnings": _located(compiled.warnings),
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "host": rule.host or None,
        "path": rule.path,
        "upstream": rule.upstream.name,
        "urls": _urls(rule.upstream),
        "policy": rule.policy.name if rule.policy else None,
        "strip_prefix": bool(rule.strip),
        "where": rule.where,
    }


def _located(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    return [problem._asdict() for problem in problems]


def _policies(compiled: Compiled) -> list[PolicySpec]:
    """What the policies grant that rules use, each once, in the order of the rules."""
    specs = [rule.policy.spec for rule in compiled.table.rules if rule.policy]
    return list({spec.name: spec for spec in specs}.values())


def _urls(upstream: Upstream) -> list[str]:
    return [f"{endpoint}{upstream.base.decode('ascii')}" for endpoint in upstream.endpoints]


def _print_table(compiled: Compiled) -> None:
    admin = f", admin at {compiled.admin}" if compiled.admin else ""
    click.echo(f"listens at {', '.join(map(str, compiled.listen))}{admin}\n")
    rows = [_row(rule) for rule in compiled.table.rules]
    print_table(("HOST", "PATH", "UPSTREAM", "POLICY", "LINE"), rows)
    for spec in _policies(compiled):
        click.echo(f"\npolicy {spec.name}")
        for name, value in _grants(spec):
            click.echo(f"  {name:12} {value}")
    print_warnings(compiled.warnings)


def _row(rule: Rule) -> tuple[str, ...]:
    path = f"{rule.path} (stripped)" if rule.strip else rule.path
    policy = rule.policy.name if rule.policy else "none: the upstream's own CORS headers"
    return rule.host or "any", path, " ".join(_urls(rule.upstream)), policy, rule.where.split(":")[-2]


def _grants(spec: PolicySpec) -> list[tuple[str, str]]:
    """What a policy grants, in words; what it does not grant is left out."""
    from corsproxy.config.quantities import show_duration  # noqa: PLC0415  # --help does not need it

    regex = [f"/{spec.allow_origin_regex}/"] if spec.allow_origin_regex is not None else []
    grants = [
        ("origins", ", ".join([*spec.allow_origins, *regex])),
        ("methods", ", ".join(spec.allow_methods)),
        ("headers", ", ".join(spec.allow_headers)),
        ("exposes", ", ".join(spec.expose_headers)),
        ("credentials", "yes" if spec.allow_credentials else ""),
        ("max-age", show_duration(spec.max_age) if spec.max_age is not None else ""),
        ("private net", "yes" if spec.allow_private_network else ""),
        ("timing", ", ".join(spec.timing_allow_origins)),
        ("embedding", spec.cross_origin_resource_policy or ""),
        ("if denied", "403" if spec.on_denied == "reject" else "forwarded, and the answer without CORS headers"),
    ]
    return [(name, value) for name, value in grants if value]
