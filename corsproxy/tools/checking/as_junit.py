"""Results of a table's own tests as JUnit's XML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from corsproxy.errors import Problem
from corsproxy.tools import junit
from corsproxy.tools.checking.findings import INVALID, Finding
from corsproxy.tools.checking.table_tests import Result


class Suite(NamedTuple):
    """The tests of one configuration, and what kept them from being run."""

    file: str
    problems: Sequence[Problem]
    results: Sequence[tuple[Result, Finding | None]]  # a finding of each that failed


def as_junit(suites: Iterable[Suite]) -> bytes:
    """A document; a configuration that is invalid is a test that could not be run."""
    return junit.document("corsproxy check", (junit.Suite(suite.file, list(_cases(suite))) for suite in suites))


def _cases(suite: Suite) -> Iterator[junit.Case]:
    for problem in suite.problems:
        trouble = _trouble("error", Finding(INVALID, problem))
        yield _case("the configuration can be used", problem.file, problem.line, trouble)
    for result, finding in suite.results:
        name, test = f"{result.name}: {result.test.expected}", result.test
        yield _case(name, test.file, test.place.line, _trouble("failure", finding) if finding else None)


def _case(name: str, file: str, line: int, trouble: junit.Trouble | None) -> junit.Case:
    return junit.Case(name, file, trouble, {"file": file, "line": str(line)})


def _trouble(kind: Literal["failure", "error"], finding: Finding) -> junit.Trouble:
    details = "\n".join((str(finding.problem), *finding.details))
    return junit.Trouble(kind, finding.problem.message, details, finding.kind.name)
