"""The JSON Schema of a configuration, for editors (https://json-schema.org/draft/2020-12/schema).

It knows which keys there are and of what kind; whether a policy is safe, a name declared and a rule reached is said by
``corsproxy check``.
"""

from __future__ import annotations

from typing import Any, cast

from corsproxy.config.model import Config

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NULL = {"type": "null"}


def json_schema() -> dict[str, Any]:
    """The schema as plain data; each section and each kind of value has a name under ``$defs``."""
    schema = cast("dict[str, Any]", _plain(Config.model_json_schema()))
    listener = schema["properties"]["listen"].pop("items")
    del schema["properties"]["listen"]["type"]
    schema["properties"]["listen"]["anyOf"] = [*listener["oneOf"], {"type": "array", "items": listener}]
    return {"$schema": _DIALECT, "title": "corsproxy configuration", **schema}


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
