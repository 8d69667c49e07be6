"""config.example.yaml: it runs as it stands, it has every key, and an editor agrees."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from corsproxy.config.document import read_document
from corsproxy.config.load import load_config
from corsproxy.config.schema import json_schema

ROOT = Path(__file__).parents[1]
EXAMPLE = (ROOT / "config.example.yaml").read_text("utf-8")
# A line that begins with # and is indented as a key or entry is one that the example does without.
WHOLE = re.sub(r"^#(?=  +(?:- |[a-z_]+:))", "", EXAMPLE, flags=re.MULTILINE)
SCHEMA = json_schema()


def keys_of(node):
    """Every key that stands anywhere in plain data."""
    if isinstance(node, dict):
        return set(node).union(*map(keys_of, node.values()))
    return set().union(*map(keys_of, node)) if isinstance(node, list) else set()


def plain(text):
    root, problems = read_document(text, "config.example.yaml", {})
    assert root is not None
    assert problems == []
    return root.plain()


def test_it_runs_without_an_environment_or_an_extra():
    compiled = load_config(EXAMPLE, "config.example.yaml", {})
    assert compiled.warnings == ()
    assert str(compiled.listen[0]) == "127.0.0.1:8080"
    assert len(compiled.table.rules) == 3


def test_what_it_does_without_runs_too():
    pytest.importorskip("re2")
    compiled = load_config(WHOLE, "config.example.yaml", {})
    assert [warning.message.partition(";")[0] for warning in compiled.warnings] == [
        "no rule uses the policy 'risky'",
        "no rule uses the policy 'intranet'",
    ]


def test_it_has_every_key():
    known = {key for part in [SCHEMA, *SCHEMA["$defs"].values()] for key in part.get("properties", {})}
    assert known - keys_of(plain(WHOLE)) == set()


@pytest.mark.parametrize("text", [EXAMPLE, WHOLE], ids=["as it stands", "whole"])
def test_an_editor_agrees(text):
    jsonschema.Draft202012Validator(SCHEMA).validate(plain(text))


def parts_of(schema):
    """A schema, what it refers to, and all its branches."""
    yield schema
    if "$ref" in schema:
        yield from parts_of(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    for branch in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        yield from parts_of(branch)


def undescribed(value, schema, path=""):
    """The keys of a value that nothing on the way to them describes; names of the user's own are not asked."""
    parts = list(parts_of(schema))
    if isinstance(value, dict):
        for key, below in value.items():
            known = [part["properties"][key] for part in parts if key in part.get("properties", {})]
            free = [part["additionalProperties"] for part in parts if part.get("additionalProperties")]
            if not free and not any(one.get("description") for one in known):
                yield f"{path}.{key}"
            for one in known or free:
                yield from undescribed(below, one, f"{path}.{key}")
    if isinstance(value, list):
        for item in value:
            for one in (part["items"] for part in parts if "items" in part):
                yield from undescribed(item, one, f"{path}[]")


def test_an_editor_describes_every_key():
    assert list(undescribed(plain(WHOLE), SCHEMA)) == []
    planted = {"rules": [{"pth": "/"}], "policies": {"web": {"origins": 1}}}
    assert list(undescribed(planted, SCHEMA)) == [".rules[].pth", ".policies.web.origins"]


def test_it_names_the_schema_by_the_name_that_it_is_written_to():
    """The first line works beside the file that the command in the comment below it writes."""
    assert EXAMPLE.splitlines()[0] == "# yaml-language-server: $schema=corsproxy.schema.json"
    assert "corsproxy schema > corsproxy.schema.json" in EXAMPLE


def test_it_is_valid_for_the_command_that_it_names():
    command = [sys.executable, "-m", "corsproxy", "check", "-c", "config.example.yaml", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert json.loads(done.stdout)["valid"] is True
    assert done.stderr == ""
