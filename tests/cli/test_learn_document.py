"""docs/learn.md: its commands print what stands there, and its tables name what there is."""

import json
import shlex

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli
from tests.documents import ROOT, Document, codes

PAGE = Document(ROOT / "docs" / "learn.md")
TRANSCRIPTS = PAGE.of("console")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (configuration,), (log,) = PAGE.of("yaml"), PAGE.of("log")
    (tmp_path / "config.yaml").write_text(configuration.text)
    (tmp_path / "access.jsonl").write_text(log.text)
    monkeypatch.chdir(tmp_path)


def run(command):
    return CliRunner().invoke(cli, shlex.split(command.removeprefix("$ "))[1:])


@pytest.mark.parametrize("block", TRANSCRIPTS, ids=[block.section for block in TRANSCRIPTS])
def test_the_command_prints_what_is_shown(block):
    command, _, shown = block.text.partition("\n")
    result = run(command)
    assert (result.stdout, result.exit_code) == (shown, int("-c" in command))


def test_every_key_of_the_json_is_described():
    found = json.loads(run("$ corsproxy learn -c config.yaml access.jsonl --json").stdout)
    rows = PAGE.table("For programs")
    assert {name for row in rows for name in codes(row[0])} == set(found)
    described = {row[0]: set(codes(row[1])) for row in rows}
    for key in ("opens", "left_out"):
        assert described[f"`{key}`"] == set(found[key][0])
    assert set(found["opens"][0]["seen"]) <= set(codes(PAGE.section("For programs")))
