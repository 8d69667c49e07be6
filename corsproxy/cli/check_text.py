"""``corsproxy check`` for people: the table that results, and what is wrong, as far as it goes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from corsproxy.cli.check_report import Report, failure, policies_of, urls_of
from corsproxy.cli.explanation_text import explanation_lines, print_lines
from corsproxy.cli.style import print_located, print_problems, print_table, print_warnings
from corsproxy.config.quantities import show_duration

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.config.table import Rule
    from corsproxy.cors.policy import PolicySpec
    from corsproxy.tools.checking.table_tests import Result


def print_reports(reports: Sequence[Report]) -> None:
    """Each report, under the name of its file where there are several."""
    for number, report in enumerate(reports):
        if len(reports) > 1:
            click.echo(f"{'' if number == 0 else chr(10)}{report.file}")
        if report.compiled is None:
            print_problems(report.problems)
        else:
            _print_table(report.compiled)
            _print_results(report.results)


def _print_results(results: Sequence[Result]) -> None:
    failed = [result for result in results if not result.passed]
    for result in failed:
        click.echo(err=True)
        print_located([failure(result).problem], "red")
        if result.granted:
            click.echo(f"    allowed by {result.granted}", err=True)
        if result.explanation:
            print_lines(explanation_lines(result.explanation), sys.stderr)
    tests = "1 test" if len(results) == 1 else f"{len(results)} tests"
    if failed:
        click.echo(f"\n{len(failed)} of {tests} failed", err=True)
    elif results:
        click.echo(f"\n{tests} passed")


def _print_table(compiled: Compiled) -> None:
    admin = f", admin at {compiled.admin}" if compiled.admin else ""
    click.echo(f"listens at {', '.join(map(str, compiled.listen))}{admin}\n")
    _print_rules(compiled.table.rules)
    if compiled.shadow is not None:
        click.echo(f"\nin the shadow, where it decides nothing: {compiled.shadow}\n")
        _print_rules(compiled.shadow.tried)
    print_warnings(compiled.warnings)


def _print_rules(rules: Sequence[Rule]) -> None:
    print_table(("HOST", "PATH", "UPSTREAM", "POLICY", "LINE"), [_row(rule) for rule in rules])
    for spec in policies_of(rules):
        click.echo(f"\npolicy {spec.name}")
        for name, value in _grants(spec):
            click.echo(f"  {name:12} {value}")


def _row(rule: Rule) -> tuple[str, ...]:
    path = f"{rule.path} (stripped)" if rule.strip else rule.path
    policy = rule.policy.name if rule.policy else "none: the upstream's own CORS headers"
    return rule.host or "any", path, " ".join(urls_of(rule.upstream)), policy, rule.where.split(":")[-2]


def _grants(spec: PolicySpec) -> list[tuple[str, str]]:
    """What a policy grants, in words; what it does not grant is left out."""
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
