"""Findings and results in the formats of others: GitHub's workflow commands, SARIF, JUnit's XML."""

from __future__ import annotations

import re
from pathlib import PurePath
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import corsproxy
from corsproxy.config.tests import TableTest
from corsproxy.config.written import Place
from corsproxy.cors.fetch import Request
from corsproxy.errors import Problem
from corsproxy.tools.checking.as_github import as_github
from corsproxy.tools.checking.as_junit import Suite, as_junit
from corsproxy.tools.checking.as_sarif import as_sarif
from corsproxy.tools.checking.findings import DOUBTFUL, FAILED, INVALID, KINDS, Finding
from corsproxy.tools.checking.table_tests import Result

TEXTS = st.text(max_size=30) | st.text("%:,\r\n\x00\udcff <>&\"']]a", max_size=30)
PROBLEMS = st.builds(Problem, TEXTS, st.integers(0, 9), st.integers(1, 9), TEXTS, TEXTS)
FINDINGS = st.builds(Finding, st.sampled_from(KINDS), PROBLEMS, st.lists(TEXTS, max_size=2).map(tuple))


def test_the_text_of_a_finding_is_everything_but_its_place():
    finding = Finding(INVALID, Problem("c", 1, 2, "wrong", "right"), ("why", "", "whence"))
    assert finding.text == "wrong\nright\nwhy\nwhence"


# GitHub: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands


def understood(line):
    """A workflow command as the runner reads it (actions/runner, src/Runner.Common/ActionCommand.cs)."""
    head, _, message = line.removeprefix("::").partition("::")
    command, _, properties = head.partition(" ")
    pairs = (pair.partition("=") for pair in properties.split(","))
    return command, {name: unescaped(value) for name, _, value in pairs}, unescaped(message)


def unescaped(text):
    escapes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
    return re.sub("%0D|%0A|%3A|%2C|%25", lambda found: escapes[found[0]], text)


def test_a_finding_as_a_workflow_command():
    (line,) = as_github([Finding(DOUBTFUL, Problem("a,b:c.yaml", 3, 7, "100% wrong\nand: why"))])
    assert line == "::warning title=corsproxy doubtful-config,file=a%2Cb%3Ac.yaml,line=3,col=7::100%25 wrong%0Aand: why"


def test_a_finding_about_a_whole_file_has_no_line():
    (line,) = as_github([Finding(INVALID, Problem("c.yaml", 0, 0, "there is none"))])
    assert line == "::error title=corsproxy invalid-config,file=c.yaml::there is none"


@given(FINDINGS)
def test_a_workflow_command_is_one_line_that_says_it_all(finding):
    (line,) = as_github([finding])
    problem = finding.problem
    assert not re.search("[\r\n]", line)
    command, properties, message = understood(line)
    place = {"line": str(problem.line), "col": str(problem.column)} if problem.line else {}
    assert command == finding.kind.level
    assert properties == {"title": f"corsproxy {finding.kind.name}", "file": problem.file, **place}
    assert message == finding.text


# SARIF

# What the specification requires of the properties that are used
# (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html, by section).
TEXT = {"type": "string", "minLength": 1}
MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}  # 3.11
LEVEL = {"enum": ["none", "note", "warning", "error"]}  # 3.27.10
ONE_BASED = {"type": "integer", "minimum": 1}  # 3.30
SARIF = {
    "type": "object",
    "required": ["version", "runs"],  # 3.13
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],  # 3.14
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},  # 3.14.17
                    "tool": {
                        "required": ["driver"],  # 3.18
                        "properties": {
                            "driver": {
                                "required": ["name"],  # 3.19
                                "properties": {
                                    "name": TEXT,
                                    "version": TEXT,
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id"],  # 3.49
                                            "properties": {
                                                "id": TEXT,
                                                "shortDescription": MESSAGE,
                                                "defaultConfiguration": {"properties": {"level": LEVEL}},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "required": ["message"],  # 3.27
                            "properties": {
                                "ruleId": TEXT,
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": LEVEL,
                                "message": MESSAGE,
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation"],  # 3.29.2
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {
                                                            "uri": {"type": "string", "pattern": "^[!-~]*$"}  # 3.4.3
                                                        }
                                                    },
                                                    "region": {
                                                        "required": ["startLine"],
                                                        "properties": {
                                                            "startLine": ONE_BASED,
                                                            "startColumn": ONE_BASED,
                                                        },
                                                    },
                                                },
                                            }
                                        }
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


@given(st.lists(FINDINGS, max_size=3))
def test_sarif_has_what_the_specification_requires(findings):
    findings = [finding for finding in findings if "\x00" not in finding.problem.file]  # no file is called so
    log = as_sarif(findings)
    jsonschema.Draft202012Validator(SARIF).validate(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [kind.name for kind in KINDS]
    for finding, result in zip(findings, run["results"], strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.kind.name
        assert (result["level"], result["message"]["text"]) == (finding.kind.level, finding.text)


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("deploy/my config.yaml", "deploy/my%20config.yaml"),
        ("/srv/ü.yaml", "file:///srv/%C3%BC.yaml"),
        ("a:b.yaml", "a%3Ab.yaml"),  # no scheme
        ("standard input", "standard%20input"),
    ],
)
def test_a_place_in_sarif(file, uri):
    log = as_sarif([Finding(FAILED, Problem(file, 3, 7, "x")), Finding(INVALID, Problem(file, 0, 0, "y"))])
    assert log["runs"][0]["tool"]["driver"]["version"] == corsproxy.__version__
    one, whole = (result["locations"][0]["physicalLocation"] for result in log["runs"][0]["results"])
    assert one == {"artifactLocation": {"uri": uri}, "region": {"startLine": 3, "startColumn": 7}}
    assert whole == {"artifactLocation": {"uri": uri}}
    assert not PurePath(uri).is_absolute()


# JUnit


def result_of(file, path, passed):
    test = TableTest(file, Place(3, 7), Request(url=f"https://proxy.invalid{path}", origin=b"https://a"), "allowed")
    return Result(test, "allowed" if passed else "denied-origin")


def test_results_as_junit():
    failed = Finding(FAILED, Problem("c.yaml", 3, 7, "expected <this>"), ("because",))
    passed = result_of("c.yaml", "/a", passed=True), None
    document = as_junit([Suite("c.yaml", (), [passed, (result_of("c.yaml", "/b", passed=False), failed)])])
    assert document.decode() == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<testsuites name="corsproxy check"><testsuite name="c.yaml" tests="2" failures="1" errors="0" skipped="0">'
        '<testcase name="GET /a from https://a: allowed" classname="c.yaml" file="c.yaml" line="3" />'
        '<testcase name="GET /b from https://a: allowed" classname="c.yaml" file="c.yaml" line="3">'
        '<failure message="expected &lt;this&gt;" type="failed-test">c.yaml:3:7: expected &lt;this&gt;\n'
        "because</failure>"
        "</testcase></testsuite></testsuites>"
    )


def test_a_configuration_that_cannot_be_used_is_an_error_in_junit():
    (suite,) = ET.fromstring(as_junit([Suite("c.yaml", [Problem("c.yaml", 3, 7, "wrong", "right")], [])]))
    assert suite.attrib == {"name": "c.yaml", "tests": "1", "failures": "0", "errors": "1", "skipped": "0"}
    (error,) = suite[0]
    assert (suite[0].get("line"), error.get("message"), error.text) == ("3", "wrong", "c.yaml:3:7: wrong\n    right")


def test_what_xml_cannot_say_is_escaped():
    (suite,) = ET.fromstring(as_junit([Suite("a\x00\udcff\tb", [], [])]))
    assert suite.get("name") == r"a\x00\udcff" + "\tb"


@given(TEXTS, st.lists(PROBLEMS, max_size=2), st.lists(st.tuples(TEXTS, FINDINGS | st.none()), max_size=2))
def test_junit_is_always_well_formed(file, problems, found):
    results = [(result_of(name, "/", passed=finding is None), finding) for name, finding in found]
    root = ET.fromstring(as_junit([Suite(file, problems, results)]))
    assert len(root[0].findall("testcase")) == len(problems) + len(results) == int(root[0].get("tests"))
    assert len(root.findall(".//failure")) == sum(finding is not None for _, finding in found)
