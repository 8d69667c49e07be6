"""``corsproxy schema``."""

from __future__ import annotations

import json

from click.testing import CliRunner

from corsproxy.cli.main import cli
from corsproxy.config.schema import json_schema, json_schema_of_tests


def test_it_prints_the_schema():
    result = CliRunner().invoke(cli, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()


def test_it_prints_the_schema_of_tests():
    result = CliRunner().invoke(cli, ["schema", "--tests"])
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert said == json_schema_of_tests()
    assert said["required"] == ["tests"]
