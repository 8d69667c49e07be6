"""docs/shadow.md: its worked example is served, asked, and prints what stands there."""

from __future__ import annotations

from corsproxy.cors.flip import Change
from tests import documents
from tests.documents import ROOT, Document, codes

PAGE = Document(ROOT / "docs/shadow.md")


def test_the_log_is_printed_as_shown(tmp_path):
    config, tried = PAGE.of("yaml")
    (console,) = PAGE.of("console")
    command, printed = documents.transcript(console)
    with documents.legacy_api() as upstream:
        (tmp_path / "config.yaml").write_text(documents.redirected(config.text, upstream), "utf-8")
        (tmp_path / "tried.yaml").write_text(tried.text, "utf-8")
        with documents.running(command, tmp_path) as process:
            found = documents.replay(process, printed, {"Access-Control-Request-Method": "PATCH"})
    assert documents.comparable(found) == documents.comparable(printed)


def test_every_verdict_is_explained():
    assert {str(change) for change in Change} <= set(codes(PAGE.section("What counts as different")))
