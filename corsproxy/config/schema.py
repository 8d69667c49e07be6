"""The JSON Schema of a configuration, for editors (https://json-schema.org/draft/2020-12/schema).

It knows which keys there are and of what kind; whether a policy is safe, a name declared and a rule reached is said by
``corsproxy check``.
"""

from __future__ import annotations

from typing import Any, cast

from corsproxy.config.examples import EXAMPLES
from corsproxy.config.model import Config
from corsproxy.config.section import Section
from corsproxy.config.tests_model import TestsFileConfig

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NULL = {"type": "null"}


def json_schema() -> dict[str, Any]:
    """The schema as plain data; each section and each kind of value has a name under ``$defs``."""
    schema = _schema(Config, "corsproxy configuration")
    listener = schema["properties"]["listen"].pop("items")
    del schema["properties"]["listen"]["type"]
    schema["properties"]["listen"]["anyOf"] = [*listener["oneOf"], {"type": "array", "items": listener}]
    return schema


def json_schema_of_tests() -> dict[str, Any]:
    """The same of a file of tests."""
    return _schema(TestsFileConfig, "tests of a corsproxy configuration")


def _schema(section: type[Section], title: str) -> dict[str, Any]:
    schema = cast("dict[str, Any]", _plain(section.model_json_schema()))
    for name, part in [(section.__name__, schema), *schema["$defs"].items()]:
        for key, value in part.get("properties", {}).items():
            # VS Code's YAML server takes the backquotes of a plain description literally.
            value["markdownDescription"] = value["description"]
            if examples := EXAMPLES.get(name, {}).get(key):
                value["examples"] = list(examples)
    return {"$schema": _DIALECT, "title": title, **schema}


def _plain(node: object) -> object:
    """A part of pydantic's schema without what says nothing to a reader.

    Titles repeat the keys, and null is how this program keeps "left out", not something to write.
    """
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _plain(part) for key, part in node.items() if not _is_noise(key, part)}
    branches = [branch for branch in cast("list[Any]", plain.get("anyOf", [])) if branch != _NULL]
    if len(branches) == 1:
        del plain["anyOf"]
        return {**branches[0], **plain}
    return {**plain, "anyOf": branches} if branches else plain


def _is_noise(key: str, part: object) -> bool:
    return (key == "title" and isinstance(part, str)) or (key == "default" and part is None)
