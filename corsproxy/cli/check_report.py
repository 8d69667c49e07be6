"""What ``corsproxy check`` finds out about one configuration, before it is printed in any format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from corsproxy.cli.config_file import STANDARD_INPUT, STANDARD_INPUT_NAME, config_source, read_written
from corsproxy.cli.explanation_text import explanation_lines
from corsproxy.config.tests import load_tests
from corsproxy.errors import InvalidConfig, Problem
from corsproxy.tools.checking.findings import DOUBTFUL, FAILED, INVALID, Finding
from corsproxy.tools.checking.table_tests import Result, run_tests

if TYPE_CHECKING:
    from corsproxy.cli.source import Source
    from corsproxy.config.load import Compiled
    from corsproxy.config.table import Rule, Upstream
    from corsproxy.config.tests import TableTest
    from corsproxy.cors.policy import PolicySpec


@dataclass(frozen=True, slots=True)
class Report:
    """A configuration, compiled, with the results of its tests; or the problems that keep it from that."""

    file: str
    compiled: Compiled | None
    problems: tuple[Problem, ...] = ()
    results: tuple[Result, ...] = ()

    @property
    def well(self) -> bool:
        """Whether the configuration can be used and no test has failed."""
        return not self.problems and all(result.passed for result in self.results)

    def findings(self) -> Iterator[Finding]:
        """Everything that there is to say against it."""
        yield from (Finding(INVALID, problem) for problem in self.problems)
        yield from (Finding(DOUBTFUL, warning) for warning in (self.compiled.warnings if self.compiled else ()))
        yield from (failure(result) for result in self.results if not result.passed)


def examine(source: Source, tests_files: Sequence[str]) -> Report:
    """Read a configuration, and run the tests in it and in the files beside it."""
    if not source.file:  # flags have no tests
        try:
            return Report("command line", source.read())
        except InvalidConfig as invalid:
            return Report("command line", None, invalid.problems)
    written, problems = None, list[Problem]()
    try:
        written = read_written(source.file)
    except InvalidConfig as invalid:
        problems += invalid.problems
    tests = list(written.compiled.tests if written else ())
    for file in tests_files:
        try:
            tests += _read_tests(file)
        except InvalidConfig as invalid:
            problems += invalid.problems
    file = STANDARD_INPUT_NAME if source.file == STANDARD_INPUT else source.file
    if written is None or problems:
        return Report(file, None, tuple(problems))
    return Report(file, written.compiled, results=tuple(run_tests(written, tests)))


def failure(result: Result) -> Finding:
    """A failed test as a finding, with its whole explanation."""
    test = result.test
    message = f"{result.name}: expected {test.expected}, found {result.found}"
    explained = explanation_lines(result.explanation) if result.explanation else ()
    granted = (f"allowed by {result.granted}",) if result.granted else ()
    details = (*granted, *map(click.unstyle, explained))
    return Finding(FAILED, Problem(test.file, *test.place, message), details)


def _read_tests(file: str) -> tuple[TableTest, ...]:
    source, content = config_source(file)
    return load_tests(source.decode(content), source.file, source.environment)


def policies_of(rules: Iterable[Rule]) -> list[PolicySpec]:
    """What the policies grant that rules use, each once, in the order of the rules."""
    specs = [rule.policy.spec for rule in rules if rule.policy]
    return list({spec.name: spec for spec in specs}.values())


def urls_of(upstream: Upstream) -> list[str]:
    """The addresses of an upstream, each with the base path."""
    return [f"{endpoint}{upstream.base.decode('ascii')}" for endpoint in upstream.endpoints]
