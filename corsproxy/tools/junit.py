"""The XML that JUnit has made common, for whatever shows the results of tests.

There is no standard; these are the elements that Jenkins, GitLab and GitHub's test reporters all read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple
from xml.etree import ElementTree as ET

# What XML 1.0 has no place for, however it is escaped (https://www.w3.org/TR/xml/#charsets).
_NO_CHARACTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Trouble(NamedTuple):
    """Why a test did not pass: an error when it could not be run, and skipped when it was not asked for."""

    kind: Literal["failure", "error", "skipped"]
    message: str
    details: str = ""
    type: str = ""


class Case(NamedTuple):
    """One test; ``attributes`` are what some readers show besides, such as ``file`` and ``line``."""

    name: str
    classname: str
    trouble: Trouble | None = None
    attributes: Mapping[str, str] = {}


class Suite(NamedTuple):
    """Tests that belong together."""

    name: str
    cases: Sequence[Case]
    attributes: Mapping[str, str] = {}


def document(name: str, suites: Iterable[Suite]) -> bytes:
    """The suites, in UTF-8; what XML cannot say is written as Python would escape it."""
    root = _element(None, "testsuites", {"name": name})
    for suite in suites:
        _add_suite(root, suite)
    data: bytes = ET.tostring(root, "utf-8", xml_declaration=True)
    return data


def _add_suite(root: ET.Element, suite: Suite) -> None:
    kinds = Counter(case.trouble.kind for case in suite.cases if case.trouble)
    counts = {"failures": kinds["failure"], "errors": kinds["error"], "skipped": kinds["skipped"]}
    numbers = {name: str(number) for name, number in {"tests": len(suite.cases), **counts}.items()}
    element = _element(root, "testsuite", {"name": suite.name, **numbers, **suite.attributes})
    for case in suite.cases:
        attributes = {"name": case.name, "classname": case.classname, **case.attributes}
        _add_trouble(_element(element, "testcase", attributes), case.trouble)


def _add_trouble(case: ET.Element, trouble: Trouble | None) -> None:
    if trouble is not None:
        kind = {"type": trouble.type} if trouble.type else {}
        element = _element(case, trouble.kind, {"message": trouble.message, **kind})
        element.text = _text(trouble.details) or None


def _element(parent: ET.Element | None, tag: str, attributes: Mapping[str, str]) -> ET.Element:
    clean = {name: _text(value) for name, value in attributes.items()}
    return ET.Element(tag, clean) if parent is None else ET.SubElement(parent, tag, clean)


def _text(text: str) -> str:
    return _NO_CHARACTER.sub(lambda match: repr(match[0])[1:-1], text)
