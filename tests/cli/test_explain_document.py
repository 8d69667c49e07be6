"""docs/explain.md: every command in it prints what stands there, and its tables name what there is."""

import json
import shlex

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli
from tests.documents import ROOT, Document, codes

PAGE = Document(ROOT / "docs" / "explain.md")
TRANSCRIPTS = PAGE.of("console")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (configuration,) = PAGE.of("yaml")
    (tmp_path / "config.yaml").write_text(configuration.text)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("block", TRANSCRIPTS, ids=[block.section for block in TRANSCRIPTS])
def test_the_command_prints_what_is_shown(block):
    command, _, shown = block.text.partition("\n")
    result = CliRunner().invoke(cli, shlex.split(command.removeprefix("$ "))[1:])
    assert result.output == shown
    assert result.exit_code == 1


SCENARIOS = {
    "S2": "A page that is not allowed",
    "S9": "Another scheme, another port, another host",
    "S10": "Everybody, and cookies",
    "S12": '"I only get: blocked by CORS policy"',
}


@pytest.mark.parametrize("heading", SCENARIOS.values(), ids=SCENARIOS)
def test_every_scenario_is_shown(heading):
    assert heading in [block.section for block in TRANSCRIPTS]


def test_every_key_of_the_json_is_described():
    words = ["explain", "-c", "config.yaml", "--json", "--origin", "https://evil.example", "https://api.site.com/data"]
    (found,) = json.loads(CliRunner().invoke(cli, words).output)
    rows = PAGE.table("For programs")
    assert [name for row in rows for name in codes(row[0])] == list(found)
    described = {row[0]: codes(row[1]) for row in rows}
    for key in ("request", "steps", "needed"):
        keys = found[key] if key == "request" else found[key][0] if found[key] else ("of", "status", "headers")
        assert set(keys) <= set(described[f"`{key}`"])
