"""The corpus of scripts/fuzz, replayed: what was once interesting, or a finding, stays so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_corpus_keeps_every_promise(path):
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus_and_the_corpus_is_small():
    assert {path.parent.name for path in FILES} == set(TARGETS)
    assert sum(path.stat().st_size for path in FILES) < 300_000
