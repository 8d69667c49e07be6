"""``corsproxy check --format json``: the same as people are shown, under stable names."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from corsproxy.cli.check_report import Report, policies_of, urls_of
from corsproxy.errors import Problem
from corsproxy.tools.explaining.as_json import as_json, request_as_json

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.config.shadow import Shadow
    from corsproxy.config.table import Rule
    from corsproxy.tools.checking.table_tests import Result


def report_as_json(report: Report) -> dict[str, Any]:
    """A report, ready for ``json.dumps``."""
    if report.compiled is None:
        return {"valid": False, "problems": _located(report.problems)}
    return {**_summary(report.compiled), "tests": [_result(result) for result in report.results]}


def _summary(compiled: Compiled) -> dict[str, Any]:
    return {
        "valid": True,
        "listen": [str(listen) for listen in compiled.listen],
        "admin": str(compiled.admin) if compiled.admin else None,
        "rules": [_rule(rule) for rule in compiled.table.rules],
        "policies": {spec.name: dataclasses.asdict(spec) for spec in policies_of(compiled.table.rules)},
        "shadow": _shadow(compiled.shadow) if compiled.shadow else None,
        "warnings": _located(compiled.warnings),
    }


def _shadow(shadow: Shadow) -> dict[str, Any]:
    return {
        "file": shadow.file or None,
        "rules": [_rule(rule) for rule in shadow.tried],
        "policies": {spec.name: dataclasses.asdict(spec) for spec in policies_of(shadow.tried)},
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "host": rule.host or None,
        "path": rule.path,
        "upstream": rule.upstream.name,
        "urls": urls_of(rule.upstream),
        "policy": rule.policy.name if rule.policy else None,
        "strip_prefix": bool(rule.strip),
        "where": rule.where,
    }


def _located(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    return [problem._asdict() for problem in problems]


def _result(result: Result) -> dict[str, Any]:
    test = result.test
    return {
        "file": test.file,
        "line": test.place.line,
        "column": test.place.column,
        "request": request_as_json(test.request),
        "expected": test.expected,
        "found": result.found,
        "passed": result.passed,
        "allowed_by": result.granted or None,
        "explanation": as_json(result.explanation) if result.explanation else None,
    }
