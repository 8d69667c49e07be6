"""docs/check.md: every command in it prints what stands there."""

import json
import shlex

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli
from corsproxy.config.tests import load_tests
from corsproxy.tools.checking.findings import KINDS
from tests import documents
from tests.documents import ROOT, Document, codes

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


def test_every_format_is_described():
    (option,) = (param for param in cli.get_command(None, "check").params if param.name == "form")
    assert [codes(row[0])[0] for row in PAGE.table("In CI")] == list(option.type.choices)
    named = codes(PAGE.section("In CI"))
    assert [name for name in named if name in {kind.name for kind in KINDS}] == [kind.name for kind in KINDS]


def test_every_key_of_the_json_is_described():
    described = {key: codes(row[1]) for row in PAGE.table("JSON") for key in codes(row[0])}
    good = json.loads(CliRunner().invoke(cli, ["check", "-c", "config.yaml", "--json"]).output)
    bad = json.loads(CliRunner().invoke(cli, ["check", "-c", "none.yaml", "--json"]).output)
    assert set(described) == set(good) | set(bad)
    assert set(described["rules"]) == set(good["rules"][0])
    assert set(described["problems"]) == set(bad["problems"][0])
    assert set(good["tests"][0]) == {code for code in described["tests"] if " " not in code}
