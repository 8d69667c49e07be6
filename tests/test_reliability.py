"""docs/reliability.md names tests that exist, for every class of bug; SECURITY.md and it promise the same things."""

from __future__ import annotations

import re

import pytest

from tests.documents import ROOT, Document

PAGE = Document(ROOT / "docs" / "reliability.md")
NAMED = sorted(set(re.findall(r"`(\w+/test_\w+\.py)::(\w+)`", PAGE.text)))
CLASSES = 33  # of bugs that other proxies have had


@pytest.mark.parametrize(("file", "name"), NAMED, ids="::".join)
def test_every_named_test_exists(file, name):
    text = (ROOT / "tests" / file).read_text("utf-8")
    assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE)


def test_every_promise_and_every_class_of_bugs_has_its_tests():
    bugs = PAGE.table("Bugs that proxies have had")
    assert [row[0] for row in bugs] == [str(number) for number in range(1, CLASSES + 1)]
    for row in (*bugs, *PAGE.table("Promises")):
        assert re.search(r"`\w+/test_\w+\.py::\w+`", row[-1]), row


def test_programs_that_are_named_exist():
    texts = PAGE.text + (ROOT / "SECURITY.md").read_text("utf-8")
    programs = set(re.findall(r"`(scripts/\w+)", texts))
    assert programs >= {"scripts/audit", "scripts/fuzz", "scripts/sbom", "scripts/soak"}
    assert [name for name in programs if not (ROOT / name).is_file()] == []
