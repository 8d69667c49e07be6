"""docs/diff.md: its command prints what stands there, and its tables name what there is."""

import json

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli
from corsproxy.tools.difference.abilities import Ability
from corsproxy.tools.difference.tables import Remark
from tests.documents import ROOT, Document, codes

PAGE = Document(ROOT / "docs" / "diff.md")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name, block in zip(("old.yaml", "new.yaml"), PAGE.of("yaml"), strict=True):
        (tmp_path / name).write_text(block.text)
    monkeypatch.chdir(tmp_path)


def test_the_command_prints_what_is_shown():
    (block,) = PAGE.of("console")
    command, _, shown = block.text.partition("\n")
    result = CliRunner().invoke(cli, command.split()[2:])
    assert result.output == shown
    assert result.exit_code == 1


def test_every_ability_and_every_note_is_described():
    assert [codes(row[0])[0] for row in PAGE.table("What counts")] == [ability.value for ability in Ability]
    notes = next(row[1] for row in PAGE.table("For programs") if row[0] == "`notes`")
    assert [code for code in codes(notes) if code in set(Remark)] == list(Remark)


def test_every_key_of_the_json_is_described():
    found = json.loads(CliRunner().invoke(cli, ["diff", "old.yaml", "new.yaml", "--json"]).output)
    described = {codes(row[0])[0]: codes(row[1]) for row in PAGE.table("For programs")}
    change, note = found["changes"][0], found["notes"][0]
    shown = {"changes": change, "notes": note, "origins": change["origins"][0], "where": change["where"][0]}
    shown |= {"witnesses": change["origins"][0]["witnesses"][0], "abilities": change["abilities"][0]}
    assert set(found) <= set(described)
    for key, value in shown.items():
        assert set(value) <= set(described[key]), key
    assert set(change["rules"][0]["new"]) | {"old", "new"} <= set(described["rules"])
