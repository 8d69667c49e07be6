"""Results of tests in the XML that JUnit has made common, for CI.

There is no standard; these are the elements that Jenkins, GitLab and GitHub's test reporters all read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from corsproxy.errors import Problem
from corsproxy.tools.findings import INVALID, Finding
from corsproxy.tools.table_tests import Result

# What XML has no place for, however it is escaped (https://www.w3.org/TR/xml/#charsets).
_NO_CHARACTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Suite(NamedTuple):
    """The tests of one configuration, and what kept them from being run."""

    file: str
    problems: Sequence[Problem]
    results: Sequence[tuple[Result, Finding | None]]  # a finding of each that failed


def as_junit(suites: Iterable[Suite]) -> bytes:
    """A document; a configuration that is invalid is a test that could not be run."""
    root = ET.Element("testsuites", name="corsproxy check")
    for suite in suites:
        _add_suite(root, suite)
    document: bytes = ET.tostring(root, "utf-8", xml_declaration=True)
    return document


def _add_suite(root: ET.Element, suite: Suite) -> None:
    failures = sum(finding is not None for _, finding in suite.results)
    counts = {
        "tests": str(len(suite.results) + len(suite.problems)),
        "failures": str(failures),
        "errors": str(len(suite.problems)),
    }
    element = ET.SubElement(root, "testsuite", {"name": _text(suite.file), **counts})
    for problem in suite.problems:
        case = _add_case(element, "the configuration can be used", problem.file, problem.line)
        _add_outcome(case, "error", Finding(INVALID, problem))
    for result, finding in suite.results:
        name, test = f"{result.name}: {result.test.expected}", result.test
        case = _add_case(element, name, test.file, test.place.line)
        if finding:
            _add_outcome(case, "failure", finding)


def _add_case(suite: ET.Element, name: str, file: str, line: int) -> ET.Element:
    where = {"classname": _text(file), "file": _text(file), "line": str(line)}
    return ET.SubElement(suite, "testcase", {"name": _text(name), **where})


def _add_outcome(case: ET.Element, tag: str, finding: Finding) -> None:
    outcome = ET.SubElement(case, tag, message=_text(finding.problem.message), type=finding.kind.name)
    outcome.text = _text("\n".join((str(finding.problem), *finding.details)))


def _text(text: str) -> str:
    return _NO_CHARACTER.sub("\ufffd", text)
