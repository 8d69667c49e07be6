"""docs/check.md: every command in it prints what stands there."""

import shlex

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli
from corsproxy.config.tests import load_tests
from tests import documents
from tests.documents import ROOT, Document

PAGE = Document(ROOT / "docs" / "check.md")
TRANSCRIPTS = PAGE.of("console")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text(PAGE.of("yaml")[0].text)
    (tmp_path / "strict.yaml").write_text(PAGE.of("yaml tests")[0].text)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("block", TRANSCRIPTS, ids=[block.text.partition("\n")[0] for block in TRANSCRIPTS])
def test_the_command_prints_what_is_shown(block):
    command, _, shown = block.text.partition("\n")
    result = CliRunner().invoke(cli, shlex.split(command.removeprefix("$ "))[1:])
    assert result.output == shown
    assert result.exit_code == 1


@pytest.mark.parametrize("block", [block for page in documents.pages("docs") for block in page.of("yaml tests")])
def test_a_file_of_tests_is_one(block):
    assert load_tests(block.text, "tests.yaml", {})
